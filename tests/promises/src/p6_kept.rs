//! P6: what was acknowledged is there after a restart. (Tests that kill the process stand
//! with each durable engine.)

use tenure::Limits;
use tenure::{Actor, Blame, Changes, EndReason, Error, Verdict};
use tenure_embedded::{AfterRestore, Embedded};

use crate::support::{
    CART, COUNT, Call, MINUTE, Trouble, World, active, cart, guest_with_cart, look, master_key,
    on_each_engine, revoked, role, said, sign_in, told, user, visit,
};

on_each_engine! {
    p6_what_was_acknowledged_is_there_after_a_restart;
    p6_what_was_done_through_trouble_is_there_after_a_restart;
    p6_nothing_is_there_after_a_restart_that_was_refused;
    p6_a_closed_store_says_so_and_ends_nobody;
}

async fn p6_what_was_acknowledged_is_there_after_a_restart(mut world: World) {
    world.policy.session = Limits { idle_seconds: 3_600, absolute_seconds: 12 * 3_600 };
    let mut sessions = world.open().await;
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let mut token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let over = sign_in(&sessions, "ann").await;
    for round in 1..=6_u64 {
        sessions = world.restart(sessions).await;
        world.clock.advance(11 * MINUTE);
        let Verdict::Ok(holder) = visit(&sessions, &token).await else { panic!("round {round}") };
        sessions.update(&holder, COUNT, |count| *count += 1).await.unwrap();
        let events = told(&sessions).await;
        match round {
            1 => {
                let next = sessions.rotate(&holder, Actor::application(), None).await.unwrap();
                token = next.token.expose().to_owned();
            }
            2 => {
                let (ann, admin) = (user("ann"), [role("admin")]);
                assert_eq!(sessions.set_roles(&ann, &admin, Actor::application()).await.unwrap(), 2);
            }
            3 => assert!(sessions.end(over.session.id(), revoked()).await.unwrap()),
            4 => assert_eq!(sessions.disable(&user("bob"), Actor::application()).await.unwrap(), 3),
            _ => {}
        }
        sessions = world.restart(sessions).await;
        let holder = active(&sessions, &token).await;
        assert_eq!(COUNT.read(holder.session()).unwrap(), Some(round));
        assert_eq!(holder.session().last_seen_at(), sessions.now());
        assert!(holder.session().has_role("admin") || round < 2);
        assert_eq!(cart(&sessions, guest.token.expose()).await, ["apple"]);
        assert_eq!(said(&sessions, over.token.expose()).await == "ok", round < 3);
        assert_eq!(told(&sessions).await[..events.len()], events, "the log goes on where it was");
        let bob = sessions.sign_in(None, tenure::SignIn::password(user("bob"))).await;
        assert_eq!(bob.is_err(), round >= 4);
    }
}

async fn p6_what_was_done_through_trouble_is_there_after_a_restart(world: World) {
    let sessions = world.open().await;
    for call in [Call::Create, Call::Change, Call::End] {
        world.faults.times(2, call, Trouble::lost_answer());
    }
    let kept = sign_in(&sessions, "ann").await;
    let holder = active(&sessions, kept.token.expose()).await;
    sessions.update(&holder, CART, |cart| cart.push("apple".into())).await.unwrap();
    let over = sign_in(&sessions, "ann").await;
    sessions.end(over.session.id(), revoked()).await.unwrap();
    let sessions = world.restart(sessions).await;
    assert_eq!(cart(&sessions, kept.token.expose()).await, ["apple"]);
    assert_eq!(said(&sessions, over.token.expose()).await, "revoked");
    assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1);
}

async fn p6_nothing_is_there_after_a_restart_that_was_refused(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let holder = active(&sessions, &token).await;
    let large = Changes::default().set("a", 1.into()).set("b", "x".repeat(40_000).into());
    sessions.change(&holder, large).await.unwrap_err();
    sessions.change(&holder, Changes::default().set("a", 1.into()).if_version(9)).await.unwrap_err();
    let count = told(&sessions).await.len();
    let sessions = world.restart(sessions).await;
    let holder = active(&sessions, &token).await;
    assert_eq!((holder.session().keys().count(), holder.session().version()), (0, 0));
    assert_eq!(told(&sessions).await.len(), count);
}

async fn p6_a_closed_store_says_so_and_ends_nobody(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let late = sessions.clone();
    world.shut_down(sessions).await;
    match late.check(issued.token.expose().as_bytes(), &tenure::Check::any()).await {
        Ok(verdict) => assert_eq!(verdict.as_str(), "ok"),
        Err(error) => assert_eq!(error.blame(), Blame::Store, "{error:?}"),
    }
    drop(late);
    let sessions = world.open().await;
    assert_eq!(said(&sessions, issued.token.expose()).await, "ok");
}

/// P1 as well: a backup from before an end does not serve by itself, and when its operator
/// ends everything, nobody is in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_a_restored_copy_of_the_store_does_not_serve() {
    let world = World::embedded();
    let sessions = world.open().await;
    let (ended, kept) = (sign_in(&sessions, "ann").await, sign_in(&sessions, "bob").await);
    let folder = world.folder().expect("on disk");
    world.shut_down(sessions).await;
    let backup = tempfile::tempdir().unwrap();
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    };
    copy(&folder, backup.path());

    let sessions = world.open().await;
    sessions.end(ended.session.id(), revoked()).await.unwrap();
    world.shut_down(sessions).await;
    for file in std::fs::read_dir(&folder).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    copy(backup.path(), &folder);

    let refused = world.try_open().await.unwrap_err();
    assert_eq!((refused.code(), refused.status()), ("store_blocked", 503));
    assert!(matches!(refused, Error::Store(_)));
    let engine = Embedded::at(&folder)
        .master_key(master_key())
        .config_dir(folder.parent().unwrap().join("config"))
        .after_restore(AfterRestore::EndAllSessions);
    let builder = tenure::Sessions::builder(engine).clock(world.clock.clone()).without_background();
    let sessions = builder.open().await.unwrap();
    for issued in [&ended, &kept] {
        let verdict = look(&sessions, issued.token.expose()).await;
        assert!(verdict.active().is_none());
    }
    let reasons: Vec<_> = told(&sessions).await.iter().filter_map(|event| event.body.reason).collect();
    assert_eq!(reasons, [EndReason::Revoked; 2]);
}
