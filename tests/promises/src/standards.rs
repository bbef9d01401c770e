//! Rows of the standards that are about many sessions at once, on each engine.

use tenure::event::EventKind;
use tenure::{Actor, EndReason, SignIn, Verdict};

use crate::support::{
    Call, Gate, MINUTE, Trouble, World, active, guest_with_cart, look, on_each_engine, said, sign_in, told,
    user, visit,
};

on_each_engine! {
    asvs_7_4_2_disabling_a_user_ends_every_session_of_whatever_kind;
    asvs_7_4_2_a_disabled_user_gets_no_session_until_enabled_and_no_old_one_then;
    asvs_7_4_2_no_sign_in_that_is_under_way_escapes_the_disabling;
}

fn ann() -> SignIn {
    SignIn::password(user("ann"))
}

async fn asvs_7_4_2_disabling_a_user_ends_every_session_of_whatever_kind(world: World) {
    let sessions = world.open().await;
    let plain = sign_in(&sessions, "ann").await;
    let remembered = sessions.sign_in(None, ann().remember(true)).await.unwrap();
    let pending = sessions.sign_in(None, ann().pending()).await.unwrap();
    let from_guest = {
        let guest = guest_with_cart(&sessions, &["apple"]).await;
        let verdict = look(&sessions, guest.token.expose()).await;
        sessions.sign_in(Some(&verdict), ann()).await.unwrap()
    };
    let bob = sign_in(&sessions, "bob").await;
    let visitor = guest_with_cart(&sessions, &["pear"]).await;
    // One whose next token is under way: neither the old nor the new one may live on.
    let rotating = sign_in(&sessions, "ann").await;
    let holder = active(&sessions, rotating.token.expose()).await;
    let next = sessions.rotate(&holder, Actor::application(), None).await.unwrap();
    // All of them are in the memory of this process, and of another one.
    let beside = world.open_beside(&sessions).await;
    let of_ann = [&plain, &remembered, &pending, &from_guest, &rotating];
    for issued in of_ann {
        for process in [&sessions, &beside] {
            assert_eq!(said(process, issued.token.expose()).await, "ok");
        }
    }

    assert_eq!(sessions.disable(&user("ann"), Actor::api_key("admin")).await.unwrap(), 5);
    let restarted = {
        for process in [&sessions, &beside] {
            for issued in of_ann.into_iter().chain([&next]) {
                let Verdict::Inactive(inactive) = visit(process, issued.token.expose()).await else {
                    panic!("still alive")
                };
                assert_eq!((inactive.reason.as_str(), inactive.forget), ("user_disabled", true));
            }
            assert!(process.list(&user("ann")).await.unwrap().is_empty());
        }
        drop(beside);
        world.restart(sessions).await
    };
    for issued in of_ann.into_iter().chain([&next]) {
        assert_eq!(said(&restarted, issued.token.expose()).await, "user_disabled");
    }
    assert_eq!(said(&restarted, bob.token.expose()).await, "ok", "nobody else is touched");
    assert_eq!(said(&restarted, visitor.token.expose()).await, "ok");
    let events = told(&restarted).await;
    let ends: Vec<_> = events.iter().filter(|event| event.body.kind == EventKind::Ended).collect();
    let by_disabling = ends.iter().filter(|end| end.body.reason == Some(EndReason::UserDisabled));
    assert_eq!(by_disabling.clone().count(), 5, "each end is told once");
    assert!(by_disabling.clone().all(|end| end.body.actor.to_string() == "api_key:admin"));
}

async fn asvs_7_4_2_a_disabled_user_gets_no_session_until_enabled_and_no_old_one_then(world: World) {
    let sessions = world.open().await;
    let old = sign_in(&sessions, "ann").await;
    let holder = active(&sessions, old.token.expose()).await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    sessions.disable(&user("ann"), Actor::application()).await.unwrap();

    let guest_verdict = look(&sessions, guest.token.expose()).await;
    let old_verdict = look(&sessions, old.token.expose()).await;
    for presented in [None, Some(&guest_verdict), Some(&old_verdict)] {
        for proof in [ann(), ann().pending(), ann().remember(true)] {
            assert_eq!(sessions.sign_in(presented, proof).await.unwrap_err().code(), "user_disabled");
        }
    }
    // What a request has checked just before does not help either.
    assert!(sessions.step_up(&holder, ann()).await.is_err());
    assert!(sessions.rotate(&holder, Actor::application(), None).await.is_err());
    assert!(sessions.list(&user("ann")).await.unwrap().is_empty());

    let sessions = world.restart(sessions).await;
    assert_eq!(sessions.sign_in(None, ann()).await.unwrap_err().code(), "user_disabled");
    sessions.enable(&user("ann"), Actor::application()).await.unwrap();
    assert_eq!(said(&sessions, old.token.expose()).await, "user_disabled", "what ended stays ended");
    let fresh = sign_in(&sessions, "ann").await;
    assert_eq!(said(&sessions, fresh.token.expose()).await, "ok");
    world.clock.advance(MINUTE);
    assert_eq!(said(&sessions, old.token.expose()).await, "user_disabled");
}

/// A sign-in and a disabling meet in each order at the store: either the sign-in is refused, or
/// the session that it began is among those that ended.
async fn asvs_7_4_2_no_sign_in_that_is_under_way_escapes_the_disabling(world: World) {
    let sessions = world.open().await;
    for (round, held) in
        [Trouble::HeldBefore as fn(Gate) -> Trouble, Trouble::HeldAfter].into_iter().enumerate()
    {
        let name = format!("user-{round}");
        let gate = Gate::shut();
        world.faults.once(Call::Create, held(gate.clone()));
        let signing_in = tokio::spawn({
            let (sessions, name) = (sessions.clone(), name.clone());
            async move { sessions.sign_in(None, SignIn::password(user(&name))).await }
        });
        gate.somebody_waits().await;
        let ended = sessions.disable(&user(&name), Actor::application()).await.unwrap();
        gate.open();
        match signing_in.await.unwrap() {
            Ok(issued) => assert_eq!(said(&sessions, issued.token.expose()).await, "user_disabled"),
            Err(error) => assert!(["user_disabled", "session_ended"].contains(&error.code()), "{error:?}"),
        }
        assert_eq!(ended, round as u64, "the second sign-in was in the store already");
        assert!(sessions.list(&user(&name)).await.unwrap().is_empty());
        let late = sessions.sign_in(None, SignIn::password(user(&name))).await;
        assert_eq!(late.unwrap_err().code(), "user_disabled");
    }
}
