//! Attacks that wait for an unlucky store: a sign-in that breaks off and is met much later,
//! answers that get lost, activity during housekeeping.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tenure::Refusal;
use tenure::event::EventKind;
use tenure::random::SystemRandom;
use tenure::record::Admission;
use tenure::record::{NewSession, NewState};
use tenure::store::conformance::{admission, identity, route};
use tenure::store::{Operation, Outcome, StoreError};
use tenure::{
    Actor, Changes, EndReason, Error, IdempotencyKey, OperationId, Realm, SecretHash, SessionId, Sessions,
    SignIn,
};

use crate::support::{
    COUNT, Call, Gate, HOUR, MINUTE, SECOND, Trouble, World, active, ends, guest_with_cart, look,
    on_each_engine, revoked, role, said, sign_in, the_end, told, until, user, visit,
};

on_each_engine! {
    p1_a_claimed_guest_met_days_later_brings_back_no_ended_session;
    p1_a_claimed_guest_met_after_an_hour_begins_no_session;
    p1_a_store_begins_nothing_from_a_claim_older_than_an_hour;
    a_retry_that_gets_the_first_answer_finishes_the_claimed_guest;
    p2_an_update_whose_answer_was_lost_never_counts_twice;
    p5_a_change_whose_answer_was_lost_is_never_told_as_refused;
    p5_a_lost_answer_and_then_an_error_is_never_told_as_not_done;
    p4_activity_during_a_sweep_counts_for_the_rest_of_it;
}

fn keyed(name: &str) -> SignIn {
    let key = IdempotencyKey::new("a-key-of-128-random-bits-1").unwrap();
    SignIn::password(user(name)).idempotency_key(Some(key))
}

fn assert_unknown(error: &Error, what: &str) {
    assert!(matches!(error, Error::Store(StoreError::Unknown(_))), "{what}: {error:?}");
    assert_eq!((error.code(), error.status()), ("store_unavailable", 503), "{what}");
}

async fn sessions_begun(sessions: &Sessions, name: &str) -> usize {
    let of_user = |kind, who: Option<&tenure::UserId>| kind == EventKind::Created && who == Some(&user(name));
    told(sessions).await.iter().filter(|event| of_user(event.body.kind, event.body.user.as_ref())).count()
}

async fn p1_a_claimed_guest_met_days_later_brings_back_no_ended_session(mut world: World) {
    world.policy.guest.idle_seconds = 30 * 24 * 3_600;
    world.policy.guest.absolute_seconds = 30 * 24 * 3_600;
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let verdict = look(&sessions, guest.token.expose()).await;
    world.faults.once(Call::End, Trouble::unavailable());
    sessions.sign_in(Some(&verdict), keyed("ann")).await.unwrap_err();
    let issued = sessions.sign_in(Some(&verdict), keyed("ann")).await.unwrap();
    let holder = active(&sessions, issued.token.expose()).await;
    sessions.sign_out(&holder).await.unwrap();
    // So long that nobody remembers the session that has ended.
    for wait in [25 * HOUR, HOUR] {
        world.clock.advance(wait);
        sessions.maintain().await.unwrap();
    }

    assert_eq!(said(&sessions, guest.token.expose()).await, "superseded");
    until("the guest's end", || async { !ends(&sessions, guest.session.id()).await.is_empty() }).await;
    assert_eq!(the_end(&sessions, guest.session.id()).await.0, EndReason::SignedIn);
    assert!(sessions.list(&user("ann")).await.unwrap().is_empty());
    assert_ne!(said(&sessions, issued.token.expose()).await, "ok");
    assert_eq!(sessions_begun(&sessions, "ann").await, 1);
}

async fn p1_a_claimed_guest_met_after_an_hour_begins_no_session(world: World) {
    let sessions = world.open().await;
    for met_by_sign_in in [false, true] {
        let name = format!("user-{met_by_sign_in}");
        let guest = guest_with_cart(&sessions, &["apple"]).await;
        let (id, token) = (guest.session.id(), guest.token.expose());
        let before = look(&sessions, token).await;
        world.faults.once(Call::Create, Trouble::unavailable());
        sessions.sign_in(Some(&before), SignIn::password(user(&name))).await.unwrap_err();
        world.clock.advance(61 * MINUTE);
        if met_by_sign_in {
            // It goes on without what came too late.
            let issued = sessions.sign_in(Some(&before), SignIn::password(user(&name))).await.unwrap();
            assert_eq!(issued.session.previous(), None);
        } else {
            assert_eq!(said(&sessions, token).await, "superseded");
        }
        until("the guest's end", || async { !ends(&sessions, id).await.is_empty() }).await;
        assert_eq!(the_end(&sessions, id).await.0, EndReason::SignedIn);
        assert_eq!(said(&sessions, token).await, "superseded");
        assert_eq!(sessions_begun(&sessions, &name).await, usize::from(met_by_sign_in));
    }
}

/// An id as the server makes it now for a session of this user.
fn id_of_now(sessions: &Sessions, name: &str) -> SessionId {
    let mut id = [7; 16];
    id[..6].copy_from_slice(&sessions.now().as_millis().to_be_bytes()[2..]);
    id[6..8].copy_from_slice(&route(&Realm::default(), &user(name)).0.to_be_bytes());
    SessionId::from_bytes(id)
}

async fn p1_a_store_begins_nothing_from_a_claim_older_than_an_hour(world: World) {
    let sessions = world.open().await;
    let (store, ann) = (sessions.store(), user("ann"));
    let guest = guest_with_cart(&sessions, &[]).await;
    let id = id_of_now(&sessions, "ann");
    let new = NewSession {
        id,
        realm: Realm::default(),
        state: NewState::SignedIn(identity(&ann)),
        previous: Some(guest.session.id()),
        idle_ms: 1_800_000,
        absolute_ms: 43_200_000,
        persistent: false,
        hash: SecretHash::from_bytes([7; 32]),
        device: vec![9; 60],
        data: BTreeMap::new(),
        adopted_until: None,
    };
    let from_claim = Admission { burn: true, ..admission() };
    let operation =
        || Operation { id: OperationId::random(&SystemRandom), actor: Actor::system(), receipt: None };
    world.clock.advance(61 * MINUTE);
    let reply = store.create(&operation(), new.clone(), &from_claim).await.unwrap();
    assert_eq!(reply.outcome, Outcome::Refused(Refusal::SignedOut));
    assert!(store.load(id).await.unwrap().is_none(), "the id is not used up");

    let in_time = id_of_now(&sessions, "ann");
    world.clock.advance(59 * MINUTE);
    let reply = store.create(&operation(), NewSession { id: in_time, ..new }, &from_claim).await.unwrap();
    assert_eq!(reply.outcome, Outcome::Applied);
}

async fn a_retry_that_gets_the_first_answer_finishes_the_claimed_guest(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let verdict = look(&sessions, guest.token.expose()).await;
    world.faults.always(Call::End, Trouble::unavailable());
    sessions.sign_in(Some(&verdict), keyed("ann")).await.unwrap_err();
    // This check tries to finish it, too, and fails.
    let verdict = look(&sessions, guest.token.expose()).await;
    until("a try", || async { world.faults.count(Call::End) >= 2 }).await;
    world.faults.heal();

    let issued = sessions.sign_in(Some(&verdict), keyed("ann")).await.unwrap();
    until("the guest's end", || async { !ends(&sessions, guest.session.id()).await.is_empty() }).await;
    assert_eq!(the_end(&sessions, guest.session.id()).await.0, EndReason::SignedIn);
    assert_eq!(said(&sessions, issued.token.expose()).await, "ok");
    assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1);
}

/// Lets the next call of this kind happen and lose its answer. Before it is tried again, so
/// much else happens to the session that its record has forgotten the operation.
async fn lost_and_forgotten<T>(
    world: &World,
    sessions: &Sessions,
    id: SessionId,
    call: Call,
    work: impl Future<Output = T> + Send + 'static,
) -> T
where
    T: Send + 'static,
{
    let gate = Gate::shut();
    world.faults.once(call, Trouble::lost_answer());
    world.faults.once(call, Trouble::HeldBefore(gate.clone()));
    let working = tokio::spawn(work);
    gate.somebody_waits().await;
    for n in 0..16 {
        let other = Changes::default().remove(format!("other-{n}"));
        sessions.change_of(id, Actor::application(), other).await.unwrap();
    }
    gate.open();
    working.await.unwrap()
}

async fn p2_an_update_whose_answer_was_lost_never_counts_twice(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let token = issued.token.expose();
    let (holder, worker) = (active(&sessions, token).await, sessions.clone());
    let update = async move { worker.update(&holder, COUNT, |count| *count += 1).await.map(drop) };
    let answer = lost_and_forgotten(&world, &sessions, issued.session.id(), Call::Change, update).await;
    assert_unknown(&answer.unwrap_err(), "update");
    let holder = active(&sessions, token).await;
    assert_eq!(COUNT.read(holder.session()).unwrap(), Some(1));
}

async fn p5_a_change_whose_answer_was_lost_is_never_told_as_refused(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let id = issued.session.id();
    let (holder, worker) = (active(&sessions, issued.token.expose()).await, sessions.clone());
    let change = Changes::default().set("count", 1.into()).expect("count", 0);
    let work = async move { worker.change(&holder, change).await.map(drop) };
    let answer = lost_and_forgotten(&world, &sessions, id, Call::Change, work).await;
    assert_unknown(&answer.unwrap_err(), "change");
    let holder = active(&sessions, issued.token.expose()).await;
    assert_eq!(COUNT.read(holder.session()).unwrap(), Some(1));

    let worker = sessions.clone();
    let work = async move { worker.step_up(&holder, SignIn::password(user("ann"))).await.map(drop) };
    let answer = lost_and_forgotten(&world, &sessions, id, Call::Authenticate, work).await;
    assert_unknown(&answer.unwrap_err(), "step-up");
    assert_eq!(said(&sessions, issued.token.expose()).await, "superseded", "it was done");
}

async fn p5_a_lost_answer_and_then_an_error_is_never_told_as_not_done(world: World) {
    let sessions = world.open().await;
    let calls = [
        Call::Create,
        Call::Change,
        Call::Prepare,
        Call::Authenticate,
        Call::SetRoles,
        Call::End,
        Call::EndAllOf,
        Call::SetDisabled,
    ];
    for trouble in [Trouble::full(), Trouble::unavailable()] {
        for call in calls {
            let issued = sign_in(&sessions, "ann").await;
            let ann = user("ann");
            let holder = active(&sessions, issued.token.expose()).await;
            world.faults.once(call, Trouble::lost_answer());
            world.faults.once(call, trouble.clone());
            let done = match call {
                Call::Create => sessions.sign_in(None, SignIn::password(ann)).await.map(drop),
                Call::Change => {
                    sessions.change(&holder, Changes::default().set("count", 1.into())).await.map(drop)
                }
                Call::Prepare => sessions.rotate(&holder, Actor::application(), None).await.map(drop),
                Call::Authenticate => sessions.step_up(&holder, SignIn::password(ann)).await.map(drop),
                Call::SetRoles => {
                    sessions.set_roles(&ann, &[role("editor")], Actor::application()).await.map(drop)
                }
                Call::End => sessions.end(issued.session.id(), revoked()).await.map(drop),
                Call::EndAllOf => sessions.end_all_of(&ann, None, revoked()).await.map(drop),
                _ => sessions.disable(&ann, Actor::application()).await.map(drop),
            };
            assert_unknown(&done.unwrap_err(), &format!("{call:?}"));
            world.faults.heal();
            sessions.enable(&user("ann"), Actor::application()).await.unwrap();
            sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
        }
    }
}

async fn p4_activity_during_a_sweep_counts_for_the_rest_of_it(world: World) {
    let sessions = world.open().await;
    // More than one step of the sweep ends.
    join_all((0..600).map(|n| {
        let sessions = sessions.clone();
        async move { drop(sign_in(&sessions, &format!("user-{n}")).await) }
    }))
    .await;
    world.clock.advance(MINUTE);
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    world.clock.advance(29 * MINUTE);

    let gate = Gate::shut();
    world.faults.once(Call::Sweep, Trouble::HeldAfter(gate.clone()));
    let sweeping = tokio::spawn({
        let sessions = sessions.clone();
        async move { sessions.maintain().await }
    });
    gate.somebody_waits().await;
    // She has a minute left, and is active. The rest of the sweep comes after that minute.
    assert_eq!(visit(&sessions, &token).await.as_str(), "ok");
    world.clock.advance(MINUTE + SECOND);
    gate.open();
    assert_eq!(sweeping.await.unwrap().unwrap().ended, 600);
    assert!(world.faults.count(Call::Sweep) > 1);
    assert_eq!(said(&sessions, &token).await, "ok");
}
