//! A schema of its own for each test, on the server that all share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tenure::clock::SystemClock;
use tenure::random::SystemRandom;
use tenure::record::Change;
use tenure::store::conformance::Fixture;
use tenure::store::{Context, Engine, Mutation, Operation, Store, StoreError};
use tenure::{Active, Actor, Check, MasterKey, OperationId, Sessions};
use tenure_postgres::Postgres;
use tenure_servers::{PROGRAMS, Postgres as Server, eventually};

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

/// Opens a store.
pub(crate) async fn store_at(engine: Postgres) -> Result<Arc<dyn Store>, StoreError> {
    let context = Context::new(Arc::new(SystemClock), Arc::new(SystemRandom));
    Ok(Box::new(engine).open(context).await?.store)
}

/// An operation that nobody did before.
pub(crate) fn operation() -> Operation {
    Operation { id: OperationId::random(&SystemRandom), actor: Actor::application(), receipt: None }
}

/// A change, of any kind.
pub(crate) fn change() -> Mutation {
    Mutation::Change { change: Change { remove: vec!["cart".into()], ..Change::default() } }
}

/// A transaction of `psql` that holds a partition until it is dropped.
pub(crate) struct Blocker(std::process::Child);

impl Blocker {
    pub(crate) fn of(schema: &str, partition: u16) -> Self {
        let server = Server::shared();
        let sql =
            format!("BEGIN; SELECT FROM {schema}.partitions WHERE id = {partition} FOR UPDATE; \\! cat\n");
        let mut psql = std::process::Command::new(Path::new(PROGRAMS).join("psql"));
        psql.args(["-X", "-q", "-f", "/dev/stdin"]).arg(server.url());
        psql.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
        let mut child = psql.spawn().unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), sql.as_bytes()).unwrap();
        let holds = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'
             AND query LIKE '%{schema}.partitions%FOR UPDATE%'"
        );
        eventually(|| server.sql(&holds), |count| count != "0");
        Self(child)
    }
}

impl Drop for Blocker {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
