//! Attacks on signing in: rights that were taken, limits that were set, attempts that were
//! refused, all while something else is half-done.

use std::time::Duration;

use tenure::Method;
use tenure::{
    Actor, Check, CookieSettings, Error, IdempotencyKey, Level, Policy, Realm, Reason, SessionState,
    Sessions, SignIn, Verdict,
};
use tenure::{AtLimit, PendingPolicy};

use crate::support::{
    Call, Gate, HOUR, MINUTE, SECOND, Trouble, World, active, cart, guest_with_cart, look, on_each_engine,
    revoked, role, said, sign_in, user, visit,
};

on_each_engine! {
    p2_a_role_that_is_taken_while_the_second_factor_is_shown_stays_taken;
    p4_step_ups_move_no_absolute_limit_and_no_time_of_a_proof;
    p10_a_sign_in_that_was_refused_can_be_tried_again_under_its_key;
    p10_a_sign_in_that_was_signed_out_meanwhile_can_be_tried_again_under_its_key;
    cs_sm_7_a_token_prepared_before_a_role_change_rotates_once_more;
    p4_a_visitor_in_time_is_not_swept_however_slow_the_store_is;
    p1_the_end_of_another_realms_session_is_not_told;
    p4_a_pending_limit_beyond_all_time_is_refused;
}

fn totp() -> SignIn {
    SignIn::with(user("ann"), vec![Method::new("totp").unwrap()])
}

async fn p2_a_role_that_is_taken_while_the_second_factor_is_shown_stays_taken(world: World) {
    let sessions = world.open().await;
    let proof = SignIn::password(user("ann")).roles(vec![role("admin")]).pending();
    let issued = sessions.sign_in(None, proof).await.unwrap();
    let pending = active(&sessions, issued.token.expose()).await;
    assert_eq!(sessions.set_roles(&user("ann"), &[], Actor::application()).await.unwrap(), 1);
    let issued = sessions.step_up(&pending, totp()).await.unwrap();
    assert_eq!(issued.session.roles(), []);
    assert_eq!((issued.session.state(), issued.session.level()), (SessionState::SignedIn, Some(Level::Two)));
}

async fn p4_step_ups_move_no_absolute_limit_and_no_time_of_a_proof(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    for _ in 0..20 {
        world.clock.advance(25 * MINUTE);
        visit(&sessions, issued.token.expose()).await;
    }
    let signed_in = active(&sessions, issued.token.expose()).await;
    let refused = sessions.step_up(&signed_in, totp().pending()).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_request", "a signed-in session owes nothing");
    let after = sessions.step_up(&signed_in, totp()).await.unwrap().session;
    assert_eq!(after.expires_at(), issued.session.expires_at());
    assert_eq!(after.authenticated_at(), issued.session.authenticated_at());
    assert_eq!(after.methods()[0].at, issued.session.created_at(), "the password was shown then");
}

async fn again(sessions: &Sessions, guest: &str) -> Result<tenure::Issued, Error> {
    let key = IdempotencyKey::new("0123456789012345678901").unwrap();
    let verdict = look(sessions, guest).await;
    let proof = SignIn::password(user("ann")).idempotency_key(Some(key));
    sessions.sign_in(Some(&verdict), proof).await
}

async fn p10_a_sign_in_that_was_refused_can_be_tried_again_under_its_key(mut world: World) {
    (world.policy.max_sessions, world.policy.at_limit) = (1, AtLimit::Refuse);
    let sessions = world.open().await;
    let first = sign_in(&sessions, "ann").await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    for _ in 0..3 {
        assert_eq!(again(&sessions, guest.token.expose()).await.unwrap_err().code(), "session_limit");
    }
    sessions.end(first.session.id(), revoked()).await.unwrap();
    let issued = again(&sessions, guest.token.expose()).await.unwrap();
    assert_eq!(cart(&sessions, issued.token.expose()).await, ["apple"]);
}

async fn p10_a_sign_in_that_was_signed_out_meanwhile_can_be_tried_again_under_its_key(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let gate = Gate::shut();
    world.faults.once(Call::Create, Trouble::HeldBefore(gate.clone()));
    let (there, token) = (sessions.clone(), guest.token.expose().to_owned());
    let first = tokio::spawn(async move { again(&there, &token).await });
    gate.somebody_waits().await;
    sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
    gate.open();
    assert_eq!(first.await.unwrap().unwrap_err().code(), "signed_out_meanwhile");
    let issued = again(&sessions, guest.token.expose()).await.unwrap();
    assert_eq!(cart(&sessions, issued.token.expose()).await, ["apple"]);
    assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1);
}

async fn cs_sm_7_a_token_prepared_before_a_role_change_rotates_once_more(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let before = active(&sessions, issued.token.expose()).await;
    let prepared = sessions.rotate(&before, Actor::application(), None).await.unwrap();
    sessions.set_roles(&user("ann"), &[role("admin")], Actor::application()).await.unwrap();
    assert_eq!(said(&sessions, prepared.token.expose()).await, "ok");
    world.clock.advance(11 * SECOND);
    let Verdict::Ok(active) = visit(&sessions, prepared.token.expose()).await else { panic!("in use") };
    assert!(active.renewed().is_some(), "the token in use is from before the change");
}

async fn p4_a_visitor_in_time_is_not_swept_however_slow_the_store_is(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    world.clock.advance(30 * MINUTE - Duration::from_millis(200));
    let (sweep, touch) = (Gate::shut(), Gate::shut());
    // The sweep waits in the queue of the store, and what a visitor does behind it.
    world.faults.once(Call::Sweep, Trouble::HeldBefore(sweep.clone()));
    let there = sessions.clone();
    let sweeping = tokio::spawn(async move { there.maintain().await });
    sweep.somebody_waits().await;
    world.faults.once(Call::Touch, Trouble::HeldBefore(touch.clone()));
    let (there, its) = (sessions.clone(), token.clone());
    let visiting = tokio::spawn(async move { visit(&there, &its).await });
    touch.somebody_waits().await;
    world.clock.advance(Duration::from_millis(300));
    sweep.open();
    sweeping.await.unwrap().unwrap();
    touch.open();
    assert_eq!(visiting.await.unwrap().as_str(), "ok");
    assert_eq!(said(&sessions, &token).await, "ok");
    world.clock.advance(HOUR);
    assert_eq!(sessions.maintain().await.unwrap().ended, 1, "those who are idle are swept");
}

async fn p1_the_end_of_another_realms_session_is_not_told(world: World) {
    let sessions = world.open().await;
    let cookie = CookieSettings::new("__Host-admin").unwrap();
    let admin = sessions.in_realm(Realm::new("admin").unwrap(), cookie, Policy::default()).unwrap();
    let theirs = sign_in(&admin, "root").await.session.id();
    assert_eq!(sessions.ended(theirs).await.unwrap(), Reason::Unknown);
    admin.end(theirs, revoked()).await.unwrap();
    assert_eq!(sessions.ended(theirs).await.unwrap(), Reason::Unknown);
    assert_eq!(admin.ended(theirs).await.unwrap().as_str(), "revoked");
}

async fn p4_a_pending_limit_beyond_all_time_is_refused(mut world: World) {
    let pending = PendingPolicy { absolute_seconds: u64::MAX / 1_000 + 1, ..PendingPolicy::default() };
    world.policy.pending = pending;
    let refused = world.try_open().await.unwrap_err().to_string();
    assert!(refused.contains("pending.absolute_seconds"), "{refused}");
    world.policy.pending = PendingPolicy::default();
    let sessions = world.open().await;
    let issued = sessions.sign_in(None, SignIn::password(user("ann")).pending()).await.unwrap();
    let check = Check::signed_in().or_pending();
    assert!(sessions.check(issued.token.expose().as_bytes(), &check).await.unwrap().active().is_some());
}
