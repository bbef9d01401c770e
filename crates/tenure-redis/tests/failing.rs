//! What becomes of calls when the server or the connection fails.

mod support;

use std::sync::Arc;
use std::time::Duration;

use tenure::event::Position;
use tenure::store::{EventPage, Outcome, Store, StoreError};
use tenure::{MasterKey, SessionId, Sessions, SignIn};
use tenure_redis::Redis;
use tenure_servers::{Redis as Server, Signal, eventually};

use support::load::answered;
use support::{change, end, engine, key, open, operation, store_at, user};

async fn a_session(sessions: &Sessions) -> SessionId {
    sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap().session.id()
}

/// The events of a session: all of its partition.
async fn events(store: &Arc<dyn Store>, id: SessionId) -> usize {
    let EventPage::Events(events) = store.events(id.route().partition(32), None, 100).await.unwrap() else {
        panic!("the log is cut")
    };
    events.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_connection_is_killed_is_unknown_and_its_retry_changes_once() {
    let server = Server::start();
    let sessions = open(engine(&server.url(), "t")).await;
    let (id, store) = (a_session(&sessions).await, Arc::clone(sessions.store()));
    let known = store.load(id).await.unwrap().unwrap();
    // The server lets writes wait, so this one is under way for as long as we like.
    server.cli("CLIENT PAUSE 600000 WRITE");
    let first = operation();
    let write = tokio::spawn({
        let (store, first) = (Arc::clone(&store), first.clone());
        async move { store.mutate_known(&first, &known, change()).await }
    });
    server.until("INFO clients", "blocked_clients:1");
    server.cli("CLIENT KILL TYPE normal SKIPME yes");
    server.cli("CLIENT UNPAUSE");
    let error = write.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Unknown(_)), "{error}");
    answered(async || store.mutate(&first, id, change()).await).await;
    assert_eq!(store.mutate(&first, id, change()).await.unwrap().outcome, Outcome::Replayed);
    assert_eq!(events(&store, id).await, 2, "it began, and changed once");
    assert_eq!(store.load(id).await.unwrap().unwrap().version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_to_a_server_that_stands_still_is_unknown_and_its_retry_changes_once() {
    let server = Server::start();
    let sessions = open(engine(&server.url(), "t").timeout(Duration::from_millis(300))).await;
    let (id, store) = (a_session(&sessions).await, Arc::clone(sessions.store()));
    let known = store.load(id).await.unwrap().unwrap();
    server.signal(Signal::Stop);
    let first = operation();
    let error = store.mutate_known(&first, &known, change()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unknown(_)), "{error}");
    let error = store.load(id).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    server.signal(Signal::Continue);
    answered(async || store.mutate(&first, id, change()).await).await;
    assert_eq!(store.mutate(&first, id, change()).await.unwrap().outcome, Outcome::Replayed);
    assert_eq!(events(&store, id).await, 2, "it began, and changed once");
    assert_eq!(store.load(id).await.unwrap().unwrap().version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_and_starts_again_is_used_again_and_its_log_is_a_new_one() {
    let server = Server::start();
    let sessions = open(engine(&server.url(), "t")).await;
    let (id, store) = (a_session(&sessions).await, Arc::clone(sessions.store()));
    let before = store.news(&[None; 32], 1).await.unwrap();
    server.stop();
    assert!(matches!(store.load(id).await, Err(StoreError::Unavailable(_))));
    let error = store.mutate(&operation(), id, change()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "it was not sent: {error}");
    server.start_again();
    let loaded = answered(async || store.load(id).await).await;
    assert!(loaded.is_some(), "it was on the disk");
    assert_eq!(store.mutate(&operation(), id, change()).await.unwrap().outcome, Outcome::Applied);
    let after = store.news(&[None; 32], 1).await.unwrap();
    assert_ne!(after.server, before.server, "what it acknowledged last might be gone");
    let partition = id.route().partition(32);
    let old = before.tails.iter().find(|tail| tail.partition == partition).unwrap().next;
    let page = store.events(partition, Some(old), 10).await.unwrap();
    assert!(matches!(page, EventPage::Truncated { .. }), "{page:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lost_everything_begins_anew_and_says_so() {
    let server = Server::start();
    let sessions = open(engine(&server.url(), "t")).await;
    let (id, store) = (a_session(&sessions).await, Arc::clone(sessions.store()));
    let before = store.news(&[None; 32], 1).await.unwrap();
    server.cli("FLUSHALL");
    assert_eq!(answered(async || store.load(id).await).await, None);
    let again = a_session(&sessions).await;
    assert!(store.load(again).await.unwrap().is_some());
    let after = answered(async || store.news(&[None; 32], 1).await).await;
    assert_ne!(after.server, before.server);
    let old: Vec<Option<Position>> = before.tails.iter().map(|tail| Some(tail.next)).collect();
    let told = store.news(&old, 100).await.unwrap();
    assert!(told.tails.iter().all(|tail| tail.gap) && told.tails.len() == 32, "each log is a new one");
    // Whoever opens it now finds the store that the first node made anew.
    let other = open(engine(&server.url(), "t")).await;
    assert!(other.store().load(again).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_head_the_server_threw_away_goes_on() {
    let server = Server::start();
    let sessions = open(engine(&server.url(), "t").partitions(1)).await;
    let (id, store) = (a_session(&sessions).await, Arc::clone(sessions.store()));
    store.mutate(&operation(), id, change()).await.unwrap();
    let head = server.cli("KEYS *}h");
    assert_eq!(server.cli(&format!("DEL {head}")), "1");
    answered(async || store.mutate(&operation(), id, change()).await).await;
    let EventPage::Events(events) = store.events(0, None, 100).await.unwrap() else { panic!() };
    assert_eq!(events.iter().map(|event| event.position.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(events.is_sorted_by_key(|event| event.at));
    assert_eq!(store.load(id).await.unwrap().unwrap().version, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_the_server_forgot_are_sent_again() {
    let server = Server::start();
    let sessions = open(engine(&server.url(), "t")).await;
    for _ in 0..3 {
        server.cli("SCRIPT FLUSH");
        let id = a_session(&sessions).await;
        server.cli("SCRIPT FLUSH");
        let reply = sessions.store().mutate(&operation(), id, change()).await.unwrap();
        assert_eq!(reply.outcome, Outcome::Applied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_opens_nothing() {
    let url = Server::shared().url();
    let prefix = support::prefix();
    open(engine(&url, &prefix)).await.close().await.unwrap();
    let other = MasterKey::from_hex(&"77".repeat(32)).unwrap();
    let error = store_at(Redis::at(&url).prefix(&prefix).master_key(other)).await.err().unwrap();
    assert!(matches!(&error, StoreError::Configuration(text) if text.contains("master key")), "{error}");
    store_at(engine(&url, &prefix)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_takes_no_more_sessions_but_ends_those_there_are() {
    let server = Server::start();
    let sessions = open(engine(&server.url(), "t")).await;
    let (id, other, store) =
        (a_session(&sessions).await, a_session(&sessions).await, Arc::clone(sessions.store()));
    server.cli("CONFIG SET maxmemory 1");
    let error = store.mutate(&operation(), id, change()).await.unwrap_err();
    assert!(matches!(error, StoreError::Full(_)), "{error}");
    assert!(sessions.sign_in(None, SignIn::password(user("bob"))).await.is_err());
    assert!(store.load(id).await.unwrap().is_some());
    assert_eq!(store.mutate(&operation(), id, end()).await.unwrap().outcome, Outcome::Applied);
    assert!(store.load(id).await.unwrap().unwrap().ended().is_some());
    let all = sessions.end_all_of(&user("ann"), None, support::ending()).await.unwrap();
    assert_eq!(all, 1);
    assert!(store.load(other).await.unwrap().unwrap().ended().is_some());
    server.cli("CONFIG SET maxmemory 0");
    a_session(&sessions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_save_says_so_and_still_knows_its_sessions() {
    let server = Server::start();
    let sessions = open(engine(&server.url(), "t")).await;
    let (id, store) = (a_session(&sessions).await, Arc::clone(sessions.store()));
    // A folder where its file would be.
    let dir = server.cli("CONFIG GET dir");
    let file = std::path::Path::new(dir.lines().last().unwrap()).join("dump.rdb");
    std::fs::create_dir(&file).unwrap();
    server.cli("BGSAVE");
    server.until("INFO persistence", "rdb_last_bgsave_status:err");
    for ask in [change(), end()] {
        let error = store.mutate(&operation(), id, ask).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("make room")), "{error}");
    }
    assert!(store.load(id).await.unwrap().unwrap().ended().is_none());
    assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1);
    std::fs::remove_dir(&file).unwrap();
    server.cli("BGSAVE");
    server.until("INFO persistence", "rdb_last_bgsave_status:ok");
    assert_eq!(store.mutate(&operation(), id, end()).await.unwrap().outcome, Outcome::Applied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_without_the_replicas_that_the_url_asks_for_is_not_believed() {
    let server = Server::start();
    let url = format!("{}?replicas=1&replica_timeout_ms=20", server.url());
    let sessions = open(engine(&url, "t")).await;
    let error = sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap_err();
    assert!(error.to_string().contains("0 of 1 replicas"), "{error}");
    // What a method says comes before it.
    a_session(&open(engine(&url, "t").replicas(0)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_no_primary_any_more_is_not_believed() {
    let server = Server::start();
    let other = server.replica(&[]);
    let sessions = open(engine(&server.url(), "t")).await;
    let (id, store) = (a_session(&sessions).await, Arc::clone(sessions.store()));
    let known = store.load(id).await.unwrap().unwrap();
    let before = store.news(&[None; 32], 1).await.unwrap();
    // It keeps all that it has, and follows the other from now on.
    // It refuses while the other is not in line yet.
    let fail_over = || {
        server.cli(&format!("FAILOVER TO 127.0.0.1 {}", other.port()));
        server.cli("ROLE")
    };
    eventually(fail_over, |role| role.contains("slave"));
    server.until("INFO replication", "master_link_status:up");
    for error in [
        store.load(id).await.err().unwrap(),
        store.list(&tenure::store::conformance::owner(&user("ann"))).await.err().unwrap(),
        store.mutate_known(&operation(), &known, change()).await.err().unwrap(),
        store.news(&[None; 32], 1).await.err().unwrap(),
        store.events(0, None, 10).await.err().unwrap(),
    ] {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
    let refused = store_at(Redis::at(server.url()).prefix("t").master_key(key())).await.err().unwrap();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    server.cli("REPLICAOF NO ONE");
    assert!(answered(async || store.load(id).await).await.is_some());
    assert_ne!(store.news(&[None; 32], 1).await.unwrap().server, before.server);
}
