//! Whoever holds a WebSocket or an event stream open learns of its session's end, whatever it
//! ends of.

use std::pin::pin;

use futures_util::FutureExt;
use tenure::{Actor, EndReason, Reason, SessionId, Sessions, SignIn, Verdict};
use tenure::{AtLimit, Limits};
use tokio::time::{Duration, timeout};

use crate::support::{
    Call, Gate, HOUR, MINUTE, SECOND, Trouble, World, active, guest_with_cart, look, on_each_engine, revoked,
    said, sign_in, the_end, user, visit,
};

on_each_engine! {
    who_waits_is_told_of_every_end_that_somebody_causes;
    who_waits_is_told_of_a_sign_in_that_took_the_place;
    who_waits_is_told_that_the_guest_signed_in;
    who_waits_is_told_of_theft;
    who_waits_is_told_of_idleness_though_nobody_asks;
    who_waits_is_told_of_the_absolute_limit_though_nobody_asks;
    who_waits_is_told_by_the_sweep;
    who_comes_too_late_is_told_at_once;
    an_end_is_not_missed_while_the_one_who_waits_looks;
}

/// What somebody is told who waits while `cause` happens.
async fn told(sessions: &Sessions, id: SessionId, cause: impl Future<Output = ()>) -> Reason {
    let mut ended = pin!(sessions.ended(id));
    assert!(ended.as_mut().now_or_never().is_none(), "still alive");
    cause.await;
    ended.await.unwrap()
}

/// Somebody whose session is in memory, so that waiting begins at once.
async fn known(sessions: &Sessions, name: &str) -> (SessionId, String) {
    let issued = sign_in(sessions, name).await;
    assert_eq!(said(sessions, issued.token.expose()).await, "ok");
    (issued.session.id(), issued.token.expose().to_owned())
}

async fn who_waits_is_told_of_every_end_that_somebody_causes(world: World) {
    let sessions = world.open().await;
    for cause in 0..8 {
        let (id, token) = known(&sessions, "ann").await;
        let (other, other_token) = known(&sessions, "ann").await;
        let holder = active(&sessions, &token).await;
        let elsewhere = active(&sessions, &other_token).await;
        let told = told(&sessions, id, async {
            match cause {
                0 => drop(sessions.end(id, revoked()).await.unwrap()),
                1 => sessions.sign_out(&holder).await.unwrap(),
                2 => drop(sessions.end_own(&elsewhere, id).await.unwrap()),
                3 => assert_eq!(sessions.end_others(&elsewhere).await.unwrap(), 1),
                4 => assert_eq!(sessions.sign_out_everywhere(&elsewhere).await.unwrap(), 2),
                5 => assert_eq!(sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap(), 2),
                6 => assert_eq!(sessions.end_realm(revoked()).await.unwrap(), 2),
                _ => assert_eq!(sessions.disable(&user("ann"), Actor::application()).await.unwrap(), 2),
            }
        });
        let word = told.await.to_string();
        assert_eq!(
            word,
            ["revoked", "logout", "revoked", "revoked", "logout", "revoked", "revoked", "user_disabled"]
                [cause]
        );
        assert_eq!(sessions.ended(id).await.unwrap().to_string(), word);
        if cause < 4 {
            sessions.end(other, revoked()).await.unwrap();
        }
    }
}

async fn who_waits_is_told_of_a_sign_in_that_took_the_place(mut world: World) {
    (world.policy.max_sessions, world.policy.at_limit) = (1, AtLimit::EndOldest);
    let sessions = world.open().await;
    let (id, _) = known(&sessions, "ann").await;
    let told = told(&sessions, id, async { drop(sign_in(&sessions, "ann").await) }).await;
    assert_eq!(told, Reason::Ended(EndReason::SessionLimit));
}

async fn who_waits_is_told_that_the_guest_signed_in(world: World) {
    let sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let verdict = look(&sessions, guest.token.expose()).await;
    let signs_in =
        async { drop(sessions.sign_in(Some(&verdict), SignIn::password(user("ann"))).await.unwrap()) };
    let told = told(&sessions, guest.session.id(), signs_in).await;
    assert_eq!(told, Reason::Ended(EndReason::SignedIn));
}

async fn who_waits_is_told_of_theft(world: World) {
    let sessions = world.open().await;
    let (id, stolen) = known(&sessions, "ann").await;
    let holder = active(&sessions, &stolen).await;
    let next = sessions.rotate(&holder, Actor::application(), None).await.unwrap();
    assert_eq!(said(&sessions, next.token.expose()).await, "ok");
    world.clock.advance(MINUTE);
    assert_eq!(said(&sessions, next.token.expose()).await, "ok");
    let told = told(&sessions, id, async { drop(look(&sessions, &stolen).await) }).await;
    assert_eq!(told, Reason::Ended(EndReason::TokenReuse));
}

async fn who_waits_is_told_of_idleness_though_nobody_asks(world: World) {
    let sessions = world.open().await;
    let (id, _) = known(&sessions, "ann").await;
    let told = told(&sessions, id, async { world.clock.advance(30 * MINUTE) }).await;
    assert_eq!(told, Reason::Ended(EndReason::IdleTimeout));
}

async fn who_waits_is_told_of_the_absolute_limit_though_nobody_asks(mut world: World) {
    world.policy.session = Limits { idle_seconds: 1_800, absolute_seconds: 3_600 };
    let sessions = world.open().await;
    let (id, token) = known(&sessions, "ann").await;
    for _ in 0..2 {
        world.clock.advance(20 * MINUTE);
        let Verdict::Ok(_) = visit(&sessions, &token).await else { panic!("in use") };
    }
    let told = told(&sessions, id, async { world.clock.advance(20 * MINUTE) }).await;
    assert_eq!(told, Reason::Ended(EndReason::AbsoluteTimeout));
}

async fn who_waits_is_told_by_the_sweep(world: World) {
    let sessions = world.open().await;
    let (id, _) = known(&sessions, "ann").await;
    let told = told(&sessions, id, async {
        world.clock.advance(HOUR);
        assert_eq!(sessions.maintain().await.unwrap().ended, 1);
    });
    assert_eq!(told.await, Reason::Ended(EndReason::IdleTimeout));
    assert_eq!(the_end(&sessions, id).await, (EndReason::IdleTimeout, "system".into()));
}

async fn who_comes_too_late_is_told_at_once(world: World) {
    let sessions = world.open().await;
    let (id, _) = known(&sessions, "ann").await;
    sessions.end(id, revoked()).await.unwrap();
    let sessions = world.restart(sessions).await;
    assert_eq!(sessions.ended(id).await.unwrap(), Reason::Ended(EndReason::Revoked));
    for _ in 0..2 {
        world.clock.advance(25 * HOUR);
        sessions.maintain().await.unwrap();
    }
    let sessions = world.restart(sessions).await;
    assert_eq!(sessions.ended(id).await.unwrap(), Reason::Unknown);
}

/// It reads the session while that is alive, and the end comes before it begins to wait.
async fn an_end_is_not_missed_while_the_one_who_waits_looks(world: World) {
    let sessions = world.open().await;
    let id = sign_in(&sessions, "ann").await.session.id();
    let gate = Gate::shut();
    world.faults.once(Call::Load, Trouble::HeldAfter(gate.clone()));
    let waiting = tokio::spawn({
        let sessions = sessions.clone();
        async move { sessions.ended(id).await }
    });
    gate.somebody_waits().await;
    sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
    gate.open();
    assert_eq!(waiting.await.unwrap().unwrap(), Reason::Ended(EndReason::Revoked));
}

/// In memory, with a timer that goes on by itself when nobody has anything to do: whoever had
/// to look again after a while has seen it move.
#[tokio::test(start_paused = true)]
async fn what_happens_here_is_told_without_looking_again() {
    let all = async {
        who_waits_is_told_of_every_end_that_somebody_causes(World::memory()).await;
        who_waits_is_told_of_a_sign_in_that_took_the_place(World::memory()).await;
        who_waits_is_told_that_the_guest_signed_in(World::memory()).await;
        who_waits_is_told_of_theft(World::memory()).await;
        who_waits_is_told_by_the_sweep(World::memory()).await;
        an_end_is_not_missed_while_the_one_who_waits_looks(World::memory()).await;
    };
    timeout(Duration::from_millis(1), all).await.expect("the timer has not moved");
}

#[tokio::test(start_paused = true)]
async fn waiting_is_no_activity_and_activity_keeps_it_waiting() {
    let world = World::memory();
    let sessions = world.open().await;
    let (id, token) = known(&sessions, "ann").await;
    let mut ended = pin!(sessions.ended(id));
    for _ in 0..3 {
        world.clock.advance(29 * MINUTE);
        visit(&sessions, &token).await;
        world.clock.advance(20 * MINUTE);
        timeout(10 * SECOND, ended.as_mut()).await.expect_err("looked ten times and found it alive");
        visit(&sessions, &token).await;
    }
    world.clock.advance(29 * MINUTE);
    timeout(10 * SECOND, ended.as_mut()).await.expect_err("looked ten times and found it alive");
    world.clock.advance(MINUTE);
    assert_eq!(ended.await.unwrap(), Reason::Ended(EndReason::IdleTimeout));
}
