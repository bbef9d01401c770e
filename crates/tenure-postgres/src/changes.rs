//! Changes of one session each, which is what most steps are: several in one transaction when many
//! come at once, since a transaction costs as much for few as for many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use futures_util::future::join_all;
use tenure::store::StoreError;
use tenure_shared::{MAX_DELAY_MS, Row, Seen, Write, Wrote};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;

use crate::columns::Columns;
use crate::error::{self, Sent, wrote};
use crate::pool::{Connections, PATIENCE};
use crate::statements::Sql;
use crate::types::{Id, big, get, millis};

/// How many transactions with changes a node has under way at once. What comes meanwhile waits, and
/// goes together.
const LANES: usize = 4;

/// How many changes go together at the most: their partitions are locked until all are written. A
/// change whose partition somebody else has locked goes alone afterwards, so that none waits for it.
const TOGETHER: usize = 32;

/// How many wait at the most.
const WAITING: usize = 4_096;

/// One session becomes another one, and one event tells of it.
pub(crate) struct Change {
    partition: i32,
    decided: i64,
    is_the_time: bool,
    seen: Seen,
    row: Row,
    event: Vec<u8>,
}

impl Change {
    /// What a step writes, if it is no more than that.
    pub(crate) fn of(write: &Write) -> Option<Self> {
        let ([seen], [row], [event]) = (&write.seen[..], &write.put[..], &write.events[..]) else {
            return None;
        };
        let more = write.of_owner.is_some()
            || !write.cells_seen.is_empty()
            || !write.reschedule.is_empty()
            || !write.remove.is_empty()
            || !write.put_cells.is_empty()
            || write.guests != 0
            || write.holder.is_some();
        (!more && seen.revision > 0 && seen.id == row.id).then(|| Self {
            partition: write.partition.into(),
            decided: millis(write.now),
            is_the_time: write.now_is_the_time,
            seen: *seen,
            row: row.clone(),
            event: event.clone(),
        })
    }
}

/// A change that waits, and who waits for it.
struct Waiting {
    change: Change,
    stage: Arc<AtomicU8>,
    tell: oneshot::Sender<Result<Wrote, StoreError>>,
}

/// It waits; it was sent; nobody waits for it any more.
const QUEUED: u8 = 0;
const SENT: u8 = 1;
const LEFT: u8 = 2;

/// What is said of a change in whose partition somebody else writes.
const LOCKED: i32 = 7;

impl Waiting {
    fn tell(self, done: Result<Wrote, StoreError>) {
        // Who waited may be gone.
        let _ = self.tell.send(done);
    }
}

/// Makes changes.
pub(crate) struct Changes {
    lane: Lane,
    free: Arc<Semaphore>,
    queue: mpsc::Sender<Waiting>,
}

impl Changes {
    pub(crate) fn start(pool: Connections, sql: &Sql) -> Self {
        let lane = Lane { pool, one: sql.change.as_str().into(), several: sql.changes.as_str().into() };
        let (queue, waiting) = mpsc::channel(WAITING);
        let free = Arc::new(Semaphore::new(LANES));
        tokio::spawn(send(lane.clone(), waiting, Arc::clone(&free)));
        Self { lane, free, queue }
    }

    /// Makes a change, alone if nobody waits.
    pub(crate) async fn make(&self, change: Change) -> Result<Wrote, StoreError> {
        if let Ok(_free) = self.free.try_acquire() {
            return self.lane.make(&change).await;
        }
        let (tell, mut told) = oneshot::channel();
        let stage = Arc::new(AtomicU8::new(QUEUED));
        let waiting = Waiting { change, stage: Arc::clone(&stage), tell };
        self.queue.try_send(waiting).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                StoreError::Unavailable(format!("{WAITING} changes wait for PostgreSQL already"))
            }
            mpsc::error::TrySendError::Closed(_) => error::closed(),
        })?;
        let answer = match timeout(PATIENCE, &mut told).await {
            Ok(answer) => answer,
            Err(_) if stage.swap(LEFT, Ordering::AcqRel) == QUEUED => {
                return Err(error::no_answer(Sent::Nothing));
            }
            // It was sent, and that ends in time.
            Err(_) => told.await,
        };
        answer.unwrap_or_else(|_| Err(error::no_answer(Sent::Write)))
    }
}

/// Sends what waits, as soon as there is a free lane, for as long as somebody may come.
async fn send(lane: Lane, mut waiting: mpsc::Receiver<Waiting>, free: Arc<Semaphore>) {
    while let Some(first) = waiting.recv().await {
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
        let mut together = vec![first];
        while together.len() < TOGETHER
            && let Ok(next) = waiting.try_recv()
        {
            together.push(next);
        }
        together.retain(|one| one.stage.swap(SENT, Ordering::AcqRel) == QUEUED);
        tokio::spawn(lane.clone().make_all(together, permit));
    }
}

/// How changes are sent.
#[derive(Clone)]
struct Lane {
    pool: Connections,
    one: Arc<str>,
    several: Arc<str>,
}

impl Lane {
    async fn make(&self, change: &Change) -> Result<Wrote, StoreError> {
        let Change { partition, decided, is_the_time, seen, row, event } = change;
        let values: [&(dyn ToSql + Sync); 17] = [
            is_the_time,
            &big(MAX_DELAY_MS),
            partition,
            decided,
            &Id::from(row.id),
            &big(seen.revision),
            &seen.seen.map(millis),
            &(row.class as i16),
            &row.realm,
            &row.owner.map(Id),
            &millis(row.due),
            &millis(row.seen),
            &big(row.idle_ms),
            &millis(row.deadline),
            &big(row.revision),
            &row.body,
            event,
        ];
        wrote(get(&self.pool.query_one(Sent::Write, &self.one, &values).await?, 0)?)
    }

    /// Makes changes in one transaction, and tells who waits what became of theirs.
    async fn make_all(self, mut together: Vec<Waiting>, _lane: OwnedSemaphorePermit) {
        // In the order in which everybody locks rows.
        together.sort_by_key(|one| (one.change.partition, one.change.row.id));
        let codes = match &together[..] {
            [] => return,
            // Alone it may wait for its partition.
            [_] => Ok(vec![LOCKED]),
            several => self.make_several(several).await,
        };
        let mut left = Vec::new();
        match codes {
            Ok(codes) => {
                for (one, code) in together.into_iter().zip(codes) {
                    if code == LOCKED { left.push(one) } else { one.tell(wrote(code)) }
                }
            }
            Err(error) => together.into_iter().for_each(|one| one.tell(Err(error.clone()))),
        }
        join_all(left.into_iter().map(async |one| {
            let done = self.make(&one.change).await;
            one.tell(done);
        }))
        .await;
    }

    async fn make_several(&self, several: &[Waiting]) -> Result<Vec<i32>, StoreError> {
        let of = |each: fn(&Change) -> i64| several.iter().map(|one| each(&one.change)).collect::<Vec<i64>>();
        let partitions: Vec<i32> = several.iter().map(|one| one.change.partition).collect();
        let seen_at: Vec<Option<i64>> = several.iter().map(|one| one.change.seen.seen.map(millis)).collect();
        let events: Vec<&[u8]> = several.iter().map(|one| &one.change.event[..]).collect();
        let rows = Columns::of(several.iter().map(|one| &one.change.row));
        // One process has one way to tell the time.
        let is_the_time = several.iter().any(|one| one.change.is_the_time);
        let values: [&(dyn ToSql + Sync); 17] = [
            &is_the_time,
            &big(MAX_DELAY_MS),
            &partitions,
            &of(|change| change.decided),
            &rows.ids,
            &of(|change| big(change.seen.revision)),
            &seen_at,
            &rows.classes,
            &rows.realms,
            &rows.owners,
            &rows.due,
            &rows.seen,
            &rows.idle,
            &rows.deadlines,
            &rows.revisions,
            &rows.bodies,
            &events,
        ];
        let row = self.pool.query_one(Sent::Write, &self.several, &values).await?;
        let codes: Vec<i32> = get(&row, 0)?;
        if codes.len() != several.len() {
            return Err(error::corrupt("the function that writes is another one"));
        }
        Ok(codes)
    }
}
