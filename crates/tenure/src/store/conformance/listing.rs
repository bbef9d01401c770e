//! The list is the truth (promise P8), also in a race with signing out everywhere.

use std::collections::BTreeSet;
use std::time::Duration;

use super::builders::{IDLE_MS, admission, identity, logout, revoked, route, user};
use super::fixture::Fixture;
use super::tables::{ada, authenticate};
use crate::event::EventKind;
use crate::id::{Realm, SessionId};
use crate::reason::{Actor, EndReason};
use crate::record::{NewSession, NewState};
use crate::store::{Admission, Outcome, Owner, Refusal};

pub(super) async fn the_list_has_every_session_of_a_user_oldest_first(f: Fixture) {
    let mut expected = Vec::new();
    for i in 0..10 {
        let new = if i % 2 == 0 { f.signed_in(&ada()) } else { f.pending(&ada()) };
        expected.push(f.begin(new).await);
        f.begin(f.guest()).await;
        f.begin(f.signed_in(&user("bob"))).await;
        f.wait(Duration::from_millis(1));
    }
    let ids: Vec<SessionId> = expected.iter().map(|record| record.id).collect();
    assert_eq!(f.ids_of(&ada()).await, ids);
    assert_eq!(f.list(&ada()).await, expected);
}

pub(super) async fn an_ended_session_leaves_the_list_at_once(f: Fixture) {
    let [first, second] = [f.begin(f.signed_in(&ada())).await.id, f.begin(f.pending(&ada())).await.id];
    f.apply(first, logout()).await;
    assert_eq!(f.ids_of(&ada()).await, [second]);
    f.apply(second, logout()).await;
    assert_eq!(f.ids_of(&ada()).await, []);
}

pub(super) async fn nothing_crosses_realms(f: Fixture) {
    let other = Realm::new("other").expect("a realm");
    let here = f.begin(f.signed_in(&ada())).await;
    let there = f.session(&other, NewState::SignedIn(identity(&ada())));
    let there = f.begin(there).await;
    assert_eq!(f.ids_of(&ada()).await, [here.id]);
    let one = Admission { max_sessions: 1, ..admission() };
    let second = f.signed_in(&ada());
    let reply = f.create(&f.operation(), second.clone(), &one).await;
    assert_eq!(reply.ended, [here.id]);
    assert_eq!(f.end_all_of(&ada(), None, revoked()).await, [second.id]);
    assert_eq!(f.load(there.id).await, Some(there));
    let in_other = Owner { route: route(&other, &ada()), realm: other, user: ada() };
    let in_other = f.store().user(&in_other).await;
    assert_eq!(in_other.map(|user| user.epoch), Ok(0));
}

pub(super) async fn the_list_is_the_truth_after_a_busy_day(f: Fixture) {
    // Few enough that nobody is pushed out: each has five at the most, and a hundred are allowed.
    let live = f
        .at_once(16, |f, i| async move {
            let mut live = BTreeSet::new();
            for round in 0..6 {
                let id = f.begin(f.signed_in(&ada())).await.id;
                if (i + round) % 3 == 0 {
                    f.apply(id, logout()).await;
                } else {
                    live.insert(id);
                }
                let listed: BTreeSet<SessionId> = f.ids_of(&ada()).await.into_iter().collect();
                assert_eq!(listed.contains(&id), live.contains(&id));
                assert!(listed.is_superset(&live), "a live session is not in the list");
            }
            live
        })
        .await;
    let live: Vec<SessionId> = live.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(live.len(), 16 * 4);
    assert_eq!(f.ids_of(&ada()).await, live);
}

pub(super) async fn signing_out_everywhere_ends_all_but_one_and_tells_each(f: Fixture) {
    let kept = f.begin(f.signed_in(&ada())).await;
    let mut others = vec![f.begin(f.signed_in(&ada())).await.id];
    others.push(f.begin(f.pending(&ada())).await.id);
    let [guest, bobs] = [f.begin(f.guest()).await, f.begin(f.signed_in(&user("bob"))).await];
    others.sort();
    let mut ended = f.end_all_of(&ada(), Some(kept.id), revoked()).await;
    ended.sort();
    assert_eq!(ended, others);
    for id in others {
        let told = f.end_of(id).await.body;
        assert_eq!((told.reason, told.actor), (Some(EndReason::Revoked), revoked().actor));
        assert_eq!(told.note, revoked().note);
        assert!(f.record(id).await.ended().is_some());
    }
    for untouched in [kept, guest, bobs] {
        assert_eq!(f.load(untouched.id).await, Some(untouched));
    }
}

pub(super) async fn signing_out_everywhere_again_ends_and_tells_nothing(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    assert_eq!(f.end_all_of(&ada(), None, revoked()).await, [id]);
    let told = f.events_at(id).await;
    assert_eq!(f.end_all_of(&ada(), None, revoked()).await, []);
    assert_eq!(f.events_at(id).await, told);
}

pub(super) async fn signing_out_everywhere_tells_a_session_past_its_limit_as_that(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    f.wait(Duration::from_millis(IDLE_MS));
    f.end_all_of(&ada(), None, revoked()).await;
    let told = f.end_of(id).await.body;
    assert_eq!(told.reason, Some(EndReason::IdleTimeout));
    assert_eq!(told.actor, Actor::system());
}

pub(super) async fn signing_out_everywhere_moves_the_epoch_on(f: Fixture) {
    let mut before = f.user(&ada()).await.epoch;
    f.begin(f.signed_in(&ada())).await;
    for _ in 0..3 {
        f.end_all_of(&ada(), None, revoked()).await;
        let epoch = f.user(&ada()).await.epoch;
        assert!(epoch > before);
        before = epoch;
    }
    assert_eq!(f.user(&user("bob")).await.epoch, 0);
}

pub(super) async fn a_sign_in_from_before_does_not_come_through(f: Fixture) {
    let epoch = Some(f.user(&ada()).await.epoch);
    let before = Admission { epoch, ..admission() };
    f.end_all_of(&ada(), None, revoked()).await;
    for new in [f.signed_in(&ada()), f.pending(&ada())] {
        let reply = f.create(&f.operation(), new.clone(), &before).await;
        assert_eq!(reply.outcome, Outcome::Refused(Refusal::SignedOut));
        assert_eq!(f.load(new.id).await, None);
        assert_eq!(f.events_of(new.id).await, []);
    }
    let epoch = Some(f.user(&ada()).await.epoch);
    let after = Admission { epoch, ..admission() };
    let reply = f.create(&f.operation(), f.signed_in(&ada()), &after).await;
    assert_eq!(reply.outcome, Outcome::Applied);
}

pub(super) async fn a_second_factor_from_before_does_not_come_through(f: Fixture) {
    let pending = f.begin(f.pending(&ada())).await.id;
    let epoch = Some(f.user(&ada()).await.epoch);
    f.end_all_of(&ada(), Some(pending), revoked()).await;
    let mut late = f.authentication(&ada(), 1);
    late.admission.epoch = epoch;
    assert_eq!(f.refuse(pending, authenticate(late)).await, Refusal::SignedOut);
}

pub(super) async fn of_sign_ins_racing_a_sign_out_everywhere_none_is_left(f: Fixture) {
    for round in 0..16 {
        let whose = user(&format!("user {round}"));
        for _ in 0..3 {
            f.begin(f.signed_in(&whose)).await;
        }
        let epoch = Some(f.user(&whose).await.epoch);
        let begun = f
            .at_once(8, |f, i| {
                let whose = whose.clone();
                async move {
                    if i == round % 8 {
                        f.end_all_of(&whose, None, revoked()).await;
                        return None;
                    }
                    let from_before = Admission { epoch, ..admission() };
                    let new = f.signed_in(&whose);
                    let reply = f.create(&f.operation(), new.clone(), &from_before).await;
                    match reply.outcome {
                        Outcome::Applied => Some(new.id),
                        Outcome::Refused(Refusal::SignedOut) => None,
                        other => panic!("{other:?} to a sign-in"),
                    }
                }
            })
            .await;
        assert_eq!(f.ids_of(&whose).await, [], "a session outlived signing out everywhere");
        for id in begun.into_iter().flatten() {
            assert_eq!(f.kinds_of(id).await, [EventKind::Created, EventKind::Ended]);
        }
    }
}

pub(super) async fn of_sign_outs_everywhere_at_once_each_end_belongs_to_one(f: Fixture) {
    let mut ids = Vec::new();
    for _ in 0..10 {
        let new = NewSession { persistent: true, ..f.signed_in(&ada()) };
        ids.push(f.begin(new).await.id);
    }
    let mut ended: Vec<SessionId> =
        f.at_once(8, |f, _| async move { f.end_all_of(&ada(), None, revoked()).await }).await.concat();
    ended.sort();
    ids.sort();
    assert_eq!(ended, ids);
    for id in ids {
        f.end_of(id).await;
    }
    // Each moved it by one at least, from when the first came.
    assert_eq!(f.user(&ada()).await.epoch, f.now().as_millis() + 7);
}
