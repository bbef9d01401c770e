//! Writing: one thread that takes what is waiting, runs it in one transaction, each operation
//! in a savepoint of its own, and answers after the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tenure::store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::commit::Committer;
use crate::error::{self, Result};
use crate::job::{Job, Need};
use crate::txn::Txn;

/// How many operations may wait. Beyond, callers wait without being queued.
const WAITING: usize = 1024;
/// How many operations share a commit at the most.
const BATCH: usize = 256;
/// How long a commit is put off, at the most, for those who had their answers a moment ago and
/// will ask again: this part of what the last one took, and never longer than that.
const PATIENCE: u32 = 4;
const PATIENCE_AT_MOST: Duration = Duration::from_millis(2);

/// The thread that writes.
pub(crate) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    room: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(committer: Committer) -> std::result::Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel();
        let room = Arc::new(Semaphore::new(WAITING));
        let taken = Arc::clone(&room);
        let thread = std::thread::Builder::new()
            .name("tenure-write".into())
            .spawn(move || serve(committer, &jobs, &taken))
            .map_err(|e| StoreError::Unavailable(format!("no thread to write with: {e}")))?;
        Ok(Self { queue: Mutex::new(Some(queue)), room, thread: Mutex::new(Some(thread)) })
    }

    /// Runs `work` in the next transaction, and answers when it is durable.
    pub(crate) async fn run<T, F>(&self, need: Need, work: F) -> std::result::Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Txn<'_>) -> Result<T> + Send + 'static,
    {
        let room = Arc::clone(&self.room).acquire_owned().await;
        let room = room.map_err(|_| error::closed())?;
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Work { work, need, result: None, reply, _room: room });
        let sent = match &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(queue) => queue.send(job).is_ok(),
            None => false,
        };
        if !sent {
            return Err(error::closed());
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Unknown("writing broke off".into())))
    }

    /// Finishes what is queued, takes no more, and waits for the thread.
    pub(crate) fn stop(&self) {
        self.room.close();
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Held while waiting, so that a second call waits too.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writing thread had panicked");
        }
    }
}

struct Work<T, F> {
    work: F,
    need: Need,
    result: Option<std::result::Result<T, StoreError>>,
    reply: oneshot::Sender<std::result::Result<T, StoreError>>,
    _room: OwnedSemaphorePermit,
}

impl<T, F> Job for Work<T, F>
where
    T: Send,
    F: Fn(&mut Txn<'_>) -> Result<T> + Send,
{
    fn run(&mut self, txn: &mut Txn<'_>) -> Result<()> {
        let done = txn.step(|txn| {
            catch_unwind(AssertUnwindSafe(|| (self.work)(txn))).unwrap_or_else(|_| {
                let text = "an operation panicked; this is a bug in Tenure, please report it";
                Err(StoreError::Unavailable(text.into()).into())
            })
        })?;
        self.result = Some(Ok(done));
        Ok(())
    }

    fn need(&self) -> Need {
        self.need
    }

    fn fail(&mut self, error: StoreError) {
        self.result = Some(Err(error));
    }

    fn has_failed(&self) -> bool {
        matches!(self.result, Some(Err(_)))
    }

    fn answer(self: Box<Self>) {
        let never_run = || Err(StoreError::Unavailable("the operation was not run".into()));
        // Whoever asked may be gone; it happened all the same.
        let _ = self.reply.send(self.result.unwrap_or_else(never_run));
    }
}

fn serve(mut committer: Committer, jobs: &mpsc::Receiver<Box<dyn Job>>, room: &Semaphore) {
    let (mut at_once, mut took) = (0, Duration::ZERO);
    loop {
        let first = match committer.tick() {
            None => jobs.recv().map_err(mpsc::RecvTimeoutError::from),
            Some(tick) => jobs.recv_timeout(tick),
        };
        match first {
            Ok(first) => {
                let mut batch = vec![first];
                gather(&committer, &mut batch, jobs, at_once, took);
                let began = committer.running();
                committer.commit(&mut batch);
                took = committer.running().saturating_sub(began);
                at_once = WAITING.saturating_sub(room.available_permits());
                for job in batch {
                    job.answer();
                }
                committer.after_commit();
            }
            Err(mpsc::RecvTimeoutError::Timeout) => committer.idle(),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    committer.finish();
}

/// Takes what is queued, and waits a little while there is less than there was `at_once` before:
/// those who had their answers are about to ask again, and a commit costs as much for few as for
/// many. Whoever writes alone never waits.
fn gather(
    committer: &Committer,
    batch: &mut Vec<Box<dyn Job>>,
    jobs: &mpsc::Receiver<Box<dyn Job>>,
    at_once: usize,
    took: Duration,
) {
    let until = committer.running() + (took / PATIENCE).min(PATIENCE_AT_MOST);
    while batch.len() < BATCH {
        let next = jobs.try_recv().ok().or_else(|| {
            let left = until.saturating_sub(committer.running());
            let waits = batch.len() < at_once && !left.is_zero();
            waits.then(|| jobs.recv_timeout(left).ok()).flatten()
        });
        match next {
            Some(next) => batch.push(next),
            None => return,
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
