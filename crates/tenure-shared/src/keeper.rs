//! Keeps the mark of an open store: how far it has come, written now and then.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tenure::clock::Timestamp;

use crate::mark::Mark;

/// How often the mark is written at the most.
const EVERY: Duration = Duration::from_secs(2);

/// Keeps a mark.
pub(crate) struct Keeper {
    kept: Arc<Kept>,
    /// When it was last begun to be written, in milliseconds of the running clock.
    begun: AtomicU64,
}

/// What is shared with the thread that writes.
struct Kept {
    path: PathBuf,
    /// The latest time that is known, in milliseconds.
    latest: AtomicU64,
    /// The one of the mark that lies on the disk.
    written: AtomicU64,
    under_way: AtomicBool,
    /// It was told that the mark cannot be written.
    told: AtomicBool,
    /// What is written next.
    mark: Mutex<Mark>,
}

impl Keeper {
    pub(crate) fn new(mark: Mark, path: PathBuf) -> Self {
        let kept = Kept {
            path,
            latest: AtomicU64::new(mark.latest.as_millis()),
            written: AtomicU64::new(0),
            under_way: AtomicBool::new(false),
            told: AtomicBool::new(false),
            mark: Mutex::new(mark),
        };
        Self { kept: Arc::new(kept), begun: AtomicU64::new(0) }
    }

    /// The store has a write of this time.
    pub(crate) fn note(&self, at: Timestamp) {
        self.kept.latest.fetch_max(at.as_millis(), Ordering::Relaxed);
    }

    /// Begins to write the mark if the store has gone on since, and the last time is long enough ago.
    pub(crate) fn tick(&self, running: Duration) {
        let kept = &self.kept;
        let running = u64::try_from(running.as_millis()).unwrap_or(u64::MAX);
        let is_due = running.saturating_sub(self.begun.load(Ordering::Relaxed)) >= EVERY.as_millis() as u64;
        if !is_due || kept.is_written() || kept.under_way.swap(true, Ordering::AcqRel) {
            return;
        }
        self.begun.store(running, Ordering::Relaxed);
        let kept = Arc::clone(kept);
        tokio::task::spawn_blocking(move || {
            kept.write();
            kept.under_way.store(false, Ordering::Release);
        });
    }

    /// Writes what is known now.
    pub(crate) async fn write(&self) {
        let kept = Arc::clone(&self.kept);
        // Whoever cannot wait for it is told by the thread itself.
        tokio::task::spawn_blocking(move || kept.write()).await.ok();
    }

    /// Writes that all sessions are being ended, or that this is done.
    pub(crate) async fn decide(&self, undecided: bool) {
        self.kept.mark.lock().unwrap_or_else(PoisonError::into_inner).undecided = undecided;
        self.write().await;
    }

    /// The same at the end, unless it is there.
    pub(crate) async fn close(&self) {
        if !self.kept.is_written() {
            self.write().await;
        }
    }
}

impl Kept {
    fn is_written(&self) -> bool {
        self.latest.load(Ordering::Relaxed) <= self.written.load(Ordering::Relaxed)
    }

    fn write(&self) {
        // One after the other, so that none takes the place of a later one.
        let mut mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        mark.latest = Timestamp::from_millis(self.latest.load(Ordering::Relaxed));
        match mark.write(&self.path) {
            Ok(()) => {
                self.written.store(mark.latest.as_millis(), Ordering::Relaxed);
                self.told.store(false, Ordering::Relaxed);
            }
            Err(error) if !self.told.swap(true, Ordering::Relaxed) => {
                tracing::warn!(
                    %error, file = %self.path.display(),
                    "the mark could not be written: an older copy of the store might not be recognised"
                );
            }
            Err(_) => {}
        }
    }
}
