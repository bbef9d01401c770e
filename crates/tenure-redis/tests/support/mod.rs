//! Stores for tests, each under a prefix of its own.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod load;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use tenure::clock::SystemClock;
use tenure::random::SystemRandom;
use tenure::record::Change;
use tenure::store::conformance::Fixture;
use tenure::store::{Context, Engine, Mutation, Operation, Store, StoreError};
use tenure::{Active, Actor, Check, EndReason, Ending, MasterKey, OperationId, Sessions, UserId};
use tenure_redis::Redis;

/// The user `tenure` with the password `secret`, and the rights that the book says.
pub(crate) static RIGHTS: LazyLock<String> = LazyLock::new(|| {
    let line = include_str!("../../../../docs/nodes.md").lines().find(|line| line.starts_with("ACL SETUSER"));
    line.expect("the book says them").replace(">PASSWORD", ">secret")
});

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

/// Opens a store.
pub(crate) async fn store_at(engine: Redis) -> Result<Arc<dyn Store>, StoreError> {
    let context = Context::new(Arc::new(SystemClock), Arc::new(SystemRandom));
    Ok(Box::new(engine).open(context).await?.store)
}

/// Sessions without memory, so that each check asks the store.
pub(crate) async fn open(engine: Redis) -> Sessions {
    Sessions::builder(engine).cache_bytes(0).without_background().open().await.unwrap()
}

/// The session of a token.
pub(crate) async fn active(sessions: &Sessions, token: &str) -> Active {
    let verdict = sessions.check(token.as_bytes(), &Check::signed_in()).await.unwrap();
    verdict.into_active().unwrap()
}

/// A user.
pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// An operation that nobody did before.
pub(crate) fn operation() -> Operation {
    Operation { id: OperationId::random(&SystemRandom), actor: Actor::application(), receipt: None }
}

/// A change, of any kind.
pub(crate) fn change() -> Mutation {
    Mutation::Change { change: Change { remove: vec!["cart".into()], ..Change::default() } }
}

/// An end.
pub(crate) fn end() -> Mutation {
    Mutation::End { ending: ending(), next: None }
}

/// The reason of an end.
pub(crate) fn ending() -> Ending {
    Ending::new(EndReason::Revoked, Actor::application())
}
