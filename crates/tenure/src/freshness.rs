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
    /// For how long not all could be trusted, in all, before that.
    out_of_touch: AtomicU64,
}

impl Freshness {
    /// Nothing of a shared store is trusted yet, at `running`.
    pub(crate) fn of(info: &StoreInfo, running: Duration) -> Self {
        let count = if info.shared { info.partitions } else { 0 };
        let until = (0..count).map(|_| AtomicU64::new(0)).collect();
        let [asked, trusted] = [nanos(running); 2].map(AtomicU64::new);
        Self { partitions: count, until, asked, trusted, out_of_touch: AtomicU64::new(0) }
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

    /// All partitions are as their logs say, as of `sent`, and may be trusted until `until`, as is known
    /// at `running`.
    pub(crate) fn all_renewed(&self, sent: Duration, until: Duration, running: Duration) {
        let trusted = self.trusted.load(Ordering::Relaxed);
        self.out_of_touch.fetch_add(nanos(running).saturating_sub(trusted), Ordering::Relaxed);
        self.asked.fetch_max(nanos(sent), Ordering::Relaxed);
        self.trusted.fetch_max(nanos(until.max(running)), Ordering::Relaxed);
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

    /// Nothing is trusted any more, from `running` on.
    pub(crate) fn lose(&self, running: Duration) {
        self.until.iter().for_each(|fresh| fresh.store(0, Ordering::Release));
        self.trusted.fetch_min(nanos(running), Ordering::Relaxed);
    }
}

fn nanos(of: Duration) -> u64 {
    u64::try_from(of.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(partitions: u16) -> Freshness {
        Freshness::of(&StoreInfo { engine: "postgres", partitions, durable: true, shared: true }, 10 * S)
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
        fresh.lose(S);
        assert_eq!(fresh.left(first, S), None);
    }

    #[test]
    fn a_store_with_one_user_is_always_trusted() {
        let info = StoreInfo { engine: "embedded", partitions: 1, durable: true, shared: false };
        let fresh = Freshness::of(&info, S);
        assert_eq!(fresh.left(Route(7), S), Some(Duration::MAX));
        assert!(!fresh.is_shared());
    }

    #[test]
    fn the_time_out_of_touch_begins_with_the_process_and_never_goes_back() {
        let fresh = shared(1);
        let out = |at: Duration| fresh.following(at).unwrap().out_of_touch;
        assert_eq!((out(10 * S), out(13 * S)), (Duration::ZERO, 3 * S), "not since the machine began");
        fresh.all_renewed(12 * S, 14 * S, 13 * S);
        assert_eq!((out(13 * S), out(14 * S), out(15 * S)), (3 * S, 3 * S, 4 * S));
        fresh.all_renewed(15 * S, 17 * S, 15 * S);
        assert_eq!(out(16 * S), 4 * S);
        fresh.lose(16 * S);
        assert_eq!(out(18 * S), 6 * S, "what is not trusted any more counts at once");
        fresh.all_renewed(18 * S, 19 * S, 20 * S);
        assert_eq!(out(20 * S), 8 * S, "an answer that was too old when it came");
        assert_eq!(fresh.following(20 * S).unwrap().lag, 2 * S);
    }
}
