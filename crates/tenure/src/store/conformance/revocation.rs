//! Revocation wins (promise P1): nothing brings an ended session back.

use std::time::Duration;

use super::builders::{change, claim, end, logout, revoked, set};
use super::fixture::Fixture;
use super::tables::{ada, every_live_state, every_mutation, every_mutation_that_goes_on};
use crate::event::EventKind;
use crate::reason::{Actor, EndReason};
use crate::record::State;
use crate::store::{Mutation, Outcome, Refusal};

pub(super) async fn no_mutation_changes_an_ended_session(f: Fixture) {
    for live in every_live_state(&f).await {
        let ended = f.apply(live.id, logout()).await;
        let told = f.events_at(live.id).await;
        for mutation in every_mutation(&f, &live) {
            let what = format!("{mutation:?} after {:?}", live.state);
            let reply = f.mutate(live.id, mutation).await;
            assert!(
                matches!(
                    reply.outcome,
                    Outcome::Unchanged | Outcome::Refused(Refusal::Ended(EndReason::Logout))
                ),
                "{:?}: {what}",
                reply.outcome
            );
            assert_eq!(reply.record.as_ref(), Some(&ended), "{what}");
            assert_eq!(f.load(live.id).await.as_ref(), Some(&ended), "{what}");
        }
        assert_eq!(f.events_at(live.id).await, told);
    }
}

pub(super) async fn who_would_go_on_is_told_that_and_why_it_ended(f: Fixture) {
    for live in every_live_state(&f).await {
        f.apply(live.id, end(EndReason::Revoked, Actor::system())).await;
        for mutation in every_mutation_that_goes_on(&f, &live) {
            assert_eq!(f.refuse(live.id, mutation).await, Refusal::Ended(EndReason::Revoked));
        }
    }
}

pub(super) async fn a_second_end_changes_neither_time_nor_reason(f: Fixture) {
    for live in every_live_state(&f).await {
        let ended = f.apply(live.id, end(EndReason::TokenReuse, Actor::system())).await;
        f.wait(Duration::from_secs(1));
        for again in [logout(), Mutation::EndIfDue] {
            let reply = f.mutate(live.id, again).await;
            assert_eq!((reply.outcome, reply.record), (Outcome::Unchanged, Some(ended.clone())));
        }
        assert_eq!(f.end_of(live.id).await.body.reason, Some(EndReason::TokenReuse));
    }
}

pub(super) async fn late_change_cannot_revive_an_ended_session(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    let seen = f.apply(id, change(set("cart", b"tea", 1))).await;
    f.apply(id, logout()).await;
    let late = crate::record::Change { if_version: Some(seen.version), ..set("cart", b"coffee", 1) };
    assert_eq!(f.refuse(id, change(late)).await, Refusal::Ended(EndReason::Logout));
    assert_eq!(f.ids_of(&ada()).await, []);
}

pub(super) async fn a_touch_cannot_revive_an_ended_session(f: Fixture) {
    for live in every_live_state(&f).await {
        let ended = f.apply(live.id, logout()).await;
        f.wait(Duration::from_secs(1));
        f.touch(live.id, f.now()).await;
        assert_eq!(f.load(live.id).await, Some(ended));
    }
}

pub(super) async fn an_end_leaves_neither_data_nor_a_prepared_token(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    f.apply(id, change(set("cart", b"tea", 1))).await;
    f.apply(id, f.prepare(1)).await;
    let ended = f.apply(id, logout()).await;
    assert!(ended.data.is_empty());
    assert_eq!(ended.secrets.successor, None);
    assert_eq!(ended.user(), Some(&ada()), "whose it was is known still");
}

pub(super) async fn an_end_names_the_session_that_takes_its_place(f: Fixture) {
    let (guest, next) = (f.begin(f.guest()).await, f.begin(f.signed_in(&ada())).await);
    let mutation = Mutation::End { ending: revoked(), next: Some(next.id) };
    let ended = f.apply(guest.id, mutation).await;
    let ended = ended.ended().expect("it is over");
    assert_eq!((ended.next, ended.at), (Some(next.id), f.now()));
    assert_eq!(ended.ending, revoked());
}

pub(super) async fn a_session_ended_under_racing_mutations_stays_ended(f: Fixture) {
    for round in 0..8 {
        let live = f.begin(f.signed_in(&ada())).await;
        let id = live.id;
        f.at_once(12, |f, i| {
            let live = live.clone();
            async move {
                if i == round {
                    assert_eq!(f.mutate(id, logout()).await.outcome, Outcome::Applied);
                }
                for mutation in every_mutation_that_goes_on(&f, &live) {
                    f.mutate(id, mutation).await;
                    f.touch(id, f.now()).await;
                }
            }
        })
        .await;
        let record = f.record(id).await;
        assert!(matches!(record.state, State::Ended(_)), "{:?}", record.state);
        assert!(record.data.is_empty() && record.secrets.successor.is_none());
        let told = f.kinds_of(id).await;
        assert_eq!(told.last(), Some(&EventKind::Ended), "nothing is told after the end");
        f.end_of(id).await;
    }
}

pub(super) async fn a_guest_ended_under_racing_claims_stays_ended(f: Fixture) {
    for _ in 0..8 {
        let id = f.begin(f.guest()).await.id;
        let claimed = f.claim(&ada());
        f.at_once(9, |f, i| {
            let claimed = claimed.clone();
            async move {
                let attempt = claimed.attempt;
                match i % 3 {
                    0 => f.mutate(id, claim(&claimed, 1)).await,
                    1 => f.mutate(id, Mutation::Release { attempt }).await,
                    _ => f.mutate(id, logout()).await,
                }
            }
        })
        .await;
        f.mutate(id, Mutation::Release { attempt: claimed.attempt }).await;
        assert!(f.record(id).await.ended().is_some());
        assert_eq!(f.kinds_of(id).await.last(), Some(&EventKind::Ended));
        f.end_of(id).await;
    }
}
