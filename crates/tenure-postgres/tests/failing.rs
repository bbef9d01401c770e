//! What becomes of calls when the server or the connection fails.

mod support;

use std::sync::Arc;

use tenure::random::SystemRandom;
use tenure::store::{EventPage, Outcome, StoreError};
use tenure::{MasterKey, SessionId, Sessions, SignIn, UserId};
use tenure_postgres::Postgres;
use tenure_servers::{Patience, Postgres as Server, Signal, eventually};

use support::{Blocker, change, engine, key, open, operation, schema, store_at};

/// Why it cannot be opened.
async fn refused(engine: Postgres) -> StoreError {
    store_at(engine).await.err().expect("it is not opened")
}

async fn a_session(sessions: &Sessions) -> SessionId {
    let begun = sessions.sign_in(None, SignIn::password(UserId::new("ann").unwrap())).await.unwrap();
    begun.session.id()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_connection_is_killed_is_unknown_and_its_retry_changes_once() {
    let (schema, server) = (schema(), Server::shared());
    let sessions = open(&schema).await;
    let (id, store) = (a_session(&sessions).await, Arc::clone(sessions.store()));
    // Somebody holds the partition, so the write is under way for as long as we like.
    let partition = id.route().partition(1_024);
    let blocker = Blocker::of(&schema, partition);
    let first = operation();
    let write = tokio::spawn({
        let (store, first) = (Arc::clone(&store), first.clone());
        async move { store.mutate(&first, id, change()).await }
    });
    let waits = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE query LIKE 'SELECT {schema}.change_1%' AND wait_event_type = 'Lock'"
    );
    eventually(|| server.sql(&waits), |count| count != "0");
    let error = write.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Unknown(_)), "{error}");
    drop(blocker);
    assert_eq!(store.mutate(&first, id, change()).await.unwrap().outcome, Outcome::Applied);
    assert_eq!(store.mutate(&first, id, change()).await.unwrap().outcome, Outcome::Replayed);
    let EventPage::Events(events) = store.events(partition, None, 10).await.unwrap() else { panic!() };
    assert_eq!(events.len(), 2, "it began, and changed once");
    assert_eq!(store.load(id).await.unwrap().unwrap().version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_and_starts_again_serves_as_before() {
    let server = Server::start();
    let engine = Postgres::at(server.url()).master_key(key());
    let sessions = Sessions::builder(engine).cache_bytes(0).without_background().open().await.unwrap();
    let (id, store) = (a_session(&sessions).await, Arc::clone(sessions.store()));
    let before = store.news(&[None], 1).await.unwrap().server;
    server.stop();
    assert!(matches!(store.load(id).await, Err(StoreError::Unavailable(_))));
    let error = store.mutate(&operation(), id, change()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "it was not sent: {error}");
    server.start_again();
    assert!(store.load(id).await.unwrap().is_some());
    assert_eq!(store.mutate(&operation(), id, change()).await.unwrap().outcome, Outcome::Applied);
    assert_eq!(store.news(&[None], 1).await.unwrap().server, before, "it is the same server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_holds_nobody_up_for_good() {
    let server = Server::start();
    let sessions = Sessions::builder(Postgres::at(server.url()).master_key(key()).connections(2));
    let sessions = sessions.cache_bytes(0).without_background().open().await.unwrap();
    let (id, store) = (a_session(&sessions).await, Arc::clone(sessions.store()));
    let record = store.load(id).await.unwrap().unwrap();
    server.signal(Signal::Stop);
    let calls = (0..6).map(|n| {
        let (store, record) = (Arc::clone(&store), record.clone());
        tokio::spawn(async move {
            if n % 2 == 0 {
                store.load(record.id).await.map(drop)
            } else {
                store.mutate_known(&operation(), &record, change()).await.map(drop)
            }
        })
    });
    for call in futures_util::future::join_all(calls).await {
        let error = call.unwrap().unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_) | StoreError::Unknown(_)), "{error}");
    }
    server.signal(Signal::Continue);
    // No connection that hung is used again.
    for _ in 0..4 {
        assert!(store.load(id).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_standby_is_another_server_and_only_a_primary_is_used() {
    let primary = Server::start();
    let standby = primary.standby();
    let error = refused(Postgres::at(standby.url()).master_key(key())).await;
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    primary.set("synchronous_standby_names", "standby");
    let urls =
        format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres", primary.port(), standby.port());
    let sessions =
        Sessions::builder(Postgres::at(urls).master_key(key())).cache_bytes(0).without_background();
    let sessions = sessions.open().await.unwrap();
    let (id, store) = (a_session(&sessions).await, Arc::clone(sessions.store()));
    // The first poll learns that there are standbys; a later one has its commit confirmed.
    let mut news = store.news(&[None], 1).await.unwrap();
    let mut patience = Patience::default();
    while !news.confirmed {
        tokio::time::sleep(patience.pause("none confirmed")).await;
        news = store.news(&[None], 1).await.unwrap();
    }
    // Without a standby that answers, nothing is confirmed, and no poll hangs.
    standby.signal(Signal::Stop);
    for _ in 0..50 {
        assert!(!store.news(&[None], 1).await.unwrap().confirmed);
    }
    standby.signal(Signal::Continue);
    primary.signal(Signal::Kill);
    standby.promote();
    standby.set("synchronous_standby_names", "");
    let mut patience = Patience::default();
    let after = loop {
        match store.news(&[None], 1).await {
            Ok(after) => break after,
            Err(error) => {
                assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
                tokio::time::sleep(patience.pause(error)).await;
            }
        }
    };
    assert_ne!(after.server, news.server);
    assert!(store.load(id).await.unwrap().is_some(), "what was acknowledged was on the standby");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_what_a_promoted_standby_never_had_is_refused() {
    let primary = Server::start();
    let standby = primary.standby();
    let urls =
        format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres", primary.port(), standby.port());
    let engine = Postgres::at(urls).master_key(key()).partitions(1);
    let sessions = Sessions::builder(engine).cache_bytes(0).without_background().open().await.unwrap();
    let (id, store) = (a_session(&sessions).await, Arc::clone(sessions.store()));
    standby.until("SELECT count(*) FROM tenure.sessions", "1");
    standby.set("primary_conninfo", "");
    standby.until("SELECT count(*) FROM pg_stat_wal_receiver", "0");
    for _ in 0..10 {
        store.mutate(&operation(), id, change()).await.unwrap();
    }
    let read = async |after| match store.events(0, after, 100).await.unwrap() {
        EventPage::Events(events) => events,
        EventPage::Truncated { .. } => panic!("the log is cut"),
    };
    let cursor = read(None).await.last().map(|event| event.position);
    primary.signal(Signal::Kill);
    standby.promote();
    // As many that count up to the cursor and on.
    let (mut done, mut patience) = (0, Patience::default());
    while done < 15 {
        match store.mutate(&operation(), id, change()).await {
            Ok(_) => done += 1,
            Err(error) => {
                assert!(matches!(error, StoreError::Unavailable(_) | StoreError::Unknown(_)), "{error}");
                tokio::time::sleep(patience.pause(error)).await;
            }
        }
    }
    let page = store.events(0, cursor, 100).await.unwrap();
    assert!(matches!(page, EventPage::Truncated { .. }), "{page:?}");
    let news = store.news(&[cursor], 100).await.unwrap();
    let [tail] = &news.tails[..] else { panic!("{news:?}") };
    assert!(tail.gap && tail.events.is_empty() && tail.is_end, "{tail:?}");
    // What it goes on with is of the new history, and none of it is missing.
    let all = read(None).await;
    assert_eq!((all.len(), all.last().map(|event| event.position)), (16, Some(tail.next)));
    assert!(read(Some(tail.next)).await.is_empty());
}

#[tokio::test]
async fn what_is_configured_wrong_is_told_with_what_to_do() {
    let (schema, server) = (schema(), Server::shared());
    let error = refused(Postgres::at(server.url()).schema(&schema)).await.to_string();
    assert!(error.contains("openssl rand -hex 32") && error.contains("--master-key-file"), "{error}");
    let typo = Postgres::at(server.url()).schema(&schema).master_key_file("/nowhere/tenure.kye");
    let error = refused(typo).await.to_string();
    assert!(error.contains("TENURE_MASTER_KEY") && error.contains("/nowhere/tenure.kye"), "{error}");
    store_at(engine(&schema)).await.unwrap();

    let other = MasterKey::generate(&SystemRandom);
    let error = refused(engine(&schema).master_key(other)).await.to_string();
    assert!(error.contains("not the master key"), "{error}");

    server.sql(&format!("UPDATE {schema}.meta SET version = 3, readable_by = 2"));
    let error = refused(engine(&schema)).await.to_string();
    assert!(error.contains("newer release"), "{error}");
    server.sql(&format!("UPDATE {schema}.meta SET version = 3, readable_by = 1"));
    store_at(engine(&schema)).await.unwrap();

    server.sql("DO $$ BEGIN CREATE ROLE nobody LOGIN; EXCEPTION WHEN duplicate_object THEN END $$");
    for schema in [schema.as_str(), "of_nobody"] {
        let error = refused(Postgres::at(server.url_of("nobody")).schema(schema).master_key(key())).await;
        assert!(matches!(error, StoreError::Configuration(_)), "{error}");
        assert!(error.to_string().contains("give the role the rights"), "{error}");
    }
    let error = refused(Postgres::at(server.url_of("stranger")).master_key(key())).await;
    assert!(matches!(error, StoreError::Configuration(_)), "{error}");
    let error = refused(engine("No; DROP TABLE")).await;
    assert!(matches!(error, StoreError::Configuration(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_make_one_store() {
    let schema = schema();
    let nodes = (0..8).map(|_| tokio::spawn(store_at(engine(&schema).partitions(16))));
    for node in futures_util::future::join_all(nodes).await {
        assert_eq!(node.unwrap().unwrap().info().partitions, 16);
    }
    let again = store_at(engine(&schema).partitions(4)).await.unwrap();
    assert_eq!(again.info().partitions, 16, "a store keeps its number");
}
