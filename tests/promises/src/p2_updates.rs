//! P2: no change is lost, and none happens twice.

use std::time::Duration;

use tenure::Refusal;
use tenure::store::StoreError;
use tenure::{Actor, Changes, Error, Key, Sessions};

use crate::support::{
    CART, COUNT, Call, Gate, SECOND, Trouble, World, active, on_each_engine, sign_in, user,
};

const OTHER: Key<u64> = Key::new("other");

on_each_engine! {
    p2_parallel_updates_of_different_keys_all_survive;
    p2_parallel_updates_of_one_key_all_count;
    p2_many_keys_set_at_once_by_many_are_all_there;
    p2_a_change_whose_answer_is_lost_happens_once;
    p2_a_change_that_never_arrived_happens_once_when_repeated;
    p2_a_change_of_unknown_outcome_has_happened_once_at_the_most;
    p2_a_change_is_whole_or_not_at_all;
    p2_an_overlapping_save_of_an_old_read_is_refused_and_not_written;
    p2_a_change_goes_on_when_nobody_waits_for_it;
    p2_a_lost_change_of_activity_or_roles_takes_no_data_along;
}

async fn count(sessions: &Sessions, token: &str, key: Key<u64>) -> u64 {
    let active = active(sessions, token).await;
    key.read(active.session()).unwrap().unwrap_or_default()
}

/// `times` updates of `key`, one after the other, as a request handler makes them.
async fn count_up(sessions: Sessions, token: String, key: Key<u64>, times: u64) {
    let active = active(&sessions, &token).await;
    for _ in 0..times {
        sessions.update(&active, key, |count| *count += 1).await.unwrap();
    }
}

async fn p2_parallel_updates_of_different_keys_all_survive(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let one = tokio::spawn(count_up(sessions.clone(), token.clone(), COUNT, 1_000));
    let two = tokio::spawn(count_up(sessions.clone(), token.clone(), OTHER, 1_000));
    one.await.unwrap();
    two.await.unwrap();
    assert_eq!(count(&sessions, &token, COUNT).await, 1_000);
    assert_eq!(count(&sessions, &token, OTHER).await, 1_000);
    let sessions = world.restart(sessions).await;
    assert_eq!(count(&sessions, &token, COUNT).await, 1_000);
    assert_eq!(active(&sessions, &token).await.session().version(), 2_000);
}

async fn p2_parallel_updates_of_one_key_all_count(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let one = tokio::spawn(count_up(sessions.clone(), token.clone(), COUNT, 1_000));
    let two = tokio::spawn(count_up(sessions.clone(), token.clone(), COUNT, 1_000));
    one.await.unwrap();
    two.await.unwrap();
    assert_eq!(count(&sessions, &token, COUNT).await, 2_000);
}

async fn p2_many_keys_set_at_once_by_many_are_all_there(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let active_before = active(&sessions, &token).await;
    let tasks = (0..32).map(|task| {
        let (sessions, active) = (sessions.clone(), active_before.clone());
        tokio::spawn(async move {
            let (odd, even) = (format!("key-{}", task * 2), format!("key-{}", task * 2 + 1));
            let changes = Changes::default().set(odd, task.into()).set(even, task.into());
            sessions.change(&active, changes).await.unwrap();
        })
    });
    for task in futures_util::future::join_all(tasks).await {
        task.unwrap();
    }
    assert_eq!(active(&sessions, &token).await.session().keys().count(), 64);
}

async fn p2_a_change_whose_answer_is_lost_happens_once(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    for lost in 1..=2_u64 {
        let times = u32::try_from(lost).unwrap();
        world.faults.times(times, Call::Change, Trouble::lost_answer());
        count_up(sessions.clone(), token.clone(), COUNT, 1).await;
        assert_eq!(count(&sessions, &token, COUNT).await, lost);
        assert_eq!(active(&sessions, &token).await.session().version(), lost);
    }
}

async fn p2_a_change_that_never_arrived_happens_once_when_repeated(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let broken = Trouble::Before(StoreError::Unknown("the line broke".into()));
    world.faults.times(2, Call::Change, broken);
    count_up(sessions.clone(), token.clone(), COUNT, 1).await;
    assert_eq!(count(&sessions, &token, COUNT).await, 1);
}

async fn p2_a_change_of_unknown_outcome_has_happened_once_at_the_most(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let active_before = active(&sessions, &token).await;
    world.faults.times(3, Call::Change, Trouble::lost_answer());
    let error = sessions.update(&active_before, COUNT, |count| *count += 1).await.unwrap_err();
    assert!(matches!(error, Error::Store(StoreError::Unknown(_))), "{error:?}");
    assert_eq!(count(&sessions, &token, COUNT).await, 1, "never a stale answer from memory");
}

async fn p2_a_change_is_whole_or_not_at_all(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let active_before = active(&sessions, &token).await;
    let first = Changes::default().set("a", 1.into()).set("b", 1.into());
    let now = sessions.change(&active_before, first).await.unwrap();

    let half = Changes::default().set("a", 2.into()).remove("b").expect("c", 7);
    let refused = sessions.change(&active_before, half).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Refused(Refusal::Conflict { key, version: 0 }) if key == "c"),
        "{refused:?}"
    );
    let old = Changes::default().set("a", 2.into()).if_version(now.version() - 1);
    let refused = sessions.change(&active_before, old).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::VersionMismatch { version: 1 })), "{refused:?}");
    let large = Changes::default().set("a", 2.into()).set("large", "x".repeat(33_000).into());
    let refused = sessions.change(&active_before, large).await.unwrap_err();
    assert_eq!(refused.code(), "data_too_large");

    let after = active(&sessions, &token).await;
    let value = |key| after.session().value(key).map(|(text, _)| text.to_vec());
    assert_eq!((value("a"), value("b"), value("large")), (Some(b"1".to_vec()), Some(b"1".to_vec()), None));
    assert_eq!(after.session().version(), 1);
}

async fn p2_an_overlapping_save_of_an_old_read_is_refused_and_not_written(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let old = active(&sessions, &token).await;
    let version = old.session().value("cart").map_or(0, |(_, version)| version);
    sessions.update(&old, CART, |cart| cart.push("apple".into())).await.unwrap();
    let stale = Changes::default().set("cart", vec!["pear"].into()).expect("cart", version);
    assert!(matches!(sessions.change(&old, stale).await, Err(Error::Refused(Refusal::Conflict { .. }))));
    // The same through `update` reads again and keeps both.
    sessions.update(&old, CART, |cart| cart.push("pear".into())).await.unwrap();
    assert_eq!(crate::support::cart(&sessions, &token).await, ["apple", "pear"]);

    // A key that was removed and set again is not the key that was read.
    let read = active(&sessions, &token).await;
    let version = read.session().value("cart").unwrap().1;
    sessions.change(&read, Changes::default().remove("cart")).await.unwrap();
    let again = Changes::default().set("cart", vec!["plum"].into());
    sessions.change(&read, again).await.unwrap();
    let stale = Changes::default().remove("cart").expect("cart", version);
    assert!(sessions.change(&read, stale).await.is_err());
}

async fn p2_a_change_goes_on_when_nobody_waits_for_it(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let gate = Gate::shut();
    world.faults.once(Call::Change, Trouble::HeldBefore(gate.clone()));
    let counting = tokio::spawn(count_up(sessions.clone(), token.clone(), COUNT, 1));
    gate.somebody_waits().await;
    counting.abort();
    counting.await.unwrap_err();
    gate.open();
    crate::support::until("the change", || async { count(&sessions, &token, COUNT).await == 1 }).await;
}

async fn p2_a_lost_change_of_activity_or_roles_takes_no_data_along(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    count_up(sessions.clone(), token.clone(), COUNT, 1).await;
    let gate = Gate::shut();
    world.faults.once(Call::SetRoles, Trouble::HeldAfter(gate.clone()));
    let promoting = tokio::spawn({
        let sessions = sessions.clone();
        async move {
            let admin = [crate::support::role("admin")];
            sessions.set_roles(&user("ann"), &admin, Actor::application()).await
        }
    });
    gate.somebody_waits().await;
    count_up(sessions.clone(), token.clone(), COUNT, 1).await;
    world.clock.advance(Duration::from_secs(90));
    crate::support::visit(&sessions, &token).await;
    gate.open();
    assert_eq!(promoting.await.unwrap().unwrap(), 1);
    world.clock.advance(SECOND);
    sessions.maintain().await.unwrap();
    assert_eq!(count(&sessions, &token, COUNT).await, 2);
    assert!(active(&sessions, &token).await.session().has_role("admin"));
    let sessions = world.restart(sessions).await;
    assert_eq!(count(&sessions, &token, COUNT).await, 2);
}
