//! A node whose clock is ahead of the store's, as after a failover to a machine that is behind.

use std::sync::Arc;
use std::time::Duration;

use tenure::clock::{Clock, SystemClock, Timestamp};
use tenure::random::SystemRandom;
use tenure::record::{NewSession, NewState};
use tenure::store::{Context, Engine, Operation, Outcome, Store, Sweep};
use tenure::{Actor, EndReason, OperationId, Realm, SessionId};

use crate::moving::House;

/// So much ahead.
#[derive(Debug)]
struct Ahead(Duration);

impl Clock for Ahead {
    fn wall(&self) -> Timestamp {
        SystemClock.wall().plus(self.0)
    }

    fn running(&self) -> Duration {
        SystemClock.running()
    }
}

async fn open(house: &House, clock: impl Clock + 'static) -> Arc<dyn Store> {
    let context = Context::new(Arc::new(clock), Arc::new(SystemRandom));
    Box::new(house.engine()).open(context).await.unwrap().store
}

async fn guest(store: &dyn Store, idle_ms: u64) -> SessionId {
    let new = NewSession {
        id: SessionId::from_bytes(*OperationId::random(&SystemRandom).as_bytes()),
        realm: Realm::default(),
        state: NewState::Guest,
        previous: None,
        idle_ms,
        absolute_ms: 3_600_000,
        persistent: false,
        hash: serde_json::from_value(vec![7; 32].into()).unwrap(),
        device: Vec::new(),
        data: Default::default(),
        adopted_until: None,
    };
    let operation =
        Operation { id: OperationId::random(&SystemRandom), actor: Actor::system(), receipt: None };
    let admission = tenure::store::conformance::admission();
    let id = new.id;
    let reply = store.create(&operation, new, &admission).await.unwrap();
    assert_eq!(reply.outcome, Outcome::Applied);
    id
}

async fn a_node_that_is_ahead_tells_ends_by_the_clock_of_the_store(house: House) {
    let (store, ahead) =
        (open(&house, SystemClock).await, open(&house, Ahead(Duration::from_secs(60))).await);
    let (over, alive) = (guest(&*store, 1).await, guest(&*store, 30_000).await);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let sweep = Sweep {
        limit: 2,
        keep_ended_ms: 86_400_000,
        keep_receipts_ms: 86_400_000,
        keep_events_ms: 86_400_000,
        max_events: 100_000,
        as_of: Ahead(Duration::from_secs(60)).wall(),
    };
    let swept = ahead.sweep(&sweep).await.unwrap();
    assert_eq!(swept.ended, [over]);
    let reason = store.load(over).await.unwrap().unwrap().ended().map(|ended| ended.ending.reason);
    assert_eq!(reason, Some(EndReason::IdleTimeout));
    // When to look at what has ended is written down once, and then there is nothing left to do.
    let again = ahead.sweep(&sweep).await.unwrap();
    let done = ahead.sweep(&sweep).await.unwrap();
    assert_eq!((again.ended, done.ended), (Vec::new(), Vec::new()));
    assert!(!done.more, "what is only due by its own clock is no work");
    assert!(store.load(alive).await.unwrap().unwrap().ended().is_none());
    ahead.close().await;
    store.close().await;
}

#[tokio::test]
async fn on_postgres() {
    a_node_that_is_ahead_tells_ends_by_the_clock_of_the_store(House::postgres()).await;
}

#[tokio::test]
async fn on_redis() {
    a_node_that_is_ahead_tells_ends_by_the_clock_of_the_store(House::redis()).await;
}
