//! Signing in takes three steps of the store: claim the guest, create the session, end the
//! guest. Whatever breaks between them, no cart is lost and no second session lives.

use tenure::Refusal;
use tenure::event::EventKind;
use tenure::store::StoreError;
use tenure::{Actor, Error, Sessions, SignIn};

use crate::support::{
    Call, Gate, MINUTE, Trouble, World, cart, guest_with_cart, look, on_each_engine, revoked, said, sign_in,
    the_end, told, until, user,
};

on_each_engine! {
    p6_a_sign_in_that_breaks_off_anywhere_loses_no_cart;
    p6_whoever_meets_a_half_done_sign_in_completes_it;
    a_half_done_sign_in_of_another_user_is_completed_for_its_own;
    a_sign_in_that_is_refused_half_way_lets_the_guest_go_on;
    a_half_done_sign_in_that_was_stopped_leaves_the_cart_to_the_next;
    a_sign_in_refused_for_its_limit_can_be_tried_again;
    readers_that_complete_a_sign_in_at_once_make_one_session;
    a_guest_that_ends_half_way_takes_nothing_along;
    p10_a_slow_answer_hands_out_no_token_of_a_guest_that_is_signing_in;
}

/// The steps, and the ways in which each breaks off: it never happened, it happened and
/// nobody heard, nobody can say.
fn breaks() -> Vec<(Call, Trouble, &'static str)> {
    let mut breaks = Vec::new();
    for call in [Call::User, Call::Claim, Call::Create, Call::End] {
        let never = Trouble::Before(StoreError::Unknown("the line broke".into()));
        breaks.push((call, Trouble::unavailable(), "away"));
        breaks.push((call, never, "never happened"));
        breaks.push((call, Trouble::lost_answer(), "happened"));
    }
    breaks
}

async fn sign_in_from(sessions: &Sessions, token: &str, name: &str) -> Result<tenure::Issued, Error> {
    let verdict = look(sessions, token).await;
    sessions.sign_in(Some(&verdict), SignIn::password(user(name))).await
}

async fn assert_one_session_with_cart(sessions: &Sessions, name: &str, what: &str) {
    let list = sessions.list(&user(name)).await.unwrap();
    assert_eq!(list.len(), 1, "{what}: one session");
    let cart = crate::support::CART.read(&list[0]).unwrap().unwrap_or_default();
    assert_eq!(cart, ["apple"], "{what}: with the cart");
}

async fn p6_a_sign_in_that_breaks_off_anywhere_loses_no_cart(world: World) {
    let mut sessions = world.open().await;
    for (n, (call, trouble, how)) in breaks().into_iter().enumerate() {
        let (name, what) = (format!("user-{n}"), format!("{call:?} {how}"));
        let guest = guest_with_cart(&sessions, &["apple"]).await;
        let verdict = look(&sessions, guest.token.expose()).await;
        world.faults.always(call, trouble);
        let answer = sessions.sign_in(Some(&verdict), SignIn::password(user(&name))).await;
        let error = answer.expect_err(&what);
        assert_eq!(error.status(), 503, "{what}: {error:?}");
        world.faults.heal();

        // The process dies here; the person reloads the page and signs in again.
        sessions = world.restart(sessions).await;
        world.clock.advance(MINUTE);
        let issued = sign_in_from(&sessions, guest.token.expose(), &name).await.expect(&what);
        assert_eq!(cart(&sessions, issued.token.expose()).await, ["apple"], "{what}");
        assert_one_session_with_cart(&sessions, &name, &what).await;
        assert_eq!(said(&sessions, guest.token.expose()).await, "superseded", "{what}");
        assert_eq!(the_end(&sessions, guest.session.id()).await.0.as_str(), "signed_in", "{what}");
        let begun = told(&sessions).await.into_iter().filter(|event| {
            event.body.kind == EventKind::Created && event.body.user.as_ref() == Some(&user(&name))
        });
        assert_eq!(begun.count(), 1, "{what}: begun once");
    }
}

async fn p6_whoever_meets_a_half_done_sign_in_completes_it(world: World) {
    let mut sessions = world.open().await;
    for (n, call) in [Call::Create, Call::End].into_iter().enumerate() {
        let name = format!("user-{n}");
        let guest = guest_with_cart(&sessions, &["apple"]).await;
        let verdict = look(&sessions, guest.token.expose()).await;
        world.faults.always(call, Trouble::unavailable());
        sessions.sign_in(Some(&verdict), SignIn::password(user(&name))).await.unwrap_err();
        // A check that meets it tries, in vain, and says what is so.
        assert_eq!(said(&sessions, guest.token.expose()).await, "superseded");
        until("a try", || async { world.faults.count(call) >= 2 }).await;
        world.faults.heal();

        sessions = world.restart(sessions).await;
        assert_eq!(said(&sessions, guest.token.expose()).await, "superseded");
        let id = guest.session.id();
        let done = || async { sessions.get(id).await.unwrap().unwrap().end_reason().is_some() };
        until("the move to be completed", done).await;
        assert_one_session_with_cart(&sessions, &name, "completed by a reader").await;
    }
}

async fn a_half_done_sign_in_of_another_user_is_completed_for_its_own(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    world.faults.once(Call::Create, Trouble::unavailable());
    sign_in_from(&sessions, guest.token.expose(), "ann").await.unwrap_err();

    let bob = sign_in_from(&sessions, guest.token.expose(), "bob").await.unwrap();
    assert!(cart(&sessions, bob.token.expose()).await.is_empty(), "her cart is not his");
    assert_eq!(bob.session.user(), Some(&user("bob")));
    assert_one_session_with_cart(&sessions, "ann", "hers").await;
}

async fn a_sign_in_that_is_refused_half_way_lets_the_guest_go_on(world: World) {
    let sessions = world.open().await;
    for disable in [false, true] {
        let guest = guest_with_cart(&sessions, &["apple"]).await;
        let verdict = look(&sessions, guest.token.expose()).await;
        let gate = Gate::shut();
        world.faults.once(Call::Create, Trouble::HeldBefore(gate.clone()));
        let signing_in = tokio::spawn({
            let (sessions, verdict) = (sessions.clone(), verdict.clone());
            async move { sessions.sign_in(Some(&verdict), SignIn::password(user("ann"))).await }
        });
        gate.somebody_waits().await;
        if disable {
            sessions.disable(&user("ann"), Actor::application()).await.unwrap();
        } else {
            sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
        }
        // While it is half done, its token changes nothing.
        let holder = verdict.active().unwrap();
        let change = tenure::Changes::default().set("cart", vec!["pear"].into());
        assert_eq!(sessions.change(holder, change).await.unwrap_err().code(), "token_superseded");
        gate.open();
        let refused = signing_in.await.unwrap().unwrap_err();
        assert!(matches!(refused, Error::Refused(Refusal::SignedOut | Refusal::UserDisabled)), "{refused:?}");
        assert_eq!(cart(&sessions, guest.token.expose()).await, ["apple"]);
        assert!(sessions.list(&user("ann")).await.unwrap().is_empty());
        sessions.enable(&user("ann"), Actor::application()).await.unwrap();
        let issued = sign_in_from(&sessions, guest.token.expose(), "ann").await.unwrap();
        assert_eq!(cart(&sessions, issued.token.expose()).await, ["apple"]);
        sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
    }
}

async fn a_half_done_sign_in_that_was_stopped_leaves_the_cart_to_the_next(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let token = guest.token.expose();
    world.faults.once(Call::Create, Trouble::unavailable());
    sign_in_from(&sessions, token, "ann").await.unwrap_err();
    sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
    let mut again = sign_in_from(&sessions, token, "ann").await;
    if let Err(Error::Refused(Refusal::SignedOut)) = &again {
        again = sign_in_from(&sessions, token, "ann").await;
    }
    let issued = again.unwrap();
    assert_eq!(cart(&sessions, issued.token.expose()).await, ["apple"]);
    assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1);
}

async fn a_sign_in_refused_for_its_limit_can_be_tried_again(mut world: World) {
    world.policy.max_sessions = 1;
    world.policy.at_limit = tenure::AtLimit::Refuse;
    let sessions = world.open().await;
    let elsewhere = sign_in(&sessions, "ann").await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    for _ in 0..3 {
        let refused = sign_in_from(&sessions, guest.token.expose(), "ann").await.unwrap_err();
        assert_eq!((refused.code(), refused.status()), ("session_limit", 403));
        assert_eq!(cart(&sessions, guest.token.expose()).await, ["apple"]);
    }
    // A refusal whose answer is lost, and a crash before the guest is let go.
    world.faults.once(Call::Create, Trouble::lost_answer());
    world.faults.always(Call::Release, Trouble::unavailable());
    sign_in_from(&sessions, guest.token.expose(), "ann").await.unwrap_err();
    world.faults.heal();
    let sessions = world.restart(sessions).await;
    sessions.end(elsewhere.session.id(), revoked()).await.unwrap();
    said(&sessions, guest.token.expose()).await;
    until("the guest to be let go", || async { said(&sessions, guest.token.expose()).await == "ok" }).await;
    assert!(sessions.list(&user("ann")).await.unwrap().is_empty(), "a refused sign-in stays refused");
    let issued = sign_in_from(&sessions, guest.token.expose(), "ann").await.unwrap();
    assert_eq!(cart(&sessions, issued.token.expose()).await, ["apple"]);
}

async fn readers_that_complete_a_sign_in_at_once_make_one_session(world: World) {
    let sessions = world.open().await;
    for round in 0..crate::support::soaked(10, 300) {
        let name = format!("user-{round}");
        let mut guest = guest_with_cart(&sessions, &["apple"]).await;
        world.faults.once(Call::Create, Trouble::unavailable());
        while sign_in_from(&sessions, guest.token.expose(), &name).await.is_ok() {
            // A reader of the round before was late, and met the trouble instead.
            sessions.end_all_of(&user(&name), None, revoked()).await.unwrap();
            guest = guest_with_cart(&sessions, &["apple"]).await;
            world.faults.once(Call::Create, Trouble::unavailable());
        }
        let readers = (0..6).map(|reader| {
            let (sessions, token, name) = (sessions.clone(), guest.token.expose().to_owned(), name.clone());
            tokio::spawn(async move {
                if reader == 0 {
                    drop(sign_in_from(&sessions, &token, &name).await.unwrap());
                } else {
                    said(&sessions, &token).await;
                }
            })
        });
        for reader in futures_util::future::join_all(readers).await {
            reader.unwrap();
        }
        assert_one_session_with_cart(&sessions, &name, "many readers").await;
        let ended = || async { !crate::support::ends(&sessions, guest.session.id()).await.is_empty() };
        until("the guest's end", ended).await;
        the_end(&sessions, guest.session.id()).await;
    }
}

async fn a_guest_that_ends_half_way_takes_nothing_along(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    world.faults.once(Call::Create, Trouble::unavailable());
    sign_in_from(&sessions, guest.token.expose(), "ann").await.unwrap_err();
    assert!(sessions.end(guest.session.id(), revoked()).await.unwrap());
    assert_eq!(said(&sessions, guest.token.expose()).await, "revoked");
    let issued = sign_in_from(&sessions, guest.token.expose(), "ann").await.unwrap();
    assert!(cart(&sessions, issued.token.expose()).await.is_empty(), "what was ended stays ended");
    assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1);
    assert_eq!(the_end(&sessions, guest.session.id()).await.0.as_str(), "revoked");
}

/// From the claim on its token is dead: the answer that began the guest comes late, and its cookie
/// would overwrite that of the sign-in.
async fn p10_a_slow_answer_hands_out_no_token_of_a_guest_that_is_signing_in(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    assert!(sessions.may_hand_out(&guest).await, "it is the only good one");
    world.faults.once(Call::Create, Trouble::unavailable());
    sign_in_from(&sessions, guest.token.expose(), "ann").await.unwrap_err();
    assert!(!sessions.may_hand_out(&guest).await, "half-done");
    let ann = sign_in_from(&sessions, guest.token.expose(), "ann").await.unwrap();
    assert!(!sessions.may_hand_out(&guest).await, "done");
    assert!(sessions.may_hand_out(&ann).await);
}
