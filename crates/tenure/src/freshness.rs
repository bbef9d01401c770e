//! How far memory may be trusted: until when a node is provably in touch with each partition of a
//! store that others change too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::id::Route;
use crate::metrics::Following;
use crate::store::StoreInfo;

/// For each partition the moment, on the running clock, until which memory answers. A store with one
/// user has no such list: all its changes go through this process.
pub(crate) struct Freshness {
    partitions: u16,
    until: Vec<AtomicU64>,
    /// When the question was sent whose answer brought all partitions up to date.
    asked: AtomicU64,
    /// Until when all could be trusted then.
    trusted: AtomicU64,
    /// For how long not all could be trusted, in all.
    out_of_touch: AtomicU64,
}

impl Freshness {
    /// Nothing of a shared store is trusted yet.
    pub(crate) fn of(info: &StoreInfo) -> Self {
        let count = if info.shared { info.partitions } else { 0 };
        let until = (0..count).map(|_| AtomicU64::new(0)).collect();
        let (asked, trusted, out_of_touch) = Default::default();
        Self { partitions: count, until, asked, trusted, out_of_touch }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.partitions > 0
    }

    /// For how long from `running` on memory may still answer for this route; none if it may not.
    pub(crate) fn left(&self, route: Route, running: Duration) -> Option<Duration> {
        let Some(until) = self.until.get(usize::from(route.partition(self.partitions))) else {
            return Some(Duration::MAX);
        };
        let until = Duration::from_nanos(until.load(Ordering::Acquire));
        until.checked_sub(running).filter(|left| !left.is_zero())
    }

    /// This partition is as its log says, as of a moment that may be trusted until `until`.
    pub(crate) fn renew(&self, partition: u16, until: Duration) {
        if let Some(fresh) = self.until.get(usize::from(partition)) {
            fresh.fetch_max(nanos(until), Ordering::AcqRel);
        }
    }

    /// All partitions are as their logs say, as of `sent`, and may be trusted until `until`.
    pub(crate) fn all_renewed(&self, sent: Duration, until: Duration) {
        let trusted = Duration::from_nanos(self.trusted.load(Ordering::Relaxed));
        if !trusted.is_zero() {
            self.out_of_touch.fetch_add(nanos(sent.saturating_sub(trusted)), Ordering::Relaxed);
        }
        self.asked.store(nanos(sent), Ordering::Relaxed);
        self.trusted.fetch_max(nanos(until), Ordering::Relaxed);
    }

    /// How well the log is followed, at `running`.
    pub(crate) fn following(&self, running: Duration) -> Option<Following> {
        let read = |of: &AtomicU64| Duration::from_nanos(of.load(Ordering::Relaxed));
        let now_out = running.saturating_sub(read(&self.trusted));
        self.is_shared().then(|| Following {
            lag: running.saturating_sub(read(&self.asked)),
            out_of_touch: read(&self.out_of_touch) + now_out,
        })
    }

    /// Nothing is trusted any more.
    pub(crate) fn lose(&self) {
        self.until.iter().for_each(|fresh| fresh.store(0, Ordering::Release));
    }
}

fn nanos(of: Duration) -> u64 {
    u64::try_from(of.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(partitions: u16) -> Freshness {
        Freshness::of(&StoreInfo { engine: "postgres", partitions, durable: true, shared: true })
    }

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn nothing_is_trusted_before_the_log_was_read_nor_after_the_bound() {
        let fresh = shared(4);
        let (first, last) = (Route(0), Route(u16::MAX));
        assert_eq!(fresh.left(first, S), None);
        fresh.renew(0, 2 * S);
        assert_eq!(fresh.left(first, S), Some(S));
        assert_eq!(fresh.left(first, 2 * S), None, "not at the bound itself");
        assert_eq!(fresh.left(last, S), None, "each partition for itself");
        fresh.renew(0, S);
        assert_eq!(fresh.left(first, S), Some(S), "an answer that comes late takes nothing back");
        fresh.lose();
        assert_eq!(fresh.left(first, S), None);
    }

    #[test]
    fn a_store_with_one_user_is_always_trusted() {
        let info = StoreInfo { engine: "embedded", partitions: 1, durable: true, shared: false };
        let fresh = Freshness::of(&info);
        assert_eq!(fresh.left(Route(7), S), Some(Duration::MAX));
        assert!(!fresh.is_shared());
    }
}
