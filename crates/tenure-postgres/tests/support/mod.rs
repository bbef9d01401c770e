//! A schema of its own for each test, on the server that all share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::sync::atomic::{AtomicU32, Ordering};

use tenure::store::conformance::Fixture;
use tenure::{Active, Check, MasterKey, Sessions};
use tenure_postgres::Postgres;
use tenure_servers::Postgres as Server;

/// A key, always the same.
pub(crate) fn key() -> MasterKey {
    MasterKey::from_hex(&"5a".repeat(32)).unwrap()
}

/// A name that no other test of this program has.
pub(crate) fn schema() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The store in a schema of the shared server.
pub(crate) fn engine(schema: &str) -> Postgres {
    Postgres::at(Server::shared().url()).schema(schema).master_key(key())
}

/// An empty store that lives by the clock of the test.
pub(crate) async fn fixture(partitions: u16) -> Fixture {
    let schema = schema();
    Fixture::open(move || engine(&schema).partitions(partitions).connections(8).by_own_clock()).await
}

/// Sessions in a schema of the shared server, without memory, so that each check asks the store.
pub(crate) async fn open(schema: &str) -> Sessions {
    Sessions::builder(engine(schema)).cache_bytes(0).without_background().open().await.unwrap()
}

/// The session of a token.
pub(crate) async fn active(sessions: &Sessions, token: &str) -> Active {
    let verdict = sessions.check(token.as_bytes(), &Check::signed_in()).await.unwrap();
    verdict.into_active().unwrap()
}
