//! The suite on a primary that sentinels name, with a replica that has to confirm each end.

mod support;

use tenure::store::conformance::Fixture;
use tenure_servers::RedisSentinel;

async fn empty() -> Fixture {
    let prefix = support::prefix();
    let url = RedisSentinel::shared().url();
    Fixture::open(move || support::engine(&url, &prefix).partitions(8).replicas(1).by_own_clock()).await
}

tenure::store_conformance!(empty);
