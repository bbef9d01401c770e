//! A damaged store says so, and never passes for an empty one.

mod common;

use std::fs;
use std::path::Path;

use common::{Place, begin, end, operation, session, signed_in, user};
use tenure::record::{NewState, Record};
use tenure::store::StoreError;
use tenure::store::conformance::owner;
use tenure_embedded::{AfterRestore, Embedded};

/// A store that was closed, with sessions of every kind, and what it holds.
async fn some_store() -> (Place, Vec<Record>) {
    let place = Place::default();
    let store = place.open().await;
    let mut records = Vec::new();
    for n in 0..60 {
        let new = match n % 3 {
            0 => session(NewState::Guest, 40),
            _ => signed_in(&format!("user-{}", n / 6)),
        };
        let record = begin(&*store, new).await.unwrap();
        records.push(match n % 5 {
            0 => end(&*store, record.id).await.unwrap().record.unwrap(),
            _ => record,
        });
    }
    store.set_disabled(&operation(), &owner(&user("eve")), true).await.unwrap();
    drop(store);
    (place, records)
}

/// What became of a store after its database was changed.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Seen {
    Refused,
    Found,
    Whole,
}

/// Opens a damaged store and reads all of it. Whatever it answers must be the truth, or an
/// error, or found by `verify`.
async fn look(place: &Place, records: &[Record], what: &str) -> Seen {
    let report = Embedded::verify(place.store(), |_| {});
    let clean = report.as_ref().is_ok_and(tenure_embedded::Report::is_clean);
    let seen = if clean { Seen::Whole } else { Seen::Found };
    let store = match place.try_open(place.engine()).await {
        Ok(store) => store,
        Err(StoreError::Corrupt(_)) => return Seen::Refused,
        // The page with the names of the store can be hit in such a way.
        Err(error) => panic!("{what}: {error}"),
    };
    for record in records {
        match store.load(record.id).await {
            Ok(Some(found)) => assert_eq!(&found, record, "{what}"),
            Ok(None) => assert!(!clean, "{what}: {} is missing and verify finds nothing", record.id),
            Err(StoreError::Corrupt(text)) => {
                assert!(!clean, "{what}: {text}");
                assert!(text.contains("tenure store verify"), "{text}");
            }
            Err(error) => panic!("{what}: {error}"),
        }
    }
    let eve = store.user(&owner(&user("eve"))).await;
    assert!(!clean || eve.is_ok_and(|eve| eve.disabled_at.is_some()), "{what}");
    seen
}

/// The files of a store, to damage again and again.
struct Copy {
    bytes: Vec<u8>,
}

impl Copy {
    fn of(path: &Path) -> Self {
        Self { bytes: fs::read(path).unwrap() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_is_told_or_harms_nothing() {
    let (place, records) = some_store().await;
    let good = Copy::of(&place.database());
    let marks: Vec<_> = fs::read_dir(place.config())
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (fs::read(&path).unwrap(), path))
        .collect();
    let mut counts = [0; 3];
    let step = if std::env::var_os("TENURE_SOAK").is_some() { 17 } else { 397 };
    // From 100 on: a few of the header's fields mean nothing to anybody.
    for offset in (100..good.bytes.len()).step_by(step) {
        let mut bytes = good.bytes.clone();
        bytes[offset] ^= 0x55;
        fs::write(place.database(), &bytes).unwrap();
        for (mark, path) in &marks {
            fs::write(path, mark).unwrap();
        }
        for leftover in ["tenure.db-wal", "tenure.db-shm"] {
            let _ = fs::remove_file(place.store().join(leftover));
        }
        let seen = look(&place, &records, &format!("byte {offset}")).await;
        counts[seen as usize] += 1;
    }
    eprintln!("refused, found, harmless: {counts:?}");
    assert!(counts[0] + counts[1] > counts[2] / 4, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_database_is_refused() {
    let (place, records) = some_store().await;
    let good = Copy::of(&place.database());
    for part in [0, 1, 50, 100, 4096, 8192, 8193, good.bytes.len() / 2, good.bytes.len() - 1] {
        fs::write(place.database(), &good.bytes[..part]).unwrap();
        let seen = look(&place, &records, &format!("cut at {part}")).await;
        assert_eq!(seen, Seen::Refused, "cut at {part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_torn_log_does_not_pass_for_the_whole_store() {
    let place = Place::default();
    let store = place.open().await;
    let mut records = Vec::new();
    for n in 0..20 {
        records.push(begin(&*store, signed_in(&format!("user-{n}"))).await.unwrap());
    }
    // As a crash leaves it: the log holds everything, and the mark is of a moment ago.
    place.clock.advance(std::time::Duration::from_secs(2));
    end(&*store, records[0].id).await.unwrap();
    begin(&*store, signed_in("last")).await.unwrap();
    let log = place.store().join("tenure.db-wal");
    let (database, log) = (Copy::of(&place.database()), Copy::of(&log));
    let marks: Vec<_> = fs::read_dir(place.config())
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (fs::read(&path).unwrap(), path))
        .collect();
    drop(store);
    for cut in [0, 31, 32, 1000, log.bytes.len() / 4, log.bytes.len() / 2] {
        fs::write(place.database(), &database.bytes).unwrap();
        fs::write(place.store().join("tenure.db-wal"), &log.bytes[..cut]).unwrap();
        let _ = fs::remove_file(place.store().join("tenure.db-shm"));
        for (mark, path) in &marks {
            fs::write(path, mark).unwrap();
        }
        match place.refusal(place.engine()).await {
            StoreError::Blocked(_) | StoreError::Corrupt(_) => {}
            other => panic!("cut at {cut}: {other:?}"),
        }
    }
    // The whole log is the whole store.
    fs::write(place.database(), &database.bytes).unwrap();
    fs::write(place.store().join("tenure.db-wal"), &log.bytes).unwrap();
    let _ = fs::remove_file(place.store().join("tenure.db-shm"));
    let store = place.open().await;
    assert!(store.load(records[0].id).await.unwrap().unwrap().ended().is_some());
    assert_eq!(store.load(records[7].id).await.unwrap().as_ref(), Some(&records[7]));
}

#[tokio::test]
async fn a_damaged_session_is_named_and_the_others_serve_on() {
    let (place, records) = some_store().await;
    let victim = &records[1];
    let conn = rusqlite::Connection::open(place.database()).unwrap();
    let changed =
        conn.execute("UPDATE sessions SET seen = seen + 1 WHERE id = ?1", [victim.id.as_bytes()]).unwrap();
    assert_eq!(changed, 1);
    drop(conn);

    let report = Embedded::verify(place.store(), |_| {}).unwrap();
    assert_eq!(report.problem_count, 1, "{report:?}");
    assert!(report.problems[0].contains(&victim.id.to_string()));

    let store = place.open().await;
    let error = store.load(victim.id).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)));
    assert!(error.to_string().contains(&victim.id.to_string()), "{error}");
    assert_eq!(store.load(records[2].id).await.unwrap().as_ref(), Some(&records[2]));
    assert!(end(&*store, victim.id).await.is_err());
    begin(&*store, signed_in("ada")).await.unwrap();
}

#[tokio::test]
async fn a_damaged_session_does_not_stop_housekeeping() {
    let (place, records) = some_store().await;
    let conn = rusqlite::Connection::open(place.database()).unwrap();
    conn.execute("UPDATE sessions SET record = zeroblob(9) WHERE id = ?1", [records[1].id.as_bytes()])
        .unwrap();
    drop(conn);
    let store = place.open().await;
    place.clock.advance(std::time::Duration::from_secs(3600));
    let sweep = tenure::store::conformance::sweep(1000);
    let swept = store.sweep(&sweep).await.unwrap();
    let alive = records.iter().filter(|record| record.ended().is_none()).count();
    assert_eq!(swept.ended.len(), alive - 1);
    assert_eq!(store.sweep(&sweep).await.unwrap().ended, []);
}

#[tokio::test]
async fn a_gap_in_the_log_is_told() {
    let (place, _) = some_store().await;
    let conn = rusqlite::Connection::open(place.database()).unwrap();
    conn.execute("DELETE FROM events WHERE sequence = 7", []).unwrap();
    drop(conn);
    assert!(!Embedded::verify(place.store(), |_| {}).unwrap().is_clean());
    let store = place.open().await;
    let error = store.events(0, None, 100).await.unwrap_err();
    assert!(error.to_string().contains("event 7"), "{error}");
}

#[tokio::test]
async fn a_damaged_session_cannot_be_served_after_ending_all_of_an_older_copy() {
    let (place, records) = some_store().await;
    let conn = rusqlite::Connection::open(place.database()).unwrap();
    conn.execute("UPDATE sessions SET sum = sum + 1 WHERE id = ?1", [records[1].id.as_bytes()]).unwrap();
    drop(conn);
    for file in fs::read_dir(place.config()).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|ext| ext == "mark") {
            fs::remove_file(file).unwrap();
        }
    }
    let engine = place.engine().after_restore(AfterRestore::EndAllSessions);
    let store = place.try_open(engine).await.unwrap();
    for record in &records {
        let dead = match store.load(record.id).await {
            Ok(Some(found)) => found.ended().is_some(),
            Err(StoreError::Corrupt(_)) => record.id == records[1].id,
            _ => false,
        };
        assert!(dead, "{}", record.id);
    }
}
