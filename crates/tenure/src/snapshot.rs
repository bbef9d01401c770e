//! A session as it was read: everything about it that may be looked at.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::device::Device;
use crate::error::Error;
use crate::front::{Front, Stage};
use crate::id::{Realm, Role, SessionId, UserId};
use crate::keys::Keys;
use crate::level::Level;
use crate::reason::EndReason;
use crate::record::{MethodUse, Record, SessionState, State, Value, past_limit};
use crate::vault;

/// A session as it was read, decrypted. It does not change; read again to see changes.
///
/// Serialises to JSON, as the `session` of the HTTP API. Holds no token and no secret.
///
/// # Example: a line in the list of devices
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::{Device, Memory, Sessions, SignIn, Snapshot, UserId};
///
/// fn line(session: &Snapshot) -> String {
///     format!("{}, last seen {}, until {}", session.device().label, session.last_seen_at(), session.expires_at())
/// }
///
/// let sessions = Sessions::open(Memory).await?;
/// let device = Device::from_request(Some("curl/8"), None);
/// let sign_in = SignIn::password(UserId::new("u_1")?).device(device);
/// let session = sessions.sign_in(None, sign_in).await?.session;
/// assert!(line(&session).starts_with("curl, last seen 20"));
/// # Ok(()) }
/// ```
///
/// # Example: everything that it says
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::{Changes, EndReason, Level, Method, Role, SessionState, SignIn, UserId};
/// # let kit = tenure::testing::TestKit::new().await;
/// # let (sessions, user) = (kit.sessions, UserId::new("u_1")?);
/// # let cart = Changes::default().set("cart", vec!["tea"].into());
/// # let sign_in = SignIn::password(user.clone()).roles([Role::new("editor")?]).data(cart);
/// # let session = sessions.sign_in(None, sign_in).await?.session;
///
/// assert_eq!((session.state(), session.state().as_str()), (SessionState::SignedIn, "signed_in"));
/// assert!(session.is_signed_in() && !session.is_persistent());
/// assert_eq!((session.realm().as_str(), session.user()), ("default", Some(&user)));
/// assert!(session.roles() == [Role::new("editor")?] && session.has_role("editor"));
/// assert_eq!((session.level(), &session.methods()[0].method), (Some(Level::One), &Method::password()));
///
/// assert_eq!(session.id().made_at(), session.created_at());
/// assert_eq!(session.authenticated_at(), Some(session.created_at()));
/// assert!(session.idle_expires_at() < session.expires_at(), "by the default policy");
/// assert!(session.previous().is_none(), "it came from no guest");
/// assert_eq!(session.end_reason(), None::<EndReason>);
/// assert_eq!((session.generation(), session.version()), (1, 1));
///
/// assert_eq!(session.value("cart"), Some((br#"["tea"]"#.as_slice(), 1)));
/// assert_eq!(session.keys().collect::<Vec<_>>(), ["cart"]);
/// # Ok(()) }
/// ```
#[repr(C)] // The front stays in front.
pub struct Snapshot {
    front: Front,
    record: Record,
    /// The values of the record in clear, in the order of their keys.
    data: Box<[Vec<u8>]>,
    device: Arc<Device>,
}

impl Snapshot {
    /// Opens `record`. What is sealed in it as it was `before` is taken from there; `made` may know the
    /// text of a value because it was sealed here just now.
    pub(crate) fn open(
        keys: &Keys,
        record: Record,
        before: Option<&Self>,
        made: impl Fn(&str, &Value) -> Option<Vec<u8>>,
    ) -> Result<Arc<Self>, Error> {
        let before = before.filter(|before| before.id() == record.id);
        let mut known = before.into_iter().flat_map(|before| before.record.data.iter().zip(&before.data));
        let mut next = known.next();
        let open = |(key, value): (&String, &Value)| {
            while next.is_some_and(|((other, _), _)| other < key) {
                next = known.next();
            }
            match next {
                Some(((other, as_it_was), text)) if other == key && as_it_was.sealed == value.sealed => {
                    Ok(text.clone())
                }
                _ => made(key, value).map_or_else(|| vault::open_value(keys, record.id, key, value), Ok),
            }
        };
        let data = record.data.iter().map(open).collect::<Result<_, Error>>()?;
        let device = match before.filter(|before| before.record.device == record.device) {
            Some(before) => Arc::clone(&before.device),
            None => Arc::new(vault::open_device(keys, &record)?),
        };
        let front = Front::of(&record);
        if let Some(before) = before.filter(|before| before.record.secrets.is_same_token(&record.secrets)) {
            front.inherit(&before.front);
        }
        Ok(Arc::new(Self { front, record, data, device }))
    }

    pub(crate) fn front(&self) -> &Front {
        &self.front
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Its public name.
    pub fn id(&self) -> SessionId {
        self.record.id
    }

    /// The application it belongs to.
    pub fn realm(&self) -> &Realm {
        &self.record.realm
    }

    /// Whom it belongs to; none for a guest. One who owes a factor is not signed in: see
    /// [`is_signed_in`](Self::is_signed_in).
    pub fn user(&self) -> Option<&UserId> {
        self.record.user()
    }

    /// What the user may do.
    pub fn roles(&self) -> &[Role] {
        self.record.identity().map_or(&[], |identity| &identity.roles)
    }

    /// Whether the user has `role`.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().iter().any(|held| held.as_str() == role)
    }

    /// How strongly its user proved who they are; none for a guest.
    pub fn level(&self) -> Option<Level> {
        self.record.identity().map(|identity| identity.level)
    }

    /// How its user proved who they are.
    pub fn methods(&self) -> &[MethodUse] {
        self.record.identity().map_or(&[], |identity| &identity.methods)
    }

    /// Where it stands.
    pub fn state(&self) -> SessionState {
        SessionState::from(&self.record.state)
    }

    /// Whether its user is signed in: not a guest, owing no factor, not over.
    pub fn is_signed_in(&self) -> bool {
        self.front.stage == Stage::SignedIn
    }

    /// Why it ended, if its end is written.
    pub fn end_reason(&self) -> Option<EndReason> {
        self.record.ended().map(|ended| ended.ending.reason)
    }

    /// The guest session it came from.
    pub fn previous(&self) -> Option<SessionId> {
        self.record.previous
    }

    /// When it was created.
    pub fn created_at(&self) -> Timestamp {
        self.record.created_at
    }

    /// When its user last proved in full who they are.
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        self.record.identity().map(|identity| identity.authenticated_at)
    }

    /// The last recorded activity.
    pub fn last_seen_at(&self) -> Timestamp {
        self.front.seen()
    }

    /// When the idle limit ends it, if nothing happens.
    pub fn idle_expires_at(&self) -> Timestamp {
        self.front.due_at()
    }

    /// When the absolute limit ends it, whatever happens.
    pub fn expires_at(&self) -> Timestamp {
        self.record.deadline
    }

    /// Whether its cookie outlives the browser.
    pub fn is_persistent(&self) -> bool {
        self.record.persistent
    }

    /// Which of its tokens is in use, counted from 1.
    pub fn generation(&self) -> u32 {
        self.record.secrets.generation
    }

    /// Counts the changes of its data.
    pub fn version(&self) -> u64 {
        self.record.version
    }

    /// The device, as it showed itself at sign-in.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The value of a key, as JSON text, and the version that wrote it.
    pub fn value(&self, key: &str) -> Option<(&[u8], u64)> {
        let mut values = self.values();
        values.find_map(|(name, version, text)| (name == key).then_some((text, version)))
    }

    /// Key, version and text of all values.
    fn values(&self) -> impl Iterator<Item = (&str, u64, &[u8])> {
        let pairs = self.record.data.iter().zip(&self.data);
        pairs.map(|((key, sealed), text)| (key.as_str(), sealed.version, text.as_slice()))
    }

    /// The keys of its data.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.record.data.keys().map(String::as_str)
    }

    /// Activity at `at`; whether it is news by at least `threshold`.
    pub(crate) fn see(&self, at: Timestamp, threshold: Duration) -> bool {
        if at.since(self.last_seen_at()) < threshold {
            return false;
        }
        self.front.see(at)
    }

    pub(crate) fn seen_at_least(&self, at: Timestamp) {
        self.front.see(at);
    }

    /// Why it is dead at `now`, activity that is not written yet included.
    pub(crate) fn dead(&self, now: Timestamp) -> Option<EndReason> {
        if let Some(reason) = self.end_reason() {
            return Some(reason);
        }
        past_limit(self.front.idle_at(), self.record.deadline, now)
    }

    /// Whether its end is written and not longer ago than this.
    pub(crate) fn ended_within(&self, time: Duration, now: Timestamp) -> bool {
        self.record.ended().is_some_and(|ended| now.since(ended.at) < time)
    }

    /// How many bytes it takes in a cache, that which leads to it included: rather too many than
    /// too few.
    pub(crate) fn footprint(&self) -> usize {
        /// Counts of the shared pointer, the place in the map and in the order of eviction, each
        /// at their emptiest.
        const AROUND: usize = 16 + 60 + 64;
        /// What an allocation takes beyond what was asked for.
        const EACH: usize = 16;
        /// A node of the tree that holds sealed values; half of its eleven places may be empty.
        const NODE: usize = 11 * (size_of::<String>() + size_of::<Value>()) + 128;
        let record = &self.record;
        let values = record.data.iter().map(|(key, value)| key.len() + value.sealed.len() + 2 * EACH);
        let sealed = values.sum::<usize>() + record.data.len().div_ceil(5) * NODE;
        let clear = self.data.iter().map(|text| size_of::<Vec<u8>>() + text.capacity() + EACH).sum::<usize>();
        let Device { label, browser, os, kind: _, user_agent, ip: _ } = &*self.device;
        let texts = [label, browser, os, user_agent].map(|text| text.capacity() + EACH);
        let device = texts.iter().sum::<usize>() + record.device.capacity() + EACH;
        let identity = record.identity().map_or(0, |identity| {
            let roles = identity.roles.iter().map(|role| size_of::<Role>() + role.as_str().len() + EACH);
            identity.user.as_str().len() + roles.sum::<usize>() + identity.methods.len() * 64 + 3 * EACH
        });
        let tokens = record.secrets.successor.as_ref().map_or(0, |next| next.sealed.capacity() + EACH);
        let state = match &record.state {
            State::Claimed(claim) => size_of_val(&**claim) + 512,
            State::Ended(ended) => ended.ending.note.as_ref().map_or(0, |note| note.len() + EACH),
            State::Guest | State::Pending(_) | State::SignedIn(_) => 0,
        };
        let rest = record.realm.as_str().len() + record.recent.capacity() * 8 + 2 * EACH + tokens + state;
        size_of::<Self>() + AROUND + sealed + clear + device + identity + rest
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("id", &self.id())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("id", &self.id())?;
        map.serialize_entry("previous", &self.previous())?;
        map.serialize_entry("realm", self.realm())?;
        map.serialize_entry("state", &self.state())?;
        map.serialize_entry("user", &self.user())?;
        map.serialize_entry("roles", self.roles())?;
        map.serialize_entry("level", &self.level().map_or(0, u8::from))?;
        map.serialize_entry("methods", self.methods())?;
        map.serialize_entry("created_at", &self.created_at())?;
        map.serialize_entry("authenticated_at", &self.authenticated_at())?;
        map.serialize_entry("last_seen_at", &self.last_seen_at())?;
        map.serialize_entry("idle_expires_at", &self.idle_expires_at())?;
        map.serialize_entry("expires_at", &self.expires_at())?;
        map.serialize_entry("persistent", &self.is_persistent())?;
        map.serialize_entry("generation", &self.generation())?;
        map.serialize_entry("version", &self.version())?;
        map.serialize_entry("device", &self.device)?;
        map.serialize_entry("data", &Data(self))?;
        let versions: BTreeMap<&str, u64> = self.values().map(|(key, version, _)| (key, version)).collect();
        map.serialize_entry("data_versions", &versions)?;
        if let Some(ended) = self.record.ended() {
            map.serialize_entry(
                "ended",
                &EndedView {
                    at: ended.at,
                    reason: ended.ending.reason,
                    actor: ended.ending.actor.as_str(),
                    note: ended.ending.note.as_deref(),
                    next: ended.next,
                },
            )?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct EndedView<'a> {
    at: Timestamp,
    reason: EndReason,
    actor: &'a str,
    note: Option<&'a str>,
    next: Option<SessionId>,
}

/// Values are JSON texts already, and are passed on as they are.
struct Data<'a>(&'a Snapshot);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.data.len()))?;
        for (key, _, text) in self.0.values() {
            let value: &RawValue = serde_json::from_slice(text).map_err(serde::ser::Error::custom)?;
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
