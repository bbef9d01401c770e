//! What is no move.

use tenure::{Memory, Move, MoveStage, NewGuest, Sessions};

use super::house::{House, everything};
use super::stopped::breaks_off;
use crate::support::{check, sign_in};

async fn error_of(old: &Sessions, to: &House) -> String {
    let house = old.move_to(to.engine(), "the other store").await.unwrap();
    let error = house.run(|_| ()).await.unwrap_err().to_string();
    house.close().await;
    // Nothing happened to the old one.
    old.create_guest(NewGuest::default()).await.unwrap();
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_others_use_takes_nobody_in() {
    let (from, to) = (House::embedded(), House::postgres());
    let (old, new) = (from.sessions().await, to.sessions().await);
    let (_, theirs) = (sign_in(&old, "ann").await, sign_in(&new, "ben").await);
    assert!(error_of(&old, &to).await.contains("not empty"));
    assert_eq!(check(&new, &theirs).await.unwrap().as_str(), "ok");
    new.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_another_move_goes_to_takes_nobody_in() {
    let to = House::redis();
    let (first, second) = (House::embedded().sessions().await, House::embedded().sessions().await);
    let house = first.move_to(to.engine(), "the other store").await.unwrap();
    breaks_off(&house, MoveStage::Copying, 1).await;
    house.close().await;
    let error = error_of(&second, &to).await;
    assert!(error.contains("not empty"), "{error}");
}

#[tokio::test]
async fn another_master_key_is_refused_before_anything_is_written() {
    let old = House::memory().sessions().await;
    let error = old.move_to(Memory, "another").await.unwrap_err().to_string();
    assert!(error.contains("another master key"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_called_off_leaves_the_old_store_as_it_was() {
    let (from, to) = (House::postgres(), House::embedded());
    let old = from.sessions().await;
    let token = sign_in(&old, "ann").await;
    let house = old.move_to(to.engine(), "the other store").await.unwrap();
    assert!(house.call_off().await.unwrap_err().to_string().contains("nothing to call off"));
    breaks_off(&house, MoveStage::Comparing, 1).await;
    house.call_off().await.unwrap();
    house.close().await;
    assert_eq!(check(&old, &token).await.unwrap().as_str(), "ok");
    assert!(Sessions::open(to.engine()).await.unwrap_err().to_string().contains("called off"));
    assert!(error_of(&old, &to).await.contains("not empty"));
    // To another place it can move at any time.
    let house = old.move_to(House::redis().engine(), "the other store").await.unwrap();
    house.run(|_| ()).await.unwrap();
    // Once that is in use, there is no way back.
    assert!(house.call_off().await.unwrap_err().to_string().contains("nothing to call off"));
    house.close().await;
    let house = Move::between(from.engine(), to.engine(), "the one that was called off").await.unwrap();
    assert!(house.call_off().await.is_err(), "the sessions are elsewhere");
    house.close().await;
    assert!(Sessions::open(from.engine()).await.is_err(), "and the old store stays shut");
    assert!(
        Move::between(from.engine(), House::memory().engine(), "a third")
            .await
            .unwrap()
            .run(|_| ())
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_use_is_not_harmed_by_whoever_calls_off_a_move_to_it() {
    let (from, to) = (House::redis(), House::postgres());
    let (old, new) = (from.sessions().await, to.sessions().await);
    let (ours, theirs) = (sign_in(&old, "ann").await, sign_in(&new, "ben").await);
    for (house, other) in [(&old, &to), (&new, &from)] {
        let house = house.move_to(other.engine(), "in use").await.unwrap();
        assert!(house.call_off().await.unwrap_err().to_string().contains("nothing to call off"));
        house.close().await;
    }
    for (sessions, token, place) in [(old, ours, &from), (new, theirs, &to)] {
        assert_eq!(check(&sessions, &token).await.unwrap().as_str(), "ok");
        sessions.close().await.unwrap();
        place.sessions().await.create_guest(NewGuest::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_store_takes_in_itself() {
    for (place, same) in [
        (House::Postgres("itself".into()), House::Postgres("itself".into())),
        (
            House::Redis(tenure_servers::Redis::shared().url(), "itself".into()),
            House::Redis(tenure_servers::Redis::shared().url(), "itself".into()),
        ),
    ] {
        let sessions = place.sessions().await;
        let error = error_of(&sessions, &same).await;
        assert!(error.contains("is the old one"), "{error}");
        assert!(error_of(&sessions, &same).await.contains("not empty"));
        sessions.close().await.unwrap();
        place.sessions().await.create_guest(NewGuest::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_move_the_same_store_one_does() {
    for (from, one, other) in [
        (House::postgres(), House::redis(), House::embedded()),
        (House::redis(), House::postgres(), House::postgres()),
    ] {
        let old = from.sessions().await;
        let mut tokens = Vec::new();
        for number in 0..200 {
            tokens.push(sign_in(&old, &format!("u{number}")).await);
        }
        let (first, second) = (
            Move::between(from.engine(), one.engine(), "one").await.unwrap(),
            old.move_to(other.engine(), "other").await.unwrap(),
        );
        let done = tokio::join!(first.run(|_| ()), second.run(|_| ()));
        let in_use = match &done {
            (Ok(_), Err(_)) => &one,
            (Err(_), Ok(_)) => &other,
            both => panic!("one of them: {both:?}"),
        };
        first.close().await;
        second.close().await;
        let new = in_use.sessions().await;
        for token in &tokens {
            assert_eq!(check(&new, token).await.unwrap().as_str(), "ok");
        }
        let lost = if std::ptr::eq(in_use, &raw const one) { &other } else { &one };
        // It has a part and says so, or the other one was first before anything came.
        if let Ok(lost) = Sessions::open(lost.engine()).await {
            assert!(everything(&lost).await.is_empty(), "nobody serves two");
            lost.close().await.unwrap();
        }
        assert!(Sessions::open(from.engine()).await.is_err());
        new.close().await.unwrap();
    }
}

/// Waits for something where nobody can wait.
fn wait_for<T>(work: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_is_not_disturbed_by_who_calls_off_another() {
    let (from, to, other) = (House::memory(), House::memory(), House::memory());
    let old = from.sessions().await;
    let token = sign_in(&old, "ann").await;
    let house = old.move_to(to.engine(), "the other store").await.unwrap();
    house
        .run(|progress| {
            if progress.stage == MoveStage::Comparing {
                let wrong = wait_for(Move::between(from.engine(), other.engine(), "a third")).unwrap();
                assert!(wait_for(wrong.call_off()).is_err());
            }
        })
        .await
        .unwrap();
    let new = to.sessions().await;
    assert_eq!(check(&new, &token).await.unwrap().as_str(), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_another_one_overtakes_shuts_nothing() {
    for called_off in [true, false] {
        let (from, to, other) = (House::memory(), House::memory(), House::memory());
        let old = from.sessions().await;
        let token = sign_in(&old, "ann").await;
        let house = old.move_to(to.engine(), "the other store").await.unwrap();
        let mut first = true;
        let first = std::sync::Mutex::new(&mut first);
        let overtaken = house
            .run(|progress| {
                let is_first =
                    progress.stage == MoveStage::Comparing && std::mem::take(&mut **first.lock().unwrap());
                if is_first && called_off {
                    let same = wait_for(Move::between(from.engine(), to.engine(), "the same")).unwrap();
                    wait_for(same.call_off()).unwrap();
                } else if is_first {
                    let another = wait_for(Move::between(from.engine(), other.engine(), "another")).unwrap();
                    wait_for(another.run(|_| ())).unwrap();
                }
            })
            .await;
        assert!(overtaken.is_err());
        let served = if called_off { old } else { other.sessions().await };
        assert_eq!(check(&served, &token).await.unwrap().as_str(), "ok");
        served.create_guest(NewGuest::default()).await.unwrap();
        assert!(Sessions::open(to.engine()).await.is_err());
    }
}
