//! P5: an outage is not a logout. A store that fails is its own error, never a verdict.

use futures_util::future::BoxFuture;
use tenure::store::StoreError;
use tenure::{
    Active, Actor, Blame, Changes, Check, Error, Issued, NewGuest, Sessions, SignIn, UserId, Verdict,
};

use crate::support::{
    COUNT, Call, Gate, HOUR, MINUTE, Trouble, World, active, cart, guest_with_cart, look, on_each_engine,
    revoked, role, said, sign_in, user, visit,
};

on_each_engine! {
    p5_every_operation_says_that_the_store_is_away;
    p5_a_check_never_turns_an_outage_into_a_refusal;
    p5_nothing_has_changed_after_an_outage;
    p5_a_token_due_for_renewal_is_good_without_a_new_one;
    p5_a_successor_is_good_while_the_disk_is_full;
    p5_reuse_during_an_outage_is_an_outage_and_then_reuse;
    p5_a_session_past_its_limit_is_dead_also_while_the_store_is_away;
    p5_a_fault_inside_the_store_is_an_error_and_not_a_verdict;
}

/// Somebody who is signed in, and a guest.
#[derive(Clone)]
struct Scene {
    sessions: Sessions,
    ann: UserId,
    issued: Issued,
    active: Active,
    guest: Verdict,
}

impl Scene {
    async fn of(sessions: Sessions) -> Self {
        let issued = sign_in(&sessions, "ann").await;
        let guest = guest_with_cart(&sessions, &["apple"]).await;
        Self {
            ann: user("ann"),
            active: active(&sessions, issued.token.expose()).await,
            guest: look(&sessions, guest.token.expose()).await,
            issued,
            sessions,
        }
    }
}

type Operation = (&'static str, fn(Scene) -> BoxFuture<'static, Result<(), Error>>);

macro_rules! operations {
    ($($name:literal: |$scene:ident| $call:expr,)+) => {
        &[$(($name, |$scene| Box::pin(async move { $call.await.map(drop) }))),+]
    };
}

/// All that can be asked of [`Sessions`] and needs the store.
const OPERATIONS: &[Operation] = operations! {
    "create_guest": |s| s.sessions.create_guest(NewGuest::default()),
    "sign_in": |s| s.sessions.sign_in(None, SignIn::password(s.ann.clone())),
    "sign_in of a guest": |s| s.sessions.sign_in(Some(&s.guest), SignIn::password(s.ann.clone())),
    "sign_in again": |s| {
        let verdict = Verdict::Ok(s.active.clone());
        async move { s.sessions.sign_in(Some(&verdict), SignIn::password(s.ann.clone())).await }
    },
    "step_up": |s| s.sessions.step_up(&s.active, SignIn::password(s.ann.clone())),
    "rotate": |s| s.sessions.rotate(&s.active, Actor::application(), None),
    "change": |s| s.sessions.change(&s.active, Changes::default().set("a", 1.into())),
    "change_of": |s| s.sessions.change_of(s.issued.session.id(), Actor::application(), Changes::default()),
    "update": |s| s.sessions.update(&s.active, COUNT, |count| *count += 1),
    "set_roles": |s| {
        let admin = [role("admin")];
        async move { s.sessions.set_roles(&s.ann, &admin, Actor::application()).await }
    },
    "end": |s| s.sessions.end(s.issued.session.id(), revoked()),
    "end_own": |s| s.sessions.end_own(&s.active, s.issued.session.id()),
    "end_others": |s| s.sessions.end_others(&s.active),
    "sign_out": |s| s.sessions.sign_out(&s.active),
    "sign_out_everywhere": |s| s.sessions.sign_out_everywhere(&s.active),
    "end_all_of": |s| s.sessions.end_all_of(&s.ann, None, revoked()),
    "end_realm": |s| s.sessions.end_realm(revoked()),
    "disable": |s| s.sessions.disable(&s.ann, Actor::application()),
    "enable": |s| s.sessions.enable(&s.ann, Actor::application()),
    "list": |s| s.sessions.list(&s.ann),
    "page": |s| s.sessions.page(None, 10),
    "get": |s| s.sessions.get(s.issued.session.id()),
    "maintain": |s| s.sessions.maintain(),
};

fn assert_outage(what: &str, error: &Error) {
    assert!(matches!(error, Error::Store(_)), "{what}: {error:?}");
    assert_eq!(error.blame(), Blame::Store, "{what}");
    assert_eq!((error.code(), error.status()), ("store_unavailable", 503), "{what}: {error:?}");
}

fn outages() -> [Trouble; 2] {
    [Trouble::unavailable(), Trouble::Before(StoreError::Unknown("the line broke".into()))]
}

async fn p5_every_operation_says_that_the_store_is_away(world: World) {
    let scene = Scene::of(world.open().await).await;
    for trouble in outages() {
        for (name, operation) in OPERATIONS {
            world.faults.everything(trouble.clone());
            let answer = operation(scene.clone()).await;
            world.faults.heal();
            assert_outage(name, &answer.expect_err(name));
        }
    }
    // The other way round: without trouble each of them works, so it was the store.
    for (name, operation) in OPERATIONS {
        let fresh = Scene::of(scene.sessions.clone()).await;
        operation(fresh).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        scene.sessions.enable(&user("ann"), Actor::application()).await.unwrap();
    }
}

async fn p5_a_check_never_turns_an_outage_into_a_refusal(world: World) {
    for cache_bytes in [0, 1 << 20] {
        let sessions = world.open_with(|builder| builder.cache_bytes(cache_bytes)).await;
        let ann = sign_in(&sessions, "ann").await;
        let guest = guest_with_cart(&sessions, &["apple"]).await;
        for trouble in outages() {
            for token in [ann.token.expose(), guest.token.expose()] {
                world.faults.everything(trouble.clone());
                let error = sessions.check(token.as_bytes(), &Check::any()).await.unwrap_err();
                assert_outage("check", &error);
                assert_outage("ended", &sessions.ended(ann.session.id()).await.expect_err("nobody can say"));
                world.faults.heal();
            }
        }
        // What is in memory needs no store; without memory it is the store's word again.
        assert_eq!(said(&sessions, ann.token.expose()).await, "ok");
        world.faults.everything(Trouble::unavailable());
        let answer = sessions.check(ann.token.expose().as_bytes(), &Check::any()).await;
        match (cache_bytes, answer) {
            (0, Err(error)) => assert_outage("check", &error),
            (_, answer) => assert_eq!(answer.unwrap().as_str(), "ok"),
        }
        world.faults.heal();
        world.shut_down(sessions).await;
    }
}

async fn p5_nothing_has_changed_after_an_outage(world: World) {
    let scene = Scene::of(world.open().await).await;
    let guest = guest_with_cart(&scene.sessions, &["pear"]).await;
    let told = crate::support::told(&scene.sessions).await.len();
    world.faults.everything(Trouble::unavailable());
    for (_, operation) in OPERATIONS {
        operation(scene.clone()).await.unwrap_err();
    }
    world.faults.heal();
    assert_eq!(crate::support::told(&scene.sessions).await.len(), told);
    assert_eq!(said(&scene.sessions, scene.issued.token.expose()).await, "ok");
    assert_eq!(cart(&scene.sessions, guest.token.expose()).await, ["pear"]);
    assert_eq!(scene.sessions.list(&scene.ann).await.unwrap().len(), 1);
}

async fn p5_a_token_due_for_renewal_is_good_without_a_new_one(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    look(&sessions, &token).await;
    world.clock.advance(16 * MINUTE);
    for trouble in [Trouble::full(), Trouble::unavailable(), outages()[1].clone()] {
        world.faults.every_write(&trouble);
        let verdict = visit(&sessions, &token).await;
        assert!(verdict.active().is_some_and(|active| active.renewed().is_none()));
        world.faults.heal();
    }
    assert!(visit(&sessions, &token).await.active().unwrap().renewed().is_some());
}

async fn p5_a_successor_is_good_while_the_disk_is_full(world: World) {
    let sessions = world.open().await;
    let first = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let holder = active(&sessions, &first).await;
    let next = sessions.rotate(&holder, Actor::application(), None).await.unwrap();
    for trouble in [Trouble::full(), Trouble::unavailable()] {
        world.faults.every_write(&trouble);
        for _ in 0..3 {
            assert_eq!(visit(&sessions, next.token.expose()).await.as_str(), "ok");
            assert_eq!(visit(&sessions, &first).await.as_str(), "ok");
        }
        let holder = active(&sessions, next.token.expose()).await;
        let error = sessions.change(&holder, Changes::default().set("a", 1.into())).await.unwrap_err();
        assert_eq!((error.blame(), error.status()), (Blame::Store, 503));
        world.faults.heal();
    }
    let holder = active(&sessions, next.token.expose()).await;
    assert_eq!(holder.session().generation(), 2);
    sessions.change(&holder, Changes::default().set("a", 1.into())).await.unwrap();
}

async fn p5_reuse_during_an_outage_is_an_outage_and_then_reuse(world: World) {
    let sessions = world.open().await;
    let first = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let holder = active(&sessions, &first).await;
    let next = sessions.rotate(&holder, Actor::application(), None).await.unwrap();
    assert_eq!(said(&sessions, next.token.expose()).await, "ok");
    world.clock.advance(MINUTE);
    world.faults.every_write(&Trouble::unavailable());
    let error = sessions.check(first.as_bytes(), &Check::any()).await.unwrap_err();
    assert_outage("reuse", &error);
    assert_eq!(said(&sessions, next.token.expose()).await, "ok");
    world.faults.heal();
    assert_eq!(said(&sessions, &first).await, "token_reuse");
    assert_eq!(said(&sessions, next.token.expose()).await, "token_reuse");
}

async fn p5_a_session_past_its_limit_is_dead_also_while_the_store_is_away(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    look(&sessions, &token).await;
    world.clock.advance(HOUR);
    // It never fails open: memory alone does not say ok.
    world.faults.everything(Trouble::unavailable());
    let error = sessions.check(token.as_bytes(), &Check::any()).await.unwrap_err();
    assert_outage("check", &error);
    world.faults.heal();
    // It can be read and its end cannot be written: dead all the same.
    world.faults.every_write(&Trouble::full());
    assert_eq!(said(&sessions, &token).await, "idle_timeout");
    assert!(sessions.list(&user("ann")).await.unwrap().is_empty());
}

async fn p5_a_fault_inside_the_store_is_an_error_and_not_a_verdict(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    for damage in [StoreError::Corrupt("a bad sector".into()), StoreError::Blocked("restored".into())] {
        world.faults.everything(Trouble::Before(damage));
        let error = sessions.check(issued.token.expose().as_bytes(), &Check::any()).await.unwrap_err();
        assert_eq!((error.blame(), error.status()), (Blame::Store, 503), "{error:?}");
        world.faults.heal();
    }
    assert_eq!(said(&sessions, issued.token.expose()).await, "ok");
}

/// On a paused runtime the five seconds that a check waits pass at once.
#[tokio::test(start_paused = true)]
async fn p5_a_store_that_never_answers_is_an_outage() {
    let world = World::memory();
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let gate = Gate::shut();
    world.faults.always(Call::Load, Trouble::HeldBefore(gate.clone()));
    let error = sessions.check(issued.token.expose().as_bytes(), &Check::any()).await.unwrap_err();
    assert_outage("check", &error);
    gate.open();
    assert_eq!(said(&sessions, issued.token.expose()).await, "ok");
}
