//! What the requests of a run have in common.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tenure::clock::{Clock, SystemClock};

use crate::client::Client;
use crate::drive::Driver;
use crate::people::People;
use crate::plan::Settings;
use crate::record::Record;

/// What the requests of a run share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) driver: Driver,
    pub(crate) client: Client,
    pub(crate) people: Mutex<People>,
    pub(crate) record: Mutex<Record>,
    pub(crate) turn: AtomicUsize,
    pub(crate) stop: AtomicBool,
    pub(crate) began: Duration,
}

impl Shared {
    pub(crate) fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Duration {
        SystemClock.running().saturating_sub(self.began)
    }

    /// The servers, each request beginning with the next.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &str> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.settings.servers.len();
        self.settings.servers.iter().cycle().skip(first).map(String::as_str)
    }
}
