//! What is no move.

use tenure::{Memory, Move, MoveStage, NewGuest, Sessions};

use super::house::House;
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
    house.call_off().await.unwrap();
    house.close().await;
    assert_eq!(check(&old, &token).await.unwrap().as_str(), "ok");
    assert!(Sessions::open(to.engine()).await.unwrap_err().to_string().contains("called off"));
    assert!(error_of(&old, &to).await.contains("not empty"));
    // To another place it can move at any time.
    let house = old.move_to(House::redis().engine(), "the other store").await.unwrap();
    house.run(|_| ()).await.unwrap();
    // Once that is in use, there is no way back.
    assert!(house.call_off().await.unwrap_err().to_string().contains("in use"));
    house.close().await;
    assert!(
        Move::between(from.engine(), House::memory().engine(), "a third")
            .await
            .unwrap()
            .run(|_| ())
            .await
            .is_err()
    );
}
