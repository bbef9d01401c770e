//! Operations that come again (promise P2: a retried request changes once), and receipts.

use std::time::Duration;

use super::builders::{admission, change, logout, set, sweep};
use super::fixture::Fixture;
use super::tables::{ada, every_mutation_that_applies};
use crate::event::EventKind;
use crate::record::AtLimit;
use crate::store::rules::REMEMBERED;
use crate::store::{Admission, Mutation, Outcome, Replay, Sweep};

pub(super) async fn every_mutation_that_comes_again_changes_and_tells_nothing(f: Fixture) {
    for (before, mutation) in every_mutation_that_applies(&f).await {
        let operation = f.operation();
        let first = f.mutate_as(&operation, before.id, mutation.clone()).await;
        assert_eq!(first.outcome, Outcome::Applied, "{mutation:?}");
        let told = f.events_at(before.id).await;
        f.wait(Duration::from_millis(1));
        let again = f.mutate_as(&operation, before.id, mutation.clone()).await;
        assert_eq!(again.outcome, Outcome::Replayed, "{mutation:?}");
        assert_eq!(again.record, first.record, "{mutation:?}");
        assert_eq!(f.load(before.id).await, first.record, "{mutation:?}");
        assert_eq!(f.events_at(before.id).await, told, "{mutation:?}");
    }
}

pub(super) async fn an_end_of_a_session_that_is_due_can_be_retried(f: Fixture) {
    let record = f.begin(f.guest()).await;
    f.wait(Duration::from_millis(record.idle_ms));
    let operation = f.operation();
    let first = f.mutate_as(&operation, record.id, Mutation::EndIfDue).await;
    assert_eq!(first.outcome, Outcome::Applied);
    let again = f.mutate_as(&operation, record.id, Mutation::EndIfDue).await;
    assert_eq!((again.outcome, again.record), (Outcome::Replayed, first.record));
    f.end_of(record.id).await;
}

pub(super) async fn one_operation_sent_sixteen_times_at_once_changes_once(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    let operation = f.operation();
    let outcomes = f
        .at_once(16, |f, _| {
            let operation = operation.clone();
            async move {
                let mutation = change(set("cart", b"tea", 1));
                f.mutate_as(&operation, id, mutation).await.outcome
            }
        })
        .await;
    assert_eq!(outcomes.iter().filter(|o| **o == Outcome::Applied).count(), 1);
    assert_eq!(outcomes.iter().filter(|o| **o == Outcome::Replayed).count(), 15);
    assert_eq!(f.record(id).await.version, 1);
    assert_eq!(f.kinds_of(id).await, [EventKind::Created, EventKind::Changed]);
}

pub(super) async fn a_record_remembers_its_last_sixteen_operations(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    let first = f.operation();
    f.mutate_as(&first, id, change(set("cart", b"tea", 1))).await;
    for _ in 1..REMEMBERED {
        f.apply(id, change(set("cart", b"coffee", 1))).await;
    }
    let again = f.mutate_as(&first, id, change(set("cart", b"tea", 1))).await;
    assert_eq!(again.outcome, Outcome::Replayed);
    assert_eq!(f.record(id).await.version, REMEMBERED as u64);
}

pub(super) async fn a_retry_after_the_end_is_told_as_a_retry(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    let operation = f.operation();
    f.mutate_as(&operation, id, change(set("cart", b"tea", 1))).await;
    let ended = f.apply(id, logout()).await;
    let again = f.mutate_as(&operation, id, change(set("cart", b"tea", 1))).await;
    assert_eq!((again.outcome, again.record), (Outcome::Replayed, Some(ended)));
}

pub(super) async fn a_receipt_is_found_by_its_operation(f: Fixture) {
    let (operation, new) = (f.operation_with(b"the first token"), f.signed_in(&ada()));
    let route = new.id.route();
    assert_eq!(replay(&f, &new, operation.id).await, None);
    f.create(&operation, new.clone(), &admission()).await;
    let receipt = Replay { session: new.id, receipt: b"the first token".to_vec() };
    assert_eq!(replay(&f, &new, operation.id).await, Some(receipt.clone()));
    f.apply(new.id, logout()).await;
    assert_eq!(replay(&f, &new, operation.id).await, Some(receipt), "also after the end");
    let without = f.operation();
    f.mutate_as(&without, new.id, logout()).await;
    let found = f.store().replay(route, without.id).await;
    assert_eq!(found, Ok(None), "an operation without a receipt leaves none");
}

async fn replay(
    f: &Fixture,
    new: &crate::record::NewSession,
    operation: crate::id::OperationId,
) -> Option<Replay> {
    f.store().replay(new.id.route(), operation).await.expect("the store answers")
}

pub(super) async fn a_retried_create_gets_its_receipt_back(f: Fixture) {
    let (operation, new) = (f.operation_with(b"the first token"), f.signed_in(&ada()));
    let first = f.create(&operation, new.clone(), &admission()).await;
    assert_eq!((first.outcome, first.receipt), (Outcome::Applied, None));
    let again = f.create(&operation, new, &admission()).await;
    assert_eq!(again.outcome, Outcome::Replayed);
    assert_eq!(again.receipt.as_deref(), Some(&b"the first token"[..]));
    assert_eq!(again.record, first.record);
}

pub(super) async fn a_create_retried_with_another_id_finds_the_first_session(f: Fixture) {
    let (first, second) = (f.signed_in(&ada()), f.signed_in(&ada()));
    let operation = f.operation_with(b"the first token");
    let begun = f.create(&operation, first.clone(), &admission()).await;
    let retry = crate::store::Operation { receipt: Some(b"the second token".to_vec()), ..operation };
    let again = f.create(&retry, second.clone(), &admission()).await;
    assert_eq!((again.outcome, again.record), (Outcome::Replayed, begun.record));
    assert_eq!(again.receipt.as_deref(), Some(&b"the first token"[..]));
    assert_eq!(f.load(second.id).await, None);
    assert_eq!(f.ids_of(&ada()).await, [first.id]);
}

pub(super) async fn creates_at_once_in_one_operation_begin_one_session(f: Fixture) {
    let operation = f.operation_with(b"the first token");
    let replies = f
        .at_once(16, |f, _| {
            let operation = operation.clone();
            async move { f.create(&operation, f.signed_in(&ada()), &admission()).await }
        })
        .await;
    let applied = replies.iter().filter(|r| r.outcome == Outcome::Applied).count();
    assert_eq!(applied, 1);
    let listed = f.ids_of(&ada()).await;
    assert_eq!(listed.len(), 1);
    for reply in replies {
        assert_eq!(reply.record.map(|r| r.id), Some(listed[0]));
    }
}

pub(super) async fn a_retried_mutation_gets_its_receipt_back(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    let operation = f.operation_with(b"the next token");
    let prepare = f.prepare(1);
    f.mutate_as(&operation, id, prepare.clone()).await;
    let again = f.mutate_as(&operation, id, prepare).await;
    assert_eq!(again.outcome, Outcome::Replayed);
    assert_eq!(again.receipt.as_deref(), Some(&b"the next token"[..]));
    let found = f.store().replay(id.route(), operation.id).await;
    assert_eq!(found.map(|replay| replay.map(|r| r.session)), Ok(Some(id)));
}

pub(super) async fn a_refused_operation_leaves_no_receipt(f: Fixture) {
    let nobody = Admission { max_sessions: 0, at_limit: AtLimit::Refuse, ..admission() };
    let (operation, new) = (f.operation_with(b"the first token"), f.signed_in(&ada()));
    f.create(&operation, new.clone(), &nobody).await;
    assert_eq!(replay(&f, &new, operation.id).await, None);
    let id = f.begin(f.signed_in(&ada())).await.id;
    f.mutate_as(&operation, id, f.prepare(9)).await;
    assert_eq!(replay(&f, &new, operation.id).await, None);
}

pub(super) async fn a_receipt_goes_when_its_time_is_over_and_not_before(f: Fixture) {
    let (operation, new) = (f.operation_with(b"the first token"), f.signed_in(&ada()));
    f.create(&operation, new.clone(), &admission()).await;
    let keep = Sweep { keep_receipts_ms: 60_000, ..sweep(100) };
    f.wait(Duration::from_millis(59_999));
    f.sweep_out(&keep).await;
    assert!(replay(&f, &new, operation.id).await.is_some());
    f.wait(Duration::from_millis(1));
    f.sweep_out(&keep).await;
    assert_eq!(replay(&f, &new, operation.id).await, None);
    assert!(f.load(new.id).await.is_some(), "the session itself goes on");
}
