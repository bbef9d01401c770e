//! Attacks with what one may hold: a session of another realm, an ended or replaced one, a
//! half-proved one, a key that was used for something else.

use std::net::IpAddr;
use std::time::Duration;

use tenure::Method;
use tenure::{
    Actor, Blame, Changes, Check, CookieSettings, Error, IdempotencyKey, Level, NewGuest, Policy, Realm,
    SessionState, Sessions, SignIn, Verdict,
};
use tenure::{Limits, RolePolicy};

use crate::support::{
    COUNT, Call, World, active, cart, guest_with_cart, look, on_each_engine, revoked, role, said, sign_in,
    user, word,
};

on_each_engine! {
    p10_a_session_of_one_realm_is_good_for_nothing_in_another;
    p10_a_replaced_session_of_one_realm_leads_nowhere_in_another;
    p4_a_second_factor_does_not_dodge_the_limits_of_the_sessions_roles;
    p4_a_second_factor_gives_a_pending_session_full_limits;
    a_step_up_by_totp_raises_the_level_to_2;
    p1_an_ended_session_ends_no_others;
    p10_a_token_in_grace_ends_no_others_even_after_a_refresh;
    p9_a_replaced_token_sent_again_and_again_costs_no_loads;
    one_key_for_two_different_requests_gives_neither_the_others_answer;
    a_policy_under_which_the_remembered_always_die_is_refused;
}

fn totp() -> SignIn {
    SignIn::with(user("ann"), vec![Method::new("totp").unwrap()])
}

fn other_realm(sessions: &Sessions) -> Sessions {
    let cookie = CookieSettings::new("__Host-other").unwrap();
    sessions.in_realm(Realm::new("other").unwrap(), cookie, Policy::default()).unwrap()
}

fn assert_elsewhere<T>(answer: Result<T, Error>) {
    let error = answer.err().expect("what was shown in one realm is refused in another");
    assert!(matches!(error, Error::OtherRealm), "{error:?}");
    assert_eq!((error.code(), error.status(), error.blame()), ("other_realm", 500, Blame::Application));
}

async fn p10_a_session_of_one_realm_is_good_for_nothing_in_another(world: World) {
    let sessions = world.open().await;
    let other = other_realm(&sessions);
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let verdict = look(&sessions, guest.token.expose()).await;
    assert_elsewhere(other.sign_in(Some(&verdict), SignIn::password(user("eve"))).await);
    assert_eq!(cart(&sessions, guest.token.expose()).await, ["apple"]);

    let issued = sign_in(&sessions, "ann").await;
    let elsewhere = sign_in(&other, "ann").await;
    let holder = active(&sessions, issued.token.expose()).await;
    let proof = || SignIn::password(user("ann"));
    assert_elsewhere(other.sign_in(Some(&Verdict::Ok(holder.clone())), proof()).await);
    assert_elsewhere(other.step_up(&holder, proof()).await);
    assert_elsewhere(other.rotate(&holder, Actor::application(), None).await);
    assert_elsewhere(other.change(&holder, Changes::default().set("count", 1.into())).await);
    assert_elsewhere(other.update(&holder, COUNT, |count| *count += 1).await);
    assert_elsewhere(other.refresh(holder.clone()).await);
    assert_elsewhere(other.end_own(&holder, elsewhere.session.id()).await);
    assert_elsewhere(other.end_others(&holder).await);
    assert_elsewhere(other.sign_out_everywhere(&holder).await);
    assert_elsewhere(other.sign_out(&holder).await);

    let holder = active(&sessions, issued.token.expose()).await;
    assert_eq!(COUNT.read(holder.session()).unwrap(), None);
    assert_eq!(said(&other, elsewhere.token.expose()).await, "ok");
    for realm in [&sessions, &other] {
        assert_eq!(realm.list(&user("ann")).await.unwrap().len(), 1);
    }
}

async fn p10_a_replaced_session_of_one_realm_leads_nowhere_in_another(world: World) {
    let sessions = world.open().await;
    let other = other_realm(&sessions);
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let verdict = look(&sessions, guest.token.expose()).await;
    let here = sessions.sign_in(Some(&verdict), SignIn::password(user("ann"))).await.unwrap();
    let replaced = look(&sessions, guest.token.expose()).await;
    assert_eq!(word(&replaced), "superseded");

    if let Ok(there) = other.sign_in(Some(&replaced), SignIn::password(user("ann"))).await {
        assert_eq!(there.session.realm(), &Realm::new("other").unwrap());
        assert_eq!(said(&other, there.token.expose()).await, "ok");
        assert!(cart(&other, there.token.expose()).await.is_empty());
    }
    assert_eq!(cart(&sessions, here.token.expose()).await, ["apple"]);
}

async fn p4_a_second_factor_does_not_dodge_the_limits_of_the_sessions_roles(mut world: World) {
    let strict = RolePolicy {
        idle_seconds: Some(300),
        absolute_seconds: Some(3_600),
        max_sessions: Some(1),
        ..RolePolicy::default()
    };
    world.policy.roles.insert(role("admin"), strict);
    let sessions = world.open().await;
    for _ in 0..2 {
        let half = SignIn::password(user("ann")).roles(vec![role("admin")]).pending();
        let half = sessions.sign_in(None, half).await.unwrap();
        let holder = active(&sessions, half.token.expose()).await;
        let full = sessions.step_up(&holder, totp()).await.unwrap().session;
        assert_eq!((full.state(), full.level()), (SessionState::SignedIn, Some(Level::Two)));
        assert!(full.has_role("admin"));
        let now = sessions.now();
        assert_eq!(full.idle_expires_at().since(now), Duration::from_secs(300));
        assert_eq!(full.expires_at().since(now), Duration::from_secs(3_600));
    }
    assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1);
}

async fn p4_a_second_factor_gives_a_pending_session_full_limits(world: World) {
    let sessions = world.open().await;
    let half = sessions.sign_in(None, SignIn::password(user("ann")).pending()).await.unwrap();
    let holder = active(&sessions, half.token.expose()).await;
    let full = sessions.step_up(&holder, totp()).await.unwrap().session;
    let now = sessions.now();
    let Limits { idle_seconds, absolute_seconds } = world.policy.session;
    assert_eq!(full.idle_expires_at().since(now), Duration::from_secs(idle_seconds));
    assert_eq!(full.expires_at().since(now), Duration::from_secs(absolute_seconds));
}

async fn a_step_up_by_totp_raises_the_level_to_2(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    assert_eq!(issued.session.level(), Some(Level::One));
    let holder = active(&sessions, issued.token.expose()).await;
    let stepped = sessions.step_up(&holder, totp()).await.unwrap();
    assert_eq!(stepped.session.level(), Some(Level::Two), "{:?}", stepped.session.methods());
    assert_eq!(active(&sessions, stepped.token.expose()).await.session().level(), Some(Level::Two));
}

async fn p1_an_ended_session_ends_no_others(world: World) {
    let sessions = world.open().await;
    let thief = sign_in(&sessions, "ann").await;
    // A request of the thief is under way when its session ends.
    let slow = active(&sessions, thief.token.expose()).await;
    sessions.end(thief.session.id(), revoked()).await.unwrap();
    let mine = sign_in(&sessions, "ann").await;
    for answer in [
        sessions.end_others(&slow).await,
        sessions.sign_out_everywhere(&slow).await,
        sessions.end_own(&slow, mine.session.id()).await.map(u64::from),
    ] {
        assert!(matches!(answer, Err(Error::Inactive(_))), "{answer:?}");
    }
    assert_eq!(said(&sessions, mine.token.expose()).await, "ok");
}

async fn p10_a_token_in_grace_ends_no_others_even_after_a_refresh(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let other = sign_in(&sessions, "ann").await;
    let before = active(&sessions, issued.token.expose()).await;
    let next = sessions.rotate(&before, Actor::application(), None).await.unwrap();
    let current = active(&sessions, next.token.expose()).await;
    // The first token is a moment old now; what a check has said of it before does not help.
    let Verdict::Ok(refreshed) = sessions.refresh(before.clone()).await.unwrap() else {
        panic!("it is in its grace time");
    };
    assert!(refreshed.is_in_grace());
    for old in [&before, &refreshed] {
        sessions.end_others(old).await.unwrap_err();
        sessions.sign_out_everywhere(old).await.unwrap_err();
        sessions.end_own(old, other.session.id()).await.unwrap_err();
    }
    assert_eq!(said(&sessions, other.token.expose()).await, "ok");
    assert_eq!(sessions.end_others(&current).await.unwrap(), 1);
}

async fn p9_a_replaced_token_sent_again_and_again_costs_no_loads(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let holder = active(&sessions, issued.token.expose()).await;
    sessions.step_up(&holder, totp()).await.unwrap();
    let token = issued.token.expose().as_bytes();
    let before = world.faults.total();
    for ip in [None, Some(IpAddr::from([192, 0, 2, 1]))] {
        let check = Check::any().ip(ip);
        for _ in 0..5_000 {
            assert_eq!(word(&sessions.check(token, &check).await.unwrap()), "superseded");
        }
    }
    assert!(world.faults.total() - before <= 1, "{} calls", world.faults.total() - before);
    assert_eq!(world.faults.count(Call::End), 0);
}

async fn one_key_for_two_different_requests_gives_neither_the_others_answer(world: World) {
    let sessions = world.open().await;
    let keyed = |sign_in: SignIn| {
        sign_in.idempotency_key(Some(IdempotencyKey::new("a-key-of-128-random-bits-1").unwrap()))
    };
    let password = || SignIn::password(user("ann"));
    let both = vec![Method::password(), Method::new("totp").unwrap()];
    let requests = [
        password().pending(),
        password(),
        SignIn::with(user("ann"), both),
        password().roles(vec![role("editor")]),
        password().level(Level::Three),
        password().remember(true),
        password().data(Changes::default().set("cart", vec!["apple"].into())),
        password().data(Changes::default().set("cart", vec!["pear"].into())),
    ];
    let mut answers = Vec::new();
    for request in &requests {
        answers.push(sessions.sign_in(None, keyed(request.clone())).await.unwrap());
    }
    assert_eq!(
        (answers[0].session.state(), answers[2].session.state()),
        (SessionState::Pending, SessionState::SignedIn)
    );
    assert_eq!(
        (answers[1].session.level(), answers[4].session.level()),
        (Some(Level::One), Some(Level::Three))
    );
    assert!(answers[3].session.has_role("editor") && answers[5].session.is_persistent());
    assert_eq!(cart(&sessions, answers[7].token.expose()).await, ["pear"]);
    // Each of them repeated gets its own answer.
    for (request, first) in requests.iter().zip(&answers) {
        let again = sessions.sign_in(None, keyed(request.clone())).await.unwrap();
        assert_eq!(again.token.expose(), first.token.expose());
    }
    let mut ids: Vec<_> = answers.iter().map(|answer| answer.session.id()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), requests.len());

    let guest = |item: &str| {
        NewGuest::with(Changes::default().set("cart", vec![item].into()))
            .idempotency_key(IdempotencyKey::new("a-key-of-128-random-bits-1").unwrap())
    };
    let apple = sessions.create_guest(guest("apple")).await.unwrap();
    let pear = sessions.create_guest(guest("pear")).await.unwrap();
    assert_ne!(apple.session.id(), pear.session.id());
    assert_eq!(cart(&sessions, pear.token.expose()).await, ["pear"]);
    assert_eq!(sessions.create_guest(guest("apple")).await.unwrap().token.expose(), apple.token.expose());
}

async fn a_policy_under_which_the_remembered_always_die_is_refused(mut world: World) {
    let remembered = |idle_seconds| Some(Limits { idle_seconds, absolute_seconds: 3_600 });
    let least = 2 * world.policy.touch_threshold_seconds;
    world.policy.remembered = remembered(least - 1);
    world.policy.validate().unwrap_err();
    assert_eq!(world.try_open().await.unwrap_err().code(), "invalid_policy");
    world.policy.remembered = remembered(least);
    world.policy.validate().unwrap();
    world.open().await;
}
