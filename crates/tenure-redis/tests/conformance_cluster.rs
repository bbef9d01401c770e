//! The suite on a cluster of three primaries.

mod support;

use tenure::store::conformance::Fixture;
use tenure_servers::RedisCluster;

async fn empty() -> Fixture {
    support::empty(RedisCluster::shared().url(), 12).await
}

tenure::store_conformance!(empty);
