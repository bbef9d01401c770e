//! How much room a session takes, and how changes share commits.

mod common;

use std::sync::Arc;

use common::{Place, begin, end, put, signed_in};
use rusqlite::Connection;
use tenure::clock::{Clock, SystemClock};
use tenure_embedded::Embedded;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_300_bytes_of_data_takes_at_most_700_bytes() {
    const COUNT: u64 = 20_000;
    let place = Place::default();
    let store = place.open().await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..COUNT {
        let store = Arc::clone(&store);
        tasks.spawn(async move { begin(&*store, signed_in(&format!("user-{n}"))).await.unwrap() });
        if tasks.len() > 200 {
            tasks.join_next().await.unwrap().unwrap();
        }
    }
    tasks.join_all().await;
    store.close().await;
    let database = Connection::open(place.database()).unwrap();
    let size = |names: &str| -> u64 {
        let sql = format!("SELECT sum(pgsize) FROM dbstat WHERE name LIKE '{names}'");
        let bytes: i64 = database.query_row(&sql, [], |row| row.get(0)).unwrap();
        bytes.unsigned_abs() / COUNT
    };
    let each = size("session%");
    eprintln!("{each} bytes a session with its indexes, {} for the event of its beginning", size("events"));
    assert!(each <= 700, "{each} bytes a session");
    assert!(Embedded::verify(place.store(), |_| {}).unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_the_same_time_share_a_commit() {
    const TASKS: u64 = 64;
    const EACH: u64 = 50;
    let place = Place::default();
    let store = place.open().await;
    let mut sessions = Vec::new();
    for n in 0..TASKS {
        sessions.push(begin(&*store, signed_in(&format!("user-{n}"))).await.unwrap().id);
    }
    let (before, start) = (place.commits(), SystemClock.running());
    let mut tasks = tokio::task::JoinSet::new();
    for id in sessions {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for n in 0..EACH {
                put(&*store, id, "cart", &n.to_be_bytes()).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let (commits, took) = (place.commits() - before, SystemClock.running() - start);
    eprintln!("{} changes in {commits} commits, {took:?}", TASKS * EACH);
    assert!(commits * 8 < TASKS * EACH, "{commits} commits");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_after_an_answer_sees_what_was_answered() {
    const TASKS: u64 = 32;
    const EACH: u64 = 50;
    let place = Place::default();
    let store = place.open().await;
    let mut tasks = tokio::task::JoinSet::new();
    let start = SystemClock.running();
    for n in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut last = begin(&*store, signed_in(&format!("user-{n}"))).await.unwrap();
            for n in 0..EACH {
                assert_eq!(store.load(last.id).await.unwrap().as_ref(), Some(&last));
                let reply = put(&*store, last.id, "cart", &n.to_be_bytes()).await.unwrap();
                last = reply.record.unwrap();
            }
            assert!(end(&*store, last.id).await.is_ok());
            assert!(store.load(last.id).await.unwrap().unwrap().ended().is_some());
        });
    }
    tasks.join_all().await;
    eprintln!("{} changes and loads in {:?}", TASKS * EACH, SystemClock.running() - start);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_beside_the_database_stays_small() {
    let place = Place::default();
    let store = place.open().await;
    let log = place.store().join("tenure.db-wal");
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..5_000 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { begin(&*store, signed_in(&format!("user-{n}"))).await.unwrap() });
        if tasks.len() > 64 {
            tasks.join_next().await.unwrap().unwrap();
        }
    }
    tasks.join_all().await;
    let bytes = log.metadata().unwrap().len();
    assert!(bytes < 16 << 20, "{bytes} bytes");
}
