//! What the operations of a store take and give.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::event::{Event, Position};
use crate::id::{OperationId, Realm, Role, Route, SessionId, UserId};
use crate::reason::{Actor, Ending};
use crate::record::{Admission, Change, Claim, Grace, NewIdentity, Record, Refusal, Successor};
use crate::token::SecretHash;

/// What a [`Store`](super::Store) is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// The engine: `memory`, `embedded`, `postgres`, `redis`.
    pub engine: &'static str,
    /// How many partitions it has.
    pub partitions: u16,
    /// Whether what it acknowledged survives the end of the process.
    pub durable: bool,
    /// Whether others may change it too: then memory is trusted only as far as
    /// [`Store::news`](super::Store::news) goes.
    pub shared: bool,
}

/// Names an attempt to change something in a [`Store`](super::Store).
#[derive(Clone, Debug)]
pub struct Operation {
    /// The same for every retry.
    pub id: OperationId,
    /// Who wants it.
    pub actor: Actor,
    /// Sealed bytes that a retry gets back, for an operation whose answer holds a secret.
    pub receipt: Option<Vec<u8>>,
}

/// One change to one session, for [`Store::mutate`](super::Store::mutate).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Changes data, key by key.
    Change {
        /// What to set and remove, and under which conditions.
        change: Change,
    },
    /// Prepares the token after `generation`. Unchanged when one is prepared already:
    /// everybody gets the same.
    Prepare {
        /// The current generation, as presented.
        generation: u32,
        /// The prepared token.
        successor: Successor,
        /// While the grace of the last rotation runs, none is prepared.
        grace: Grace,
    },
    /// The prepared token was presented: it is the current one from now on.
    Confirm {
        /// Its generation.
        generation: u32,
    },
    /// The user proved again who they are: a new token at once.
    Authenticate(Box<Authentication>),
    /// Replaces the roles of the user in this session; its token rotates at the next occasion.
    SetRoles(Vec<Role>),
    /// Freezes a guest that is about to become a session of a user.
    Claim {
        /// The token it was presented with.
        generation: u32,
        /// The move.
        claim: Box<Claim>,
    },
    /// Lets a claimed guest go on, because its sign-in was refused.
    Release {
        /// The sign-in that claimed it.
        attempt: OperationId,
    },
    /// Ends it.
    End {
        /// Why and by whom.
        ending: Ending,
        /// The session that takes its place.
        next: Option<SessionId>,
    },
    /// Ends it if it is past a limit, and says which.
    EndIfDue,
}

/// A user proves again who they are.
///
/// # Example: a second factor, from the side of the store
/// ```
/// use tenure::record::{Admission, NewIdentity};
/// use tenure::store::{Authentication, Mutation, Proof, Renewal};
/// use tenure::{Level, Method, SecretHash, UserId};
///
/// /// The session becomes one of a signed-in user, with full limits from now on.
/// fn completes(user: UserId, hash: SecretHash, admission: Admission) -> Result<Mutation, tenure::InvalidName> {
///     let methods = vec![Method::new("totp")?];
///     let identity = NewIdentity { user, roles: vec![], level: Level::One, methods, at: None };
///     let renewal = Renewal { idle_ms: 1_800_000, absolute_ms: 43_200_000, persistent: false };
///     Ok(Mutation::Authenticate(Box::new(Authentication {
///         generation: 1, // the token that was presented
///         hash,          // of the new one, which is of generation 3
///         identity,
///         pending: false,
///         proof: Proof::Completes,
///         renewal: Some(renewal),
///         admission,
///     })))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// The generation it was presented with; it must be the current one.
    pub generation: u32,
    /// The hash of the new token's secret.
    pub hash: SecretHash,
    /// Who, and how it was proved.
    pub identity: NewIdentity,
    /// The user still owes another factor: the session is a pending one afterwards.
    pub pending: bool,
    /// What it proves.
    pub proof: Proof,
    /// New limits after a full authentication; none for a step-up, which moves no limit.
    pub renewal: Option<Renewal>,
    /// The other sessions of the user, when a pending session becomes a signed-in one.
    pub admission: Admission,
}

/// What an [`Authentication`] in a session proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Who the user is, from the beginning: identity and roles are as given.
    Full,
    /// One thing more: it is added to what was proved before.
    StepUp,
    /// What a pending session owed: added to what was proved before, and the user is signed in
    /// from now on. Refused with [`Refusal::RolesChanged`] when the stored roles are not those
    /// given, by which the limits were chosen.
    Completes,
}

/// The limits that a full [`Authentication`] starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The idle limit, in milliseconds.
    pub idle_ms: u64,
    /// The absolute limit, in milliseconds from now.
    pub absolute_ms: u64,
    /// Whether the cookie outlives the browser.
    pub persistent: bool,
}

/// What became of an operation of a [`Store`](super::Store).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, with its event.
    Applied,
    /// It was so already; no event.
    Unchanged,
    /// The operation had been done before; nothing changed now.
    Replayed,
    /// Not done.
    Refused(Refusal),
}

/// The answer to a mutation of a [`Store`](super::Store).
#[derive(Clone, Debug)]
pub struct Reply {
    /// What became of it.
    pub outcome: Outcome,
    /// The session as it is now, if it exists.
    pub record: Option<Record>,
    /// Other sessions that this ended.
    pub ended: Vec<SessionId>,
    /// The receipt of the first attempt, when this was a retry.
    pub receipt: Option<Vec<u8>>,
}

impl Reply {
    /// A refusal.
    ///
    /// # Example: a session that is not there
    /// ```
    /// use tenure::Refusal;
    /// use tenure::store::{Outcome, Reply};
    ///
    /// let reply = Reply::refused(Refusal::Missing, None);
    /// assert_eq!(reply.outcome, Outcome::Refused(Refusal::Missing));
    /// ```
    pub fn refused(refusal: Refusal, record: Option<Record>) -> Self {
        Self { outcome: Outcome::Refused(refusal), record, ended: Vec::new(), receipt: None }
    }
}

/// An operation that is known already: see [`Store::replay`](super::Store::replay).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The session it created or changed.
    pub session: SessionId,
    /// What the first attempt left for its retries.
    pub receipt: Vec<u8>,
}

/// What ending the sessions of a user came to: see [`Store::end_all_of`](super::Store::end_all_of).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndedSessions {
    /// How many ended; a retry is told what the first attempt was.
    pub count: u64,
    /// Which; none for a retry.
    pub ids: Vec<SessionId>,
}

impl EndedSessions {
    /// These ended now.
    pub fn now(ids: Vec<SessionId>) -> Self {
        Self { count: ids.len() as u64, ids }
    }
}

/// A moment of activity in a session, for [`Store::touch`](super::Store::touch).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The session.
    pub id: SessionId,
    /// When.
    pub at: Timestamp,
}

/// What a [`Store`](super::Store) knows of a user beside the sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// When the user was last signed out everywhere or disabled, in milliseconds; 0 if never. Each
    /// time gives another number ([`signed_out`](Self::signed_out)).
    pub epoch: u64,
    /// Since when the user may not sign in.
    pub disabled_at: Option<Timestamp>,
}

impl UserRecord {
    /// Moves the epoch on, because the user is signed out everywhere at `now`.
    ///
    /// # Example: each time another number
    /// ```
    /// use tenure::clock::Timestamp;
    /// use tenure::store::UserRecord;
    ///
    /// let (mut user, now) = (UserRecord::default(), Timestamp::from_millis(1_000));
    /// user.signed_out(now);
    /// user.signed_out(now);
    /// assert_eq!(user.epoch, 1_001);
    /// ```
    pub fn signed_out(&mut self, now: Timestamp) {
        self.epoch = now.as_millis().max(self.epoch + 1);
    }

    /// When the user was last signed out everywhere or disabled.
    pub(crate) fn signed_out_at(&self) -> Timestamp {
        Timestamp::from_millis(self.epoch)
    }
}

/// Whose sessions an operation of a [`Store`](super::Store) is about, and where they lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The application.
    pub realm: Realm,
    /// The user.
    pub user: UserId,
    /// The [route](SessionId::route) of all of the user's sessions there.
    pub route: Route,
}

/// Asks for a page of sessions: see [`Store::page`](super::Store::page).
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The realm.
    pub realm: Realm,
    /// The last id of the page before.
    pub after: Option<SessionId>,
    /// How many at the most.
    pub limit: usize,
}

/// A page of sessions, as [`Store::page`](super::Store::page) gives it.
#[derive(Clone, Debug)]
pub struct Page {
    /// The records, by id.
    pub records: Vec<Record>,
    /// Where the next page begins; none after the last.
    pub next: Option<SessionId>,
}

/// How far one step of housekeeping ([`Store::sweep`](super::Store::sweep)) goes and how long things are kept, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// How many sessions are handled at the most.
    pub limit: usize,
    /// How long an ended session can still be told from one that never was.
    pub keep_ended_ms: u64,
    /// How long a receipt is kept.
    pub keep_receipts_ms: u64,
    /// How long an event is kept.
    pub keep_events_ms: u64,
    /// How many events are kept at the most; a store that has no room left may keep fewer.
    pub max_events: u64,
    /// A session ends if it was past a limit then. Activity from before is written before the
    /// sweep, so nobody who was active is found idle.
    pub as_of: Timestamp,
}

/// What a step of housekeeping did: see [`Store::sweep`](super::Store::sweep).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sessions whose end it wrote.
    pub ended: Vec<SessionId>,
    /// Ended sessions, receipts and events that it removed.
    pub removed: u64,
    /// Whether there is more to do now.
    pub more: bool,
}

/// Events after a position, as [`Store::events`](super::Store::events) gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventPage {
    /// They follow without a gap. Empty at the end of the log.
    Events(Vec<Event>),
    /// The position is no longer kept: what was in between cannot be told.
    Truncated {
        /// The oldest position that can be asked for.
        oldest: Position,
    },
}
