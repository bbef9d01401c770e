//! Beginning sessions.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::issue::{Attempt, IdempotencyKey, Issued};
use super::{Changes, Sessions};
use crate::device::Device;
use crate::error::Error;
use crate::id::SessionId;
use crate::policy::{InvalidPolicy, Limits, Stricter};
use crate::reason::Actor;
use crate::record::{NewSession, NewState};
use crate::seal::Sealed;
use crate::store::{Outcome, Reply};
use crate::vault;

/// A session without a user, to be begun: for a cart, a language, a form half filled.
///
/// # Example: a cart, begun from a form at a terminal of the shop
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::{Actor, Changes, Device, IdempotencyKey, Memory, NewGuest, Sessions, Stricter};
///
/// let sessions = Sessions::open(Memory).await?;
/// // Sent with the form; whoever sends it again means the same session.
/// let key = IdempotencyKey::new("c2hvcC10ZXJtaW5hbC03LTAwMQ")?;
/// let new = NewGuest::with(Changes::default().set("cart", vec!["tea"].into()))
///     .device(Device::from_request(None, Some("203.0.113.7".parse()?)))
///     .stricter(Stricter { idle_seconds: Some(300), absolute_seconds: None })
///     .actor(Actor::api_key("terminal-7"))
///     .idempotency_key(key);
/// let first = sessions.create_guest(new.clone()).await?;
/// let again = sessions.create_guest(new).await?;
/// assert_eq!(first.session.id(), again.session.id());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct NewGuest {
    data: Changes,
    device: Device,
    stricter: Stricter,
    actor: Option<Actor>,
    idempotency_key: Option<IdempotencyKey>,
}

impl NewGuest {
    /// A session with this in it from the start.
    pub fn with(data: Changes) -> Self {
        Self { data, ..Self::default() }
    }

    /// The device, for the list of sessions, and to bound how many one network begins.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Limits for this session that are stricter than the policy's.
    #[must_use]
    pub fn stricter(mut self, limits: Stricter) -> Self {
        self.stricter = limits;
        self
    }

    /// Who begins it; the application if nobody is named.
    #[must_use]
    pub fn actor(mut self, actor: Actor) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Repeats an attempt whose answer was lost: the same [key](IdempotencyKey), the same answer.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<Option<IdempotencyKey>>) -> Self {
        self.idempotency_key = key.into();
        self
    }
}

impl Sessions {
    /// Begins a guest session.
    ///
    /// Begin one only when there is something to keep: a visitor without a session costs
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Throttled`] when the device's network begins too many,
    /// [`crate::Refusal::GuestLimit`] when there are too many.
    pub async fn create_guest(&self, new: NewGuest) -> Result<Issued, Error> {
        let what = format!("guest {:?} {:?}", new.data.plain()?, new.stricter);
        let attempt = self.attempt(&what, new.actor.unwrap_or_else(Actor::application), new.idempotency_key);
        let route = attempt.route(self);
        if let Some(issued) = self.first_answer(&attempt, route).await? {
            return Ok(issued);
        }
        self.admit_guest(new.device.ip)?;
        let id = SessionId::new(self.core.clock.read()?, route, &*self.core.random);
        let guest = self.policy().guest;
        let limits = Limits { idle_seconds: guest.idle_seconds, absolute_seconds: guest.absolute_seconds };
        let limits = self.with_stricter(limits, new.stricter)?;
        let session = NewSession {
            data: self.sealed(id, &new.data.plain()?),
            ..self.begin(id, NewState::Guest, limits, &attempt, &new.device)
        };
        let operation = attempt.operation(self, 1);
        let reply = self.core.create(operation, session, self.policy().admission(&[])).await?;
        self.issue(&attempt, granted(reply)?, 1).await
    }

    pub(super) fn admit_guest(&self, ip: Option<IpAddr>) -> Result<(), Error> {
        let taken = self.realm.guests.take(ip, self.core.clock.running());
        taken.map_err(|retry_after| Error::Throttled { retry_after })
    }

    /// The stricter of the two, if sessions can live by them.
    pub(super) fn with_stricter(&self, limits: Limits, stricter: Stricter) -> Result<Limits, Error> {
        let invalid = |invalid: InvalidPolicy| Error::Invalid {
            code: "invalid_request",
            detail: format!("{} {}", invalid.field, invalid.problem),
        };
        self.policy().admits(stricter).map_err(invalid)?;
        Ok(stricter.limits(limits))
    }

    /// A new session without data.
    pub(super) fn begin(
        &self,
        id: SessionId,
        state: NewState,
        limits: Limits,
        attempt: &Attempt,
        device: &Device,
    ) -> NewSession {
        NewSession {
            id,
            realm: self.realm().clone(),
            state,
            previous: None,
            idle_ms: limits.idle_seconds * 1_000,
            absolute_ms: limits.absolute_seconds * 1_000,
            persistent: false,
            hash: attempt.secret.hash(),
            device: vault::seal_device(&self.core.keys, &*self.core.random, id, device),
            data: BTreeMap::new(),
            adopted_until: None,
        }
    }

    pub(super) fn sealed(
        &self,
        id: SessionId,
        plain: &BTreeMap<String, Vec<u8>>,
    ) -> BTreeMap<String, Sealed> {
        let seal = |(key, value): (&String, &Vec<u8>)| {
            let sealed = vault::seal_value(&self.core.keys, &*self.core.random, id, key, value);
            (key.clone(), Sealed::from(sealed))
        };
        plain.iter().map(seal).collect()
    }
}

/// The reply, unless it is a refusal.
pub(super) fn granted(reply: Reply) -> Result<Reply, Error> {
    match reply.outcome {
        Outcome::Refused(refusal) => Err(refusal.into()),
        _ => Ok(reply),
    }
}
