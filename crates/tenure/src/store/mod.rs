//! Where sessions are kept: the [`Store`] trait and what its operations say.
//!
//! To write a store:
//!
//! 1. Implement [`Store`] with `#[async_trait]`. If its atomic step can run Rust, bring the
//!    [`Tables`](steps::Tables) of [`steps`]; otherwise do the same as the functions of [`rules`] do.
//! 2. Implement [`Engine`] for the place and the settings: that is what
//!    [`Sessions::open`](crate::Sessions::open) takes.
//! 3. Run the suite of `conformance` (feature `testing`), which has a test for each promise.
//!
//! Durations are milliseconds in names that end in `_ms`, moments are
//! [`Timestamp`](crate::clock::Timestamp)s of the store's own clock.

pub(crate) mod around;
pub(crate) mod call;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub(crate) mod counted;
mod engine;
mod error;
pub(crate) mod memory;
mod movable;
mod news;
mod operation;
mod recent_ends;
pub mod rules;
pub mod steps;

use async_trait::async_trait;

pub(crate) use engine::BOUND;
pub use engine::{Context, Engine, Opened};
pub use error::StoreError;
pub use memory::MemoryStore;
pub use movable::{Barrier, Export, Fence, Item, KnownUser, Movable, Part, Phase, RouteOf};
pub use news::{News, Tail};
pub use operation::{
    Authentication, EndedSessions, EventPage, Mutation, Operation, Outcome, Owner, Page, PageRequest, Proof,
    Renewal, Replay, Reply, StoreInfo, Sweep, Swept, Touch, UserRecord,
};

pub use recent_ends::RecentEnds;

pub(crate) use crate::record::{Admission, Refusal};

use crate::event::Position;
use crate::id::{OperationId, Route, SessionId};
use crate::reason::Ending;
use crate::record::{NewSession, Record};

/// A place that keeps sessions.
///
/// Nothing here overwrites: each operation says what is to happen, and the store decides
/// in one atomic step whether it may, by the rules in [`rules`]. What holds for all of them:
///
/// - **Atomic.** A mutation and its event are committed together or not at all. Everything
///   about one user lies in one partition, so also what concerns several sessions of a user
///   is one step. Touches append no event.
/// - **Ended stays ended.** No operation brings a session back. A session past a limit is
///   treated as dead by every operation, also before its end is written.
/// - **Missing is not an error.** Loading gives `None`, changing gives
///   [`Refusal::Missing`]. An error means that the store could not answer.
/// - **Retries.** Each mutation carries an [`Operation`]. The record remembers its last
///   sixteen; one that comes again is answered [`Outcome::Replayed`] with the record as it is
///   now, and changes nothing. An operation with a receipt is also found by
///   [`replay`](Self::replay), for a day.
/// - **Lost answers.** After [`StoreError::Unknown`] the mutation may have happened: repeat it
///   with the same operation. After every other error it has not.
/// - **Dropped futures.** A mutation whose future is dropped may still happen.
/// - **Time.** The store stamps by its own clock, which never runs backwards.
///
/// [`conformance`] is the test suite for implementations.
///
/// # Errors
/// Every operation gives a [`StoreError`] when the store cannot answer, and for nothing else.
///
/// # Example: what the core asks of a store, one by one
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::time::Duration;
/// # use tenure::{Actor, EndReason, Ending, Memory, OperationId, Realm};
/// # use tenure::record::{Admission, Change, Record};
/// # use tenure::store::conformance::{self, Fixture};
/// use tenure::store::{
///     EndedSessions, EventPage, Mutation, Operation, Outcome, Owner, Page, PageRequest, Replay, Reply, Store,
///     StoreInfo, Sweep, Swept, Touch, UserRecord,
/// };
/// # let fixture = Fixture::open(|| Memory).await;
/// # let (realm, user, now) = (Realm::default(), conformance::user("u_1"), fixture.now());
/// # let owner = conformance::owner(&user);
/// # let (new, admission): (_, Admission) = (fixture.signed_in(&user), conformance::admission());
/// # let random = fixture.random();
/// # let fresh = || Operation { id: OperationId::random(random), actor: Actor::application(), receipt: None };
/// # let store: &dyn Store = fixture.store();
///
/// let StoreInfo { engine, partitions, durable, shared } = store.info();
/// assert_eq!((engine, partitions, durable, shared), ("memory", 1, false, false));
///
/// // A session begins. The answer is lost, so the same operation comes again.
/// let begin = Operation { receipt: Some(b"sealed".to_vec()), ..fresh() };
/// let Reply { outcome, record, .. } = store.create(&begin, new.clone(), &admission).await?;
/// let Some(record) = record else { panic!("{outcome:?}") };
/// assert_eq!(store.create(&begin, new, &admission).await?.outcome, Outcome::Replayed);
/// let replay = store.replay(record.id.route(), begin.id).await?;
/// assert_eq!(replay, Some(Replay { session: record.id, receipt: b"sealed".to_vec() }));
///
/// // It changes, and is seen.
/// let change = Mutation::Change { change: Change { remove: vec!["cart".into()], ..Change::default() } };
/// assert_eq!(store.mutate(&fresh(), record.id, change.clone()).await?.outcome, Outcome::Applied);
/// assert_eq!(store.mutate_known(&fresh(), &record, Mutation::EndIfDue).await?.outcome, Outcome::Unchanged);
/// store.touch(&[Touch { id: record.id, at: now }]).await?;
/// let loaded: Record = store.load(record.id).await?.ok_or("it is there")?;
/// assert_eq!((loaded.version, store.list(&owner).await?), (1, vec![loaded]));
/// let Page { records, next } = store.page(&PageRequest { realm: realm.clone(), after: None, limit: 10 }).await?;
/// assert_eq!((records.len(), next), (1, None));
///
/// // The user signs out everywhere. What comes late is refused, and brings nothing back.
/// let ending = Ending::new(EndReason::Logout, Actor::user());
/// let ended = store.end_all_of(&fresh(), &owner, None, ending).await?;
/// assert_eq!(ended, EndedSessions::now(vec![record.id]));
/// let late = store.mutate(&fresh(), record.id, change).await?;
/// assert!(matches!(late.outcome, Outcome::Refused(_)));
/// store.set_disabled(&fresh(), &owner, true).await?;
/// let UserRecord { epoch, disabled_at } = store.user(&owner).await?;
/// assert!(epoch > 0 && disabled_at.is_some());
///
/// // Housekeeping forgets in time; the log says what happened.
/// let day = 86_400_000;
/// let sweep = Sweep {
///     limit: 500, keep_ended_ms: day, keep_receipts_ms: day, keep_events_ms: day, max_events: 1_000, as_of: now,
/// };
/// assert_eq!(store.sweep(&sweep).await?, Swept::default());
/// let EventPage::Events(events) = store.events(0, None, 100).await? else { panic!("the log is short") };
/// assert_eq!(events.len(), 4, "created, changed, ended, disabled");
/// store.close().await;
/// assert!(store.load(record.id).await.is_err());
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no store of sessions",
    note = "implement `tenure::store::Store` for it, with `#[async_trait]`, and run `tenure::store::conformance`"
)]
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// What it is and what it promises.
    fn info(&self) -> StoreInfo;

    /// Begins a session, if `admission` lets it.
    ///
    /// With the user's epoch in `admission`, a session is refused whose user was signed out
    /// everywhere or disabled since. A refused session that came from a claim is burnt: its
    /// id is used up. An id that exists already is answered [`Outcome::Replayed`], alive or
    /// not.
    async fn create(
        &self,
        operation: &Operation,
        new: NewSession,
        admission: &Admission,
    ) -> Result<Reply, StoreError>;

    /// The record of a session, also of one that ended not long ago.
    async fn load(&self, id: SessionId) -> Result<Option<Record>, StoreError>;

    /// Makes one change to one session.
    async fn mutate(
        &self,
        operation: &Operation,
        id: SessionId,
        mutation: Mutation,
    ) -> Result<Reply, StoreError>;

    /// The same for one who has read the session before. A store that is far away may save itself
    /// the reading; what is `known` may be out of date.
    async fn mutate_known(
        &self,
        operation: &Operation,
        known: &Record,
        mutation: Mutation,
    ) -> Result<Reply, StoreError> {
        self.mutate(operation, known.id, mutation).await
    }

    /// Records activity. Only ever moves forward, never past the store's own time, and never
    /// revives a session whose limit had passed at the moment of the touch. Unknown and ended
    /// sessions are passed over. One session may be touched several times, the earlier moment
    /// first.
    async fn touch(&self, touches: &[Touch]) -> Result<(), StoreError>;

    /// What an operation with a receipt did, if it is known. `route` is that of the session
    /// it created or changed.
    async fn replay(&self, route: Route, operation: OperationId) -> Result<Option<Replay>, StoreError>;

    /// The sessions of a user that have not ended, oldest first; some may be past a limit.
    async fn list(&self, owner: &Owner) -> Result<Vec<Record>, StoreError>;

    /// Ends all sessions of a user but `except`, and moves the user's epoch on, so that a
    /// sign-in that is under way does not come through. A retry changes nothing and is told
    /// the first count; a store remembers the last few of each user ([`RecentEnds`]) for a day.
    async fn end_all_of(
        &self,
        operation: &Operation,
        owner: &Owner,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Result<EndedSessions, StoreError>;

    /// What is known of a user beside sessions; the default for one never heard of.
    async fn user(&self, owner: &Owner) -> Result<UserRecord, StoreError>;

    /// Disables a user and ends all sessions in the same step, or enables them again, in the
    /// name of the operation's actor. A retry changes nothing, also when the user was enabled
    /// meanwhile, and is told the first count, as above.
    async fn set_disabled(
        &self,
        operation: &Operation,
        owner: &Owner,
        disabled: bool,
    ) -> Result<EndedSessions, StoreError>;

    /// The sessions of a realm that have not ended, by id and so by time of creation.
    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError>;

    /// One bounded step of housekeeping: writes the ends of sessions past a limit, each once,
    /// and removes what was kept long enough.
    async fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError>;

    /// The events of a partition after a position, oldest first; from the oldest that is kept
    /// when none is given. A position that is no longer kept, or of another epoch, is
    /// answered [`EventPage::Truncated`], never skipped.
    async fn events(
        &self,
        partition: u16,
        after: Option<Position>,
        limit: usize,
    ) -> Result<EventPage, StoreError>;

    /// What is new in the logs of all partitions, each after its position in `after`; where none is
    /// given, only the end of the log is told. At most about `limit` events in all. [`News`] shows it.
    ///
    /// Only asked of stores that are [`shared`](StoreInfo::shared), by a node that answers checks
    /// from memory: what the answer does not tell had not been acknowledged when the question was
    /// sent.
    async fn news(&self, after: &[Option<Position>], limit: usize) -> Result<News, StoreError> {
        let _ = (after, limit);
        Err(StoreError::Configuration("this store has one user and tells no news".into()))
    }

    /// Resolves when there may be [`news`](Self::news): a hint, to be told early. [`News`] shows it.
    async fn woken(&self) {
        std::future::pending().await
    }

    /// The store as one whose sessions can move to another, if they can. [`Movable`] shows it.
    fn movable(&self) -> Option<&dyn Movable> {
        None
    }

    /// Finishes what is under way and lets go of what it holds. Later calls fail.
    async fn close(&self);
}
