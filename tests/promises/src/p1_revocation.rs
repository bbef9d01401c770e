//! P1: once ending a session is acknowledged, nothing brings it back.

use tenure::Refusal;
use tenure::store::StoreError;
use tenure::{Actor, Changes, Error, Reason, SignIn, Verdict};

use crate::support::{
    COUNT, Call, Gate, MINUTE, SECOND, Trouble, World, active, cart, guest_with_cart, look, on_each_engine,
    revoked, role, said, sign_in, until, user,
};

on_each_engine! {
    p1_wstg_06a_an_ended_session_stays_ended;
    p1_a_late_save_cannot_revive_an_ended_session;
    p1_signing_out_everywhere_stops_a_sign_in_that_is_under_way;
    p1_signing_out_everywhere_also_ends_what_a_sign_in_has_just_begun;
    p1_a_lost_answer_leaves_no_ended_session_in_memory;
    p1_a_lost_answer_of_a_sign_in_leaves_no_session_it_pushed_out_in_memory;
    p1_an_end_whose_outcome_is_unknown_is_never_answered_from_memory;
    p1_an_end_that_nobody_waits_for_happens_all_the_same;
}

async fn p1_wstg_06a_an_ended_session_stays_ended(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let token = issued.token.expose();
    let active = active(&sessions, token).await;
    sessions.sign_out(&active).await.unwrap();
    assert_eq!(said(&sessions, token).await, "logout");

    let verdict = look(&sessions, token).await;
    let Verdict::Inactive(inactive) = verdict else { panic!("signed out") };
    assert!(inactive.forget);
    let sessions = world.restart(sessions).await;
    assert_eq!(said(&sessions, token).await, "logout");
    assert!(sessions.list(&user("ann")).await.unwrap().is_empty());
    assert!(!sessions.end(issued.session.id(), revoked()).await.unwrap());
}

async fn p1_a_late_save_cannot_revive_an_ended_session(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let active = active(&sessions, issued.token.expose()).await;
    sessions.end(issued.session.id(), revoked()).await.unwrap();

    let late = Changes::default().set("cart", vec!["late"].into());
    let is_over = |error: Error| match error {
        Error::Inactive(reason) => assert_eq!(reason.as_str(), "revoked"),
        other => panic!("{other:?}"),
    };
    is_over(sessions.change(&active, late.clone()).await.unwrap_err());
    is_over(sessions.update(&active, COUNT, |count| *count += 1).await.unwrap_err());
    is_over(sessions.change_of(issued.session.id(), Actor::application(), late).await.unwrap_err());
    is_over(sessions.rotate(&active, Actor::application(), None).await.unwrap_err());
    is_over(sessions.step_up(&active, SignIn::password(user("ann"))).await.unwrap_err());
    assert_eq!(sessions.set_roles(&user("ann"), &[role("admin")], Actor::application()).await.unwrap(), 0);
    assert_eq!(said(&sessions, issued.token.expose()).await, "revoked");
}

async fn p1_signing_out_everywhere_stops_a_sign_in_that_is_under_way(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let gate = Gate::shut();
    world.faults.once(Call::Create, Trouble::HeldBefore(gate.clone()));
    let signing_in = tokio::spawn({
        let (sessions, token) = (sessions.clone(), guest.token.expose().to_owned());
        async move {
            let verdict = look(&sessions, &token).await;
            sessions.sign_in(Some(&verdict), SignIn::password(user("ann"))).await
        }
    });
    gate.somebody_waits().await;
    sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
    gate.open();

    let refused = signing_in.await.unwrap().unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::SignedOut)), "{refused:?}");
    assert!(sessions.list(&user("ann")).await.unwrap().is_empty());
    assert_eq!(cart(&sessions, guest.token.expose()).await, ["apple"]);
    let sessions = world.restart(sessions).await;
    assert!(sessions.list(&user("ann")).await.unwrap().is_empty());
}

async fn p1_signing_out_everywhere_also_ends_what_a_sign_in_has_just_begun(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let gate = Gate::shut();
    world.faults.once(Call::Create, Trouble::HeldAfter(gate.clone()));
    let signing_in = tokio::spawn({
        let (sessions, token) = (sessions.clone(), guest.token.expose().to_owned());
        async move {
            let verdict = look(&sessions, &token).await;
            sessions.sign_in(Some(&verdict), SignIn::password(user("ann"))).await
        }
    });
    gate.somebody_waits().await;
    assert_eq!(sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap(), 1);
    gate.open();
    if let Ok(issued) = signing_in.await.unwrap() {
        assert_eq!(said(&sessions, issued.token.expose()).await, "revoked");
    }
    assert!(sessions.list(&user("ann")).await.unwrap().is_empty());
}

async fn p1_a_lost_answer_leaves_no_ended_session_in_memory(world: World) {
    let sessions = world.open().await;
    for call in [Call::EndAllOf, Call::SetDisabled] {
        let issued = sign_in(&sessions, "ann").await;
        assert_eq!(said(&sessions, issued.token.expose()).await, "ok");
        world.faults.once(call, Trouble::lost_answer());
        if call == Call::SetDisabled {
            sessions.disable(&user("ann"), Actor::application()).await.unwrap();
            assert_eq!(said(&sessions, issued.token.expose()).await, "user_disabled");
        } else {
            sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
            assert_eq!(said(&sessions, issued.token.expose()).await, "revoked");
        }
    }
}

async fn p1_a_lost_answer_of_a_sign_in_leaves_no_session_it_pushed_out_in_memory(mut world: World) {
    world.policy.max_sessions = 1;
    let sessions = world.open().await;
    let first = sign_in(&sessions, "ann").await;
    assert_eq!(said(&sessions, first.token.expose()).await, "ok");
    world.faults.once(Call::Create, Trouble::lost_answer());
    let second = sign_in(&sessions, "ann").await;
    assert_eq!(said(&sessions, second.token.expose()).await, "ok");
    assert_eq!(said(&sessions, first.token.expose()).await, "session_limit");

    // The same when a second factor makes a pending session count.
    let pending = sessions.sign_in(None, SignIn::password(user("ann")).pending()).await.unwrap();
    let verdict = look(&sessions, pending.token.expose()).await;
    world.faults.once(Call::Authenticate, Trouble::lost_answer());
    let third = sessions.sign_in(Some(&verdict), SignIn::password(user("ann"))).await.unwrap();
    assert_eq!(said(&sessions, third.token.expose()).await, "ok");
    assert_eq!(said(&sessions, second.token.expose()).await, "session_limit");
}

async fn p1_an_end_whose_outcome_is_unknown_is_never_answered_from_memory(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let token = issued.token.expose();
    assert_eq!(said(&sessions, token).await, "ok");
    world.faults.times(3, Call::End, Trouble::lost_answer());
    let error = sessions.end(issued.session.id(), revoked()).await.unwrap_err();
    assert!(matches!(error, Error::Store(StoreError::Unknown(_))), "{error:?}");
    let verdict = look(&sessions, token).await;
    assert_eq!(verdict.reason(), Some(Reason::Ended(tenure::EndReason::Revoked)));
    assert!(!sessions.end(issued.session.id(), revoked()).await.unwrap());
}

async fn p1_an_end_that_nobody_waits_for_happens_all_the_same(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let token = issued.token.expose().to_owned();
    let gate = Gate::shut();
    world.faults.once(Call::End, Trouble::HeldBefore(gate.clone()));
    let ending = tokio::spawn({
        let (sessions, id) = (sessions.clone(), issued.session.id());
        async move { sessions.end(id, revoked()).await }
    });
    gate.somebody_waits().await;
    // The browser is closed: its request's future is dropped.
    ending.abort();
    assert!(ending.await.unwrap_err().is_cancelled());
    world.clock.advance(MINUTE + SECOND);
    gate.open();
    until("the end", || async { said(&sessions, &token).await == "revoked" }).await;
}
