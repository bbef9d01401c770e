//! What the writing thread does when something goes wrong beside or within a commit.

use std::sync::{Arc, mpsc};

use rusqlite::Connection;
use tempfile::TempDir;
use tenure::clock::TestClock;
use tenure::random::SystemRandom;
use tenure::store::conformance::owner;
use tenure::store::{Context, Store, StoreError, UserRecord};
use tenure::{Realm, SessionId, UserId};

use super::Need::{Essential, Ordinary};
use crate::error::Result;
use crate::meta::Head;
use crate::store::EmbeddedStore;
use crate::txn::Txn;
use crate::{Embedded, log, schema};

async fn open() -> (TempDir, Arc<EmbeddedStore>) {
    let folder = tempfile::tempdir().unwrap();
    let context = Context::new(Arc::new(TestClock::default()), Arc::new(SystemRandom));
    let engine = Embedded::at(folder.path().join("store")).config_dir(folder.path().join("config"));
    (folder, engine.start(context).await.unwrap().0)
}

/// How many durable commits the store has made in its life.
fn commits(folder: &TempDir) -> i64 {
    let reader = schema::open_reader(&folder.path().join("store/tenure.db")).unwrap();
    Head::read(&reader).unwrap().commits
}

/// Writes something small: a user with this epoch.
fn note(txn: &mut Txn<'_>, name: &str, epoch: u64) -> Result<()> {
    let record = UserRecord { epoch, disabled_at: None };
    log::put_user(txn.conn, &Realm::default(), &UserId::new(name).unwrap(), &record)?;
    txn.wrote();
    Ok(())
}

async fn noted(store: &EmbeddedStore, name: &str) -> u64 {
    let user = UserId::new(name).unwrap();
    store.user(&owner(&user)).await.unwrap().epoch
}

/// Holds the writing thread until the sender is dropped, so that what comes meanwhile
/// shares the next commit.
fn hold(store: &Arc<EmbeddedStore>) -> (mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
    let (go, gone) = mpsc::channel::<()>();
    let (held, is_held) = mpsc::channel();
    let store = Arc::clone(store);
    let gone = std::sync::Mutex::new(gone);
    let task = tokio::spawn(async move {
        let wait = move |_: &mut Txn<'_>| {
            held.send(()).unwrap();
            let _ = gone.lock().unwrap().recv();
            Ok(())
        };
        store.write(Ordinary, wait).await.unwrap();
    });
    tokio::task::block_in_place(|| is_held.recv().unwrap());
    (go, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_or_panics_does_not_undo_the_others() {
    let (folder, store) = open().await;
    let (go, holding) = hold(&store);
    let before = commits(&folder);
    let refused = || StoreError::Unavailable("by the test".into());
    let work = async {
        tokio::join!(
            store.write(Ordinary, |txn| note(txn, "first", 1)),
            store.write(Ordinary, move |txn| -> Result<()> {
                note(txn, "failed", 1)?;
                Err(refused().into())
            }),
            store.write(Ordinary, |txn| -> Result<()> {
                note(txn, "panicked", 1)?;
                panic!("by the test")
            }),
            store.write(Ordinary, |txn| note(txn, "last", 1)),
            async { drop(go) },
        )
    };
    let (first, failed, panicked, last, ()) = work.await;
    holding.await.unwrap();
    assert_eq!((first, last), (Ok(()), Ok(())));
    assert_eq!(failed, Err(refused()));
    assert!(matches!(panicked, Err(StoreError::Unavailable(_))));
    let mut found = Vec::new();
    for name in ["first", "failed", "panicked", "last"] {
        found.push(noted(&store, name).await);
    }
    assert_eq!(found, [1, 0, 0, 1]);
    assert_eq!(commits(&folder) - before, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_lost_on_the_way_runs_again_without_the_one_that_lost_it() {
    let (_folder, store) = open().await;
    let (go, holding) = hold(&store);
    let work = async {
        tokio::join!(
            store.write(Ordinary, |txn| note(txn, "first", 1)),
            store.write(Ordinary, |txn| -> Result<()> {
                // As SQLite does by itself after some errors.
                txn.conn.execute_batch("ROLLBACK")?;
                Err(StoreError::Unavailable("by the test".into()).into())
            }),
            store.write(Ordinary, |txn| note(txn, "last", 1)),
            async { drop(go) },
        )
    };
    let (first, lost, last, ()) = work.await;
    holding.await.unwrap();
    assert!(lost.is_err());
    assert_eq!((first, last), (Ok(()), Ok(())));
    assert_eq!((noted(&store, "first").await, noted(&store, "last").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_commit_nothing_of_it_is_there_and_writing_goes_on() {
    let (_folder, store) = open().await;
    let (go, holding) = hold(&store);
    let work = async {
        tokio::join!(
            store.write(Ordinary, |txn| note(txn, "first", 1)),
            store.write(Ordinary, |txn| -> Result<()> {
                // A broken reference makes the commit itself fail.
                txn.conn.execute_batch(
                    "PRAGMA foreign_keys = 1;
                     CREATE TABLE a (x INTEGER PRIMARY KEY);
                     CREATE TABLE b (x INTEGER REFERENCES a DEFERRABLE INITIALLY DEFERRED);
                     INSERT INTO b VALUES (1)",
                )?;
                txn.wrote();
                Ok(())
            }),
            async { drop(go) },
        )
    };
    let (first, broken, ()) = work.await;
    holding.await.unwrap();
    assert!(first.is_err() && broken.is_err());
    assert_eq!(noted(&store, "first").await, 0);
    store.write(Ordinary, |txn| note(txn, "next", 1)).await.unwrap();
    assert_eq!(noted(&store, "next").await, 1);
}

#[tokio::test]
async fn every_commit_reaches_the_disk_before_it_is_answered() {
    let (_folder, store) = open().await;
    let settings = |txn: &mut Txn<'_>| {
        let synchronous: i64 = txn.conn.pragma_query_value(None, "synchronous", |row| row.get(0))?;
        let mode: String = txn.conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        Ok((synchronous, mode))
    };
    let full = 2;
    assert_eq!(store.write(Ordinary, settings).await, Ok((full, "wal".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_do_not_wait_for_writes() {
    let (_folder, store) = open().await;
    store.write(Ordinary, |txn| note(txn, "ada", 3)).await.unwrap();
    let (go, holding) = hold(&store);
    assert_eq!(noted(&store, "ada").await, 3);
    assert_eq!(store.load(SessionId::from_bytes([1; 16])).await, Ok(None));
    drop(go);
    holding.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_get_an_answer_when_the_store_is_closed_under_them() {
    let (_folder, store) = open().await;
    let (go, holding) = hold(&store);
    let mut waiting = Vec::new();
    for n in 0..3_000 {
        let store = Arc::clone(&store);
        waiting.push(tokio::spawn(async move {
            store.write(Essential, move |txn| note(txn, &format!("user-{n}"), 1)).await
        }));
    }
    let closing = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.close().await }
    });
    drop(go);
    holding.await.unwrap();
    closing.await.unwrap();
    for task in waiting {
        let answer = task.await.unwrap();
        assert!(matches!(answer, Ok(()) | Err(StoreError::Unavailable(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn lists_and_housekeeping_look_only_at_what_they_return() {
    let (folder, store) = open().await;
    drop(store);
    let conn = Connection::open(folder.path().join("store/tenure.db")).unwrap();
    let plan = |sql: &str| -> String {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let mut query = conn.prepare(&sql).unwrap();
        let lines = query.query_map([], |row| row.get::<_, String>(3)).unwrap();
        lines.map(std::result::Result::unwrap).collect()
    };
    for (sql, index) in [
        ("SELECT * FROM sessions WHERE owner = 1", "USING INDEX session_owner"),
        ("SELECT key FROM sessions WHERE due <= 1 ORDER BY due LIMIT 1", "USING COVERING INDEX session_due"),
        ("SELECT * FROM sessions WHERE id = x'00'", "USING INDEX session_id"),
        (
            "SELECT * FROM sessions WHERE id > x'00' AND realm = 1 AND state < 2 ORDER BY id",
            "USING INDEX session_id (id>?)",
        ),
        ("SELECT 1 FROM receipts WHERE id = x'00'", "sqlite_autoindex_receipts_1"),
        ("SELECT * FROM events WHERE sequence > 1 ORDER BY sequence", "INTEGER PRIMARY KEY"),
    ] {
        let plan = plan(sql);
        assert!(plan.contains(index), "{sql}: {plan}");
        assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN"), "{sql}: {plan}");
    }
}
