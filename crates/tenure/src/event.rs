//! What happened, in order: the one source for cache invalidation, audit and consoles.
//!
//! A store appends an event in the step that makes it happen, and [`Store::events`] reads them.
//!
//! # Example: reading on where one stopped
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tenure::event::{Event, EventBody, EventKind, InvalidPosition, Position};
//! use tenure::store::EventPage;
//! # use tenure::testing::TestKit;
//! use tenure::{Actor, EndReason, Ending, UserId};
//!
//! # let kit = TestKit::new().await;
//! # kit.sign_in_as("u_1").await;
//! # let (sessions, store) = (&kit.sessions, kit.sessions.store());
//! let fired = Ending::new(EndReason::Revoked, Actor::api_key("hr")).note("left the company");
//! sessions.end_all_of(&UserId::new("u_1")?, None, fired).await?;
//!
//! // From the oldest that is kept.
//! let EventPage::Events(events) = store.events(0, None, 100).await? else { panic!("nothing was asked for") };
//! let kinds: Vec<EventKind> = events.iter().map(|event: &Event| event.body.kind).collect();
//! assert_eq!(kinds, [EventKind::Created, EventKind::Ended]);
//! let EventBody { reason, actor, .. } = &events[1].body;
//! assert_eq!((*reason, actor.as_str()), (Some(EndReason::Revoked), "api_key:hr"));
//!
//! // A cursor is text, to be kept where the events went.
//! let cursor = events[1].position.to_string();
//! let after: Position = cursor.parse()?;
//! assert_eq!(store.events(0, Some(after), 100).await?, EventPage::Events(vec![]));
//! assert_eq!("yesterday".parse::<Position>(), Err(InvalidPosition));
//! # Ok(()) }
//! ```
//!
//! [`Store::events`]: crate::store::Store::events

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{Realm, SessionId, UserId};
use crate::reason::{Actor, EndReason, Ending};
use crate::record::Record;

/// What an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A session began.
    Created,
    /// Its data changed.
    Changed,
    /// Its next token was prepared.
    RotationPrepared,
    /// Its next token came into use.
    Rotated,
    /// Its user authenticated again or stepped up.
    Authenticated,
    /// The roles of its user changed.
    RolesChanged,
    /// A guest session began to move into one of a user.
    Claimed,
    /// That move was refused; the guest goes on.
    Released,
    /// It ended: once for each session, with reason and actor (promise P7).
    Ended,
    /// A user was disabled.
    UserDisabled,
    /// A user was enabled again.
    UserEnabled,
}

/// Where an event stands in the log of its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Changes when the log starts anew; positions of another epoch mean nothing.
    pub epoch: u64,
    /// Counts the partition's events without a gap, from 1.
    pub sequence: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.epoch, self.sequence)
    }
}

/// The text is no position in an event log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this event log; take one from an earlier answer")]
pub struct InvalidPosition;

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (epoch, sequence) = text.split_once('-').ok_or(InvalidPosition)?;
        let epoch = u64::from_str_radix(epoch, 16).map_err(|_| InvalidPosition)?;
        let sequence = sequence.parse().map_err(|_| InvalidPosition)?;
        Ok(Self { epoch, sequence })
    }
}

/// Something that happened, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Where it stands.
    pub position: Position,
    /// When it was committed, by the store's clock.
    pub at: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What an event says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBody {
    /// What happened.
    pub kind: EventKind,
    /// In which application.
    pub realm: Realm,
    /// To which session.
    pub session: Option<SessionId>,
    /// Of which user.
    pub user: Option<UserId>,
    /// Why a session ended.
    pub reason: Option<EndReason>,
    /// Who did it.
    pub actor: Actor,
    /// What a person wrote about it.
    pub note: Option<String>,
    /// The revision of the session that this made.
    #[serde(default)]
    pub revision: Option<u64>,
}

impl fmt::Debug for EventBody {
    /// Without the note: people write names into notes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBody")
            .field("kind", &self.kind)
            .field("session", &self.session)
            .field("reason", &self.reason)
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}

impl EventBody {
    pub(crate) fn of(kind: EventKind, record: &Record, actor: Actor) -> Self {
        Self {
            kind,
            realm: record.realm.clone(),
            session: Some(record.id),
            user: record.user().cloned(),
            reason: None,
            actor,
            note: None,
            revision: Some(record.revision),
        }
    }

    pub(crate) fn ended(record: &Record, ending: Ending) -> Self {
        Self {
            reason: Some(ending.reason),
            note: ending.note,
            ..Self::of(EventKind::Ended, record, ending.actor)
        }
    }

    pub(crate) fn of_user(kind: EventKind, realm: &Realm, user: &UserId, actor: Actor) -> Self {
        Self {
            kind,
            realm: realm.clone(),
            session: None,
            user: Some(user.clone()),
            reason: None,
            actor,
            note: None,
            revision: None,
        }
    }
}
