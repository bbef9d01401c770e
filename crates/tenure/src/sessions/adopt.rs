//! Taking the place of a session that another system began, without signing anybody out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;

use super::core::detached;
use super::create::granted;
use super::issue::Attempt;
use super::verdict::{Inactive, Verdict};
use super::{Changes, Check, Sessions, SignIn};
use crate::clock::Timestamp;
use crate::device::Device;
use crate::error::Error;
use crate::id::{OperationId, Route, SessionId, UserId};
use crate::keys::mac_of;
use crate::policy::{Limits, MAX_COOKIE_AGE};
use crate::reason::{Actor, EndReason, Reason};
use crate::record::{NewSession, NewState};
use crate::seal;
use crate::snapshot::Snapshot;
use crate::store::{Admission, Refusal};
use crate::token::Secret;

/// How long the name of a session elsewhere is at the most, in bytes.
const MAX_OLD_ID: usize = 256;

/// How far ahead a session elsewhere may be said to begin: as long as any session here can last.
/// What is further ahead is a moment in the wrong unit.
const MAX_AHEAD: Duration = Duration::from_secs(MAX_COOKIE_AGE);

/// How often the old cookie is checked again because the session changed under it.
const TRIES: u32 = 4;

/// The key of a session's data that holds, encrypted, which session elsewhere it came from.
const ORIGIN: &str = "tenure/adopted";

/// A session of another system, as the application found it, that is to go on as one of Tenure's.
///
/// # Example: a user, and a visitor with a cart
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tenure::testing::TestKit;
/// use tenure::{Adoption, Changes, Check, Device, SignIn, UserId};
///
/// let kit = TestKit::new().await;
/// let sessions = &kit.sessions;
/// // What the other system's table says of the cookie that came.
/// let (old_id, since) = ("4711", sessions.now());
/// kit.clock.advance(Duration::from_secs(3_600));
///
/// let adoption = Adoption::of_user(old_id, since, SignIn::password(UserId::new("u_1")?))
///     .device(Device::from_request(Some("curl/8"), None));
/// let verdict = sessions.adopt("PHPSESSID", adoption, &Check::signed_in().can_set_cookie(true)).await?;
/// let active = verdict.active().expect("it is alive there");
/// assert_eq!(active.session().authenticated_at(), Some(since), "limits count from then");
/// assert!(active.renewed().is_some(), "the cookie to set instead");
/// assert_eq!(sessions.adopted_from(active.session()), Some(old_id.to_owned()));
///
/// let visitor = Adoption::of_guest("4712", since, Changes::default().set("cart", vec!["tea"].into()));
/// assert!(sessions.adopt("PHPSESSID", visitor, &Check::any()).await?.active().is_some());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Adoption {
    old_id: String,
    since: Timestamp,
    whose: Whose,
    device: Device,
}

#[derive(Clone)]
enum Whose {
    User(Box<SignIn>),
    Guest(Changes),
}

impl fmt::Debug for Adoption {
    /// Without the id: elsewhere it may be the secret itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adoption").field("since", &self.since).finish_non_exhaustive()
    }
}

impl Adoption {
    /// A signed-in user's.
    ///
    /// `old_id` is what the other system calls the session, in one spelling: the same for every
    /// request with its cookie, however that is written. `since` is when the user authenticated
    /// there: the limits count from then. Id, user and `since` have to be the same each time: with
    /// another one it is another session. Where the other system does not know since when, take a
    /// constant that has passed, such as the moment of switching over.
    ///
    /// A `since` that is still to come counts as now. Until it has passed, a user who was ever signed
    /// out everywhere is not let in; after it, one who was signed out before it is. So the other
    /// system's clock must not be ahead of this one. More than 400 days ahead, nothing is adopted.
    pub fn of_user(old_id: impl Into<String>, since: Timestamp, sign_in: SignIn) -> Self {
        Self::new(old_id.into(), since, Whose::User(Box::new(sign_in)))
    }

    /// A visitor's who is not signed in, with what it holds. As for [`of_user`](Self::of_user),
    /// `since` being when it began.
    pub fn of_guest(old_id: impl Into<String>, since: Timestamp, data: Changes) -> Self {
        Self::new(old_id.into(), since, Whose::Guest(data))
    }

    fn new(old_id: String, since: Timestamp, whose: Whose) -> Self {
        Self { old_id, since, whose, device: Device::default() }
    }

    /// The device, for the list of sessions.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    fn user(&self) -> Option<&UserId> {
        match &self.whose {
            Whose::User(sign_in) => Some(sign_in.user()),
            Whose::Guest(_) => None,
        }
    }

    fn is_ahead(&self, now: Timestamp) -> bool {
        self.since > now
    }
}

/// What a session's place here follows from.
struct Place {
    id: SessionId,
    secret: Secret,
}

impl Sessions {
    /// Goes on with a session of another system, which its client has shown by the cookie named
    /// `cookie`. Says what that is good for here, as a check does. [`Adoption`] has an example.
    ///
    /// For what follows the old cookie is the first token of the session and the new one its
    /// successor. So requests that come at once, and those whose answer was lost, meet the same
    /// session and get the same token; once the new one is in use the old cookie is good for the
    /// grace time only, and after that its use is theft and ends the session.
    ///
    /// When the session is over, the old cookie begins none again: that it ended is remembered for the
    /// longest absolute limit of the policy, counted from the sign-in elsewhere, and from then on
    /// nothing is adopted. Whoever lengthens that limit while old cookies are still taken keeps the
    /// old one for them, by [`SignIn::stricter`]. Each session cookie of Tenure's, by its name, has
    /// sessions of its own.
    ///
    /// A user who is disabled, was signed out everywhere since then, or has no room for a session,
    /// is not signed in: the verdict is [`Reason::NoToken`], and the old cookie may stay.
    ///
    /// # Errors
    /// As [`check`](Self::check), and [`Error::Throttled`] also when the network begins too many guest
    /// sessions. Nothing can be said then: leave both cookies alone.
    ///
    /// # Security
    /// The application has asked the other system whether the cookie is good.
    ///
    /// The secret of the first token is not random: it follows from the master key and from what the
    /// store holds. Whoever has both can present the session until the new token is in use.
    pub async fn adopt(&self, cookie: &str, adoption: Adoption, check: &Check) -> Result<Verdict, Error> {
        let (sessions, cookie, check) = (self.clone(), cookie.to_owned(), check.clone());
        detached(async move { sessions.adopted(&cookie, adoption, &check).await }).await
    }

    async fn adopted(&self, cookie: &str, adoption: Adoption, check: &Check) -> Result<Verdict, Error> {
        let nobody = || Ok(Verdict::Inactive(Inactive::new(Reason::NoToken)));
        let now = self.core.clock.read()?;
        if adoption.old_id.is_empty() || adoption.old_id.len() > MAX_OLD_ID {
            tracing::warn!("a session elsewhere is not adopted: its id must have 1 to {MAX_OLD_ID} bytes");
            return nobody();
        }
        if adoption.is_ahead(now) && adoption.since.since(now) > MAX_AHEAD {
            tracing::warn!(since = %adoption.since, "a session elsewhere is not adopted: it begins in over 400 days");
            return nobody();
        }
        if now >= self.adoptable_until(&adoption) {
            return Ok(Verdict::Inactive(Inactive::new(EndReason::AbsoluteTimeout.into())));
        }
        let place = self.place(cookie, &adoption);
        match self.core.load_adopted(place.id, check.ip).await? {
            Some(found) if found.user() != adoption.user() => {
                tracing::error!(session = %found.id(), "a session elsewhere is not adopted: its id is taken");
                return nobody();
            }
            Some(_) => {}
            None => {
                if let Err(error) = self.begin_adopted(cookie, &adoption, &place, check).await {
                    return refused(error);
                }
            }
        }
        let token = self.realm.binding.token(&self.core.keys, place.id, 1, &place.secret);
        self.check_adopted(token.expose().as_bytes(), check).await
    }

    /// Checks the first token. Hands the next one out with its first use, and with every other until
    /// the next one came back.
    async fn check_adopted(&self, token: &[u8], check: &Check) -> Result<Verdict, Error> {
        let mut tries = 1;
        loop {
            let mut verdict = self.check(token, check).await?;
            let Some(active) =
                verdict.active_mut().filter(|active| active.renewed.is_none() && !active.in_grace)
            else {
                return Ok(verdict);
            };
            match self.next_token(active).await {
                Ok(issued) => {
                    active.session = Arc::clone(&issued.session);
                    active.renewed = Some(Box::new(issued));
                    return Ok(verdict);
                }
                // The next token came back meanwhile, or the session ended.
                Err(Error::Refused(_) | Error::Inactive(_)) if tries < TRIES => tries += 1,
                // The old cookie is good all the same, and gets the next token another time.
                Err(error) => {
                    tracing::debug!(session = %active.session.id(), code = error.code(), "no new cookie now");
                    return Ok(verdict);
                }
            }
        }
    }

    async fn begin_adopted(
        &self,
        cookie: &str,
        adoption: &Adoption,
        place: &Place,
        check: &Check,
    ) -> Result<(), Error> {
        let id = OperationId::random(&*self.core.random);
        let attempt = Attempt { id, key: None, actor: Actor::adopted(cookie), secret: place.secret.clone() };
        let (new, admission) = match &adoption.whose {
            Whose::User(sign_in) => self.user_moves_in(adoption, sign_in, place, &attempt).await?,
            Whose::Guest(data) => {
                self.admit_guest(check.ip)?;
                self.guest_moves_in(adoption, data, place, &attempt)?
            }
        };
        let reply = self.core.create(attempt.operation(self, 1), new, admission).await?;
        granted(reply).map(drop)
    }

    async fn user_moves_in(
        &self,
        adoption: &Adoption,
        sign_in: &SignIn,
        place: &Place,
        attempt: &Attempt,
    ) -> Result<(NewSession, Admission), Error> {
        let user = self.core.store.user(&self.owner(sign_in.user())).await?;
        if user.disabled_at.is_some() {
            return Err(Refusal::UserDisabled.into());
        }
        // Of what begins later nobody knows whether the sign-out came first.
        let was_signed_out = user.epoch > 0 && adoption.is_ahead(self.core.clock.now());
        if was_signed_out || adoption.since <= user.signed_out_at() {
            return Err(Refusal::SignedOut.into());
        }
        let mut sign_in = sign_in.clone().device(adoption.device.clone());
        sign_in.at = Some(adoption.since);
        let (mut new, admission) = self.session_of_user_as(place.id, attempt, &sign_in)?;
        self.mark(&mut new, adoption);
        Ok((new, Admission { epoch: Some(user.epoch), ..admission }))
    }

    fn guest_moves_in(
        &self,
        adoption: &Adoption,
        data: &Changes,
        place: &Place,
        attempt: &Attempt,
    ) -> Result<(NewSession, Admission), Error> {
        let guest = self.policy().guest;
        let limits = Limits { idle_seconds: guest.idle_seconds, absolute_seconds: guest.absolute_seconds };
        let limits = self.what_is_left(limits, Some(adoption.since))?;
        let mut new = NewSession {
            data: self.sealed(place.id, &data.plain()?),
            ..self.begin(place.id, NewState::Guest, limits, attempt, &adoption.device)
        };
        self.mark(&mut new, adoption);
        Ok((new, self.policy().admission(&[])))
    }

    fn mark(&self, new: &mut NewSession, adoption: &Adoption) {
        new.adopted_until = Some(self.adoptable_until(adoption));
        let sealed = seal::seal(&self.key_for(ORIGIN), b"", adoption.old_id.as_bytes(), &*self.core.random);
        let text = serde_json::Value::from(BASE64URL_NOPAD.encode(&sealed)).to_string();
        new.data.extend(self.sealed(new.id, &[(ORIGIN.to_owned(), text.into_bytes())].into()));
    }

    /// What the other system called the session that `session` took the place of, if it did: the
    /// `old_id` of its [`Adoption`].
    ///
    /// # Security
    /// Elsewhere it may be the secret itself.
    pub fn adopted_from(&self, session: &Snapshot) -> Option<String> {
        let text: String = serde_json::from_slice(session.value(ORIGIN)?.0).ok()?;
        let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        String::from_utf8(seal::open(&self.key_for(ORIGIN), b"", &sealed)?).ok()
    }

    /// From when on the session is adopted no more, whatever its own limits: the longest that any
    /// attempt can get counts from the same moment.
    fn adoptable_until(&self, adoption: &Adoption) -> Timestamp {
        let longest = match &adoption.whose {
            Whose::User(_) => self.policy().longest_seconds(),
            Whose::Guest(_) => self.policy().guest.absolute_seconds,
        };
        adoption.since.plus(Duration::from_secs(longest))
    }

    /// Where the session goes: always to the same place, which nobody can find without the keys.
    fn place(&self, cookie: &str, adoption: &Adoption) -> Place {
        let key = self.key_for("adoption/1");
        let binding = self.realm.binding.name();
        let (kind, user) = adoption.user().map_or(("guest", ""), |user| ("user", user.as_str()));
        let (elsewhere, since) = (adoption.old_id.as_bytes(), adoption.since.as_millis().to_be_bytes());
        let of = |what: &[u8]| {
            let from = [what, binding.as_bytes(), cookie.as_bytes(), elsewhere];
            mac_of(&key, &[&from[..], &[kind.as_bytes(), user.as_bytes(), &since]].concat())
        };
        let [a, b, rest @ ..] = of(b"id");
        let route = match &adoption.whose {
            Whose::User(sign_in) => self.owner(sign_in.user()).route,
            Whose::Guest(_) => Route(u16::from_be_bytes([a, b])),
        };
        let mut tail = [0; 8];
        tail.copy_from_slice(&rest[..8]);
        let id = SessionId::of_parts(adoption.since, route, tail);
        Place { id, secret: Secret::from_bytes(of(b"secret")) }
    }

    /// What is left of `limits` when the absolute one counts from `since`.
    pub(super) fn what_is_left(&self, limits: Limits, since: Option<Timestamp>) -> Result<Limits, Error> {
        let age = since.map_or(Duration::ZERO, |since| self.core.clock.now().since(since)).as_secs();
        match limits.absolute_seconds.saturating_sub(age) {
            0 => Err(Error::Inactive(EndReason::AbsoluteTimeout.into())),
            left => Ok(Limits { absolute_seconds: left, idle_seconds: limits.idle_seconds.min(left) }),
        }
    }
}

/// Why somebody is not signed in: for good when the time is over, and otherwise for now. An error is
/// only what passes: what does not fit must not keep a visitor from every page.
fn refused(error: Error) -> Result<Verdict, Error> {
    match error {
        Error::Store(_) | Error::Clock(_) | Error::Throttled { .. } | Error::Bug(_) => Err(error),
        Error::Inactive(reason) => Ok(Verdict::Inactive(Inactive::new(reason))),
        error => {
            tracing::warn!(%error, code = error.code(), "a session elsewhere is not adopted");
            Ok(Verdict::Inactive(Inactive::new(Reason::NoToken)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    /// Two ids that follow from different things are the same once in a very long time.
    #[tokio::test]
    async fn an_id_that_is_another_users_leads_nowhere_and_harms_nobody() {
        let sessions = Sessions::builder(Memory).without_background().open().await.unwrap();
        let of = |user: &str| {
            let sign_in = SignIn::password(UserId::new(user).unwrap());
            Adoption::of_user("row-1", sessions.now(), sign_in)
        };
        let (ada, bob) = (of("u_ada"), of("u_bob"));
        let taken = Place { id: sessions.place("old", &ada).id, ..sessions.place("old", &bob) };
        sessions.begin_adopted("old", &bob, &taken, &Check::any()).await.unwrap();
        let verdict = sessions.adopt("old", ada, &Check::any()).await.unwrap();
        let inactive = verdict.inactive().expect("it is not hers");
        assert!(inactive.reason == Reason::NoToken && !inactive.forget && inactive.session.is_none());
        let his = sessions.get(taken.id).await.unwrap().unwrap();
        assert!(his.end_reason().is_none());
    }
}
