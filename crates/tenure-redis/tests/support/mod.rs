//! Stores for tests, each under a prefix of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use tenure::MasterKey;
use tenure::store::conformance::Fixture;
use tenure_redis::Redis;

/// An empty store that lives by the clock of the test.
pub(crate) async fn empty(url: String, partitions: u16) -> Fixture {
    let prefix = prefix();
    Fixture::open(move || engine(&url, &prefix).partitions(partitions).by_own_clock()).await
}

/// A store at this place.
pub(crate) fn engine(url: &str, prefix: &str) -> Redis {
    Redis::at(url).prefix(prefix).master_key(key())
}

/// A prefix that nobody else has.
pub(crate) fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The key of all stores in tests.
pub(crate) fn key() -> MasterKey {
    MasterKey::from_hex(&"5a".repeat(32)).unwrap()
}
