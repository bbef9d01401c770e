//! Housekeeping: writing activity, telling ends, forgetting what was kept long enough.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Sessions;
use super::core::Core;
use crate::error::Error;
use crate::store::Sweep;

/// How often activity is written.
const FLUSH: Duration = Duration::from_secs(1);

/// Every how many flushes the sweep runs.
const SWEEP_EVERY: u32 = 10;

/// How many sessions one step of the sweep handles; in between, others get their turn.
const BATCH: usize = 500;

const HOUR_MS: u64 = 3_600_000;

/// How many events are kept at the most: about 400 MB on disk.
const MAX_EVENTS: u64 = 5_000_000;

/// How long an ended session can be told from one that never was.
pub(super) const KEEP_ENDED: Duration = Duration::from_millis(24 * HOUR_MS);

/// What housekeeping did: see [`Sessions::maintain`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Maintained {
    /// How many moments of activity were written.
    pub touched: u64,
    /// How many sessions were ended because a limit had passed.
    pub ended: u64,
    /// How many ended sessions, receipts and events were removed.
    pub removed: u64,
}

impl Sessions {
    /// Does the housekeeping that otherwise happens in the background (activity is written every
    /// second, limits are looked at every ten) until nothing is left to do. Only needed
    /// [without it](crate::Builder::without_background).
    ///
    /// # Example: a service that stops
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tenure::{Maintained, Memory, Sessions};
    ///
    /// let sessions = Sessions::builder(Memory).without_background().open().await?;
    /// let Maintained { touched, ended, removed, .. } = sessions.maintain().await?;
    /// assert_eq!((touched, ended, removed), (0, 0, 0), "nothing happened yet");
    /// sessions.close().await?; // activity is written, the store lets go of its files
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`]; what was not done is done the next time.
    pub async fn maintain(&self) -> Result<Maintained, Error> {
        self.core.follow().await?;
        let touched = self.core.flush_touches().await?;
        let (ended, removed) = self.core.sweep().await?;
        Ok(Maintained { touched, ended, removed })
    }

    /// Writes what is buffered and closes the store. Later calls fail.
    ///
    /// # Errors
    /// [`Error::Store`] when buffered activity could not be written; it is closed all the same.
    pub async fn close(&self) -> Result<(), Error> {
        self.core.closed.store(true, Ordering::Relaxed);
        let flushed = self.core.flush_touches().await;
        self.core.store.close().await;
        self.core.cache.clear();
        flushed.map(drop)
    }
}

impl Core {
    /// Does the housekeeping for as long as somebody holds these sessions.
    pub(super) fn maintain_in_background(self: &Arc<Self>) {
        let core = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(FLUSH);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            for tick in 0_u32.. {
                ticks.tick().await;
                let Some(core) = core.upgrade().filter(|core| !core.closed.load(Ordering::Relaxed)) else {
                    return;
                };
                if let Err(error) = core.flush_touches().await {
                    tracing::warn!(%error, "activity was not written; it is kept and tried again");
                } else if tick % SWEEP_EVERY == 0
                    && let Err(error) = core.sweep().await
                {
                    tracing::warn!(%error, "housekeeping did not finish; it is tried again");
                }
            }
        });
    }

    /// While the clock is implausible nothing is swept: it would end everybody's sessions.
    async fn sweep(&self) -> Result<(u64, u64), Error> {
        let (mut ended, mut removed) = (0, 0);
        let sweep = |as_of| Sweep {
            as_of,
            max_events: MAX_EVENTS,
            limit: BATCH,
            keep_ended_ms: u64::try_from(KEEP_ENDED.as_millis()).unwrap_or(u64::MAX),
            keep_receipts_ms: 24 * HOUR_MS,
            keep_events_ms: 7 * 24 * HOUR_MS,
        };
        loop {
            // Whoever was active before this moment must not be found idle, however long the store
            // takes.
            let as_of = self.clock.read()?;
            self.flush_touches().await?;
            let swept = self.store.sweep(&sweep(as_of)).await?;
            for id in &swept.ended {
                self.cache.evict(id);
                self.watchers.wake(id);
            }
            ended += swept.ended.len() as u64;
            removed += swept.removed;
            if !swept.more {
                return Ok((ended, removed));
            }
            tokio::task::yield_now().await;
        }
    }
}
