//! The record of a session and the states it goes through.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Refusal;
use super::data::{self, Value};
use super::identity::{Identity, NewIdentity};
use super::secrets::Secrets;
use crate::clock::Timestamp;
use crate::id::{OperationId, Realm, SessionId, UserId};
use crate::reason::{Actor, EndReason, Ending};
use crate::seal::Sealed;
use crate::token::SecretHash;

/// What a store keeps of one session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its public name.
    pub id: SessionId,
    /// The application it belongs to.
    pub realm: Realm,
    /// Where it stands.
    pub state: State,
    /// The guest session that it came from.
    pub previous: Option<SessionId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// The last recorded activity.
    pub last_seen_at: Timestamp,
    /// The idle limit, in milliseconds.
    pub idle_ms: u64,
    /// The absolute limit.
    pub deadline: Timestamp,
    /// Whether its cookie outlives the browser.
    pub persistent: bool,
    /// Its tokens.
    pub secrets: Secrets,
    /// The device, sealed.
    #[serde(with = "serde_bytes")]
    pub device: Vec<u8>,
    /// The application's data.
    pub data: BTreeMap<String, Value>,
    /// Counts the changes of data, from 0.
    pub version: u64,
    /// Counts everything that happens to the record except touches.
    pub revision: u64,
    /// The last operations, so that a retry is recognised.
    pub recent: Vec<u64>,
    /// The moment from which a cookie from elsewhere begins it no more, if it took the place of a
    /// session of another system. Nothing moves it.
    #[serde(default)]
    pub adopted_until: Option<Timestamp>,
}

/// Where a session stands. Each change of state consumes the old one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Nobody is signed in: a cart before sign-in.
    Guest,
    /// A guest whose user is signing in: its data is frozen, its token dead.
    Claimed(Box<Claim>),
    /// The user has shown one factor and owes another.
    Pending(Identity),
    /// The user is signed in.
    SignedIn(Identity),
    /// It is over, for good.
    Ended(Ended),
}

/// The move of a guest session into a session of a user, complete enough that anybody who
/// meets it half-done can finish it.
///
/// # Example: what is left of a guest that moved
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tenure::store::conformance::{self, Fixture};
/// use tenure::record::{Ended, State};
/// use tenure::store::{Mutation, rules};
/// use tenure::{Actor, EndReason, Ending};
///
/// # let fixture = Fixture::open(|| tenure::Memory).await;
/// # let (guest, claim) = (fixture.begin(fixture.guest()).await.id, fixture.claim(&conformance::user("u_1")));
/// // Claimed: anybody who meets it can create the session that the claim orders …
/// let target = claim.target.id;
/// let claimed = fixture.apply(guest, Mutation::Claim { generation: 1, claim: Box::new(claim) }).await;
/// assert!(matches!(&claimed.state, State::Claimed(claim) if claim.target.id == target));
/// # let now = fixture.now();
///
/// // … and then end the guest, which names it.
/// let moved = Ending::new(EndReason::SignedIn, Actor::user());
/// let (guest, _) = rules::end(claimed, moved, Some(target), now);
/// let Some(Ended { next, identity, .. }) = guest.ended() else { panic!("it ended") };
/// assert_eq!((*next, identity.is_none()), (Some(target), true));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The sign-in that makes the move.
    pub attempt: OperationId,
    /// The session to create, without data.
    pub target: NewSession,
    /// The keys of data that come along; all of them when none are named.
    pub carry: Option<Vec<String>>,
    /// How the user's other sessions limit it.
    pub admission: super::Admission,
    /// The receipt of the sign-in, for its retries.
    pub receipt: Option<Sealed>,
}

/// How a session ended; [`Claim`] shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Why, by whom and what was said about it.
    pub ending: Ending,
    /// The session that took its place.
    pub next: Option<SessionId>,
    /// Who was signed in.
    pub identity: Option<Identity>,
}

/// A session to create. Limits are durations; the store's clock makes them moments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSession {
    /// Its name, made by the server.
    pub id: SessionId,
    /// The application it belongs to.
    pub realm: Realm,
    /// Guest, pending or signed in.
    pub state: NewState,
    /// The guest session it comes from.
    pub previous: Option<SessionId>,
    /// The idle limit, in milliseconds.
    pub idle_ms: u64,
    /// The absolute limit, in milliseconds from now.
    pub absolute_ms: u64,
    /// Whether its cookie outlives the browser.
    pub persistent: bool,
    /// The hash of the first token's secret.
    pub hash: SecretHash,
    /// The device, sealed.
    #[serde(with = "serde_bytes")]
    pub device: Vec<u8>,
    /// Its first data, sealed.
    pub data: BTreeMap<String, Sealed>,
    /// The moment from which it begins no more, if it takes the place of a session of another
    /// system: the same for every attempt.
    #[serde(default)]
    pub adopted_until: Option<Timestamp>,
}

/// The states in which a session can begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NewState {
    /// Nobody is signed in.
    Guest,
    /// One factor is shown, another owed.
    Pending(NewIdentity),
    /// Signed in.
    SignedIn(NewIdentity),
}

impl NewState {
    /// The user, if it is not a guest.
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Self::Guest => None,
            Self::Pending(identity) | Self::SignedIn(identity) => Some(&identity.user),
        }
    }
}

impl NewSession {
    /// The record it becomes at `now`.
    ///
    /// # Errors
    /// A [`Refusal`] when its data is over a limit.
    pub fn record(self, now: Timestamp) -> Result<Record, Refusal> {
        let version = u64::from(!self.data.is_empty());
        let sealed = |(key, sealed): (String, Sealed)| (key, Value { version, sealed: sealed.into_bytes() });
        let values: BTreeMap<String, Value> = self.data.into_iter().map(sealed).collect();
        data::fits(&values)?;
        Ok(Record {
            id: self.id,
            realm: self.realm,
            state: match self.state {
                NewState::Guest => State::Guest,
                NewState::Pending(identity) => State::Pending(identity.at(now)),
                NewState::SignedIn(identity) => State::SignedIn(identity.at(now)),
            },
            previous: self.previous,
            created_at: now,
            last_seen_at: now,
            idle_ms: self.idle_ms,
            deadline: now.plus(Duration::from_millis(self.absolute_ms)),
            persistent: self.persistent,
            secrets: Secrets::first(self.hash, now),
            device: self.device,
            data: values,
            version,
            revision: 1,
            recent: Vec::new(),
            adopted_until: self.adopted_until,
        })
    }
}

/// Which of the two limits a session is past at `now`: the one that came first, and the absolute
/// one if they came at once. Liveness is decided here and nowhere else.
pub(crate) fn past_limit(idle: Timestamp, deadline: Timestamp, now: Timestamp) -> Option<EndReason> {
    (now >= idle.min(deadline)).then_some(match idle < deadline {
        true => EndReason::IdleTimeout,
        false => EndReason::AbsoluteTimeout,
    })
}

impl Record {
    /// Who is signed in, was, or is about to be.
    pub fn identity(&self) -> Option<&Identity> {
        match &self.state {
            State::Guest | State::Claimed(_) => None,
            State::Pending(identity) | State::SignedIn(identity) => Some(identity),
            State::Ended(ended) => ended.identity.as_ref(),
        }
    }

    /// Whom it belongs to, also after its end.
    pub fn user(&self) -> Option<&UserId> {
        self.identity().map(|identity| &identity.user)
    }

    /// How it ended, if its end is written.
    pub fn ended(&self) -> Option<&Ended> {
        match &self.state {
            State::Ended(ended) => Some(ended),
            _ => None,
        }
    }

    /// The moment at which it dies if nothing happens any more.
    pub fn due_at(&self) -> Timestamp {
        self.idle_expires_at().min(self.deadline)
    }

    /// The moment at which the idle limit is reached.
    pub fn idle_expires_at(&self) -> Timestamp {
        self.last_seen_at.plus(Duration::from_millis(self.idle_ms))
    }

    /// Why it is dead at `now`, written or not. A session past a limit is dead at once,
    /// whoever comes to write its end (promise P4).
    pub fn dead(&self, now: Timestamp) -> Option<EndReason> {
        if let State::Ended(ended) = &self.state {
            return Some(ended.ending.reason);
        }
        past_limit(self.idle_expires_at(), self.deadline, now)
    }

    /// Whether it counts as a live session of its user at `now`.
    pub fn is_live_of_user(&self, now: Timestamp) -> bool {
        matches!(self.state, State::SignedIn(_)) && self.dead(now).is_none()
    }

    /// Refuses to go on when it is dead, or when the token of `generation` was superseded by a
    /// sign-in. One that was rotated since it was checked may go on: a slow request is no theft.
    pub(crate) fn admits(&self, generation: Option<u32>, now: Timestamp) -> Result<(), Refusal> {
        if let Some(reason) = self.dead(now) {
            return Err(Refusal::Ended(reason));
        }
        if matches!(self.state, State::Claimed(_)) {
            return Err(Refusal::Superseded);
        }
        match generation {
            Some(presented) if !self.secrets.admits(presented) => Err(Refusal::Superseded),
            _ => Ok(()),
        }
    }

    /// The same record, over. Its data and any prepared token are gone.
    #[must_use]
    pub(crate) fn end(mut self, ending: Ending, next: Option<SessionId>, now: Timestamp) -> Self {
        let identity = match self.state {
            State::Pending(identity) | State::SignedIn(identity) => Some(identity),
            State::Guest | State::Claimed(_) => None,
            State::Ended(_) => return self,
        };
        self.state = State::Ended(Ended { at: now, ending, next, identity });
        self.secrets.successor = None;
        self.data.clear();
        self
    }

    /// The record of a session that was refused before it began: its name is used up, so
    /// that nobody who finds the sign-in half-done begins it again.
    #[must_use]
    pub(crate) fn burnt(self, reason: EndReason, now: Timestamp) -> Self {
        self.end(Ending::new(reason, Actor::system()), None, now)
    }

    /// Whether it is the record of a session that never began. Every real end counts as a
    /// revision of its own.
    pub fn is_burnt(&self) -> bool {
        self.ended().is_some() && self.revision == 1
    }
}
