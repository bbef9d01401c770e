//! What the writing thread does: commits, and what must happen beside them.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use tenure::store::{Context, StoreError};

use crate::error::{self, Result};
use crate::folder::Folder;
use crate::job::{Job, Need};
use crate::mark::Mark;
use crate::reserve::{Limit, Reserve};
use crate::schema;
use crate::txn::Txn;

/// How often the mark is written at the most, and how long the thread waits before it tidies
/// up.
const TICK: Duration = Duration::from_secs(1);
/// How often it tries whether there is room for the reserve again. Trying fills the disk for
/// a moment, so not too often.
const RETRY: Duration = Duration::from_secs(10);

/// The writing connection and what belongs to it.
pub(crate) struct Committer {
    /// None after a failure, until a fresh one is needed.
    conn: Option<Connection>,
    database: PathBuf,
    context: Context,
    mark: Mark,
    mark_path: PathBuf,
    reserve: Reserve,
    limit: Option<Limit>,
    /// When the mark was written and the reserve tried, by the running clock.
    marked_at: Duration,
    tried_at: Duration,
    marked: bool,
    checkpointed: bool,
    /// Last, so that the lock goes when everything else is done.
    _folder: Folder,
}

impl Committer {
    /// Takes over a store that was opened.
    pub(crate) fn new(
        conn: Connection,
        folder: Folder,
        context: Context,
        mark: Mark,
        mark_path: PathBuf,
        reserve: Reserve,
        limit: Option<Limit>,
    ) -> Self {
        let now = context.clock.running();
        Self {
            conn: Some(conn),
            database: folder.database(),
            context,
            mark,
            mark_path,
            reserve,
            limit,
            marked_at: now,
            tried_at: now,
            marked: true,
            checkpointed: false,
            _folder: folder,
        }
    }

    /// Time since some fixed moment.
    pub(crate) fn running(&self) -> Duration {
        self.context.clock.running()
    }

    /// Runs the jobs and makes them durable. Afterwards each has its result.
    pub(crate) fn commit(&mut self, jobs: &mut [Box<dyn Job>]) {
        if !self.reserve.is_held() && !self.try_reserve() {
            refuse_ordinary(jobs, &error::full("there is only room for ending sessions"));
        }
        let mut outcome = self.attempt(jobs);
        if let Err(StoreError::Full(_)) = &outcome {
            let why = error::full("no room is left");
            tracing::warn!(error = %why, "only ends of sessions are written from now on");
            self.make_room();
            refuse_ordinary(jobs, &why);
            outcome = self.attempt(jobs);
        }
        if let Err(error) = outcome {
            tracing::error!(%error, "a commit failed");
            for job in jobs.iter_mut().filter(|job| !job.has_failed()) {
                job.fail(error.clone());
            }
            if !matches!(error, StoreError::Full(_)) {
                // What the connection believes of its files may be wrong now.
                self.conn = None;
            }
        }
    }

    /// One transaction with all jobs that have not failed.
    fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> std::result::Result<(), StoreError> {
        let now = self.context.clock.now();
        let limit = self.limit;
        let conn = self.connection()?;
        let head = loop {
            if jobs.iter().all(|job| job.has_failed()) {
                return Ok(());
            }
            let mut txn = Txn::begin(conn, now)?;
            if run_all(&mut txn, jobs, limit)? {
                break txn.commit()?;
            }
        };
        if let Some(head) = head {
            self.mark.head = head;
            self.marked = false;
            self.checkpointed = false;
        }
        Ok(())
    }

    fn connection(&mut self) -> Result<&Connection> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => {
                let conn = schema::open_writer(&self.database)?;
                if let Some(limit) = &self.limit {
                    limit.enforce(&conn)?;
                }
                conn
            }
        };
        Ok(self.conn.insert(conn))
    }

    /// Gives up the reserve and uses it to empty the log into the database.
    fn make_room(&mut self) {
        self.reserve.release();
        self.tried_at = self.context.clock.running();
        self.checkpoint();
    }

    /// Whether there is room for everything again.
    fn try_reserve(&mut self) -> bool {
        let now = self.context.clock.running();
        if now.saturating_sub(self.tried_at) < RETRY {
            return false;
        }
        self.tried_at = now;
        self.reserve.hold(&*self.context.random)
    }

    /// How long to wait for the next job before [`idle`](Self::idle); for good when there is
    /// nothing to tidy up.
    pub(crate) fn tick(&self) -> Option<Duration> {
        let tidy = self.marked && self.checkpointed && self.reserve.is_held();
        (!tidy).then_some(TICK)
    }

    /// What must happen now and then however busy it is. Those who asked have their answers.
    pub(crate) fn after_commit(&mut self) {
        if !self.marked && self.context.clock.running().saturating_sub(self.marked_at) >= TICK {
            self.write_mark();
        }
    }

    /// Nothing was asked for a while.
    pub(crate) fn idle(&mut self) {
        if !self.marked {
            self.write_mark();
        }
        if !self.checkpointed {
            self.checkpoint();
        }
        if !self.reserve.is_held() && self.try_reserve() {
            tracing::info!("there is room again, all writes are taken");
        }
    }

    /// Leaves everything tidy.
    pub(crate) fn finish(mut self) {
        self.checkpoint();
        if let Some(conn) = self.conn.take()
            && let Err((_, error)) = conn.close()
        {
            tracing::warn!(%error, "the database was not closed tidily");
        }
        self.write_mark();
    }

    fn checkpoint(&mut self) {
        self.checkpointed = true;
        let emptied = self.connection().and_then(|conn| {
            // It never waits for readers and never makes them wait.
            Ok(conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
        });
        if let Err(failure) = emptied {
            tracing::warn!(error = %failure.0, "the write-ahead log could not be emptied");
        }
    }

    fn write_mark(&mut self) {
        self.marked_at = self.context.clock.running();
        let written = self.mark.write(&self.mark_path);
        // What failed is tried again at the next tick.
        self.marked = written.is_ok();
        if let Err(error) = written {
            tracing::error!(
                %error, file = %self.mark_path.display(),
                "the mark could not be written: an older copy of the store might not be recognised"
            );
        }
    }
}

/// Runs the jobs in `txn`. False when the transaction was lost on the way: then the rest has
/// to run again in another one.
fn run_all(txn: &mut Txn<'_>, jobs: &mut [Box<dyn Job>], limit: Option<Limit>) -> Result<bool> {
    for job in jobs.iter_mut().filter(|job| !job.has_failed()) {
        if job.need() == Need::Ordinary
            && let Some(limit) = limit
            && limit.is_reached(txn.conn)?
        {
            job.fail(error::full("it has reached its largest size"));
            continue;
        }
        match job.run(txn) {
            Ok(()) => {}
            Err(failure) if matches!(failure.0, StoreError::Full(_)) => return Err(failure),
            Err(failure) => job.fail(failure.0),
        }
        if txn.conn.is_autocommit() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn refuse_ordinary(jobs: &mut [Box<dyn Job>], why: &StoreError) {
    let ordinary = |job: &&mut Box<dyn Job>| job.need() == Need::Ordinary && !job.has_failed();
    for job in jobs.iter_mut().filter(ordinary) {
        job.fail(why.clone());
    }
}
