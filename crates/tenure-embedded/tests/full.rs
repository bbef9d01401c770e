//! A full disk: writes are refused, checks go on, and sessions can still be ended.

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{Place, begin, end, operation, put, session, signed_in, user};
use tenure::record::{NewState, Record};
use tenure::store::conformance::{owner, revoked, sweep};
use tenure::store::{Outcome, Store, StoreError};
use tenure_embedded::Embedded;

/// Begins sessions until there is no room. Gives those that were acknowledged.
async fn fill(store: &dyn Store, data: usize) -> Vec<Record> {
    let mut records = Vec::new();
    loop {
        let name = format!("user-{}", records.len() / 10);
        let new = session(NewState::SignedIn(tenure::store::conformance::identity(&user(&name))), data);
        match begin(store, new).await {
            Ok(record) => records.push(record),
            Err(StoreError::Full(_)) => return records,
            Err(error) => panic!("{error}"),
        }
        assert!(records.len() < 100_000, "it never gets full");
    }
}

/// What holds on a full store: nothing is lost, other writes are refused, ends go on.
async fn still_ends_sessions(store: &dyn Store, records: &[Record]) {
    for record in records {
        assert_eq!(store.load(record.id).await.unwrap().as_ref(), Some(record));
    }
    assert!(matches!(begin(store, signed_in("ada")).await, Err(StoreError::Full(_))));
    let refused = put(store, records[0].id, "a", b"1").await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");

    for record in &records[..20] {
        assert_eq!(end(store, record.id).await.unwrap().outcome, Outcome::Applied);
        assert!(store.load(record.id).await.unwrap().unwrap().ended().is_some());
    }
    let (two, three) = (user("user-2"), user("user-3"));
    let ended = store.end_all_of(&operation(), &owner(&two), None, revoked()).await.unwrap();
    assert_eq!(ended.count, 10);
    let ended = store.set_disabled(&operation(), &owner(&three), true).await.unwrap();
    assert_eq!(ended.count, 10);
    assert!(matches!(begin(store, signed_in("ada")).await, Err(StoreError::Full(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_at_its_largest_size_still_ends_sessions() {
    let place = Place::default();
    let engine = place.engine().max_bytes(2 << 20);
    let store = place.try_open(engine).await.unwrap();
    let records = fill(&*store, 2000).await;
    still_ends_sessions(&*store, &records).await;
    assert!(place.database().metadata().unwrap().len() <= 2 << 20);

    // Housekeeping makes room again.
    place.clock.advance(Duration::from_secs(2 * 24 * 3600));
    while store.sweep(&sweep(1000)).await.unwrap().more {}
    place.clock.advance(Duration::from_secs(2 * 24 * 3600));
    while store.sweep(&sweep(1000)).await.unwrap().more {}
    begin(&*store, signed_in("ada")).await.unwrap();
    drop(store);
    assert!(Embedded::verify(place.store(), |_| {}).unwrap().is_clean());
}

#[tokio::test]
async fn the_reserve_is_made_of_real_blocks() {
    let place = Place::default();
    let _store = place.open().await;
    let reserve = place.store().join("tenure.reserve").metadata().unwrap();
    assert!(reserve.blocks() * 512 >= 8 << 20, "{} blocks", reserve.blocks());
}

/// A small file system, gone with the test.
struct SmallDisk<'p>(&'p Path);

impl<'p> SmallDisk<'p> {
    fn at(path: &'p Path, mib: u32) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(path)
            .output();
        mounted.is_ok_and(|out| out.status.success()).then_some(Self(path))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // The folder is temporary anyway; what cannot be unmounted stays until then.
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

/// Says so past the capture of the test harness, where `cargo xtask test` counts it.
fn skipped() {
    let said = std::io::stderr().write_all(b"skipped: only root may mount a small disk to fill\n");
    said.expect("somebody listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_sessions_still_end_and_nothing_acknowledged_is_lost() {
    let place = Place::default();
    let path = place.store();
    let Some(_disk) = SmallDisk::at(&path, 24) else {
        return skipped();
    };
    let store = place.open().await;
    let records = fill(&*store, 2000).await;
    assert!(records.len() > 500);
    still_ends_sessions(&*store, &records).await;

    // Nobody else may take what the reserve gave up, but if they do, ends are refused too
    // and nothing breaks.
    let other = path.join("other");
    let taken = fs::write(&other, vec![1; 32 << 20]);
    assert!(taken.is_err());
    for record in &records[100..400] {
        match end(&*store, record.id).await {
            Ok(reply) => assert_eq!(reply.outcome, Outcome::Applied),
            Err(StoreError::Full(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(store.load(records[90].id).await.unwrap().unwrap().ended().is_none());

    // Space is back.
    fs::remove_file(&other).unwrap();
    drop(store);
    let room = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&path).status().unwrap();
    assert!(room.success());
    let store = place.open().await;
    begin(&*store, signed_in("ada")).await.unwrap();
    drop(store);
    let report = Embedded::verify(&path, |_| {}).unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_space_is_back_all_writes_are_taken_again_without_a_restart() {
    let place = Place::default();
    let path = place.store();
    let Some(_disk) = SmallDisk::at(&path, 24) else {
        return skipped();
    };
    let store = place.open().await;
    let records = fill(&*store, 2000).await;
    assert!(matches!(begin(&*store, signed_in("ada")).await, Err(StoreError::Full(_))));
    let room = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&path).status().unwrap();
    assert!(room.success());
    place.clock.advance(Duration::from_secs(11));
    begin(&*store, signed_in("ada")).await.unwrap();
    assert_eq!(store.load(records[0].id).await.unwrap().as_ref(), Some(&records[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_opens_on_a_full_disk() {
    let place = Place::default();
    let path = place.store();
    let Some(_disk) = SmallDisk::at(&path, 24) else {
        return skipped();
    };
    let store = place.open().await;
    let record = begin(&*store, signed_in("ada")).await.unwrap();
    drop(store);
    let taken = fs::write(path.join("other"), vec![1; 32 << 20]);
    assert!(taken.is_err());
    let store = place.open().await;
    assert_eq!(store.load(record.id).await.unwrap().as_ref(), Some(&record));
    assert_eq!(end(&*store, record.id).await.unwrap().outcome, Outcome::Applied);
}
