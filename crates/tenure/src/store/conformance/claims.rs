//! The move of a guest into a session of a user.

use std::time::Duration;

use super::builders::{GRACE, IDLE_MS, admission, change, claim, revoked, set};
use super::fixture::Fixture;
use super::tables::{ada, every_mutation_that_goes_on, role};
use crate::event::EventKind;
use crate::id::OperationId;
use crate::reason::{Actor, EndReason, Ending};
use crate::record::AtLimit;
use crate::record::{Change, Claim, NewSession, Record, State};
use crate::store::{Admission, Mutation, Outcome, Refusal};

async fn guest_with_a_cart(f: &Fixture) -> Record {
    let id = f.begin(f.guest()).await.id;
    f.apply(id, change(set("cart", b"tea", 1))).await
}

pub(super) async fn a_claim_is_kept_whole_and_the_data_with_it(f: Fixture) {
    let guest = guest_with_a_cart(&f).await;
    let wanted = Claim {
        carry: Some(vec!["cart".to_owned()]),
        receipt: Some(b"a sealed answer".to_vec().into()),
        ..f.claim(&ada())
    };
    let claimed = f.apply(guest.id, claim(&wanted, 1)).await;
    assert_eq!(claimed.state, State::Claimed(Box::new(wanted)));
    assert_eq!((&claimed.data, claimed.version), (&guest.data, guest.version));
    assert_eq!(f.load(guest.id).await, Some(claimed));
}

pub(super) async fn a_claim_freezes_the_guest(f: Fixture) {
    let guest = guest_with_a_cart(&f).await;
    let wanted = f.claim(&ada());
    let claimed = f.apply(guest.id, claim(&wanted, 1)).await;
    for mutation in every_mutation_that_goes_on(&f, &claimed) {
        if !matches!(mutation, Mutation::Release { .. }) {
            assert_eq!(f.refuse(guest.id, mutation).await, Refusal::Superseded);
        }
    }
}

pub(super) async fn of_claims_at_once_one_wins(f: Fixture) {
    let guest = guest_with_a_cart(&f).await;
    let claims: Vec<Claim> = (0..8).map(|_| f.claim(&ada())).collect();
    let outcomes = f
        .at_once(8, |f, i| {
            let wanted = claim(&claims[i], 1);
            async move { f.mutate(guest.id, wanted).await.outcome }
        })
        .await;
    let won = outcomes.iter().position(|o| *o == Outcome::Applied);
    let won = claims[won.expect("one of them wins")].clone();
    let lost = Outcome::Refused(Refusal::Superseded);
    assert_eq!(outcomes.iter().filter(|o| **o == lost).count(), 7);
    assert_eq!(f.record(guest.id).await.state, State::Claimed(Box::new(won)));
    let told = f.kinds_of(guest.id).await;
    assert_eq!(told.iter().filter(|k| **k == EventKind::Claimed).count(), 1);
}

pub(super) async fn of_a_claim_and_changes_at_once_none_is_lost(f: Fixture) {
    let guest = guest_with_a_cart(&f).await;
    let wanted = f.claim(&ada());
    let kept = f
        .at_once(12, |f, i| {
            let wanted = claim(&wanted, 1);
            async move {
                if i == 6 {
                    f.apply(guest.id, wanted).await;
                    return 0;
                }
                let reply = f.mutate(guest.id, change(set(&format!("key {i}"), b"", 1))).await;
                usize::from(reply.outcome == Outcome::Applied)
            }
        })
        .await;
    let record = f.record(guest.id).await;
    assert_eq!(record.data.len(), 1 + kept.iter().sum::<usize>());
    assert_eq!(f.kinds_of(guest.id).await.last(), Some(&EventKind::Claimed));
}

pub(super) async fn only_the_attempt_that_claimed_lets_the_guest_go_on(f: Fixture) {
    let guest = guest_with_a_cart(&f).await;
    let wanted = f.claim(&ada());
    let claimed = f.apply(guest.id, claim(&wanted, 1)).await;
    let told = f.events_at(guest.id).await;
    let another = Mutation::Release { attempt: OperationId::random(f.random()) };
    let reply = f.mutate(guest.id, another).await;
    assert_ne!(reply.outcome, Outcome::Applied);
    assert_eq!(f.load(guest.id).await, Some(claimed));
    assert_eq!(f.events_at(guest.id).await, told);
    let own = Mutation::Release { attempt: wanted.attempt };
    let released = f.apply(guest.id, own.clone()).await;
    assert_eq!((&released.state, &released.data), (&State::Guest, &guest.data));
    let again = f.mutate(guest.id, own).await;
    assert_eq!((again.outcome, again.record), (Outcome::Unchanged, Some(released)));
    f.apply(guest.id, change(set("cart", b"coffee", 1))).await;
}

pub(super) async fn a_released_guest_can_be_claimed_again(f: Fixture) {
    let guest = guest_with_a_cart(&f).await;
    let (first, second) = (f.claim(&ada()), f.claim(&ada()));
    f.apply(guest.id, claim(&first, 1)).await;
    let attempt = first.attempt;
    f.apply(guest.id, Mutation::Release { attempt }).await;
    f.apply(guest.id, claim(&second, 1)).await;
    let late = f.mutate(guest.id, Mutation::Release { attempt }).await;
    assert_ne!(late.outcome, Outcome::Applied);
    assert_eq!(f.record(guest.id).await.state, State::Claimed(Box::new(second)));
}

pub(super) async fn only_a_guest_can_be_claimed_and_only_under_its_token(f: Fixture) {
    for new in [f.pending(&ada()), f.signed_in(&ada())] {
        let id = f.begin(new).await.id;
        let refusal = f.refuse(id, claim(&f.claim(&ada()), 1)).await;
        assert_eq!(refusal, Refusal::WrongState);
    }
    let guest = guest_with_a_cart(&f).await;
    for never_made in [0, 2, 3] {
        let refusal = f.refuse(guest.id, claim(&f.claim(&ada()), never_made)).await;
        assert_eq!(refusal, Refusal::Superseded);
    }
    f.apply(guest.id, f.prepare(1)).await;
    f.apply(guest.id, Mutation::Confirm { generation: 2 }).await;
    f.wait(Duration::from_millis(GRACE.ms));
    // It was found good when it was checked, and rotated since: a slow sign-in is no theft.
    f.apply(guest.id, claim(&f.claim(&ada()), 1)).await;
}

pub(super) async fn a_claimed_guest_past_its_limit_is_not_released_but_ends(f: Fixture) {
    let guest = guest_with_a_cart(&f).await;
    let wanted = f.claim(&ada());
    f.apply(guest.id, claim(&wanted, 1)).await;
    f.wait(Duration::from_millis(IDLE_MS));
    let attempt = wanted.attempt;
    assert_eq!(
        f.refuse(guest.id, Mutation::Release { attempt }).await,
        Refusal::Ended(EndReason::IdleTimeout)
    );
    assert_eq!(f.sweep(10).await.ended, [guest.id]);
    f.end_of(guest.id).await;
}

pub(super) async fn a_sign_in_finished_by_many_at_once_makes_one_session(f: Fixture) {
    let guest = guest_with_a_cart(&f).await;
    let wanted = f.claim(&ada());
    f.apply(guest.id, claim(&wanted, 1)).await;
    f.at_once(8, |f, _| {
        let target = moved(&wanted, &guest);
        async move {
            let next = Some(target.id);
            f.create(&f.operation(), target, &admission()).await;
            let ending = Ending::new(EndReason::SignedIn, Actor::user());
            f.mutate(guest.id, Mutation::End { ending, next }).await;
        }
    })
    .await;
    assert_eq!(f.ids_of(&ada()).await, [wanted.target.id]);
    assert_eq!(f.kinds_of(wanted.target.id).await, [EventKind::Created]);
    let target = f.record(wanted.target.id).await;
    assert_eq!(target.previous, Some(guest.id));
    assert_eq!(target.data["cart"].sealed, guest.data["cart"].sealed);
    assert_eq!(f.end_of(guest.id).await.body.reason, Some(EndReason::SignedIn));
    let ended = f.record(guest.id).await;
    assert_eq!(ended.ended().and_then(|e| e.next), Some(target.id));
}

fn moved(claim: &Claim, guest: &Record) -> NewSession {
    let data = guest.data.iter();
    NewSession {
        previous: Some(guest.id),
        data: data.map(|(key, v)| (key.clone(), v.sealed.clone().into())).collect(),
        ..claim.target.clone()
    }
}

pub(super) async fn a_sign_in_that_is_refused_burns_its_id(f: Fixture) {
    f.begin(f.signed_in(&ada())).await;
    f.begin(f.pending(&ada())).await;
    f.end_all_of(&super::builders::user("bob"), None, revoked()).await;
    let burn = Admission { burn: true, ..admission() };
    let full = Admission { max_sessions: 1, at_limit: AtLimit::Refuse, max_pending: 1, ..burn.clone() };
    let late = Admission { epoch: Some(0), ..burn };
    for (new, limits, refusal) in [
        (f.signed_in(&ada()), &full, Refusal::SessionLimit { allowed: 1 }),
        (f.pending(&ada()), &full, Refusal::PendingLimit { allowed: 1 }),
        (f.signed_in(&super::builders::user("bob")), &late, Refusal::SignedOut),
    ] {
        let guest = f.begin(f.guest()).await;
        let new = NewSession { previous: Some(guest.id), ..new };
        let whose = new.state.user().cloned().expect("it is a user's");
        let listed = f.ids_of(&whose).await;
        let told = f.events_at(new.id).await;
        let operation = f.operation_with(b"a token that nobody gets");
        let reply = f.create(&operation, new.clone(), limits).await;
        assert_eq!(reply.outcome, Outcome::Refused(refusal));
        assert_eq!(f.store().replay(new.id.route(), operation.id).await, Ok(None));
        for operation in [operation, f.operation()] {
            let reply = f.create(&operation, new.clone(), &admission()).await;
            assert_eq!((reply.outcome, reply.receipt), (Outcome::Replayed, None));
            let burnt = reply.record.expect("the used-up id is known");
            assert!(burnt.ended().is_some());
        }
        for mutation in [change(Change::default()), Mutation::SetRoles(vec![role("admin")])] {
            let refusal = f.refuse(new.id, mutation).await;
            assert!(matches!(refusal, Refusal::Ended(_)), "{refusal:?}");
        }
        assert_eq!(f.ids_of(&whose).await, listed);
        assert_eq!(f.events_at(new.id).await, told, "what never began does not end");
        assert_eq!(f.load(guest.id).await, Some(guest));
    }
}

pub(super) async fn of_a_refused_sign_in_and_its_finishers_at_once_nobody_gets_in(f: Fixture) {
    for round in 0..8 {
        let whose = super::builders::user(&format!("user {round}"));
        let epoch = Some(f.user(&whose).await.epoch);
        f.end_all_of(&whose, None, revoked()).await;
        let late = Admission { epoch, burn: true, ..admission() };
        let guest = f.begin(f.guest()).await;
        let new = NewSession { previous: Some(guest.id), ..f.signed_in(&whose) };
        let outcomes = f
            .at_once(8, |f, _| {
                let (new, late) = (new.clone(), late.clone());
                async move { f.create(&f.operation(), new, &late).await.outcome }
            })
            .await;
        assert!(!outcomes.contains(&Outcome::Applied), "{outcomes:?}");
        assert_eq!(f.ids_of(&whose).await, []);
        assert_eq!(f.kinds_of(new.id).await, []);
    }
}

pub(super) async fn a_refused_sign_in_that_is_not_to_burn_can_be_tried_again(f: Fixture) {
    f.begin(f.signed_in(&ada())).await;
    let full = Admission { max_sessions: 1, at_limit: AtLimit::Refuse, ..admission() };
    let guest = f.begin(f.guest()).await;
    let new = NewSession { previous: Some(guest.id), ..f.signed_in(&ada()) };
    let operation = f.operation();
    let reply = f.create(&operation, new.clone(), &full).await;
    assert_eq!(reply.outcome, Outcome::Refused(Refusal::SessionLimit { allowed: 1 }));
    assert_eq!(f.load(new.id).await, None);
    let reply = f.create(&operation, new, &admission()).await;
    assert_eq!(reply.outcome, Outcome::Applied);
}
