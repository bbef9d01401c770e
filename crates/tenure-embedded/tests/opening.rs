//! What must hold before a store serves: one process, the right key in the right place, and
//! the store that was here last.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{Place, begin, end, ends_told, events, operation, put, session, signed_in, user};
use tenure::MasterKey;
use tenure::random::SystemRandom;
use tenure::record::NewState;
use tenure::store::conformance::owner;
use tenure::store::{EventPage, StoreError};
use tenure_embedded::{AfterClockGap, AfterRestore, Embedded};

fn says(error: &StoreError, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let place = Place::default();
    let store = place.open().await;
    let kept = begin(&*store, signed_in("ada")).await.unwrap();
    let kept = put(&*store, kept.id, "seat", b"12A").await.unwrap().record.unwrap();
    let guest = begin(&*store, session(NewState::Guest, 40)).await.unwrap();
    let over = begin(&*store, signed_in("bob")).await.unwrap();
    end(&*store, over.id).await.unwrap();
    store.set_disabled(&operation(), &owner(&user("eve")), true).await.unwrap();
    let told = events(&*store).await;
    store.close().await;
    drop(store);

    let store = place.open().await;
    assert_eq!(store.load(kept.id).await.unwrap(), Some(kept.clone()));
    assert_eq!(store.load(guest.id).await.unwrap(), Some(guest));
    assert!(store.load(over.id).await.unwrap().unwrap().ended().is_some());
    let list = store.list(&owner(&user("ada"))).await.unwrap();
    assert_eq!(list, [kept]);
    let eve = store.user(&owner(&user("eve"))).await.unwrap();
    assert!(eve.disabled_at.is_some());
    assert_eq!(events(&*store).await, told);
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_store() {
    let place = Place::default();
    let store = place.open().await;
    let record = begin(&*store, signed_in("ada")).await.unwrap();
    drop(store);
    let store = place.open().await;
    assert_eq!(store.load(record.id).await.unwrap(), Some(record));
}

#[tokio::test]
async fn calls_after_closing_fail_and_closing_again_is_fine() {
    let place = Place::default();
    let store = place.open().await;
    let record = begin(&*store, signed_in("ada")).await.unwrap();
    store.close().await;
    store.close().await;
    assert!(matches!(store.load(record.id).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(end(&*store, record.id).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_second_opening_is_refused_and_the_first_goes_on() {
    let place = Place::default();
    let store = place.open().await;
    let refusal = place.refusal(place.engine()).await;
    says(&refusal, &["open already", "stop that one first"]);
    begin(&*store, signed_in("ada")).await.unwrap();
}

#[tokio::test]
async fn files_and_folders_are_for_their_owner_only() {
    let place = Place::default();
    let store = place.open().await;
    begin(&*store, signed_in("ada")).await.unwrap();
    assert_eq!(mode(&place.store()), 0o700);
    assert_eq!(mode(&place.config()), 0o700);
    for folder in [place.store(), place.config()] {
        for file in fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
}

#[tokio::test]
async fn a_missing_key_is_never_replaced_by_a_new_one() {
    let place = Place::default();
    drop(place.open().await);
    fs::remove_file(place.config().join("master.key")).unwrap();
    let refusal = place.refusal(place.engine()).await;
    says(&refusal, &["missing", "TENURE_MASTER_KEY", "master.key"]);
    assert!(!place.config().join("master.key").exists());
}

#[tokio::test]
async fn stores_that_begin_together_share_one_key() {
    let place = Place::default();
    let engine = |n: u8| Embedded::at(place.folder.path().join(n.to_string())).config_dir(place.config());
    let opened = tokio::join!(
        place.try_open(engine(1)),
        place.try_open(engine(2)),
        place.try_open(engine(3)),
        place.try_open(engine(4)),
    );
    drop((opened.0.unwrap(), opened.1.unwrap(), opened.2.unwrap(), opened.3.unwrap()));
    for n in 1..=4 {
        drop(place.try_open(engine(n)).await.unwrap());
    }
    let keys = fs::read_dir(place.config()).unwrap().map(|file| file.unwrap().file_name());
    let others = keys.filter(|name| name != "master.key" && !name.to_string_lossy().ends_with(".mark"));
    assert_eq!(others.count(), 0, "no drafts are left");
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let place = Place::default();
    drop(place.open().await);
    let other = place.engine().master_key(MasterKey::generate(&SystemRandom));
    says(&place.refusal(other).await, &["not the master key"]);
    drop(place.open().await);
}

#[tokio::test]
async fn a_key_inside_the_store_is_refused_links_followed() {
    let place = Place::default();
    fs::create_dir_all(place.store()).unwrap();
    let inside = place.store().join("my.key");
    let key = MasterKey::generate(&SystemRandom).to_hex();
    fs::write(&inside, &key).unwrap();
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o600)).unwrap();
    let link = place.folder.path().join("link.key");
    std::os::unix::fs::symlink(&inside, &link).unwrap();
    for path in [inside, link] {
        let engine = place.engine().master_key_file(path);
        says(&place.refusal(engine).await, &["inside the store's folder"]);
    }
    let engine = Embedded::at(place.store()).config_dir(place.store().join("config"));
    says(&place.refusal(engine).await, &["inside the store's folder"]);
}

#[tokio::test]
async fn a_key_that_others_can_read_is_refused() {
    let place = Place::default();
    drop(place.open().await);
    let key = place.config().join("master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    says(&place.refusal(place.engine()).await, &["others can read", "chmod 600"]);
}

#[tokio::test]
async fn refusals_never_show_a_key() {
    let place = Place::default();
    drop(place.open().await);
    let path = place.config().join("master.key");
    let key = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{} {key}", &key[..20])).unwrap();
    let text = place.refusal(place.engine()).await.to_string();
    assert!(!text.contains(&key[..20]), "{text}");
}

/// Opens the store of [`a_key_in_the_environment_comes_before_the_file`] in a process whose
/// environment has the key.
#[tokio::test]
async fn child_with_a_key_in_its_environment() {
    let Some(folder) = std::env::var_os("TENURE_TEST_KEY_FOLDER") else {
        return;
    };
    let folder = Path::new(&folder);
    let place = Place::default();
    let engine = Embedded::at(folder.join("store")).config_dir(folder.join("config"));
    drop(place.try_open(engine).await.unwrap());
}

#[tokio::test]
async fn a_key_in_the_environment_comes_before_the_file() {
    let place = Place::default();
    let key = MasterKey::generate(&SystemRandom);
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_with_a_key_in_its_environment"])
        .env("TENURE_TEST_KEY_FOLDER", place.folder.path())
        .env("TENURE_MASTER_KEY", key.to_hex())
        .status()
        .unwrap();
    assert!(status.success());
    assert!(!place.config().join("master.key").exists());
    drop(place.try_open(place.engine().master_key(key)).await.unwrap());
}

#[tokio::test]
async fn a_store_that_is_gone_is_damage_and_never_an_empty_store() {
    type Loss = fn(&Place);
    let losses: [(&str, Loss); 4] = [
        ("the database", |place| fs::remove_file(place.database()).unwrap()),
        ("its content", |place| fs::write(place.database(), "").unwrap()),
        ("the folder", |place| fs::remove_dir_all(place.store()).unwrap()),
        ("the tables", |place| {
            fs::remove_file(place.database()).unwrap();
            let other = rusqlite::Connection::open(place.database()).unwrap();
            other.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t (x)").unwrap();
        }),
    ];
    for (what, lose) in losses {
        let place = Place::default();
        drop(place.open().await);
        lose(&place);
        let refusal = place.refusal(place.engine()).await;
        assert!(matches!(refusal, StoreError::Corrupt(_)), "{what}: {refusal}");
        says(&refusal, &["estore a backup"]);
    }
}

#[tokio::test]
async fn a_store_that_is_gone_begins_anew_when_its_operator_says_so() {
    for decision in [AfterRestore::Accept, AfterRestore::EndAllSessions] {
        let place = Place::default();
        let record = begin(&*place.open().await, signed_in("ada")).await.unwrap();
        fs::remove_dir_all(place.store()).unwrap();
        let store = place.try_open(place.engine().after_restore(decision)).await.unwrap();
        assert_eq!(store.load(record.id).await.unwrap(), None);
        drop(store);
        let store = place.open().await;
        begin(&*store, signed_in("ada")).await.unwrap();
    }
}

/// Copies the store's folder, as an operator would.
fn copy(place: &Place, to: &str) {
    let to = place.folder.path().join(to);
    fs::create_dir_all(&to).unwrap();
    for file in fs::read_dir(place.store()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

fn restore(place: &Place, from: &str) {
    fs::remove_dir_all(place.store()).unwrap();
    fs::rename(place.folder.path().join(from), place.store()).unwrap();
}

/// A store that ended a session after a copy of it was made, and the copy in its place.
async fn restored(reopened_since: bool) -> (Place, tenure::record::Record) {
    let place = Place::default();
    let store = place.open().await;
    let record = begin(&*store, signed_in("ada")).await.unwrap();
    if reopened_since {
        drop(store);
        copy(&place, "backup");
    } else {
        Embedded::backup(place.store(), place.folder.path().join("copy.db")).unwrap();
        end(&*store, record.id).await.unwrap();
        drop(store);
        fs::create_dir(place.folder.path().join("backup")).unwrap();
        let to = place.folder.path().join("backup/tenure.db");
        fs::rename(place.folder.path().join("copy.db"), to).unwrap();
    }
    if reopened_since {
        // As many commits as before, so that the count alone tells nothing.
        drop(place.open().await);
    }
    restore(&place, "backup");
    (place, record)
}

#[tokio::test]
async fn an_older_copy_does_not_serve_until_the_operator_decides() {
    for reopened_since in [false, true] {
        let (place, record) = restored(reopened_since).await;
        for _ in 0..2 {
            let refusal = place.refusal(place.engine()).await;
            assert!(matches!(refusal, StoreError::Blocked(_)), "{refusal}");
            says(&refusal, &["--after-restore end-all-sessions", "--after-restore accept"]);
        }
        let accept = place.engine().after_restore(AfterRestore::Accept);
        let store = place.try_open(accept).await.unwrap();
        assert!(store.load(record.id).await.unwrap().unwrap().ended().is_none());
        drop(store);
        drop(place.open().await);
    }
}

#[tokio::test]
async fn ending_all_sessions_of_an_older_copy_ends_each_and_says_so() {
    let (place, record) = restored(false).await;
    let engine = place.engine().after_restore(AfterRestore::EndAllSessions);
    let store = place.try_open(engine).await.unwrap();
    assert!(store.load(record.id).await.unwrap().unwrap().ended().is_some());
    assert_eq!(store.list(&owner(&user("ada"))).await.unwrap(), []);
    assert_eq!(ends_told(&*store, record.id).await, 1);
    drop(store);
    let store = place.open().await;
    assert!(store.load(record.id).await.unwrap().unwrap().ended().is_some());
    assert!(Embedded::verify(place.store(), |_| {}).unwrap().is_clean());
}

#[tokio::test]
async fn cursors_from_before_a_restore_are_refused() {
    let place = Place::default();
    let store = place.open().await;
    begin(&*store, signed_in("ada")).await.unwrap();
    let cursor = events(&*store).await[0].position;
    drop(store);
    copy(&place, "backup");
    drop(place.open().await);
    restore(&place, "backup");
    let store = place.try_open(place.engine().after_restore(AfterRestore::Accept)).await.unwrap();
    let page = store.events(0, Some(cursor), 10).await.unwrap();
    assert!(matches!(page, EventPage::Truncated { .. }));
}

#[tokio::test]
async fn a_store_without_its_mark_may_be_an_older_copy() {
    let place = Place::default();
    drop(place.open().await);
    for file in fs::read_dir(place.config()).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|ext| ext == "mark") {
            fs::remove_file(file).unwrap();
        }
    }
    assert!(matches!(place.refusal(place.engine()).await, StoreError::Blocked(_)));
}

#[tokio::test]
async fn a_store_may_move_to_another_folder() {
    let place = Place::default();
    drop(place.open().await);
    let moved = place.folder.path().join("moved");
    fs::rename(place.store(), &moved).unwrap();
    let engine = || Embedded::at(&moved).config_dir(place.config());
    drop(place.try_open(engine()).await.unwrap());
    drop(place.try_open(engine()).await.unwrap());
    // The old folder is free again.
    drop(place.open().await);
}

#[tokio::test]
async fn a_clock_far_ahead_does_not_end_everybody() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let place = Place::default();
    drop(place.open().await);
    place.clock.advance(40 * DAY);
    let store = place.open().await;
    begin(&*store, signed_in("ada")).await.unwrap();
    drop(store);
    place.clock.advance(32 * DAY);
    let refusal = place.refusal(place.engine()).await;
    assert!(matches!(refusal, StoreError::Blocked(_)), "{refusal}");
    says(&refusal, &["clock", "--after-clock-gap accept"]);
    let accept = place.engine().after_clock_gap(AfterClockGap::Accept);
    drop(place.try_open(accept).await.unwrap());
    drop(place.open().await);
}

#[tokio::test]
async fn a_clock_set_back_does_not_lengthen_sessions() {
    let place = Place::default();
    let store = place.open().await;
    let record = begin(&*store, signed_in("ada")).await.unwrap();
    place.clock.advance(Duration::from_secs(1200));
    put(&*store, record.id, "a", b"1").await.unwrap();
    drop(store);
    place.clock.step_back(Duration::from_secs(86_400));
    let store = place.open().await;
    let later = begin(&*store, signed_in("bob")).await.unwrap();
    assert!(later.created_at >= record.created_at.plus(Duration::from_secs(1200)));
}

#[tokio::test]
async fn a_backup_is_whole_and_is_never_written_over_a_file() {
    let place = Place::default();
    let store = place.open().await;
    let record = begin(&*store, signed_in("ada")).await.unwrap();
    let folder = place.folder.path().join("copy");
    fs::create_dir(&folder).unwrap();
    let copy = folder.join("tenure.db");
    Embedded::backup(place.store(), &copy).unwrap();
    assert_eq!(mode(&copy), 0o600);
    assert!(Embedded::backup(place.store(), &copy).is_err());
    end(&*store, record.id).await.unwrap();
    let report = Embedded::verify(&folder, |_| {}).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.sessions, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_use_can_be_verified() {
    let place = Place::default();
    let store = place.open().await;
    let writing = {
        let store = std::sync::Arc::clone(&store);
        tokio::spawn(async move {
            for n in 0..300 {
                let record = begin(&*store, signed_in(&format!("user-{n}"))).await.unwrap();
                end(&*store, record.id).await.unwrap();
            }
        })
    };
    let mut told = 0;
    while !writing.is_finished() {
        let report = Embedded::verify(place.store(), |_| told += 1).unwrap();
        assert!(report.is_clean(), "{report:?}");
    }
    writing.await.unwrap();
    let report = Embedded::verify(place.store(), |_| told += 1).unwrap();
    assert_eq!((report.sessions, report.events, report.guests), (300, 600, 0));
    assert!(told > 0);
}
