//! The conformance suite on the store in memory.

use tenure::Memory;
use tenure::store::conformance::Fixture;

async fn empty() -> Fixture {
    Fixture::open(|| Memory).await
}

tenure::store_conformance!(empty);
