//! Changing data (promise P2: no lost update).

use std::collections::BTreeMap;

use super::builders::{change, sealed, set};
use super::fixture::Fixture;
use super::tables::ada;
use crate::event::EventKind;
use crate::record::Change;
use crate::store::{Outcome, Refusal};

pub(super) async fn a_change_sets_and_removes_by_key_and_counts(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    f.apply(id, change(set("cart", b"tea", 1))).await;
    f.apply(id, change(set("theme", b"dark", 1))).await;
    let both =
        Change { remove: vec!["theme".to_owned(), "never set".to_owned()], ..set("cart", b"coffee", 1) };
    let record = f.apply(id, change(both)).await;
    assert_eq!(f.load(id).await.as_ref(), Some(&record));
    assert_eq!(record.version, 3);
    assert_eq!(record.data.keys().collect::<Vec<_>>(), ["cart"]);
    assert_eq!(record.data["cart"].version, 3);
    assert_eq!(record.data["cart"].sealed, sealed(b"coffee"));
}

pub(super) async fn a_change_leaves_all_else_alone(f: Fixture) {
    let before = f.begin(f.signed_in(&ada())).await;
    f.wait(std::time::Duration::from_secs(60));
    let mut after = f.apply(before.id, change(set("cart", b"tea", 1))).await;
    assert_eq!((after.version, after.revision), (1, before.revision + 1));
    (after.version, after.revision) = (before.version, before.revision);
    (after.data, after.recent) = (before.data.clone(), before.recent.clone());
    assert_eq!(after, before);
}

pub(super) async fn parallel_changes_to_different_keys_all_survive(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    let replies = f
        .at_once(50, |f, i| async move { f.mutate(id, change(set(&format!("key {i}"), &[7; 40], 1))).await })
        .await;
    assert!(replies.iter().all(|r| r.outcome == Outcome::Applied));
    let record = f.record(id).await;
    assert_eq!((record.data.len(), record.version), (50, 50));
    let mut versions: Vec<u64> = record.data.values().map(|value| value.version).collect();
    versions.sort_unstable();
    assert!(versions.into_iter().eq(1..=50), "each change has its own version");
}

pub(super) async fn compare_and_set_of_one_key_counts_right(f: Fixture) {
    const TASKS: usize = 16;
    const EACH: u64 = 8;
    let id = f.begin(f.guest()).await.id;
    f.at_once(TASKS, |f, _| async move {
        for _ in 0..EACH {
            let mut tries = 0;
            while f.mutate(id, add_one(&f, id).await).await.outcome != Outcome::Applied {
                tries += 1;
                assert!(tries < 10_000, "nobody's change comes through");
            }
        }
    })
    .await;
    let record = f.record(id).await;
    let total = TASKS as u64 * EACH;
    assert_eq!(record.data["count"].sealed, sealed(&total.to_be_bytes()));
    assert_eq!(record.version, total);
}

async fn add_one(f: &Fixture, id: crate::id::SessionId) -> crate::store::Mutation {
    let record = f.record(id).await;
    let (version, before) = record.data.get("count").map_or((0, 0), |value| {
        let mut count = [0; 8];
        count.copy_from_slice(&value.sealed[value.sealed.len() - 8..]);
        (value.version, u64::from_be_bytes(count))
    });
    change(Change {
        expect: BTreeMap::from([("count".to_owned(), version)]),
        ..set("count", &(before + 1).to_be_bytes(), 1)
    })
}

pub(super) async fn of_changes_at_once_against_one_version_one_wins(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    let replies = f
        .at_once(16, |f, i| async move {
            let whole = Change { if_version: Some(0), ..set(&format!("key {i}"), b"", 1) };
            f.mutate(id, change(whole)).await.outcome
        })
        .await;
    let lost = Outcome::Refused(Refusal::VersionMismatch { version: 1 });
    assert_eq!(replies.iter().filter(|o| **o == Outcome::Applied).count(), 1);
    assert_eq!(replies.iter().filter(|o| **o == lost).count(), 15);
    assert_eq!(f.record(id).await.data.len(), 1);
    assert_eq!(f.kinds_of(id).await, [EventKind::Created, EventKind::Changed]);
}

pub(super) async fn a_key_changed_meanwhile_is_a_conflict_and_nothing_changes(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    f.apply(id, change(set("other", b"", 1))).await;
    f.apply(id, change(set("cart", b"tea", 1))).await;
    let conflict = |version| Refusal::Conflict { key: "cart".to_owned(), version };
    for (expected, found) in [(0, 2), (1, 2), (3, 2)] {
        let late = Change {
            expect: BTreeMap::from([("cart".to_owned(), expected), ("other".to_owned(), 1)]),
            remove: vec!["other".to_owned()],
            ..set("cart", b"coffee", 1)
        };
        assert_eq!(f.refuse(id, change(late)).await, conflict(found));
    }
    f.apply(id, change(Change { remove: vec!["cart".to_owned()], ..Change::default() })).await;
    let late = Change { expect: BTreeMap::from([("cart".to_owned(), 2)]), ..set("cart", b"coffee", 1) };
    assert_eq!(f.refuse(id, change(late)).await, conflict(0), "0 is: not there");
}

pub(super) async fn data_changed_meanwhile_is_a_mismatch_and_nothing_changes(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    f.apply(id, change(set("cart", b"tea", 1))).await;
    for wrong in [0, 2] {
        let late = Change { if_version: Some(wrong), ..set("theme", b"dark", 1) };
        assert_eq!(f.refuse(id, change(late)).await, Refusal::VersionMismatch { version: 1 });
    }
    let in_time = Change { if_version: Some(1), ..set("theme", b"dark", 1) };
    f.apply(id, change(in_time)).await;
}

pub(super) async fn the_version_of_a_key_never_comes_twice(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let record = f.apply(id, change(set("cart", b"tea", 1))).await;
        seen.push(record.data["cart"].version);
        f.apply(id, change(Change { remove: vec!["cart".to_owned()], ..Change::default() })).await;
    }
    assert_eq!(seen, [1, 3, 5, 7]);
}

pub(super) async fn a_refused_change_can_be_tried_again_in_the_same_operation(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    let operation = f.operation();
    let when = |version| change(Change { if_version: Some(version), ..set("cart", b"tea", 1) });
    let refused = f.mutate_as(&operation, id, when(9)).await;
    assert_eq!(refused.outcome, Outcome::Refused(Refusal::VersionMismatch { version: 0 }));
    assert_eq!(f.mutate_as(&operation, id, when(0)).await.outcome, Outcome::Applied);
}
