//! Rotation: prepared, given again, confirmed once.

use std::time::Duration;

use super::builders::{GRACE, change, logout, set};
use super::fixture::Fixture;
use super::tables::{ada, authenticate, role};
use crate::event::EventKind;
use crate::record::{Record, Successor};
use crate::store::{Mutation, Outcome, Refusal};

const CONFIRM: Mutation = Mutation::Confirm { generation: 2 };
const IN_GRACE: Duration = Duration::from_millis(GRACE.ms - 1);
const AFTER_GRACE: Duration = Duration::from_millis(GRACE.ms);

async fn prepared(f: &Fixture) -> (Record, Successor) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    let record = f.apply(id, f.prepare(1)).await;
    let successor = record.secrets.successor.clone();
    (record, successor.expect("a token is prepared"))
}

async fn rotated(f: &Fixture) -> Record {
    let (record, _) = prepared(f).await;
    f.apply(record.id, CONFIRM).await
}

pub(super) async fn a_prepared_token_leaves_the_current_one_in_use(f: Fixture) {
    let before = f.begin(f.signed_in(&ada())).await;
    let mutation = f.prepare(1);
    let after = f.apply(before.id, mutation.clone()).await;
    assert_eq!((after.secrets.generation, after.secrets.hash), (1, before.secrets.hash));
    let Mutation::Prepare { successor, .. } = mutation else { panic!("it prepares") };
    assert_eq!(after.secrets.successor, Some(successor));
    for generation in [1, 2] {
        f.apply(before.id, change(set("cart", b"tea", generation))).await;
    }
}

pub(super) async fn who_prepares_again_gets_the_same_token(f: Fixture) {
    let (record, successor) = prepared(&f).await;
    let told = f.events_at(record.id).await;
    f.wait(Duration::from_secs(3600) / 4);
    for _ in 0..3 {
        let reply = f.mutate(record.id, f.prepare(1)).await;
        assert_eq!(reply.outcome, Outcome::Unchanged);
        let again = reply.record.and_then(|r| r.secrets.successor);
        assert_eq!(again, Some(successor.clone()));
    }
    assert_eq!(f.load(record.id).await, Some(record.clone()));
    assert_eq!(f.events_at(record.id).await, told);
}

pub(super) async fn who_prepares_at_once_gets_the_same_token(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    let replies = f.at_once(16, |f, _| async move { f.mutate(id, f.prepare(1)).await }).await;
    let applied = replies.iter().filter(|r| r.outcome == Outcome::Applied).count();
    let unchanged = replies.iter().filter(|r| r.outcome == Outcome::Unchanged).count();
    assert_eq!((applied, unchanged), (1, 15));
    let successor = f.record(id).await.secrets.successor;
    assert!(successor.is_some());
    for reply in replies {
        assert_eq!(reply.record.map(|r| r.secrets.successor), Some(successor.clone()));
    }
    assert_eq!(f.kinds_of(id).await, [EventKind::Created, EventKind::RotationPrepared]);
}

pub(super) async fn a_prepared_token_that_is_used_takes_over_once(f: Fixture) {
    let (before, successor) = prepared(&f).await;
    f.wait(Duration::from_secs(1));
    let after = f.apply(before.id, CONFIRM).await.secrets;
    assert_eq!((after.generation, after.hash), (2, successor.hash));
    assert_eq!(after.since, f.now());
    assert_eq!(after.successor, None, "its sealed copy is wiped");
    let old = after.superseded.clone().expect("the old one has its grace time");
    assert_eq!((old.generation, old.hash), (1, before.secrets.hash));
    assert_eq!(old.since, f.now());
    f.wait(Duration::from_secs(1));
    let again = f.mutate(before.id, CONFIRM).await;
    assert_eq!(again.outcome, Outcome::Unchanged);
    assert_eq!(f.record(before.id).await.secrets, after);
}

pub(super) async fn of_confirms_at_once_one_rotates(f: Fixture) {
    let (record, _) = prepared(&f).await;
    let outcomes = f.at_once(16, |f, _| async move { f.mutate(record.id, CONFIRM).await.outcome }).await;
    assert_eq!(outcomes.iter().filter(|o| **o == Outcome::Applied).count(), 1);
    assert_eq!(outcomes.iter().filter(|o| **o == Outcome::Unchanged).count(), 15);
    assert_eq!(f.record(record.id).await.secrets.generation, 2);
    let told = f.kinds_of(record.id).await;
    assert_eq!(told.iter().filter(|k| **k == EventKind::Rotated).count(), 1);
}

pub(super) async fn no_token_is_prepared_during_the_grace_of_the_last(f: Fixture) {
    let record = rotated(&f).await;
    assert_eq!(f.refuse(record.id, f.prepare(2)).await, Refusal::TooSoon { wait_ms: GRACE.ms });
    f.wait(IN_GRACE);
    assert_eq!(f.refuse(record.id, f.prepare(2)).await, Refusal::TooSoon { wait_ms: 1 });
    f.wait(Duration::from_millis(1));
    f.apply(record.id, f.prepare(2)).await;
}

pub(super) async fn only_the_current_token_can_be_rotated(f: Fixture) {
    let record = rotated(&f).await;
    for generation in [0, 1, 3] {
        let refusal = f.refuse(record.id, f.prepare(generation)).await;
        assert_eq!(refusal, Refusal::Superseded);
    }
}

pub(super) async fn what_was_never_prepared_cannot_be_confirmed(f: Fixture) {
    let fresh = f.begin(f.signed_in(&ada())).await;
    let (prepared, _) = prepared(&f).await;
    let rotated = rotated(&f).await;
    for (id, generations) in [(fresh.id, [0, 2, 3]), (prepared.id, [0, 3, 4]), (rotated.id, [1, 3, 4])] {
        for generation in generations {
            let refusal = f.refuse(id, Mutation::Confirm { generation }).await;
            assert_eq!(refusal, Refusal::Superseded);
        }
    }
}

pub(super) async fn a_rotated_token_that_was_checked_changes_things_until_a_sign_in_supersedes_it(
    f: Fixture,
) {
    let record = rotated(&f).await;
    f.wait(IN_GRACE);
    f.apply(record.id, change(set("cart", b"tea", 1))).await;
    for needs_the_current in [f.authentication(&ada(), 1), f.step_up(&ada(), 1)] {
        let refusal = f.refuse(record.id, authenticate(needs_the_current)).await;
        assert_eq!(refusal, Refusal::Superseded);
    }
    assert_eq!(f.refuse(record.id, f.prepare(1)).await, Refusal::Superseded);
    // Whether it was used in time was judged when it was checked: a slow request is no theft.
    f.wait(AFTER_GRACE);
    f.apply(record.id, f.prepare(2)).await;
    f.apply(record.id, Mutation::Confirm { generation: 3 }).await;
    f.apply(record.id, change(set("cart", b"coffee", 1))).await;
    f.apply(record.id, authenticate(f.step_up(&ada(), 3))).await;
    for old in 1..=4 {
        let late = change(set("cart", b"milk", old));
        assert_eq!(f.refuse(record.id, late).await, Refusal::Superseded);
    }
    f.apply(record.id, change(set("cart", b"milk", 5))).await;
}

pub(super) async fn a_token_that_was_never_made_changes_nothing(f: Fixture) {
    let fresh = f.begin(f.signed_in(&ada())).await;
    let (prepared, _) = prepared(&f).await;
    for (id, generation) in [(fresh.id, 0), (fresh.id, 2), (prepared.id, 0), (prepared.id, 3)] {
        let refusal = f.refuse(id, change(set("cart", b"tea", generation))).await;
        assert_eq!(refusal, Refusal::Superseded);
    }
}

pub(super) async fn authentication_supersedes_every_token_without_grace(f: Fixture) {
    for first in [f.begin(f.signed_in(&ada())).await, rotated(&f).await] {
        let generation = first.secrets.generation;
        let authentication = f.step_up(&ada(), generation);
        let after = f.apply(first.id, authenticate(authentication.clone())).await;
        assert_eq!(after.secrets.generation, generation + 2, "see the case below");
        assert_eq!(after.secrets.hash, authentication.hash);
        assert_eq!(after.secrets.floor, after.secrets.generation);
        assert_eq!(after.secrets.superseded, None);
        for old in 1..generation + 2 {
            let late = change(set("cart", b"tea", old));
            assert_eq!(f.refuse(first.id, late).await, Refusal::Superseded);
        }
        f.apply(first.id, f.prepare(generation + 2)).await;
    }
}

pub(super) async fn authentication_skips_the_number_that_a_prepared_token_has_or_could_have(f: Fixture) {
    let (record, _) = prepared(&f).await;
    let step_up = authenticate(f.step_up(&ada(), 1));
    let after = f.apply(record.id, step_up).await;
    assert_eq!(after.secrets.generation, 3, "two secrets never share a number");
    assert_eq!(after.secrets.successor, None);
    assert_eq!(f.refuse(record.id, CONFIRM).await, Refusal::Superseded);
    for dead in [1, 2] {
        let late = change(set("cart", b"tea", dead));
        assert_eq!(f.refuse(record.id, late).await, Refusal::Superseded);
    }
}

pub(super) async fn a_prepared_token_authenticates_nobody_before_it_took_over(f: Fixture) {
    let (record, _) = prepared(&f).await;
    for too_early in [f.authentication(&ada(), 2), f.step_up(&ada(), 2)] {
        let refusal = f.refuse(record.id, authenticate(too_early)).await;
        assert_eq!(refusal, Refusal::Superseded);
    }
    f.apply(record.id, CONFIRM).await;
    f.apply(record.id, authenticate(f.step_up(&ada(), 2))).await;
}

pub(super) async fn a_rotation_racing_an_authentication_leaves_one_token(f: Fixture) {
    for _ in 0..8 {
        let (record, _) = prepared(&f).await;
        f.at_once(6, |f, i| async move {
            match i % 3 {
                0 => f.mutate(record.id, CONFIRM).await,
                1 => f.mutate(record.id, authenticate(f.step_up(&ada(), 1))).await,
                _ => f.mutate(record.id, f.prepare(1)).await,
            }
        })
        .await;
        let told = f.kinds_of(record.id).await;
        let after = f.record(record.id).await.secrets;
        let expected = if told.contains(&EventKind::Authenticated) { 3 } else { 2 };
        assert_eq!(told.len(), 3, "either it rotated or it was replaced: {told:?}");
        assert_eq!((after.generation, after.successor), (expected, None));
    }
}

pub(super) async fn changed_roles_ask_for_a_rotation_until_it_came(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    let roles = Mutation::SetRoles(vec![role("writer"), role("admin"), role("writer")]);
    let record = f.apply(id, roles).await;
    let given = record.identity().map(|identity| identity.roles.clone());
    assert_eq!(given, Some(vec![role("admin"), role("writer")]));
    assert!(record.secrets.rotate_soon);
    assert!(!f.apply(id, f.prepare(1)).await.secrets.rotate_soon, "the next token is on its way");
    let roles = Mutation::SetRoles(vec![role("admin")]);
    assert!(f.apply(id, roles).await.secrets.rotate_soon);
    assert!(f.apply(id, CONFIRM).await.secrets.rotate_soon, "it was prepared before the change");
    let guest = f.begin(f.guest()).await.id;
    let roles = Mutation::SetRoles(vec![role("admin")]);
    assert_eq!(f.refuse(guest, roles).await, Refusal::WrongState);
}

pub(super) async fn a_prepared_token_does_not_outlive_its_session(f: Fixture) {
    let (record, _) = prepared(&f).await;
    f.apply(record.id, logout()).await;
    let refusal = f.refuse(record.id, CONFIRM).await;
    assert!(matches!(refusal, Refusal::Ended(_)), "{refusal:?}");
}
