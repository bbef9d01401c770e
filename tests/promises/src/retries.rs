//! Idempotency keys: who repeats a request whose answer was lost gets the first answer, and
//! nobody else does.

use futures_util::future::join_all;
use tenure::{Actor, Error, IdempotencyKey, Issued, NewGuest, Sessions, SignIn};

use crate::support::{
    Call, HOUR, MINUTE, Trouble, World, active, cart, guest_with_cart, look, on_each_engine, revoked, said,
    sign_in, told, user,
};

on_each_engine! {
    a_repeated_request_gets_the_first_answer;
    a_repeated_request_gets_the_first_answer_after_a_restart;
    a_request_repeated_at_once_is_carried_out_once;
    a_request_of_unknown_outcome_is_carried_out_once;
    a_sign_in_of_a_guest_is_repeated_from_any_point;
    one_key_for_two_users_gives_neither_the_others_session;
    p10_a_repeated_request_never_hands_out_a_replaced_token;
    p1_a_repeated_request_never_hands_out_an_ended_session;
    a_first_answer_is_kept_for_a_day;
}

fn key(n: u32) -> Option<IdempotencyKey> {
    Some(IdempotencyKey::new(&format!("a-key-of-128-random-bits-{n}")).unwrap())
}

async fn guest_again(sessions: &Sessions, n: u32) -> Result<Issued, Error> {
    sessions.create_guest(NewGuest::default().idempotency_key(key(n))).await
}

async fn sign_in_again(sessions: &Sessions, name: &str, n: u32) -> Result<Issued, Error> {
    sessions.sign_in(None, SignIn::password(user(name)).idempotency_key(key(n))).await
}

async fn rotate_again(sessions: &Sessions, token: &str, n: u32) -> Result<Issued, Error> {
    let holder = active(sessions, token).await;
    sessions.rotate(&holder, Actor::application(), key(n)).await
}

fn assert_same(one: &Issued, two: &Issued) {
    assert_eq!(one.session.id(), two.session.id());
    assert_eq!(one.token.expose(), two.token.expose());
    assert_eq!(one.set_cookie.expose(), two.set_cookie.expose());
}

async fn a_repeated_request_gets_the_first_answer(world: World) {
    let sessions = world.open().await;
    let guest = guest_again(&sessions, 1).await.unwrap();
    assert_same(&guest, &guest_again(&sessions, 1).await.unwrap());
    assert_ne!(guest.session.id(), guest_again(&sessions, 2).await.unwrap().session.id());

    let issued = sign_in_again(&sessions, "ann", 1).await.unwrap();
    assert_same(&issued, &sign_in_again(&sessions, "ann", 1).await.unwrap());
    assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1);

    let next = rotate_again(&sessions, issued.token.expose(), 1).await.unwrap();
    assert_same(&next, &rotate_again(&sessions, issued.token.expose(), 1).await.unwrap());
    assert_eq!(said(&sessions, next.token.expose()).await, "ok");

    let holder = active(&sessions, next.token.expose()).await;
    let proof = || SignIn::password(user("ann")).idempotency_key(key(1));
    let stepped = sessions.step_up(&holder, proof()).await.unwrap();
    assert_same(&stepped, &sessions.step_up(&holder, proof()).await.unwrap());
    assert_eq!(said(&sessions, stepped.token.expose()).await, "ok");
}

async fn a_repeated_request_gets_the_first_answer_after_a_restart(world: World) {
    let sessions = world.open().await;
    let guest = guest_again(&sessions, 1).await.unwrap();
    let issued = sign_in_again(&sessions, "ann", 1).await.unwrap();
    let next = rotate_again(&sessions, issued.token.expose(), 1).await.unwrap();
    let sessions = world.restart(sessions).await;
    assert_same(&guest, &guest_again(&sessions, 1).await.unwrap());
    assert_same(&next, &rotate_again(&sessions, issued.token.expose(), 1).await.unwrap());
    assert_same(&issued, &sign_in_again(&sessions, "ann", 1).await.unwrap());
}

async fn a_request_repeated_at_once_is_carried_out_once(world: World) {
    let sessions = world.open().await;
    for n in 0..10 {
        let tasks = (0..8).map(|_| {
            let sessions = sessions.clone();
            tokio::spawn(async move {
                let guest = guest_again(&sessions, n).await.unwrap();
                (guest, sign_in_again(&sessions, "ann", n).await.unwrap())
            })
        });
        let answers: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        for (guest, issued) in &answers {
            assert_same(&answers[0].0, guest);
            assert_same(&answers[0].1, issued);
        }
        assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1);
        sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
    }
}

async fn a_request_of_unknown_outcome_is_carried_out_once(world: World) {
    let sessions = world.open().await;
    world.faults.times(3, Call::Create, Trouble::lost_answer());
    assert_eq!(sign_in_again(&sessions, "ann", 1).await.unwrap_err().status(), 503);
    let issued = sign_in_again(&sessions, "ann", 1).await.unwrap();
    assert_eq!(said(&sessions, issued.token.expose()).await, "ok");
    assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1);

    world.faults.times(3, Call::Prepare, Trouble::lost_answer());
    let token = issued.token.expose();
    assert_eq!(rotate_again(&sessions, token, 1).await.unwrap_err().status(), 503);
    let next = rotate_again(&sessions, token, 1).await.unwrap();
    assert_same(&next, &rotate_again(&sessions, token, 1).await.unwrap());
    assert_eq!(said(&sessions, next.token.expose()).await, "ok");
    assert_eq!(told(&sessions).await.len(), 3, "created, prepared, rotated");
}

async fn a_sign_in_of_a_guest_is_repeated_from_any_point(world: World) {
    let sessions = world.open().await;
    let proof = |name: &str| SignIn::password(user(name)).idempotency_key(key(7));
    for (n, call) in [Call::Claim, Call::Create, Call::End].into_iter().enumerate() {
        for (m, trouble) in [Trouble::unavailable(), Trouble::lost_answer()].into_iter().enumerate() {
            let name = format!("user-{n}-{m}");
            let guest = guest_with_cart(&sessions, &["apple"]).await;
            let verdict = look(&sessions, guest.token.expose()).await;
            world.faults.always(call, trouble);
            sessions.sign_in(Some(&verdict), proof(&name)).await.unwrap_err();
            world.faults.heal();
            let verdict = look(&sessions, guest.token.expose()).await;
            let first = sessions.sign_in(Some(&verdict), proof(&name)).await.unwrap();
            let again = sessions.sign_in(Some(&verdict), proof(&name)).await.unwrap();
            assert_same(&first, &again);
            assert_eq!(cart(&sessions, again.token.expose()).await, ["apple"], "{call:?}");
            assert_eq!(sessions.list(&user(&name)).await.unwrap().len(), 1);
        }
    }
}

async fn one_key_for_two_users_gives_neither_the_others_session(world: World) {
    let sessions = world.open().await;
    let ann = sign_in_again(&sessions, "ann", 1).await.unwrap();
    if let Ok(bob) = sign_in_again(&sessions, "bob", 1).await {
        assert_ne!(bob.session.id(), ann.session.id());
        assert_eq!(bob.session.user(), Some(&user("bob")));
    }
    let carol = sign_in(&sessions, "carol").await;
    let holders =
        [active(&sessions, ann.token.expose()).await, active(&sessions, carol.token.expose()).await];
    for (holder, name) in holders.iter().zip(["ann", "carol"]) {
        let proof = SignIn::password(user(name)).idempotency_key(key(2));
        let stepped = sessions.step_up(holder, proof).await.unwrap();
        assert_eq!(stepped.session.user(), Some(&user(name)));
    }
}

async fn p10_a_repeated_request_never_hands_out_a_replaced_token(world: World) {
    let sessions = world.open().await;
    let first = sign_in_again(&sessions, "ann", 1).await.unwrap();
    let next = rotate_again(&sessions, first.token.expose(), 1).await.unwrap();
    assert_eq!(said(&sessions, next.token.expose()).await, "ok");
    world.clock.advance(MINUTE);
    // The first request comes again late. Its answer would lead the client into a trap: the
    // first token is long replaced, and using it would look like theft.
    let late = sign_in_again(&sessions, "ann", 1).await;
    assert_eq!(late.unwrap_err().code(), "token_superseded");
    assert_same(&next, &rotate_again(&sessions, next.token.expose(), 1).await.unwrap());

    let holder = active(&sessions, next.token.expose()).await;
    sessions.step_up(&holder, SignIn::password(user("ann"))).await.unwrap();
    let late = sessions.rotate(&holder, Actor::application(), key(1)).await;
    assert_eq!(late.unwrap_err().code(), "token_superseded");
    assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1);
}

async fn p1_a_repeated_request_never_hands_out_an_ended_session(world: World) {
    let sessions = world.open().await;
    let issued = sign_in_again(&sessions, "ann", 1).await.unwrap();
    sessions.end(issued.session.id(), revoked()).await.unwrap();
    match sign_in_again(&sessions, "ann", 1).await {
        Err(error) => assert_eq!((error.code(), error.status()), ("session_ended", 410)),
        Ok(again) => assert_ne!(again.session.id(), issued.session.id()),
    }
    assert_eq!(said(&sessions, issued.token.expose()).await, "revoked");
}

async fn a_first_answer_is_kept_for_a_day(world: World) {
    let sessions = world.open().await;
    let issued = sign_in_again(&sessions, "ann", 1).await.unwrap();
    world.clock.advance(25 * HOUR);
    sessions.maintain().await.unwrap();
    sessions.maintain().await.unwrap();
    let fresh = sign_in_again(&sessions, "ann", 1).await.unwrap();
    assert_ne!(fresh.session.id(), issued.session.id());
    assert_eq!(said(&sessions, fresh.token.expose()).await, "ok");
}
