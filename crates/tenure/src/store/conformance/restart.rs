//! Acknowledged means kept (promise P6): what a durable store still knows when it is closed
//! and opened again.

use std::time::Duration;

use super::builders::{IDLE_MS, admission, change, logout, owner, revoked, set, sweep};
use super::fixture::Fixture;
use super::tables::{ada, every_live_state, every_mutation};
use crate::event::EventKind;
use crate::id::Realm;
use crate::reason::EndReason;
use crate::record::AtLimit;
use crate::record::NewSession;
use crate::store::{Admission, Mutation, Outcome, PageRequest, Refusal, Replay};

pub(super) async fn every_live_session_is_as_it_was(f: Fixture) {
    let before = every_live_state(&f).await;
    f.wait(Duration::from_secs(1));
    f.touch(before[0].id, f.now()).await;
    let touched = f.record(before[0].id).await;
    let listed = f.list(&ada()).await;
    let f = f.reopened().await;
    assert_eq!(f.record(touched.id).await, touched);
    for record in before.into_iter().skip(1) {
        assert_eq!(f.load(record.id).await, Some(record));
    }
    assert_eq!(f.list(&ada()).await, listed);
    let everybody = PageRequest { realm: Realm::default(), after: None, limit: 100 };
    let page = f.store().page(&everybody).await.expect("the store answers");
    assert_eq!(page.records.len(), listed.len() + 2, "and two guests");
}

pub(super) async fn an_ended_session_stays_ended(f: Fixture) {
    let mut ended = Vec::new();
    for live in every_live_state(&f).await {
        ended.push((f.apply(live.id, logout()).await, live));
    }
    let f = f.reopened().await;
    for (ended, live) in ended {
        assert_eq!(f.load(ended.id).await, Some(ended.clone()));
        for mutation in every_mutation(&f, &live) {
            let reply = f.mutate(ended.id, mutation).await;
            assert_ne!(reply.outcome, Outcome::Applied);
            assert_eq!(reply.record.as_ref(), Some(&ended));
        }
        f.touch(ended.id, f.now()).await;
        let again = NewSession { id: ended.id, ..f.signed_in(&ada()) };
        let reply = f.create(&f.operation(), again, &admission()).await;
        assert_eq!((reply.outcome, reply.record), (Outcome::Replayed, Some(ended.clone())));
        assert_eq!(f.load(ended.id).await, Some(ended));
    }
    assert_eq!(f.ids_of(&ada()).await, []);
}

pub(super) async fn an_id_that_was_used_up_stays_so(f: Fixture) {
    let nobody = Admission { max_sessions: 0, at_limit: AtLimit::Refuse, burn: true, ..admission() };
    let new = NewSession { previous: Some(f.begin(f.guest()).await.id), ..f.signed_in(&ada()) };
    f.create(&f.operation(), new.clone(), &nobody).await;
    let f = f.reopened().await;
    let reply = f.create(&f.operation(), new, &admission()).await;
    assert_eq!(reply.outcome, Outcome::Replayed);
    assert!(reply.record.is_some_and(|record| record.ended().is_some()));
    assert_eq!(f.ids_of(&ada()).await, []);
}

pub(super) async fn the_log_reads_the_same_and_goes_on_without_a_gap(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    f.apply(id, change(set("cart", b"tea", 1))).await;
    let before = f.events_at(id).await;
    let f = f.reopened().await;
    assert_eq!(f.events_at(id).await, before);
    f.apply(id, logout()).await;
    let (partition, last) = (f.partition_of(id), before[1].position);
    let next = f.log(partition, Some(last)).await;
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].body.kind, EventKind::Ended);
    let expected = crate::event::Position { sequence: last.sequence + 1, ..last };
    assert_eq!(next[0].position, expected);
}

pub(super) async fn a_retry_is_still_a_retry(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    let (operation, create) = (f.operation(), f.operation_with(b"the first token"));
    let new = f.signed_in(&ada());
    f.create(&create, new.clone(), &admission()).await;
    f.mutate_as(&operation, id, change(set("cart", b"tea", 1))).await;
    let f = f.reopened().await;
    let again = f.mutate_as(&operation, id, change(set("cart", b"tea", 1))).await;
    assert_eq!(again.outcome, Outcome::Replayed);
    assert_eq!(f.record(id).await.version, 1);
    let replay = f.store().replay(new.id.route(), create.id).await;
    let expected = Replay { session: new.id, receipt: b"the first token".to_vec() };
    assert_eq!(replay, Ok(Some(expected)));
    let again = f.create(&create, f.signed_in(&ada()), &admission()).await;
    assert_eq!(again.outcome, Outcome::Replayed);
    assert_eq!(again.receipt.as_deref(), Some(&b"the first token"[..]));
    assert_eq!(f.ids_of(&ada()).await, [new.id]);
}

pub(super) async fn a_user_signed_out_or_disabled_stays_so(f: Fixture) {
    let before = Admission { epoch: Some(0), ..admission() };
    f.end_all_of(&ada(), None, revoked()).await;
    let bob = super::builders::user("bob");
    f.store().set_disabled(&f.operation(), &owner(&bob), true).await.expect("the store answers");
    let users = [f.user(&ada()).await, f.user(&bob).await];
    let f = f.reopened().await;
    assert_eq!([f.user(&ada()).await, f.user(&bob).await], users);
    for (new, refusal) in
        [(f.signed_in(&ada()), Refusal::SignedOut), (f.signed_in(&bob), Refusal::UserDisabled)]
    {
        let reply = f.create(&f.operation(), new, &before).await;
        assert_eq!(reply.outcome, Outcome::Refused(refusal));
    }
}

pub(super) async fn limits_count_those_from_before(f: Fixture) {
    for _ in 0..2 {
        f.begin(f.guest()).await;
        f.begin(f.signed_in(&ada())).await;
    }
    let f = f.reopened().await;
    let two = Admission { max_sessions: 2, at_limit: AtLimit::Refuse, max_guests: 2, ..admission() };
    for (new, refusal) in [
        (f.guest(), Refusal::GuestLimit { allowed: 2 }),
        (f.signed_in(&ada()), Refusal::SessionLimit { allowed: 2 }),
    ] {
        let reply = f.create(&f.operation(), new, &two).await;
        assert_eq!(reply.outcome, Outcome::Refused(refusal));
    }
}

pub(super) async fn a_session_that_died_meanwhile_is_swept(f: Fixture) {
    let [dead, touched] = [f.begin(f.guest()).await.id, f.begin(f.guest()).await.id];
    f.wait(Duration::from_millis(IDLE_MS / 2));
    f.touch(touched, f.now()).await;
    let f = f.reopened().await;
    f.wait(Duration::from_millis(IDLE_MS / 2));
    assert_eq!(f.sweep_out(&sweep(100)).await, [dead]);
    let f = f.reopened().await;
    assert_eq!(f.end_of(dead).await.body.reason, Some(EndReason::IdleTimeout));
    assert_eq!(f.sweep_out(&sweep(100)).await, []);
}

pub(super) async fn a_clock_set_back_while_down_is_not_followed(f: Fixture) {
    let record = f.begin(f.guest()).await;
    f.wait(Duration::from_millis(IDLE_MS));
    f.begin(f.signed_in(&ada())).await;
    f.clock().step_back(Duration::from_secs(24 * 3600));
    let f = f.reopened().await;
    let reply = f.mutate(record.id, Mutation::EndIfDue).await;
    assert_eq!(reply.outcome, Outcome::Applied, "a dead session came back");
    let told = f.end_of(record.id).await;
    assert!(told.at >= record.due_at());
}

pub(super) async fn what_many_wrote_at_once_is_kept(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    let ended = f
        .at_once(24, |f, i| async move {
            f.apply(id, change(set(&format!("key {i}"), b"", 1))).await;
            let short = f.begin(f.signed_in(&ada())).await.id;
            f.apply(short, logout()).await;
            short
        })
        .await;
    let before = (f.record(id).await, f.events_at(id).await);
    let f = f.reopened().await;
    assert_eq!((f.record(id).await, f.events_at(id).await), before);
    assert_eq!(f.ids_of(&ada()).await, [id]);
    for id in ended {
        f.end_of(id).await;
    }
}
