//! Shutting a store of which a part does not answer.

mod support;

use std::sync::Arc;
use std::time::Duration;

use tenure::store::{Barrier, Fence, Outcome, StoreError};
use tenure::{SessionId, SignIn};
use tenure_servers::{RedisCluster, Signal};

use support::load::{PAUSE, TOO_MANY, answered};
use support::{change, engine, open, operation, user};

const PARTITIONS: u16 = 12;

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_shut_everywhere_is_open_everywhere() {
    let servers = RedisCluster::start();
    let engine = engine(&servers.url(), "t").partitions(PARTITIONS).timeout(Duration::from_millis(500));
    let sessions = open(engine).await;
    let store = Arc::clone(sessions.store());
    let mut ids: Vec<Option<SessionId>> = vec![None; usize::from(PARTITIONS)];
    for n in 0.. {
        let begun = sessions.sign_in(None, SignIn::password(user(&format!("u{n}")))).await.unwrap();
        let id = begun.session.id();
        ids[usize::from(id.route().partition(PARTITIONS))] = Some(id);
        if ids.iter().all(Option::is_some) {
            break;
        }
    }
    let ids: Vec<SessionId> = ids.into_iter().flatten().collect();
    let held = store.movable().unwrap().fence(Fence::Freeze { for_ms: 30_000 }).await.unwrap().unwrap();
    let primaries = servers.primaries();
    // What it is told meanwhile, it does when it goes on.
    primaries[1].signal(Signal::Stop);
    let shutting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.movable().unwrap().fence(Fence::Shut { held }).await }
    });
    // Where servers answer, it is open again before the others do.
    let mut tries = 0;
    loop {
        match store.mutate(&operation(), ids[0], change()).await {
            Ok(_) => break,
            Err(StoreError::Blocked(_) | StoreError::Unavailable(_) | StoreError::Unknown(_)) => tries += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(tries < TOO_MANY, "it stays shut");
        tokio::time::sleep(PAUSE).await;
    }
    primaries[1].signal(Signal::Continue);
    let error = shutting.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_) | StoreError::Unknown(_)), "{error}");
    for id in ids {
        let reply = answered(async || store.mutate(&operation(), id, change()).await).await;
        assert_eq!(reply.outcome, Outcome::Applied);
    }
    assert_eq!(store.movable().unwrap().barrier().await.unwrap(), Barrier::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn to_ask_whether_a_store_is_shut_opens_no_part_of_it() {
    let server = tenure_servers::Redis::start();
    let sessions = open(engine(&server.url(), "t").partitions(4)).await;
    let movable = sessions.store().movable().unwrap();
    let held = movable.fence(Fence::Freeze { for_ms: 30_000 }).await.unwrap().unwrap();
    assert_eq!(movable.fence(Fence::Shut { held }).await.unwrap(), Some(Barrier::SHUT));
    // As if it was lost in a failover.
    let heads = server.cli("KEYS *}h");
    server.cli(&format!("HSET {} barrier 0", heads.lines().next().unwrap()));
    assert_eq!(movable.barrier().await.unwrap(), Barrier::default());
    assert_eq!(movable.fence(Fence::Shut { held: Barrier::SHUT }).await.unwrap(), None);
    let shut = heads
        .lines()
        .filter(|head| server.cli(&format!("HGET {head} barrier")) == Barrier::SHUT.as_millis().to_string());
    assert_eq!(shut.count(), 3);
}
