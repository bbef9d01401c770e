//! Signing in: the cart comes along, the old token is dead, and one person ends up in one
//! session, whatever gets lost on the way.

use std::time::Duration;

use futures_util::future::join_all;
use tenure::{Actor, Check, EndReason, Error, Issued, Level, Method, Reason, SessionState, SignIn, Verdict};

use crate::support::{
    CART, Call, MINUTE, Trouble, World, active, cart, guest_with_cart, look, on_each_engine, said, sign_in,
    the_end, until, user, word,
};

on_each_engine! {
    wstg_03a_a_guests_cart_survives_signing_in_and_its_token_does_not;
    only_the_carried_keys_come_along;
    a_lost_answer_and_signing_in_again_give_the_same_session;
    a_lost_answer_of_signing_in_again_keeps_the_session;
    two_sign_ins_of_one_guest_at_once_give_one_session;
    another_user_is_refused_until_the_session_is_ended;
    a_disabled_user_is_refused_and_the_guest_goes_on;
    a_guest_of_another_user_never_carries_over;
    asvs_7_2_4_every_authentication_gives_a_new_token_and_kills_the_old;
    wstg_08_a_second_factor_that_is_owed_stays_owed;
    wstg_08_a_lost_guest_token_does_not_pay_the_second_factor;
    a_pending_session_becomes_a_full_one_with_full_limits;
}

async fn sign_in_with(world: &tenure::Sessions, token: &str, sign_in: SignIn) -> Result<Issued, Error> {
    let verdict = look(world, token).await;
    world.sign_in(Some(&verdict), sign_in).await
}

fn ann() -> SignIn {
    SignIn::password(user("ann"))
}

async fn wstg_03a_a_guests_cart_survives_signing_in_and_its_token_does_not(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple", "pear"]).await;
    let issued = sign_in_with(&sessions, guest.token.expose(), ann()).await.unwrap();
    assert_ne!(issued.session.id(), guest.session.id());
    assert_eq!(issued.session.previous(), Some(guest.session.id()));
    assert_eq!(issued.session.user(), Some(&user("ann")));
    assert_eq!(cart(&sessions, issued.token.expose()).await, ["apple", "pear"]);

    for _ in 0..2 {
        let Verdict::Inactive(old) = look(&sessions, guest.token.expose()).await else {
            panic!("the old token is dead")
        };
        assert_eq!((old.reason, old.forget), (Reason::Superseded, false));
        world.clock.advance(MINUTE);
    }
    assert_eq!(said(&sessions, issued.token.expose()).await, "ok", "a leftover cookie ends nothing");
    assert_eq!(the_end(&sessions, guest.session.id()).await.0, EndReason::SignedIn);
}

async fn only_the_carried_keys_come_along(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let holder = active(&sessions, guest.token.expose()).await;
    let more = tenure::Changes::default().set("draft", "secret".into());
    sessions.change(&holder, more).await.unwrap();
    let issued = sign_in_with(&sessions, guest.token.expose(), ann().carry(["cart"])).await.unwrap();
    let keys: Vec<String> = issued.session.keys().map(str::to_owned).collect();
    assert_eq!(keys, ["cart"]);
}

async fn a_lost_answer_and_signing_in_again_give_the_same_session(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let lost = sign_in_with(&sessions, guest.token.expose(), ann()).await.unwrap();
    world.clock.advance(MINUTE);

    let again = sign_in_with(&sessions, guest.token.expose(), ann()).await.unwrap();
    assert_eq!(again.session.id(), lost.session.id());
    assert_eq!(cart(&sessions, again.token.expose()).await, ["apple"]);
    assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1, "no second live session");
    let Verdict::Inactive(old) = look(&sessions, lost.token.expose()).await else {
        panic!("the token that nobody got is dead")
    };
    assert_eq!((old.reason, old.forget), (Reason::Superseded, false));
}

async fn a_lost_answer_of_signing_in_again_keeps_the_session(world: World) {
    let sessions = world.open().await;
    let first = sign_in(&sessions, "ann").await;
    let holder = active(&sessions, first.token.expose()).await;
    sessions.update(&holder, CART, |cart| cart.push("apple".into())).await.unwrap();
    let lost = sign_in_with(&sessions, first.token.expose(), ann()).await.unwrap();
    assert_eq!(lost.session.id(), first.session.id());

    let again = sign_in_with(&sessions, first.token.expose(), ann()).await.unwrap();
    assert_eq!(again.session.id(), first.session.id());
    assert_eq!(cart(&sessions, again.token.expose()).await, ["apple"]);
    assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1);

    // Somebody else with that old cookie gets a session of their own, and nothing of hers.
    let other = SignIn::password(user("bob"));
    let bob = sign_in_with(&sessions, first.token.expose(), other).await.unwrap();
    assert_ne!(bob.session.id(), first.session.id());
    assert_eq!(bob.session.keys().count(), 0);
    assert_eq!(said(&sessions, again.token.expose()).await, "ok");
}

async fn two_sign_ins_of_one_guest_at_once_give_one_session(world: World) {
    let sessions = world.open().await;
    for round in 0..crate::support::soaked(20, 500) {
        let name = format!("user-{round}");
        let guest = guest_with_cart(&sessions, &["apple"]).await;
        let verdict = look(&sessions, guest.token.expose()).await;
        let tasks = (0..2).map(|_| {
            let (sessions, verdict, name) = (sessions.clone(), verdict.clone(), name.clone());
            tokio::spawn(async move { sessions.sign_in(Some(&verdict), SignIn::password(user(&name))).await })
        });
        let answers: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        let list = sessions.list(&user(&name)).await.unwrap();
        assert_eq!(list.len(), 1, "one session");
        assert_eq!(CART.read(&list[0]).unwrap().unwrap(), ["apple"]);
        // Both got the session or were told to go on with the newer token; one of them can.
        let mut good = 0;
        for issued in answers {
            match issued {
                Ok(issued) => good += u32::from(said(&sessions, issued.token.expose()).await == "ok"),
                Err(error) => assert_eq!(error.code(), "token_superseded"),
            }
        }
        assert_eq!(good, 1);
    }
}

async fn another_user_is_refused_until_the_session_is_ended(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let bob = || SignIn::password(user("bob"));
    let refused = sign_in_with(&sessions, issued.token.expose(), bob()).await.unwrap_err();
    assert_eq!((refused.code(), refused.status()), ("signed_in_as_another_user", 409));
    let holder = active(&sessions, issued.token.expose()).await;
    assert!(matches!(sessions.step_up(&holder, bob()).await, Err(Error::AnotherUser)));
    assert_eq!(said(&sessions, issued.token.expose()).await, "ok");
    sessions.sign_out(&holder).await.unwrap();
    let fresh = sign_in_with(&sessions, issued.token.expose(), bob()).await.unwrap();
    assert_eq!(fresh.session.user(), Some(&user("bob")));
}

async fn a_disabled_user_is_refused_and_the_guest_goes_on(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    sessions.disable(&user("ann"), Actor::application()).await.unwrap();
    let refused = sign_in_with(&sessions, guest.token.expose(), ann()).await.unwrap_err();
    assert_eq!((refused.code(), refused.status()), ("user_disabled", 403));
    assert_eq!(sessions.sign_in(None, ann()).await.unwrap_err().code(), "user_disabled");
    assert_eq!(cart(&sessions, guest.token.expose()).await, ["apple"]);
    sessions.enable(&user("ann"), Actor::application()).await.unwrap();
    let issued = sign_in_with(&sessions, guest.token.expose(), ann()).await.unwrap();
    assert_eq!(cart(&sessions, issued.token.expose()).await, ["apple"]);
}

async fn a_guest_of_another_user_never_carries_over(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let hers = sign_in_with(&sessions, guest.token.expose(), ann()).await.unwrap();
    // A shared computer: the old guest token, another person.
    let bob = SignIn::password(user("bob"));
    let his = sign_in_with(&sessions, guest.token.expose(), bob).await.unwrap();
    assert!(cart(&sessions, his.token.expose()).await.is_empty());
    assert_eq!(cart(&sessions, hers.token.expose()).await, ["apple"]);
}

async fn asvs_7_2_4_every_authentication_gives_a_new_token_and_kills_the_old(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let mut tokens = vec![guest.token.expose().to_owned()];
    let issued = sign_in_with(&sessions, &tokens[0], ann()).await.unwrap();
    tokens.push(issued.token.expose().to_owned());
    let holder = active(&sessions, &tokens[1]).await;
    let totp = SignIn::with(user("ann"), vec![Method::new("totp").unwrap()]);
    let stepped = sessions.step_up(&holder, totp).await.unwrap();
    tokens.push(stepped.token.expose().to_owned());
    let again = sign_in_with(&sessions, &tokens[2], ann()).await.unwrap();
    tokens.push(again.token.expose().to_owned());

    // Within the grace time, after it, and a day later: dead, and never taken for theft.
    for wait in [Duration::ZERO, MINUTE] {
        world.clock.advance(wait);
        for old in &tokens[..3] {
            let Verdict::Inactive(inactive) = look(&sessions, old).await else { panic!("replaced") };
            assert_eq!((inactive.reason, inactive.forget), (Reason::Superseded, false));
        }
        assert_eq!(said(&sessions, &tokens[3]).await, "ok");
    }
    let late = sessions.change(&holder, tenure::Changes::default().set("a", 1.into())).await;
    assert_eq!(late.unwrap_err().code(), "token_superseded");
}

async fn wstg_08_a_second_factor_that_is_owed_stays_owed(world: World) {
    let sessions = world.open().await;
    let pending = sessions.sign_in(None, ann().pending()).await.unwrap();
    let holder = active(&sessions, pending.token.expose()).await;
    sessions.update(&holder, CART, |cart| cart.push("apple".into())).await.unwrap();
    let check = Check::signed_in();
    let verdict = sessions.check(pending.token.expose().as_bytes(), &check).await.unwrap();
    assert_eq!(word(&verdict), "not_accepted");

    // Showing the same factor again does not pay for the other one.
    let mut token = pending.token.expose().to_owned();
    for _ in 0..7 {
        let again = sign_in_with(&sessions, &token, ann().pending()).await.unwrap();
        token = again.token.expose().to_owned();
        assert_eq!(again.session.state(), SessionState::Pending);
        assert_eq!(word(&sessions.check(token.as_bytes(), &check).await.unwrap()), "not_accepted");
        assert_eq!(cart(&sessions, &token).await, ["apple"]);
    }
    // Nor in a session that is signed in: then it owes the factor until it is shown.
    let full = sign_in(&sessions, "ann").await;
    let halfway = sign_in_with(&sessions, full.token.expose(), ann().pending()).await.unwrap();
    let verdict = sessions.check(halfway.token.expose().as_bytes(), &check).await.unwrap();
    assert_eq!(word(&verdict), "not_accepted");
}

async fn wstg_08_a_lost_guest_token_does_not_pay_the_second_factor(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    for _ in 0..3 {
        let issued = sign_in_with(&sessions, guest.token.expose(), ann().pending()).await.unwrap();
        assert_eq!(issued.session.state(), SessionState::Pending);
        let verdict = sessions.check(issued.token.expose().as_bytes(), &Check::signed_in()).await.unwrap();
        assert_eq!(word(&verdict), "not_accepted");
        assert_eq!(cart(&sessions, issued.token.expose()).await, ["apple"]);
    }
}

async fn a_pending_session_becomes_a_full_one_with_full_limits(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let pending = sign_in_with(&sessions, guest.token.expose(), ann().pending()).await.unwrap();
    world.clock.advance(9 * MINUTE);
    let both = vec![Method::password(), Method::new("totp").unwrap()];
    // The store hiccups once; the person tries again.
    world.faults.once(Call::Authenticate, Trouble::unavailable());
    let proof = SignIn::with(user("ann"), both);
    let down = sign_in_with(&sessions, pending.token.expose(), proof.clone()).await.unwrap_err();
    assert_eq!(down.status(), 503);
    let full = sign_in_with(&sessions, pending.token.expose(), proof).await.unwrap();
    assert_eq!((full.session.state(), full.session.level()), (SessionState::SignedIn, Some(Level::Two)));
    assert_eq!(full.session.expires_at().since(full.session.created_at()).as_secs(), 12 * 3_600 + 540);
    assert_eq!(cart(&sessions, full.token.expose()).await, ["apple"]);
    assert_eq!(said(&sessions, pending.token.expose()).await, "superseded");

    // One that is never completed dies after its ten minutes, used or not.
    let late = sessions.sign_in(None, ann().pending()).await.unwrap();
    for _ in 0..10 {
        world.clock.advance(MINUTE);
        crate::support::visit(&sessions, late.token.expose()).await;
    }
    let said = || async { said(&sessions, late.token.expose()).await != "ok" };
    until("the end of the pending session", said).await;
}
