//! Activity that is not written yet, and reading the store so that none of it is missed.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Sessions;
use super::core::Core;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::SessionId;
use crate::reason::EndReason;
use crate::record::{Record, State, Value, data_size};
use crate::snapshot::Snapshot;
use crate::store::{StoreError, Touch};

/// Buffered activity is written well within this. A session that is nearer to its idle limit
/// has its activity written at once.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// How many sessions' activity waits to be written at the most; beyond, it is written at once.
const MAX: usize = 100_000;

/// Activity is written once a second. What waits for longer than this is written before
/// something is decided that depends on it.
const OVERDUE: Duration = Duration::from_secs(5);

/// While activity cannot be written, changes and ends try it this often, not each of them.
const CATCH_UP_EVERY: Duration = Duration::from_secs(1);

/// How often records are read again because activity was written meanwhile.
const TRIES: u32 = 4;

/// The moments of activity that the store has not been told yet: of each session the last,
/// and those before it without which the store would see a gap longer than the idle limit.
#[derive(Default)]
pub(super) struct Activity(Mutex<Buffer>);

#[derive(Default)]
struct Buffer {
    moments: HashMap<SessionId, Vec<Timestamp>>,
    /// How often moments left the buffer because the store has them.
    writes: u64,
    /// Since when something waits.
    waits_since: Option<Timestamp>,
    /// When it last failed to catch up.
    failed_at: Option<Timestamp>,
}

impl Activity {
    /// Keeps a moment of activity in `session`. Whether there are now so many that they are
    /// to be written at once; far beyond that it is not kept.
    pub(super) fn add(&self, session: &Record, at: Timestamp) -> bool {
        let mut buffer = self.lock();
        buffer.waits_since.get_or_insert(at);
        let moments = &mut buffer.moments;
        if moments.len() >= 2 * MAX && !moments.contains_key(&session.id) {
            return false;
        }
        let of_session = moments.entry(session.id).or_default();
        let before = of_session.iter().rev().nth(1).copied().unwrap_or(session.last_seen_at);
        if of_session.last().is_none_or(|last| *last < at) {
            if at.since(before) < Duration::from_millis(session.idle_ms) {
                of_session.pop();
            }
            of_session.push(at);
        }
        moments.len() == MAX
    }

    /// The last moment of a session that is not written yet.
    pub(super) fn last(&self, id: &SessionId) -> Option<Timestamp> {
        self.lock().moments.get(id)?.last().copied()
    }

    /// Everything that is to be written.
    pub(super) fn waiting(&self) -> Vec<Touch> {
        let buffer = self.lock();
        let of_session = |(&id, moments)| {
            let moments: &Vec<Timestamp> = moments;
            moments.iter().map(move |&at| Touch { id, at })
        };
        buffer.moments.iter().flat_map(of_session).collect()
    }

    /// The store has these.
    pub(super) fn written(&self, touches: &[Touch]) {
        let mut buffer = self.lock();
        buffer.writes += 1;
        for touch in touches {
            if let Some(moments) = buffer.moments.get_mut(&touch.id) {
                moments.retain(|at| *at > touch.at);
                if moments.is_empty() {
                    buffer.moments.remove(&touch.id);
                }
            }
        }
        let waits = |moments: &Vec<Timestamp>| moments.first().copied();
        buffer.waits_since = buffer.moments.values().filter_map(waits).min();
    }

    /// Whether something waits for longer than it should, and that could be written just now.
    fn must_catch_up(&self, now: Timestamp) -> bool {
        let buffer = self.lock();
        let overdue = buffer.waits_since.is_some_and(|since| now.since(since) >= OVERDUE);
        overdue && buffer.failed_at.is_none_or(|at| now.since(at) >= CATCH_UP_EVERY)
    }

    /// Counts the writes. What was read from the store between two equal counts lacks no
    /// activity that the buffer does not have.
    pub(super) fn writes(&self) -> u64 {
        self.lock().writes
    }

    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    /// The session `id` if it is alive, with this moment as activity: for integrations whose
    /// clients name their session by something else than a token of Tenure's.
    ///
    /// # Example: a protocol with session ids of its own
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::collections::HashMap;
    /// use tenure::{Memory, NewGuest, SessionId, Sessions};
    ///
    /// let sessions = Sessions::open(Memory).await?;
    /// // What a peer calls its session, from a handshake that proved who it is.
    /// let mut peers: HashMap<[u8; 32], SessionId> = HashMap::new();
    /// let secret = sessions.key_for("peer/7");
    /// peers.insert(secret, sessions.create_guest(NewGuest::default()).await?.session.id());
    ///
    /// let session = match peers.get(&secret) {
    ///     Some(id) => sessions.seen(*id).await?,
    ///     None => None,
    /// };
    /// assert!(session.is_some());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`check`](Self::check).
    ///
    /// # Security
    /// An id is no credential: the caller has checked one of its own.
    pub async fn seen(&self, id: SessionId) -> Result<Option<Arc<Snapshot>>, Error> {
        let now = self.core.clock.read()?;
        let found = self.core.known(id).await?.filter(|session| session.realm() == self.realm());
        let Some(session) = found.filter(|session| !matches!(session.record().state, State::Claimed(_)))
        else {
            return Ok(None);
        };
        if session.dead(now).is_some() {
            if session.end_reason().is_none() {
                self.core.end_if_due_soon(id);
            }
            return Ok(None);
        }
        if self.record_activity(&session, now) {
            self.core.flush_touches().await.ok();
        }
        Ok(Some(session))
    }

    /// Activity in `snapshot`. Whether it is to be written at once: the sweep reads the store, and
    /// must not find an idle session there. It does not run while activity cannot be written.
    pub(super) fn record_activity(&self, snapshot: &Snapshot, now: Timestamp) -> bool {
        let nearly_due = snapshot.idle_expires_at().since(now) < WRITTEN_WITHIN;
        if !snapshot.see(now, self.realm.policy.touch_threshold()) {
            return false;
        }
        self.core.touch(snapshot.record(), now);
        nearly_due
    }
}

impl Core {
    /// What `read` gives of the store, with the activity that is not written yet.
    ///
    /// A moment that is written while the store is read may be in neither of the two. A session
    /// that looks idle then is read again, so that nobody is taken for idle who is not.
    pub(super) async fn read<T, F>(&self, read: impl Fn() -> F) -> Result<(Vec<Arc<Snapshot>>, T), Error>
    where
        F: Future<Output = Result<(Vec<Record>, T), StoreError>>,
    {
        for _ in 0..TRIES {
            let writes = self.activity.writes();
            let (records, with) = read().await?;
            let snapshots =
                records.into_iter().map(|record| self.snapshot(record)).collect::<Result<Vec<_>, _>>()?;
            let now = self.clock.now();
            let looks_idle = |snapshot: &Arc<Snapshot>| {
                snapshot.end_reason().is_none() && snapshot.dead(now) == Some(EndReason::IdleTimeout)
            };
            if self.activity.writes() == writes || !snapshots.iter().any(looks_idle) {
                return Ok((snapshots, with));
            }
        }
        Err(StoreError::Unavailable("activity is written faster than the store can be read".into()).into())
    }

    /// The session, from the store.
    pub(super) async fn find(&self, id: SessionId) -> Result<Option<Arc<Snapshot>>, Error> {
        let load = || async move { Ok((self.store.load(id).await?.into_iter().collect(), ())) };
        Ok(self.read(load).await?.0.pop())
    }

    /// Opens a record and adds activity that is not written yet.
    pub(super) fn snapshot(&self, record: Record) -> Result<Arc<Snapshot>, Error> {
        self.snapshot_after(None, record, |_, _| None)
    }

    /// The same for a session that was so `before`, with what was `made` here.
    pub(super) fn snapshot_after(
        &self,
        before: Option<&Snapshot>,
        record: Record,
        made: impl Fn(&str, &Value) -> Option<Vec<u8>>,
    ) -> Result<Arc<Snapshot>, Error> {
        let pending = self.activity.last(&record.id);
        self.data_sizes.add(data_size(&record.data));
        let snapshot = Snapshot::open(&self.keys, record, before, made)?;
        if let Some(at) = pending {
            snapshot.seen_at_least(at);
        }
        Ok(snapshot)
    }

    /// Records activity in a session.
    pub(super) fn touch(self: &Arc<Self>, session: &Record, at: Timestamp) {
        if self.activity.add(session, at) {
            let core = Arc::clone(self);
            tokio::spawn(async move { core.flush_touches().await.ok() });
        }
    }

    /// Writes activity that waits for long, before a decision of the store that depends on it:
    /// who is idle, and whose session goes for another.
    pub(super) async fn catch_up(&self) {
        if self.activity.must_catch_up(self.clock.now())
            && let Err(error) = self.flush_touches().await
        {
            self.activity.lock().failed_at = Some(self.clock.now());
            tracing::debug!(%error, "activity could not be written before it was needed");
        }
    }

    /// Writes buffered activity. Until that is done it stays in the buffer, where readers of
    /// the store look for it.
    pub(super) async fn flush_touches(&self) -> Result<u64, Error> {
        let touches = self.activity.waiting();
        if touches.is_empty() {
            return Ok(0);
        }
        self.store.touch(&touches).await?;
        self.activity.written(&touches);
        Ok(touches.len() as u64)
    }
}
