//! Another server takes over, under load: every answer is right or an error, and nobody has to open
//! the store anew.

mod support;

use std::time::Duration;

use tenure::store::{Outcome, StoreError};
use tenure::{SessionId, Sessions, SignIn};
use tenure_servers::{Patience, Redis, RedisCluster, RedisSentinel, Signal, eventually};

use support::load::{Load, Outage, answered, loaded, lost, outage};
use support::{change, end, ending, engine, open, operation, prefix, user};

/// Waits until the sentinels name another primary, and gives its port.
fn another_than(servers: &RedisSentinel, port: u16) -> u16 {
    eventually(|| servers.primary().port(), |now| *now != port)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_confirmed_replication_no_end_is_lost_when_the_primary_is_killed() {
    let servers = RedisSentinel::start(1);
    let engine = engine(&servers.url(), "t").replicas(1).timeout(Duration::from_secs(1));
    let sessions = open(engine.partitions(8)).await;
    let load = Load::begin(&sessions);
    load.goes_on(200).await;
    let old = servers.primary();
    old.signal(Signal::Kill);
    another_than(&servers, old.port());
    // As a replica, it confirms again.
    old.start_again();
    load.goes_on(200).await;
    let acknowledged = load.end().await;
    let (_, undone) = lost(&sessions, &acknowledged).await;
    assert!(acknowledged.ended.len() > 200);
    assert_eq!(undone, 0);
}

/// Ends twenty sessions, then cuts the replica off and ends twenty more. Gives those of before and those of
/// after.
async fn ends_around_a_cut(servers: &RedisSentinel, sessions: &Sessions) -> [Vec<SessionId>; 2] {
    let mut ids = Vec::new();
    for n in 0..40 {
        let begun = sessions.sign_in(None, SignIn::password(user(&format!("u_{n}")))).await.unwrap();
        ids.push(begun.session.id());
    }
    let late = ids.split_off(20);
    for id in &ids {
        sessions.end(*id, ending()).await.unwrap();
    }
    let old = servers.primary();
    old.until("WAIT 1 1000", "1");
    // The replica is let in no more.
    old.cli("ACL SETUSER default -psync -sync");
    old.cli("CLIENT KILL TYPE replica");
    old.until("INFO replication", "connected_slaves:0");
    for id in &late {
        sessions.end(*id, ending()).await.unwrap();
    }
    [ids, late]
}

async fn undone(sessions: &Sessions, ids: &[SessionId]) -> usize {
    let mut undone = 0;
    for id in ids {
        undone += usize::from(loaded(sessions.store(), *id).await.unwrap().ended().is_none());
    }
    undone
}

#[tokio::test(flavor = "multi_thread")]
async fn without_confirmed_replication_ends_that_had_not_reached_the_replica_are_lost_and_no_others() {
    let servers = RedisSentinel::start(1);
    // It does not follow, so it is as if the node had gone with the primary.
    let sessions = open(engine(&servers.url(), "t")).await;
    let [early, late] = ends_around_a_cut(&servers, &sessions).await;
    let old = servers.primary();
    old.signal(Signal::Kill);
    another_than(&servers, old.port());
    assert_eq!((undone(&sessions, &early).await, undone(&sessions, &late).await), (0, late.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_knows_of_ends_writes_them_again_when_they_were_lost() {
    let servers = RedisSentinel::start(1);
    let sessions = Sessions::builder(engine(&servers.url(), "t")).open().await.unwrap();
    let [early, late] = ends_around_a_cut(&servers, &sessions).await;
    let old = servers.primary();
    old.signal(Signal::Kill);
    another_than(&servers, old.port());
    assert_eq!(undone(&sessions, &early).await, 0);
    let mut patience = Patience::default();
    loop {
        match undone(&sessions, &late).await {
            0 => break,
            undone => tokio::time::sleep(patience.pause(undone)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_stood_still_is_not_believed_when_another_took_over() {
    let servers = RedisSentinel::start(1);
    let sessions = open(engine(&servers.url(), "t").timeout(Duration::from_millis(500))).await;
    let id = sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap().session.id();
    let old = servers.primary();
    old.until("WAIT 1 1000", "1");
    let before = sessions.store().news(&[None; 32], 1).await.unwrap();
    old.signal(Signal::Stop);
    another_than(&servers, old.port());
    // Ended where the new primary is; the old one does not know.
    let ended = answered(async || sessions.store().mutate(&operation(), id, end()).await).await;
    assert_eq!(ended.outcome, Outcome::Applied);
    old.signal(Signal::Continue);
    for _ in 0..500 {
        match sessions.store().load(id).await {
            Ok(found) => assert!(found.unwrap().ended().is_some(), "the old primary was believed"),
            Err(error) => outage(&error),
        }
    }
    assert_ne!(sessions.store().news(&[None; 32], 1).await.unwrap().server, before.server);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_too_few_replicas_ending_is_an_error_also_when_it_is_tried_again() {
    let servers = RedisSentinel::start(1);
    let engine = engine(&servers.url(), "t").replicas(1).replica_timeout(Duration::from_millis(100));
    let sessions = open(engine).await;
    let id = sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap().session.id();
    let replica = servers.servers().iter().find(|one| one.port() != servers.primary().port()).unwrap();
    replica.signal(Signal::Stop);
    let first = operation();
    for _ in 0..3 {
        let error = sessions.store().mutate(&first, id, end()).await.unwrap_err();
        assert!(matches!(error, StoreError::Unknown(_)), "{error}");
    }
    assert!(!sessions.store().news(&[None; 32], 1).await.unwrap().confirmed);
    // What was confirmed is good for as long as the bound; then nobody knows whether this is the primary.
    let mut patience = Patience::default();
    let error = loop {
        match sessions.store().load(id).await {
            Ok(record) => assert!(record.unwrap().ended().is_some(), "it has ended where the primary is"),
            Err(error) => break error,
        }
        tokio::time::sleep(patience.pause("an answer")).await;
    };
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let error = sessions.store().mutate(&operation(), id, change()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let realm = tenure::store::conformance::owner(&user("ann")).realm;
    let page = tenure::store::PageRequest { realm, after: None, limit: 10 };
    let error = sessions.store().page(&page).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let again = sessions.store().mutate(&first, id, end()).await.unwrap_err();
    assert!(matches!(again, StoreError::Unknown(_)), "ends are written where the primary is: {again}");
    replica.signal(Signal::Continue);
    let again = answered(async || sessions.store().mutate(&first, id, end()).await).await;
    assert_eq!(again.outcome, Outcome::Replayed);
    assert!(sessions.store().news(&[None; 32], 1).await.unwrap().confirmed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_with_another_history_is_believed_again_when_its_replicas_confirm_that() {
    let server = Redis::start();
    let other = server.replica(&[]);
    // What was confirmed is good for no time at all.
    let engine = engine(&server.url(), "t").replicas(1);
    let sessions = Sessions::builder(engine).bound(Duration::ZERO).cache_bytes(0).without_background();
    let sessions = sessions.open().await.unwrap();
    let mut errors = Outage::default();
    let id = loop {
        match sessions.sign_in(None, SignIn::password(user("ann"))).await {
            Ok(begun) => break begun.session.id(),
            Err(tenure::Error::Store(error)) => errors.met(&error).await,
            Err(error) => panic!("{error}"),
        }
    };
    // It was a replica for a moment, and the connection to it is as it was.
    server.cli(&format!("FAILOVER TO 127.0.0.1 {}", other.port()));
    server.until("ROLE", "slave");
    server.until("INFO replication", "master_link_status:up");
    server.cli("REPLICAOF NO ONE");
    let _replica = server.replica(&[]);
    assert!(loaded(sessions.store(), id).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_servers_change_places_loses_nothing() {
    let servers = RedisCluster::shared();
    let sessions = open(engine(&servers.url(), &prefix()).partitions(12)).await;
    let load = Load::begin(&sessions);
    load.goes_on(100).await;
    for replica in servers.replicas() {
        servers.promote(replica);
        load.goes_on(50).await;
    }
    let acknowledged = load.end().await;
    assert_eq!(lost(&sessions, &acknowledged).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_primary_is_killed_goes_on() {
    let servers = RedisCluster::start();
    let engine = engine(&servers.url(), "t").partitions(12).replicas(1).timeout(Duration::from_secs(1));
    let sessions = open(engine).await;
    let load = Load::begin(&sessions);
    load.goes_on(100).await;
    let primaries = servers.primaries();
    let (old, others) = primaries.split_first().unwrap();
    old.signal(Signal::Kill);
    for other in others {
        other.until("CLUSTER NODES", "fail");
        other.until("CLUSTER INFO", "cluster_state:ok");
    }
    old.start_again();
    load.goes_on(300).await;
    let acknowledged = load.end().await;
    let (_, undone) = lost(&sessions, &acknowledged).await;
    assert_eq!(undone, 0);
}
