//! Users who may not sign in.

use std::time::Duration;

use super::builders::{IDLE_MS, admission, identity, owner, user};
use super::fixture::Fixture;
use super::tables::{ada, authenticate};
use crate::event::{EventBody, EventKind};
use crate::id::{Realm, SessionId, UserId};
use crate::reason::{Actor, EndReason};
use crate::record::NewState;
use crate::store::{Admission, EndedSessions, Operation, Outcome, Refusal};

async fn set_disabled(f: &Fixture, user: &UserId, disabled: bool) -> Vec<SessionId> {
    set_disabled_as(f, &by_admin(f), user, disabled).await.ids
}

fn by_admin(f: &Fixture) -> Operation {
    Operation { actor: Actor::api_key("admin"), ..f.operation() }
}

async fn set_disabled_as(f: &Fixture, as_: &Operation, user: &UserId, disabled: bool) -> EndedSessions {
    f.store().set_disabled(as_, &owner(user), disabled).await.expect("the store answers")
}

pub(super) async fn disabling_retried_after_enabling_changes_nothing(f: Fixture) {
    f.begin(f.signed_in(&ada())).await;
    let disabling = by_admin(&f);
    assert_eq!(set_disabled_as(&f, &disabling, &ada(), true).await.count, 1);
    set_disabled(&f, &ada(), false).await;
    let session = f.begin(f.signed_in(&ada())).await;
    let before = f.user(&ada()).await;
    let again = set_disabled_as(&f, &disabling, &ada(), true).await;
    assert_eq!(again, EndedSessions { count: 1, ids: Vec::new() });
    assert_eq!((f.user(&ada()).await, f.ids_of(&ada()).await), (before, vec![session.id]));
}

pub(super) async fn ending_all_of_a_user_retried_changes_once_and_gives_the_first_count(f: Fixture) {
    for _ in 0..3 {
        f.begin(f.signed_in(&ada())).await;
    }
    let operation = by_admin(&f);
    let end = async || {
        let ending = super::builders::revoked();
        let ended = f.store().end_all_of(&operation, &owner(&ada()), None, ending).await;
        ended.expect("the store answers")
    };
    assert_eq!(end().await.ids.len(), 3);
    let session = f.begin(f.signed_in(&ada())).await;
    let before = f.user(&ada()).await;
    assert_eq!(end().await, EndedSessions { count: 3, ids: Vec::new() });
    assert_eq!((f.user(&ada()).await, f.ids_of(&ada()).await), (before, vec![session.id]));
}

pub(super) async fn disabling_a_user_ends_every_session_and_tells_each(f: Fixture) {
    let mut expected = vec![f.begin(f.signed_in(&ada())).await.id, f.begin(f.pending(&ada())).await.id];
    let bobs = f.begin(f.signed_in(&user("bob"))).await;
    f.wait(Duration::from_secs(1));
    let mut ended = set_disabled(&f, &ada(), true).await;
    ended.sort();
    expected.sort();
    assert_eq!(ended, expected);
    assert_eq!(f.ids_of(&ada()).await, []);
    for id in expected {
        let told = f.end_of(id).await;
        assert_eq!((told.at, told.body.reason), (f.now(), Some(EndReason::UserDisabled)));
        assert_eq!(told.body.actor, Actor::api_key("admin"));
    }
    assert_eq!(f.user(&ada()).await.disabled_at, Some(f.now()));
    assert_eq!(f.load(bobs.id).await, Some(bobs));
}

pub(super) async fn the_epoch_is_when_a_user_was_last_signed_out(f: Fixture) {
    let mut before = f.user(&ada()).await.epoch;
    assert_eq!(before, 0);
    for by_disabling in [true, false, false, true] {
        if by_disabling {
            set_disabled(&f, &ada(), false).await;
            assert_eq!(f.user(&ada()).await.epoch, before);
            set_disabled(&f, &ada(), true).await;
        } else {
            let ending = super::builders::revoked();
            let (operation, owner) = (by_admin(&f), owner(&ada()));
            let ended = f.store().end_all_of(&operation, &owner, None, ending);
            ended.await.expect("the store answers");
        }
        let epoch = f.user(&ada()).await.epoch;
        assert!(epoch > before && epoch.abs_diff(f.now().as_millis()) <= 4, "{epoch} at {:?}", f.now());
        before = epoch;
    }
}

pub(super) async fn a_disabled_user_begins_no_session(f: Fixture) {
    let before = Admission { epoch: Some(f.user(&ada()).await.epoch), ..admission() };
    set_disabled(&f, &ada(), true).await;
    let after = Admission { epoch: Some(f.user(&ada()).await.epoch), ..admission() };
    for limits in [before, after, admission()] {
        for new in [f.signed_in(&ada()), f.pending(&ada())] {
            let reply = f.create(&f.operation(), new.clone(), &limits).await;
            assert_eq!(reply.outcome, Outcome::Refused(Refusal::UserDisabled));
            assert_eq!(f.load(new.id).await, None);
        }
    }
    assert_eq!(f.ids_of(&ada()).await, []);
    f.begin(f.guest()).await;
    f.begin(f.signed_in(&user("bob"))).await;
}

pub(super) async fn an_enabled_user_may_sign_in_but_not_with_a_sign_in_from_before(f: Fixture) {
    let before = Admission { epoch: Some(f.user(&ada()).await.epoch), ..admission() };
    set_disabled(&f, &ada(), true).await;
    assert_eq!(set_disabled(&f, &ada(), false).await, []);
    assert_eq!(f.user(&ada()).await.disabled_at, None);
    let reply = f.create(&f.operation(), f.signed_in(&ada()), &before).await;
    assert_eq!(reply.outcome, Outcome::Refused(Refusal::SignedOut));
    let now = Admission { epoch: Some(f.user(&ada()).await.epoch), ..admission() };
    let reply = f.create(&f.operation(), f.signed_in(&ada()), &now).await;
    assert_eq!(reply.outcome, Outcome::Applied);
}

pub(super) async fn disabling_and_enabling_are_told_once_with_their_actor(f: Fixture) {
    for disabled in [false, true, true, false, false] {
        set_disabled(&f, &ada(), disabled).await;
        f.wait(Duration::from_secs(1));
    }
    let told = |kind| EventBody {
        kind,
        realm: Realm::default(),
        session: None,
        user: Some(ada()),
        reason: None,
        actor: Actor::api_key("admin"),
        note: None,
        revision: None,
    };
    let events = f.log(f.partition_of_user(&ada()), None).await;
    let bodies: Vec<EventBody> = events.into_iter().map(|event| event.body).collect();
    assert_eq!(bodies, [told(EventKind::UserDisabled), told(EventKind::UserEnabled)]);
}

pub(super) async fn disabling_again_changes_nothing(f: Fixture) {
    f.begin(f.signed_in(&ada())).await;
    set_disabled(&f, &ada(), true).await;
    let before = f.user(&ada()).await;
    f.wait(Duration::from_secs(1));
    assert_eq!(set_disabled(&f, &ada(), true).await, []);
    assert_eq!(f.user(&ada()).await, before);
}

pub(super) async fn disabling_tells_a_session_past_its_limit_as_that(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    f.wait(Duration::from_millis(IDLE_MS));
    set_disabled(&f, &ada(), true).await;
    let told = f.end_of(id).await.body;
    assert_eq!(told.reason, Some(EndReason::IdleTimeout));
    assert_eq!(told.actor, Actor::system());
}

pub(super) async fn a_user_is_disabled_in_one_realm_only(f: Fixture) {
    let other = Realm::new("other").expect("a realm");
    let there = f.session(&other, NewState::SignedIn(identity(&ada())));
    let there = f.begin(there).await;
    set_disabled(&f, &ada(), true).await;
    assert_eq!(f.load(there.id).await, Some(there));
    f.begin(f.session(&other, NewState::SignedIn(identity(&ada())))).await;
}

pub(super) async fn of_sign_ins_racing_a_disabling_none_is_left(f: Fixture) {
    for round in 0..16 {
        let whose = user(&format!("user {round}"));
        f.begin(f.signed_in(&whose)).await;
        let pending = f.begin(f.pending(&whose)).await.id;
        f.at_once(8, |f, i| {
            let whose = whose.clone();
            async move {
                match (i + round) % 8 {
                    0 => drop(set_disabled(&f, &whose, true).await),
                    1 => {
                        let second_factor = f.authentication(&whose, 1);
                        f.mutate(pending, authenticate(second_factor)).await;
                    }
                    _ => {
                        let new = f.signed_in(&whose);
                        f.create(&f.operation(), new, &admission()).await;
                    }
                }
            }
        })
        .await;
        assert_eq!(f.ids_of(&whose).await, [], "a session outlived the disabling");
    }
}
