//! What an engine brings: rows, a log, and one atomic step that compares and then writes.

use std::fmt;

use async_trait::async_trait;
use tenure::SessionId;
use tenure::clock::Timestamp;
use tenure::event::Position;
use tenure::store::{Barrier, News, PageRequest, Part, StoreError, StoreInfo};

/// An engine that several nodes share.
///
/// It knows nothing of sessions but rows and when to look at them. What happens to them is decided
/// by the rules of the core, in the process that asks: it [`view`](Self::view)s what a step depends
/// on, decides, and asks to [`write`](Self::write) if all is still as it was. So one and the same
/// rule holds on every engine, and the engine's own part stays small.
///
/// # What must hold
///
/// - **One step at a time in a partition.** Writes of a partition happen one after the other, each
///   whole or not at all, and each sees all that were acknowledged before it.
/// - **The log has no gap.** Each write appends its events with the next sequence numbers of its
///   partition, in the same step.
/// - **What is acknowledged is seen.** A view, a page or a poll that begins after a write was
///   acknowledged sees it: nothing is read from a replica that lags.
/// - **Doubt is told.** [`StoreError::Unknown`] is for a write that may have happened, every other
///   error for one that has not.
#[async_trait]
pub trait Place: Send + Sync + 'static {
    /// What it is.
    fn info(&self) -> StoreInfo;

    /// Reads what a step depends on, as of one moment.
    async fn view(&self, want: &Want) -> Result<View, StoreError>;

    /// Reads one session, for whoever decides nothing by it.
    async fn session(&self, partition: u16, id: SessionId) -> Result<Option<Body>, StoreError> {
        let want = Want { partition, sessions: vec![id], ..Want::default() };
        Ok(self.view(&want).await?.sessions.pop().map(Body::from))
    }

    /// Writes, if all that the step depends on is still as it was.
    async fn write(&self, write: &Write) -> Result<Wrote, StoreError>;

    /// Lets others write again in a partition that was [held](Want::hold), because nothing is to be
    /// written. The hold ends by itself, so this may do nothing.
    async fn release(&self, partition: u16, holder: u64) {
        let _ = (partition, holder);
    }

    /// Resolves when what a partition had in a view from this [server](View::server) is as safe as an
    /// [essential](Write::essential) write that is acknowledged: a step that found its work done already
    /// has not waited for that itself.
    async fn confirm(&self, partition: u16, server: u64) -> Result<(), StoreError> {
        let _ = (partition, server);
        Ok(())
    }

    /// Moves times of last activity, in the order given, as [`Touched`] says. `now` is the time by
    /// which they are clamped if the place lives by the caller's clock.
    async fn touch(&self, touches: &[Touched], now: Option<Timestamp>) -> Result<(), StoreError>;

    /// The rows to look at, those that are due first: of all partitions, at most `limit`.
    async fn due(&self, until: Timestamp, limit: usize) -> Result<Vec<Row>, StoreError>;

    /// The rows of a realm (by its [hash](crate::realm_hash)) that have not ended, by id, after the
    /// one of the request, at most `limit` of them. Rows of another realm with the same hash may be
    /// among them.
    async fn page(&self, request: &PageRequest, limit: usize) -> Result<Vec<Row>, StoreError>;

    /// Forgets receipts and events that are older than `until` says, and the oldest events beyond
    /// `max_events`, at most `limit` of each kind and partition. Whether there is more to do, and how
    /// many went.
    async fn prune(&self, prune: &Prune) -> Result<(u64, bool), StoreError>;

    /// The part of the log of a partition after a position; from the oldest that is kept if none is
    /// given.
    async fn log(&self, partition: u16, after: Option<Position>, limit: usize)
    -> Result<LogPage, StoreError>;

    /// What is new in the logs of all partitions: [`Store::news`](tenure::store::Store::news), with
    /// events as bytes. If one is shut, [`Barrier::shut`](tenure::store::Barrier::shut): that is how one
    /// learns of it who asks for no partition, by [`page`](Self::page) or [`due`](Self::due).
    async fn news(&self, after: &[Option<Position>], limit: usize) -> Result<News<Entry>, StoreError>;

    /// Resolves when there may be news.
    async fn woken(&self);

    /// Rows, or cells of one kind, in an order of the place's own, after where the page before ended.
    async fn export(&self, part: Part, after: Option<&[u8]>, limit: usize) -> Result<Kept, StoreError>;

    /// [`Movable::fence`](tenure::store::Movable::fence): in all partitions, and for activity too. Who is
    /// kept away is told [`Barrier::frozen`](tenure::store::Barrier::frozen) or `shut`. `now` is the time
    /// if the place lives by the caller's clock. What is not shut everywhere does not stay shut anywhere.
    async fn fence(&self, raise: Raise, now: Option<Timestamp>) -> Result<Option<Barrier>, StoreError>;

    /// The lowest barrier of all partitions.
    async fn barrier(&self) -> Result<Barrier, StoreError>;

    /// What was written with [`change_phase`](Self::change_phase) last.
    async fn phase(&self) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps a few bytes that say what the store is in a move, in place of those that were there, if these
    /// were `from`. Whether they were.
    async fn change_phase(&self, from: Option<&[u8]>, to: &[u8]) -> Result<bool, StoreError>;

    /// Lets go of what it holds. Later calls fail.
    async fn close(&self);
}

/// Raises or lifts the barrier of all partitions, to the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raise {
    /// The barrier to come; none for so long from now.
    pub to: Option<Barrier>,
    /// For how long, in milliseconds.
    pub for_ms: u64,
    /// Only where this is the barrier, and it has not passed unless it is to be lifted. Without it,
    /// everywhere but where it is shut, and there too if it is to be lifted.
    pub held: Option<Barrier>,
}

/// A part of what a place has.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Sessions.
    pub rows: Vec<Row>,
    /// Cells, each with its partition.
    pub cells: Vec<(u16, Cell)>,
    /// What to ask the next page with; none after the last.
    pub next: Option<Vec<u8>>,
}

/// What the row of a session says of its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// A guest, claimed or not.
    Guest = 0,
    /// Of a user, pending or signed in.
    User = 1,
    /// It has ended.
    Ended = 2,
}

/// A session as a place keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name: the primary key.
    pub id: SessionId,
    /// Its state.
    pub class: Class,
    /// Which realm it is of: [`realm_hash`](crate::realm_hash).
    pub realm: i64,
    /// Whose it is: [`owner_key`](crate::owner_key), while it has not ended and is no guest.
    pub owner: Option<[u8; 16]>,
    /// When to look at it next; may be too early, never too late. A write that leaves a session alive
    /// and in its class keeps the earlier of the old and the new.
    pub due: Timestamp,
    /// The last activity. A write keeps the later of the old and the new.
    pub seen: Timestamp,
    /// The idle limit, in milliseconds.
    pub idle_ms: u64,
    /// The absolute limit.
    pub deadline: Timestamp,
    /// Counts the changes, from 1.
    pub revision: u64,
    /// The record, with a checksum: bytes of [`Row::of`].
    pub body: Vec<u8>,
}

/// What is read of a session by whoever only wants to know it.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// The last activity: [`Row::seen`].
    pub seen: Timestamp,
    /// The record, with a checksum: [`Row::body`].
    pub bytes: Vec<u8>,
}

impl From<Row> for Body {
    fn from(row: Row) -> Self {
        Self { seen: row.seen, bytes: row.body }
    }
}

impl fmt::Debug for Body {
    /// Without the bytes, which are personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl fmt::Debug for Row {
    /// Without the body, which is personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("id", &self.id)
            .field("class", &self.class)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// What else is kept in a partition, by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum CellKind {
    /// What is known of a user, by [`owner_key`](crate::owner_key); kept for good.
    User = 0,
    /// What an operation left for its retries; forgotten in time.
    Receipt = 1,
}

/// The name of a cell in its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellKey {
    /// What it holds.
    pub kind: CellKind,
    /// Of whom or of what.
    pub key: [u8; 16],
}

/// A small value.
#[derive(Clone, PartialEq, Eq)]
pub struct Cell {
    /// Its name.
    pub key: CellKey,
    /// Counts the changes, from 1; 0 stands for a cell that is not there.
    pub version: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The value, with a checksum.
    pub body: Vec<u8>,
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").field("key", &self.key).field("version", &self.version).finish_non_exhaustive()
    }
}

/// What a step depends on, all in one partition.
#[derive(Clone, Debug, Default)]
pub struct Want {
    /// The partition.
    pub partition: u16,
    /// These sessions.
    pub sessions: Vec<SessionId>,
    /// All sessions of this owner that have not ended.
    pub owner: Option<[u8; 16]>,
    /// These cells.
    pub cells: Vec<CellKey>,
    /// How many guests the place holds.
    pub guests: bool,
    /// It is for a step that only [ends sessions](Write::essential), so a place may answer that is
    /// not sure whether another has taken its place: the end is confirmed when it is written.
    pub essential: bool,
    /// Keeps others from writing in the partition for a moment, because this step lost against them
    /// several times.
    pub hold: Option<Hold>,
}

/// Keeps a partition for one who lost against others several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Whose it is: a random number.
    pub holder: u64,
    /// For how long at the most, in milliseconds of the place's own clock. A write of the holder
    /// that is [done](Wrote::Done) ends it earlier.
    pub for_ms: u64,
}

/// What a place had at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The place's time.
    pub now: Timestamp,
    /// Names the server that was asked, where another may take its place and lack what this one had.
    pub server: u64,
    /// Of the sessions that were wanted, those that there are.
    pub sessions: Vec<Row>,
    /// The sessions of the owner, by id.
    pub of_owner: Vec<Row>,
    /// Of the cells that were wanted, those that there are.
    pub cells: Vec<Cell>,
    /// The number of guests, if it was wanted; 0 of a place that only counts them when it
    /// [writes](Write::max_guests).
    pub guests: u64,
}

/// A session as a step has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub id: SessionId,
    /// Its revision; 0 for a session that was not there.
    pub revision: u64,
    /// Its last activity, if the step depends on that too.
    pub seen: Option<Timestamp>,
}

/// Sessions, each with its revision.
type Revisions = Vec<(SessionId, u64)>;

/// What to write, and what it depends on, all in one partition.
#[derive(Clone, Debug, Default)]
pub struct Write {
    /// The partition.
    pub partition: u16,
    /// The moment by which the step was decided.
    pub now: Timestamp,
    /// Whether the place lives by that moment instead of its own clock, as in tests that move time.
    pub now_is_the_time: bool,
    /// The sessions that it depends on; among them all that it writes.
    pub seen: Vec<Seen>,
    /// The owner whose sessions it depends on, with all of them, by id.
    pub of_owner: Option<([u8; 16], Revisions)>,
    /// The cells that it depends on, with their versions; among them all that it writes.
    pub cells_seen: Vec<(CellKey, u64)>,
    /// Sessions, new or changed.
    pub put: Vec<Row>,
    /// Sessions of which only the time to look at them changes.
    pub reschedule: Vec<(SessionId, Timestamp)>,
    /// Sessions to remove.
    pub remove: Vec<SessionId>,
    /// Cells, new or changed, with their new versions.
    pub put_cells: Vec<Cell>,
    /// What to append to the log.
    pub events: Vec<Vec<u8>>,
    /// By how many the guests become more or fewer.
    pub guests: i64,
    /// With how many guests in the whole place this is not done any more.
    pub max_guests: Option<u64>,
    /// The number of the [hold](Want::hold) of this step, if it has one.
    pub holder: Option<u64>,
    /// It only ends sessions: a place that has little room left does it all the same.
    pub essential: bool,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// It is written and as durable as the place makes it.
    Done,
    /// Something that it depends on has changed. Nothing was written.
    Stale,
    /// Somebody holds the partition. Nothing was written.
    Busy,
    /// It was decided too long ago by the place's clock ([`MAX_DELAY_MS`]), for instance because the
    /// process stood still; or as far ahead of it, by a clock that is wrong. Nothing was written.
    Late,
    /// There are as many guests as there may be. Nothing was written.
    TooManyGuests,
}

impl Wrote {
    /// What became of a write, by the number that functions and scripts of an engine give, which are
    /// the same for all: 0 done, 1 stale, 2 busy, 3 late, 4 too many guests, 5 frozen, 6 shut. None for
    /// another number.
    pub fn of_code(code: i64) -> Option<Result<Self, StoreError>> {
        Some(match code {
            0 => Ok(Self::Done),
            1 => Ok(Self::Stale),
            2 => Ok(Self::Busy),
            3 => Ok(Self::Late),
            4 => Ok(Self::TooManyGuests),
            5 => Err(Barrier::frozen()),
            6 => Err(Barrier::shut()),
            _ => return None,
        })
    }
}

/// For how long a step that lost keeps the others away, in milliseconds: many times what it takes to read
/// and write.
pub(crate) const HOLD_MS: u64 = 500;

/// How far ahead of a place's clock a [hold](Hold) may end, in milliseconds, and a freeze: one that
/// ends later was made before the clock was set back, and counts no more. A write that finds a freeze so
/// lifts it, or whoever froze the place would believe that nobody has written.
pub const LONGEST_HOLD_MS: u64 = 2 * HOLD_MS;
/// The same for a freeze.
pub const LONGEST_FREEZE_MS: u64 = 60_000;

/// How long before it is written a step may have been decided, in milliseconds.
pub const MAX_DELAY_MS: u64 = 2_000;

/// Activity in a session: applied if the session has not ended, `at` (or the place's time, if that is
/// earlier) is after its last activity, and before its limits: `seen + idle_ms` and `deadline`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Its partition.
    pub partition: u16,
    /// Which session.
    pub id: SessionId,
    /// When.
    pub at: Timestamp,
}

/// What to forget.
#[derive(Clone, Copy, Debug)]
pub struct Prune {
    /// Receipts written until then.
    pub receipts_until: Timestamp,
    /// Events written until then.
    pub events_until: Timestamp,
    /// How many events the place keeps at the most.
    pub max_events: u64,
    /// How many of each go in one step.
    pub limit: usize,
}

/// An event in the log.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// When it was written, by the place's clock.
    pub at: Timestamp,
    /// What was appended.
    pub body: Vec<u8>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("position", &self.position).finish_non_exhaustive()
    }
}

/// A part of a log.
#[derive(Clone, Debug)]
pub enum LogPage {
    /// The events after the position, without a gap.
    Entries(Vec<Entry>),
    /// The position is not kept any more, or is of another epoch or of what was never written.
    Truncated {
        /// The oldest position that can be asked for.
        oldest: Position,
    },
}
