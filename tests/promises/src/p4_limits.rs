//! P4: idle and absolute limits hold together, and only what counts as activity counts.

use std::collections::BTreeMap;
use std::time::Duration;

use tenure::{Actor, Changes, Check, EndReason, NewGuest, SignIn, Verdict};
use tenure::{Limits, RolePolicy};

use crate::support::{
    COUNT, Call, HOUR, MINUTE, SECOND, Trouble, World, active, look, on_each_engine, role, said, sign_in,
    the_end, until, user, visit, word,
};

on_each_engine! {
    p4_wstg_06c_the_idle_limit_is_exact_and_the_servers_own;
    p4_the_absolute_limit_holds_whatever_happens;
    p4_nist_t2_whichever_limit_comes_first_ends_the_session;
    p4_nist_t2_signing_in_again_starts_both_limits_anew;
    p4_nist_t5_looking_at_the_time_left_is_no_activity;
    p4_polling_is_no_activity_even_when_it_renews_the_token;
    p4_activity_survives_a_write_that_fails;
    p4_activity_that_is_being_written_counts;
    p4_activity_counts_for_changes_before_it_is_written;
    p4_activity_survives_an_outage_longer_than_the_idle_limit;
    p4_activity_after_the_limit_revives_nothing;
    p4_a_handler_that_works_past_the_limit_changes_nothing;
    p4_the_strictest_role_sets_the_limits;
    p4_who_is_remembered_has_longer_limits_and_a_cookie_that_stays;
    p4_guests_have_limits_of_their_own;
}

async fn p4_wstg_06c_the_idle_limit_is_exact_and_the_servers_own(world: World) {
    let sessions = world.open().await;
    for (wait, expected) in [
        (30 * MINUTE - Duration::from_millis(1), "ok"),
        (30 * MINUTE, "idle_timeout"),
        (HOUR, "idle_timeout"),
    ] {
        let issued = sign_in(&sessions, "ann").await;
        look(&sessions, issued.token.expose()).await;
        world.clock.advance(wait);
        for _ in 0..2 {
            assert_eq!(said(&sessions, issued.token.expose()).await, expected, "{wait:?}");
        }
    }
    let issued = sign_in(&sessions, "ann").await;
    for _ in 0..5 {
        world.clock.advance(30 * MINUTE - SECOND);
        assert_eq!(visit(&sessions, issued.token.expose()).await.as_str(), "ok", "activity in time");
    }
}

async fn p4_the_absolute_limit_holds_whatever_happens(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let deadline = issued.session.expires_at();
    let mut token = issued.token.expose().to_owned();
    for minute in 0..12 * 60 - 1 {
        world.clock.advance(MINUTE);
        let Verdict::Ok(active) = visit(&sessions, &token).await else { panic!("minute {minute}") };
        assert!(active.cache_for() <= Duration::from_secs(1));
        if let Some(renewed) = active.renewed() {
            token = renewed.token.expose().to_owned();
        }
    }
    world.clock.advance(MINUTE - Duration::from_millis(1));
    let last = active(&sessions, &token).await;
    assert_eq!(last.cache_for(), Duration::from_millis(1), "nobody may rely on it for longer");
    assert_eq!((last.session().expires_at(), last.session().idle_expires_at()), (deadline, deadline));
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(said(&sessions, &token).await, "absolute_timeout");
    let id = issued.session.id();
    until("its end", || async { !crate::support::ends(&sessions, id).await.is_empty() }).await;
    assert_eq!(the_end(&sessions, id).await, (EndReason::AbsoluteTimeout, "system".into()));
}

async fn p4_nist_t2_whichever_limit_comes_first_ends_the_session(mut world: World) {
    world.policy.session = Limits { idle_seconds: 1_800, absolute_seconds: 3_600 };
    let sessions = world.open().await;
    let (idle, busy) = (sign_in(&sessions, "ann").await, sign_in(&sessions, "bob").await);
    for _ in 0..3 {
        world.clock.advance(20 * MINUTE);
        visit(&sessions, busy.token.expose()).await;
    }
    // Long after both limits, met for the first time: told as the one that came first.
    world.clock.advance(24 * HOUR);
    assert_eq!(said(&sessions, idle.token.expose()).await, "idle_timeout");
    assert_eq!(said(&sessions, busy.token.expose()).await, "absolute_timeout");
}

async fn p4_nist_t2_signing_in_again_starts_both_limits_anew(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    world.clock.advance(29 * MINUTE);
    let verdict = look(&sessions, issued.token.expose()).await;
    let again = sessions.sign_in(Some(&verdict), SignIn::password(user("ann"))).await.unwrap();
    let now = sessions.now();
    assert_eq!(again.session.expires_at(), now.plus(12 * HOUR));
    assert_eq!(again.session.idle_expires_at(), now.plus(30 * MINUTE));
    assert_eq!(again.session.created_at(), issued.session.created_at());
    assert_eq!(again.session.authenticated_at(), Some(now));

    // A step-up proves somebody is there, and moves the absolute limit by nothing.
    world.clock.advance(10 * MINUTE);
    let holder = active(&sessions, again.token.expose()).await;
    let stepped = sessions.step_up(&holder, SignIn::password(user("ann"))).await.unwrap();
    assert_eq!(stepped.session.expires_at(), again.session.expires_at());
    assert_eq!(stepped.session.idle_expires_at(), sessions.now().plus(30 * MINUTE));
    assert_eq!(stepped.session.authenticated_at(), again.session.authenticated_at());
}

async fn p4_nist_t5_looking_at_the_time_left_is_no_activity(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let limit = issued.session.idle_expires_at();
    for _ in 0..29 {
        world.clock.advance(MINUTE);
        let shown = active(&sessions, issued.token.expose()).await;
        assert_eq!(shown.session().idle_expires_at(), limit);
        let listed = sessions.list(&user("ann")).await.unwrap();
        let read = sessions.get(issued.session.id()).await.unwrap().unwrap();
        assert_eq!((listed[0].idle_expires_at(), read.idle_expires_at()), (limit, limit));
    }
    sessions.maintain().await.unwrap();
    world.clock.advance(MINUTE);
    assert_eq!(said(&sessions, issued.token.expose()).await, "idle_timeout");
}

async fn p4_polling_is_no_activity_even_when_it_renews_the_token(world: World) {
    let sessions = world.open().await;
    let mut token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let poll = Check::any().touch(false).can_set_cookie(true);
    let mut renewals = 0;
    for minute in 1..40 {
        world.clock.advance(MINUTE);
        let verdict = sessions.check(token.as_bytes(), &poll).await.unwrap();
        if minute >= 30 {
            assert_eq!(word(&verdict), "idle_timeout", "minute {minute}");
            continue;
        }
        let active = verdict.active().expect("not idle yet");
        if let Some(renewed) = active.renewed() {
            renewals += 1;
            token = renewed.token.expose().to_owned();
        }
    }
    assert!(renewals > 0);
}

async fn p4_activity_survives_a_write_that_fails(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    world.clock.advance(20 * MINUTE);
    visit(&sessions, &token).await;
    world.faults.times(3, Call::Touch, Trouble::unavailable());
    for _ in 0..3 {
        assert_eq!(sessions.maintain().await.unwrap_err().code(), "store_unavailable");
    }
    world.faults.once(Call::Touch, Trouble::lost_answer());
    sessions.maintain().await.unwrap_err();
    assert_eq!(sessions.maintain().await.unwrap().touched, 1);
    assert_eq!(sessions.maintain().await.unwrap().touched, 0);
    let sessions = world.restart(sessions).await;
    world.clock.advance(20 * MINUTE);
    assert_eq!(said(&sessions, &token).await, "ok");
}

async fn p4_activity_that_is_being_written_counts(world: World) {
    for cache_bytes in [0, 1 << 20] {
        let sessions = world.open_with(|builder| builder.cache_bytes(cache_bytes)).await;
        let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
        world.clock.advance(25 * MINUTE);
        visit(&sessions, &token).await;
        let gate = crate::support::Gate::shut();
        world.faults.once(Call::Touch, Trouble::HeldBefore(gate.clone()));
        let writing = tokio::spawn({
            let sessions = sessions.clone();
            async move { sessions.maintain().await }
        });
        gate.somebody_waits().await;
        world.clock.advance(10 * MINUTE);
        assert_eq!(said(&sessions, &token).await, "ok");
        assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1);
        gate.open();
        writing.await.unwrap().unwrap();
        assert_eq!(said(&sessions, &token).await, "ok");
        world.shut_down(sessions).await;
        world.clock.advance(HOUR);
    }
}

async fn p4_activity_counts_for_changes_before_it_is_written(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    world.clock.advance(20 * MINUTE);
    visit(&sessions, &token).await;
    world.clock.advance(20 * MINUTE);
    let holder = active(&sessions, &token).await;
    sessions.update(&holder, COUNT, |count| *count += 1).await.unwrap();
    world.clock.advance(29 * MINUTE);
    assert_eq!(said(&sessions, &token).await, "idle_timeout", "the change itself is no activity");
}

async fn p4_activity_survives_an_outage_longer_than_the_idle_limit(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    visit(&sessions, &token).await;
    world.faults.every_write(&Trouble::full());
    for _ in 0..12 {
        world.clock.advance(15 * MINUTE);
        assert_eq!(visit(&sessions, &token).await.as_str(), "ok");
        sessions.maintain().await.unwrap_err();
    }
    world.faults.heal();
    sessions.maintain().await.unwrap();
    assert_eq!(said(&sessions, &token).await, "ok");
    let sessions = world.restart(sessions).await;
    assert_eq!(said(&sessions, &token).await, "ok", "three hours with a full disk are no logout");
}

async fn p4_activity_after_the_limit_revives_nothing(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    world.clock.advance(30 * MINUTE);
    world.faults.every_write(&Trouble::unavailable());
    for _ in 0..3 {
        assert_eq!(visit(&sessions, &token).await.as_str(), "inactive");
    }
    world.faults.heal();
    sessions.maintain().await.unwrap();
    assert_eq!(visit(&sessions, &token).await.as_str(), "inactive");
}

async fn p4_a_handler_that_works_past_the_limit_changes_nothing(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let holder = active(&sessions, issued.token.expose()).await;
    world.clock.advance(30 * MINUTE);
    let late = Changes::default().set("a", 1.into());
    let over = |error: tenure::Error| assert_eq!(error.to_string(), "the session has ended: idle_timeout");
    over(sessions.change(&holder, late).await.unwrap_err());
    over(sessions.rotate(&holder, Actor::application(), None).await.unwrap_err());
    over(sessions.step_up(&holder, SignIn::password(user("ann"))).await.unwrap_err());
    // Who signs in now gets a session; the old one is not revived.
    let verdict = Verdict::Ok(holder);
    if let Ok(again) = sessions.sign_in(Some(&verdict), SignIn::password(user("ann"))).await {
        assert_ne!(again.session.id(), issued.session.id());
    }
    assert_eq!(said(&sessions, issued.token.expose()).await, "idle_timeout");
}

async fn p4_the_strictest_role_sets_the_limits(mut world: World) {
    let strict = |idle, absolute| RolePolicy {
        idle_seconds: Some(idle),
        absolute_seconds: Some(absolute),
        remember: Some(false),
        ..RolePolicy::default()
    };
    world.policy.roles =
        BTreeMap::from([(role("admin"), strict(300, 3_600)), (role("clerk"), strict(600, 1_800))]);
    let sessions = world.open().await;
    let both = SignIn::password(user("ann")).roles(vec![role("clerk"), role("admin")]).remember(true);
    let issued = sessions.sign_in(None, both).await.unwrap();
    assert!(!issued.session.is_persistent() && !issued.set_cookie.expose().contains("Max-Age"));
    let plain = sign_in(&sessions, "bob").await;
    world.clock.advance(299 * SECOND);
    visit(&sessions, issued.token.expose()).await;
    world.clock.advance(300 * SECOND);
    assert_eq!(said(&sessions, issued.token.expose()).await, "idle_timeout");
    assert_eq!(said(&sessions, plain.token.expose()).await, "ok");
    assert_eq!(issued.session.expires_at(), issued.session.created_at().plus(30 * MINUTE));
}

async fn p4_who_is_remembered_has_longer_limits_and_a_cookie_that_stays(world: World) {
    let sessions = world.open().await;
    let remembered = SignIn::password(user("ann")).remember(true);
    let issued = sessions.sign_in(None, remembered).await.unwrap();
    assert!(issued.set_cookie.expose().contains("; Max-Age=2592000;"));
    let (mut token, day) = (issued.token.expose().to_owned(), 24 * HOUR);
    for _ in 0..2 {
        world.clock.advance(13 * day);
        let Verdict::Ok(active) = visit(&sessions, &token).await else { panic!("remembered") };
        if let Some(renewed) = active.renewed() {
            let cookie = &renewed.set_cookie;
            assert!(cookie.expose().contains("; Max-Age=1468800;"), "the cookie goes with the session");
            token = renewed.token.expose().to_owned();
        }
    }
    assert_ne!(token, issued.token.expose());
    world.clock.advance(4 * day);
    assert_eq!(said(&sessions, &token).await, "absolute_timeout");

    let forgotten = sign_in(&sessions, "ann").await;
    assert!(!forgotten.set_cookie.expose().contains("Max-Age"));
}

async fn p4_guests_have_limits_of_their_own(world: World) {
    let sessions = world.open().await;
    let new = NewGuest::with(Changes::default().set("a", 1.into()));
    let guest = sessions.create_guest(new).await.unwrap();
    let token = guest.token.expose();
    for _ in 0..12 {
        world.clock.advance(2 * HOUR - SECOND);
        assert_eq!(visit(&sessions, token).await.as_str(), "ok");
    }
    world.clock.advance(13 * SECOND);
    assert_eq!(said(&sessions, token).await, "absolute_timeout");
    let guest = sessions.create_guest(NewGuest::default()).await.unwrap();
    world.clock.advance(2 * HOUR);
    assert_eq!(said(&sessions, guest.token.expose()).await, "idle_timeout");
    sessions.disable(&user("nobody"), Actor::application()).await.unwrap();
}
