//! P4 and clocks that lie, and the absolute limit against everything that can be called.

use std::time::Duration;

use proptest::prelude::*;
use tenure::Limits;
use tenure::{Actor, Changes, Check, Error, Method, SignIn, Verdict};

use crate::support::{
    CART, HOUR, MINUTE, SECOND, World, active, guest_with_cart, look, on_each_engine,
    property_on_each_engine, revoked, role, said, sign_in, told, user, visit,
};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);

on_each_engine! {
    p4_a_clock_set_back_extends_nothing;
    p4_a_clock_that_jumps_ahead_ends_nobody;
    p4_a_clock_set_back_over_a_restart_extends_nothing;
    p4_a_clock_a_year_ahead_at_the_start_ends_nobody_silently;
    p4_small_corrections_neither_extend_nor_end;
}

property_on_each_engine! {
    p4_nothing_but_signing_in_again_moves_the_absolute_limit: proptest::collection::vec(call(), 1..40);
    p4_no_clock_extends_a_session_or_ends_it_early: proptest::collection::vec(tick(), 1..40);
}

async fn p4_a_clock_set_back_extends_nothing(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    world.clock.advance(20 * MINUTE);
    world.clock.step_back(HOUR);
    assert_eq!(said(&sessions, &token).await, "ok");
    world.clock.advance(10 * MINUTE);
    assert_eq!(said(&sessions, &token).await, "idle_timeout");
    // What begins now counts from now, not from an hour ago.
    let late = sign_in(&sessions, "ann").await;
    world.clock.advance(29 * MINUTE);
    assert_eq!(said(&sessions, late.token.expose()).await, "ok");
}

async fn p4_a_clock_that_jumps_ahead_ends_nobody(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let token = issued.token.expose();
    let holder = active(&sessions, token).await;
    let count = told(&sessions).await.len();
    world.clock.jump_ahead(YEAR);
    for warm in [true, false] {
        let error = sessions.check(token.as_bytes(), &Check::signed_in()).await.unwrap_err();
        assert!(matches!(error, Error::Clock(_)), "warm {warm}: {error:?}");
        assert_eq!((error.code(), error.status()), ("clock_implausible", 503));
        sessions.maintain().await.unwrap_err();
        sessions.list(&user("ann")).await.unwrap_err();
        sessions.sign_in(None, SignIn::password(user("bob"))).await.unwrap_err();
    }
    sessions.change(&holder, Changes::default().set("a", 1.into())).await.ok();
    world.clock.step_back(YEAR);
    assert_eq!(said(&sessions, token).await, "ok");
    sessions.maintain().await.unwrap();
    let ended = told(&sessions).await.into_iter().skip(count).filter(|e| e.body.reason.is_some()).count();
    assert_eq!(ended, 0);
    let session = active(&sessions, token).await;
    assert_eq!(session.session().expires_at(), issued.session.expires_at());
    // A session can be ended all the same while the clock is wrong.
    world.clock.jump_ahead(YEAR);
    assert!(sessions.end(issued.session.id(), revoked()).await.unwrap());
    world.clock.step_back(YEAR);
    assert_eq!(said(&sessions, token).await, "revoked");
}

async fn p4_a_clock_set_back_over_a_restart_extends_nothing(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    world.clock.advance(20 * MINUTE);
    visit(&sessions, &token).await;
    sessions.maintain().await.unwrap();
    if world.folder().is_some() {
        // The next process begins with a clock that is an hour slow.
        world.shut_down(sessions).await;
        world.clock.step_back(HOUR);
        let sessions = world.open().await;
        assert_eq!(said(&sessions, &token).await, "ok");
        world.clock.advance(31 * MINUTE);
        assert_eq!(said(&sessions, &token).await, "idle_timeout");
        let created_at = sign_in(&sessions, "ann").await.session.created_at();
        assert!(created_at >= told(&sessions).await[0].at, "time does not run backwards");
    }
}

async fn p4_a_clock_a_year_ahead_at_the_start_ends_nobody_silently(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    world.shut_down(sessions).await;
    if world.folder().is_some() {
        world.clock.jump_ahead(YEAR);
        let refused = world.try_open().await.unwrap_err();
        assert_eq!((refused.code(), refused.status()), ("store_blocked", 503));
        world.clock.step_back(YEAR);
        let sessions = world.open().await;
        assert_eq!(said(&sessions, &token).await, "ok");
    }
}

async fn p4_small_corrections_neither_extend_nor_end(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    for _ in 0..25 {
        world.clock.advance(MINUTE);
        world.clock.jump_ahead(SECOND);
        look(&sessions, &token).await;
        world.clock.step_back(2 * SECOND);
    }
    assert_eq!(said(&sessions, &token).await, "ok");
    world.clock.advance(5 * MINUTE);
    assert_eq!(said(&sessions, &token).await, "idle_timeout");
}

/// What can be called in a session.
#[derive(Clone, Copy, Debug)]
enum Calling {
    Visit,
    Poll,
    Rotate,
    Change,
    StepUp,
    SetRoles,
    List,
    SignInElsewhere,
    Maintain,
    Restart,
    SignInAgain,
}

fn call() -> impl Strategy<Value = (u64, Calling)> {
    let call = prop_oneof![
        3 => Just(Calling::Visit), 2 => Just(Calling::Poll), 2 => Just(Calling::Rotate),
        2 => Just(Calling::Change), 2 => Just(Calling::StepUp), 1 => Just(Calling::SetRoles),
        1 => Just(Calling::List), 1 => Just(Calling::SignInElsewhere), 1 => Just(Calling::Maintain),
        1 => Just(Calling::Restart), 1 => Just(Calling::SignInAgain),
    ];
    (0..1_200_u64, call)
}

async fn p4_nothing_but_signing_in_again_moves_the_absolute_limit(
    mut world: World,
    calls: Vec<(u64, Calling)>,
) {
    let absolute = 2 * HOUR;
    world.policy.session = Limits { idle_seconds: 3_600, absolute_seconds: absolute.as_secs() };
    let mut sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let verdict = look(&sessions, guest.token.expose()).await;
    let issued = sessions.sign_in(Some(&verdict), SignIn::password(user("ann"))).await.unwrap();
    let (mut token, mut deadline) = (issued.token.expose().to_owned(), issued.session.expires_at());
    let ann = || SignIn::with(user("ann"), vec![Method::new("totp").unwrap()]);
    for (seconds, call) in calls {
        world.clock.advance(Duration::from_secs(seconds));
        let verdict = look(&sessions, &token).await;
        let now = sessions.now();
        let Verdict::Ok(holder) = &verdict else {
            assert!(now >= deadline || now.since(issued.session.created_at()) >= HOUR);
            return;
        };
        assert!(now < deadline, "alive past its deadline");
        assert_eq!(holder.session().expires_at(), deadline);
        let next = match call {
            Calling::Visit => {
                visit(&sessions, &token).await.active().and_then(|a| Some(a.renewed()?.token.clone()))
            }
            Calling::Poll => None,
            Calling::Rotate => {
                sessions.rotate(holder, Actor::application(), None).await.ok().map(|issued| issued.token)
            }
            Calling::Change => {
                sessions.update(holder, CART, |cart| cart.push("pear".into())).await.unwrap();
                None
            }
            Calling::StepUp => Some(sessions.step_up(holder, ann()).await.unwrap().token),
            Calling::SetRoles => {
                sessions.set_roles(&user("ann"), &[role("admin")], Actor::application()).await.unwrap();
                None
            }
            Calling::List => {
                assert_eq!(sessions.list(&user("ann")).await.unwrap()[0].expires_at(), deadline);
                None
            }
            Calling::SignInElsewhere => {
                let elsewhere = sign_in(&sessions, "ann").await;
                sessions.end(elsewhere.session.id(), revoked()).await.unwrap();
                None
            }
            Calling::Maintain => {
                sessions.maintain().await.unwrap();
                None
            }
            Calling::Restart => {
                sessions = world.restart(sessions).await;
                None
            }
            Calling::SignInAgain => {
                let again = sessions.sign_in(Some(&verdict), ann()).await.unwrap();
                deadline = now.plus(absolute);
                Some(again.token)
            }
        };
        if let Some(next) = next {
            token = next.expose().to_owned();
        }
    }
}

/// Time that passes, and what the wall clock makes of it.
#[derive(Clone, Copy, Debug)]
enum Tick {
    Pass(u64),
    Visit,
    Back(u64),
    JumpAndBack(u64),
    Maintain,
}

fn tick() -> impl Strategy<Value = Tick> {
    prop_oneof![
        4 => (1..1_500_u64).prop_map(Tick::Pass),
        3 => Just(Tick::Visit),
        1 => (1..4_000_u64).prop_map(Tick::Back),
        1 => (301..40_000_000_u64).prop_map(Tick::JumpAndBack),
        1 => Just(Tick::Maintain),
    ]
}

/// Against a model that counts true time: activity is recorded at most once a minute.
async fn p4_no_clock_extends_a_session_or_ends_it_early(world: World, ticks: Vec<Tick>) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let (mut passed, mut seen) = (0, 0);
    for tick in ticks {
        match tick {
            Tick::Pass(seconds) => {
                world.clock.advance(Duration::from_secs(seconds));
                passed += seconds;
            }
            Tick::Visit => {
                let alive = visit(&sessions, &token).await.active().is_some();
                if alive && passed - seen >= 60 {
                    seen = passed;
                }
            }
            Tick::Back(seconds) => world.clock.step_back(Duration::from_secs(seconds)),
            Tick::JumpAndBack(seconds) => {
                let (ahead, before) = (Duration::from_secs(seconds), sessions.now());
                // Only what is ahead of the steady time can be told from a correction.
                world.clock.jump_ahead(ahead);
                look_if_possible(&sessions, &token).await;
                sessions.maintain().await.ok();
                world.clock.step_back(ahead);
                assert!(sessions.now().since(before) <= Duration::from_secs(300));
                if sessions.now() != before {
                    return; // A correction that was believed: the model's count is off.
                }
            }
            Tick::Maintain => drop(sessions.maintain().await.unwrap()),
        }
        let dead = passed >= 12 * 3_600 || passed - seen >= 1_800;
        let said = said(&sessions, &token).await;
        assert_eq!(said != "ok", dead, "{said} after {passed} s, last seen after {seen} s");
        if dead {
            return;
        }
    }
}

async fn look_if_possible(sessions: &tenure::Sessions, token: &str) {
    let check = Check::any().touch(false);
    sessions.check(token.as_bytes(), &check).await.ok();
}
