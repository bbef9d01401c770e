//! How many sessions there may be.

use std::collections::BTreeSet;
use std::time::Duration;

use super::builders::{IDLE_MS, admission, logout, user};
use super::fixture::Fixture;
use super::tables::{ada, authenticate};
use crate::event::EventKind;
use crate::id::SessionId;
use crate::reason::{Actor, EndReason};
use crate::record::{AtLimit, MAX_SESSIONS};
use crate::store::{Admission, Outcome, Refusal};

fn at_most(max_sessions: u32, at_limit: AtLimit) -> Admission {
    Admission { max_sessions, at_limit, ..admission() }
}

pub(super) async fn fifty_sign_ins_at_once_and_the_oldest_end_leave_five(f: Fixture) {
    fifty_at_once(&f, AtLimit::EndOldest).await;
}

pub(super) async fn fifty_sign_ins_at_once_and_the_longest_idle_end_leave_five(f: Fixture) {
    fifty_at_once(&f, AtLimit::EndLongestIdle).await;
}

pub(super) async fn fifty_sign_ins_at_once_with_refusal_leave_five(f: Fixture) {
    fifty_at_once(&f, AtLimit::Refuse).await;
}

async fn fifty_at_once(f: &Fixture, at_limit: AtLimit) {
    let five = at_most(5, at_limit);
    let replies = f
        .at_once(50, |f, _| {
            let five = five.clone();
            async move {
                let reply = f.create(&f.operation(), f.signed_in(&ada()), &five).await;
                let seen = f.ids_of(&ada()).await.len();
                assert!(seen <= 5, "{seen} live sessions where 5 are allowed");
                reply
            }
        })
        .await;
    let begun: Vec<SessionId> = replies
        .iter()
        .filter(|r| r.outcome == Outcome::Applied)
        .filter_map(|r| r.record.as_ref().map(|record| record.id))
        .collect();
    let refused = Outcome::Refused(Refusal::SessionLimit { allowed: 5 });
    let refused = replies.iter().filter(|r| r.outcome == refused).count();
    let expected = if at_limit == AtLimit::Refuse { 5 } else { 50 };
    assert_eq!((begun.len(), refused), (expected, 50 - expected));
    let pushed_out: Vec<SessionId> = replies.iter().flat_map(|r| r.ended.clone()).collect();
    let live: BTreeSet<SessionId> = f.ids_of(&ada()).await.into_iter().collect();
    assert_eq!(live.len(), 5);
    assert_eq!(pushed_out.len(), begun.len() - 5, "each is named in one answer");
    for id in pushed_out {
        assert!(!live.contains(&id));
        let told = f.end_of(id).await.body;
        assert_eq!((told.reason, told.actor), (Some(EndReason::SessionLimit), Actor::system()));
    }
    for id in live {
        assert_eq!(f.kinds_of(id).await, [EventKind::Created]);
    }
}

pub(super) async fn a_refused_sign_in_leaves_all_as_it_was(f: Fixture) {
    let [first, second] = [f.begin(f.signed_in(&ada())).await, f.begin(f.signed_in(&ada())).await];
    f.wait(Duration::from_millis(1));
    let new = f.signed_in(&ada());
    let told = f.events_at(new.id).await;
    let two = at_most(2, AtLimit::Refuse);
    let reply = f.create(&f.operation(), new.clone(), &two).await;
    assert_eq!(reply.outcome, Outcome::Refused(Refusal::SessionLimit { allowed: 2 }));
    assert_eq!((reply.record, reply.ended), (None, Vec::new()));
    assert_eq!(f.load(new.id).await, None);
    assert_eq!(f.events_at(new.id).await, told);
    f.apply(first.id, logout()).await;
    let reply = f.create(&f.operation(), new.clone(), &two).await;
    assert_eq!(reply.outcome, Outcome::Applied, "there is room again");
    assert_eq!(f.ids_of(&ada()).await, [second.id, new.id]);
}

pub(super) async fn the_oldest_or_the_longest_idle_makes_room_as_ordered(f: Fixture) {
    for (at_limit, leaves) in [(AtLimit::EndOldest, 0), (AtLimit::EndLongestIdle, 1)] {
        let whose = user(&format!("{at_limit:?}"));
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(f.begin(f.signed_in(&whose)).await.id);
            f.wait(Duration::from_secs(1));
        }
        f.touch(ids[0], f.now()).await;
        f.wait(Duration::from_secs(1));
        let new = f.signed_in(&whose);
        let reply = f.create(&f.operation(), new, &at_most(3, at_limit)).await;
        assert_eq!(reply.ended, [ids[leaves]]);
        assert_eq!(f.end_of(ids[leaves]).await.at, f.now());
        assert_eq!(f.ids_of(&whose).await.len(), 3);
    }
}

pub(super) async fn a_lower_limit_pushes_out_as_many_as_needed(f: Fixture) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(f.begin(f.signed_in(&ada())).await.id);
        f.wait(Duration::from_secs(1));
    }
    let new = f.signed_in(&ada());
    let two = at_most(2, AtLimit::EndOldest);
    let reply = f.create(&f.operation(), new.clone(), &two).await;
    assert_eq!(reply.ended, ids[..4]);
    assert_eq!(f.ids_of(&ada()).await, [ids[4], new.id]);
}

pub(super) async fn a_session_past_its_limit_takes_no_room(f: Fixture) {
    let dead = f.begin(f.signed_in(&ada())).await;
    let dead_pending = f.begin(f.pending(&ada())).await;
    f.wait(Duration::from_millis(IDLE_MS));
    let reply = f.create(&f.operation(), f.signed_in(&ada()), &at_most(1, AtLimit::Refuse)).await;
    assert_eq!((reply.outcome, reply.ended), (Outcome::Applied, Vec::new()));
    let one_pending = Admission { max_pending: 1, ..admission() };
    let reply = f.create(&f.operation(), f.pending(&ada()), &one_pending).await;
    assert_eq!(reply.outcome, Outcome::Applied);
    for dead in [dead, dead_pending] {
        f.apply(dead.id, logout()).await;
        let told = f.end_of(dead.id).await.body.reason;
        assert_eq!(told, Some(EndReason::IdleTimeout), "it was not pushed out");
    }
}

pub(super) async fn pending_sign_ins_are_counted_apart_and_push_nobody_out(f: Fixture) {
    let signed_in = f.begin(f.signed_in(&ada())).await;
    let limits = Admission { max_pending: 2, ..at_most(1, AtLimit::EndOldest) };
    let outcomes = f
        .at_once(12, |f, _| {
            let limits = limits.clone();
            async move { f.create(&f.operation(), f.pending(&ada()), &limits).await }
        })
        .await;
    let refused = Outcome::Refused(Refusal::PendingLimit { allowed: 2 });
    let refused = outcomes.iter().filter(|r| r.outcome == refused).count();
    assert_eq!(refused, 10);
    assert!(outcomes.iter().all(|r| r.ended.is_empty()));
    assert_eq!(f.ids_of(&ada()).await.len(), 3);
    assert_eq!(f.load(signed_in.id).await, Some(signed_in.clone()));
    let reply = f.create(&f.operation(), f.signed_in(&ada()), &limits).await;
    assert_eq!(reply.ended, [signed_in.id], "nor do pending ones take a place");
}

pub(super) async fn the_second_factor_comes_under_the_limit(f: Fixture) {
    let old = f.begin(f.signed_in(&ada())).await.id;
    let pending = f.begin(f.pending(&ada())).await.id;
    let mut refused = f.authentication(&ada(), 1);
    refused.admission = at_most(1, AtLimit::Refuse);
    assert_eq!(f.refuse(pending, authenticate(refused)).await, Refusal::SessionLimit { allowed: 1 });
    let mut authentication = f.authentication(&ada(), 1);
    authentication.admission = at_most(1, AtLimit::EndOldest);
    let reply = f.mutate(pending, authenticate(authentication)).await;
    assert_eq!((reply.outcome, reply.ended), (Outcome::Applied, vec![old]));
    assert_eq!(f.end_of(old).await.body.reason, Some(EndReason::SessionLimit));
    assert_eq!(f.ids_of(&ada()).await, [pending]);
}

pub(super) async fn a_second_factor_that_comes_too_late_is_told_so_also_at_the_limit(f: Fixture) {
    let pending = f.begin(f.pending(&ada())).await.id;
    f.wait(Duration::from_millis(IDLE_MS));
    let live = f.begin(f.signed_in(&ada())).await;
    for at_limit in [AtLimit::Refuse, AtLimit::EndOldest] {
        let mut late = f.authentication(&ada(), 1);
        late.admission = at_most(1, at_limit);
        let refusal = f.refuse(pending, authenticate(late)).await;
        assert_eq!(refusal, Refusal::Ended(EndReason::IdleTimeout));
    }
    assert_eq!(f.load(live.id).await, Some(live));
}

pub(super) async fn second_factors_at_once_leave_as_many_as_allowed(f: Fixture) {
    let mut pending = Vec::new();
    for _ in 0..12 {
        pending.push(f.begin(f.pending(&ada())).await.id);
    }
    f.at_once(12, |f, i| {
        let id = pending[i];
        async move {
            let mut authentication = f.authentication(&ada(), 1);
            authentication.admission = at_most(3, AtLimit::EndOldest);
            f.apply(id, authenticate(authentication)).await;
        }
    })
    .await;
    assert_eq!(f.ids_of(&ada()).await.len(), 3);
    for id in pending {
        if f.record(id).await.ended().is_some() {
            assert_eq!(f.end_of(id).await.body.reason, Some(EndReason::SessionLimit));
        }
    }
}

pub(super) async fn signing_in_again_pushes_nobody_out(f: Fixture) {
    let [first, second] = [f.begin(f.signed_in(&ada())).await, f.begin(f.signed_in(&ada())).await];
    let mut again = f.authentication(&ada(), 1);
    again.admission = at_most(1, AtLimit::EndOldest);
    let reply = f.mutate(second.id, authenticate(again)).await;
    assert_eq!((reply.outcome, reply.ended), (Outcome::Applied, Vec::new()));
    assert_eq!(f.load(first.id).await, Some(first));
}

pub(super) async fn a_user_makes_no_room_at_the_cost_of_another(f: Fixture) {
    let bobs = f.begin(f.signed_in(&user("bob"))).await;
    let one = at_most(1, AtLimit::EndOldest);
    let reply = f.create(&f.operation(), f.signed_in(&ada()), &one).await;
    assert_eq!((reply.outcome, reply.ended), (Outcome::Applied, Vec::new()));
    assert_eq!(f.load(bobs.id).await, Some(bobs));
}

pub(super) async fn guests_have_a_limit_and_an_end_makes_room(f: Fixture) {
    let three = Admission { max_guests: 3, ..admission() };
    f.begin(f.signed_in(&ada())).await;
    let mut guests = Vec::new();
    for _ in 0..3 {
        let reply = f.create(&f.operation(), f.guest(), &three).await;
        assert_eq!(reply.outcome, Outcome::Applied);
        guests.extend(reply.record);
    }
    let new = f.guest();
    let reply = f.create(&f.operation(), new.clone(), &three).await;
    assert_eq!(reply.outcome, Outcome::Refused(Refusal::GuestLimit { allowed: 3 }));
    assert_eq!(f.load(new.id).await, None);
    assert_eq!(f.events_of(new.id).await, []);
    let signed_in = f.create(&f.operation(), f.signed_in(&ada()), &three).await;
    assert_eq!(signed_in.outcome, Outcome::Applied, "only guests are limited");
    let frozen = super::builders::claim(&f.claim(&ada()), 1);
    f.apply(guests[0].id, frozen).await;
    let reply = f.create(&f.operation(), f.guest(), &three).await;
    assert_eq!(reply.outcome, Outcome::Refused(Refusal::GuestLimit { allowed: 3 }));
    f.apply(guests[0].id, logout()).await;
    let reply = f.create(&f.operation(), new, &three).await;
    assert_eq!(reply.outcome, Outcome::Applied);
}

pub(super) async fn guests_at_once_do_not_pass_the_limit_together(f: Fixture) {
    let ten = Admission { max_guests: 10, ..admission() };
    let outcomes = f
        .at_once(32, |f, _| {
            let ten = ten.clone();
            async move { f.create(&f.operation(), f.guest(), &ten).await.outcome }
        })
        .await;
    assert_eq!(outcomes.iter().filter(|o| **o == Outcome::Applied).count(), 10);
}

pub(super) async fn nobody_has_more_than_a_thousand_sessions(f: Fixture) {
    let many = at_most(u32::MAX, AtLimit::EndOldest);
    let begin = |f: Fixture, many: Admission| async move {
        f.create(&f.operation(), f.signed_in(&ada()), &many).await
    };
    for _ in 0..MAX_SESSIONS / 50 {
        for reply in f.at_once(50, |f, _| begin(f, many.clone())).await {
            assert_eq!((reply.outcome, reply.ended), (Outcome::Applied, Vec::new()));
        }
    }
    assert_eq!(f.ids_of(&ada()).await.len(), 1_000);
    assert_eq!(begin(f.clone(), many).await.ended.len(), 1);
    let refuse = at_most(u32::MAX, AtLimit::Refuse);
    let reply = begin(f.clone(), refuse).await;
    assert_eq!(reply.outcome, Outcome::Refused(Refusal::SessionLimit { allowed: MAX_SESSIONS }));
    assert_eq!(f.ids_of(&ada()).await.len(), 1_000);
}
