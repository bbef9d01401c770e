//! A move that breaks off: the old store goes on, and the next try brings it to its end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tenure::clock::TestClock;
use tenure::store::{Fence, Phase, StoreError};
use tenure::{Error, Move, MoveStage, NewGuest, Sessions};

use super::house::{House, everything};
use crate::support::{check, sign_in};

/// Moves until this stage has reported `times`, and drops the future there.
pub(super) async fn breaks_off(house: &Move, at: MoveStage, times: usize) {
    let (seen, stopped) = (AtomicUsize::new(0), tokio::sync::Notify::new());
    let watch = |progress: &tenure::MoveProgress| {
        if progress.stage == at && seen.fetch_add(1, Ordering::Relaxed) + 1 >= times {
            stopped.notify_one();
        }
    };
    tokio::select! {
        biased;
        () = stopped.notified() => {}
        done = house.run(watch) => panic!("it was to break off: {done:?}"),
    }
}

async fn a_move_that_breaks_off_can_be_finished(from: House, to: House) {
    let old = from.sessions().await;
    let mut tokens = Vec::new();
    for number in 0..50 {
        tokens.push(sign_in(&old, &format!("u{number}")).await);
    }
    for (stage, times) in [(MoveStage::Copying, 1), (MoveStage::Following, 1), (MoveStage::Comparing, 1)] {
        let house = old.move_to(to.engine(), "the other store").await.unwrap();
        breaks_off(&house, stage, times).await;
        // The old one answers, and takes writes again once the freeze is lifted or has ended.
        assert_eq!(check(&old, &tokens[0]).await.unwrap().as_str(), "ok", "{stage:?}");
        assert!(Sessions::open(to.engine()).await.unwrap_err().to_string().contains("copied into it"));
        old.store().movable().unwrap().fence(Fence::Lift).await.unwrap();
        tokens.push(sign_in(&old, &format!("after-{stage:?}")).await);
        house.close().await;
    }
    let house = old.move_to(to.engine(), "the other store").await.unwrap();
    let before = everything(&old).await;
    house.run(|_| ()).await.unwrap();
    house.close().await;
    let new = to.sessions().await;
    assert_eq!(everything(&new).await, before);
    for token in &tokens {
        assert_eq!(check(&new, token).await.unwrap().as_str(), "ok");
    }
    new.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn from_embedded_to_postgres() {
    a_move_that_breaks_off_can_be_finished(House::embedded(), House::postgres()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgres_to_redis() {
    a_move_that_breaks_off_can_be_finished(House::postgres(), House::redis()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_broke_off_between_both_stores_is_finished_without_serving_either() {
    let (from, to) = (House::postgres(), House::redis());
    let old = from.sessions().await;
    let token = sign_in(&old, "ann").await;
    let house = old.move_to(to.engine(), "the other store").await.unwrap();
    breaks_off(&house, MoveStage::Comparing, 1).await;
    // As if the process had died after the old store was shut.
    let Phase::Leaving { of } = old.store().movable().unwrap().phase().await.unwrap() else {
        panic!("it began")
    };
    house.run(|_| ()).await.unwrap();
    house.close().await;
    // Either before that was written down or after.
    for (written, open) in [(false, false), (true, false), (true, true)] {
        let there = to.sessions().await;
        let movable = there.store().movable().unwrap();
        assert!(movable.change_phase(&Phase::Open, &Phase::Arrived { of }).await.unwrap());
        there.close().await.unwrap();
        if !written {
            let movable = old.store().movable().unwrap();
            let moved = movable.phase().await.unwrap();
            assert!(movable.change_phase(&moved, &Phase::Leaving { of }).await.unwrap());
            assert!(old.ready().await.is_err());
        }
        if open {
            // A server took over that has not heard of that.
            old.store().movable().unwrap().fence(Fence::Lift).await.unwrap();
        }
        assert!(Sessions::open(to.engine()).await.unwrap_err().to_string().contains("not handed over"));
        let house = Move::between(from.engine(), to.engine(), "the other store").await.unwrap();
        let moved = house.run(|_| ()).await.unwrap();
        house.close().await;
        assert_eq!(moved.sessions, 1);
        assert!(Sessions::open(from.engine()).await.is_err());
        let new = to.sessions().await;
        assert_eq!(check(&new, &token).await.unwrap().as_str(), "ok");
        new.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_store_that_thaws_meanwhile_is_not_believed_to_be_the_same() {
    let (from, clock) = (House::memory(), TestClock::default());
    let old =
        Sessions::builder(from.engine()).clock(clock.clone()).without_background().open().await.unwrap();
    let token = sign_in(&old, "ann").await;
    let to = House::memory();
    let house = old.move_to(to.engine(), "the other store").await.unwrap();
    let late = |progress: &tenure::MoveProgress| {
        if progress.stage == MoveStage::Comparing {
            clock.advance(Duration::from_secs(31));
        }
    };
    let error = house.run(late).await.unwrap_err();
    assert!(matches!(&error, Error::Store(StoreError::Unavailable(_))), "{error}");
    assert_eq!(check(&old, &token).await.unwrap().as_str(), "ok");
    old.create_guest(NewGuest::default()).await.unwrap();
    // At a quieter time.
    house.run(|_| ()).await.unwrap();
    assert!(check(&old, &token).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_which_only_a_part_is_shut_is_moved_again() {
    let (from, to) = (House::redis(), House::postgres());
    let House::Redis(_, prefix) = &from else { unreachable!() };
    let old = from.sessions().await;
    let token = sign_in(&old, "ann").await;
    let house = old.move_to(to.engine(), "the other store").await.unwrap();
    house.run(|_| ()).await.unwrap();
    house.close().await;
    // As if the process had died before the new one was opened, and a server taken over that has not heard
    // of one partition.
    let there = to.sessions().await;
    let Phase::Moved { of, .. } = old.store().movable().unwrap().phase().await.unwrap() else {
        panic!("it has moved")
    };
    let movable = there.store().movable().unwrap();
    assert!(movable.change_phase(&Phase::Open, &Phase::Arrived { of }).await.unwrap());
    there.close().await.unwrap();
    let server = tenure_servers::Redis::shared();
    let heads = server.cli(&format!("KEYS {prefix}*h"));
    let is_shut = |head: &&str| server.cli(&format!("HGET {head} barrier")).contains("9007199254740991");
    let head = heads.lines().find(is_shut).expect("partitions are shut");
    assert_eq!(server.cli(&format!("HSET {head} barrier 0")), "0", "it has one");
    let house = Move::between(from.engine(), to.engine(), "the other store").await.unwrap();
    house.run(|_| ()).await.unwrap();
    house.close().await;
    let new = to.sessions().await;
    assert_eq!(check(&new, &token).await.unwrap().as_str(), "ok");
    assert!(Sessions::open(from.engine()).await.is_err());
    new.close().await.unwrap();
}
