//! All sessions move to a store of another engine, and nobody is signed out.

mod house;
mod refused;
mod stopped;
mod under_load;

use std::sync::Mutex;

use tenure::random::SystemRandom;
use tenure::store::{Mutation, Operation, Outcome, Owner};
use tenure::{
    Actor, Changes, Check, IdempotencyKey, MoveStage, NewGuest, OperationId, Realm, Sessions, SignIn, Verdict,
};

use crate::support::{check, logout, sign_in, user};
pub(crate) use house::House;
use house::everything;

/// A cart with so many things in it.
fn cart(things: u64) -> Changes {
    Changes::default().set("cart", things.into())
}

/// Moves what there is of every kind, and looks at it on the other side.
async fn everything_is_there_afterwards(from: House, to: House) {
    let old = from.sessions().await;
    let beside = if old.store().info().shared { Some(from.sessions().await) } else { None };
    let kept = sign_in(&old, "ann").await;
    let active = check(&old, &kept).await.unwrap().into_active().unwrap();
    old.change(&active, cart(3)).await.unwrap();
    let ended = sign_in(&old, "bob").await;
    old.end_all_of(&user("bob"), None, logout()).await.unwrap();
    let operation =
        || Operation { id: OperationId::random(&SystemRandom), actor: Actor::system(), receipt: None };
    let disabled = old.sign_in(None, SignIn::password(user("cleo"))).await.unwrap();
    let route = disabled.session.id().route();
    let cleo = Owner { realm: Realm::default(), user: user("cleo"), route };
    old.store().set_disabled(&operation(), &cleo, true).await.unwrap();
    // A guest who signed in, and one who did not.
    let guest = old.create_guest(NewGuest::with(cart(1))).await.unwrap();
    let claimed = old.create_guest(NewGuest::with(cart(7))).await.unwrap().token;
    let presented = old.check(claimed.expose().as_bytes(), &Check::any()).await.unwrap();
    let dora = old.sign_in(Some(&presented), SignIn::password(user("dora"))).await.unwrap().token;
    let key = IdempotencyKey::new("f1d2d2f924e986ac86fdf7b36c94bcdf32beec15").unwrap();
    let once = old.create_guest(NewGuest::default().idempotency_key(key.clone())).await.unwrap();
    for number in 0..600 {
        sign_in(&old, &format!("many-{number}")).await;
    }
    if let Some(beside) = &beside {
        assert_eq!(check(beside, &kept).await.unwrap().as_str(), "ok");
    }

    let stages = Mutex::new(Vec::new());
    let house = old.move_to(to.engine(), "the other store").await.unwrap();
    let before = everything(&old).await;
    let moved = house.run(|progress| stages.lock().unwrap().push(progress.stage)).await.unwrap();
    house.close().await;
    assert_eq!((moved.sessions, moved.users), (604, 2));
    let mut stages = stages.into_inner().unwrap();
    stages.dedup();
    assert_eq!(stages, [MoveStage::Copying, MoveStage::Following, MoveStage::Comparing]);

    // Nobody answers for the old store, from memory neither.
    for node in [Some(&old), beside.as_ref()].into_iter().flatten() {
        assert!(check(node, &kept).await.is_err());
        assert!(node.list(&user("ann")).await.is_err());
        assert!(node.page(None, 10).await.is_err());
        assert!(node.create_guest(NewGuest::default()).await.is_err());
        assert!(node.ready().await.is_err());
    }
    if let Some(beside) = beside {
        beside.close().await.ok();
    }
    old.close().await.ok();
    if from.stays() {
        let error = Sessions::open(from.engine()).await.unwrap_err().to_string();
        assert!(error.contains("have moved to the other store"), "{error}");
    }

    let new = to.sessions().await;
    assert_eq!(everything(&new).await, before);
    let active = check(&new, &kept).await.unwrap().into_active().unwrap();
    assert_eq!(active.session().keys().collect::<Vec<_>>(), ["cart"]);
    new.change(&active, cart(4)).await.unwrap();
    assert_eq!(check(&new, &ended).await.unwrap().reason().unwrap().as_str(), "logout");
    assert_eq!(check(&new, &disabled.token).await.unwrap().reason().unwrap().as_str(), "user_disabled");
    assert!(new.sign_in(None, SignIn::password(user("cleo"))).await.is_err());
    assert_eq!(check(&new, &dora).await.unwrap().as_str(), "ok");
    let verdict = new.check(claimed.expose().as_bytes(), &Check::any()).await.unwrap();
    assert!(!matches!(verdict, Verdict::Ok(_)), "a guest who signed in is no guest any more");
    let verdict = new.check(guest.token.expose().as_bytes(), &Check::any()).await.unwrap();
    assert_eq!(verdict.as_str(), "ok");
    let again = new.create_guest(NewGuest::default().idempotency_key(key)).await.unwrap();
    assert_eq!(again.token.expose(), once.token.expose(), "a retry is told the first answer");
    let end = Mutation::End { ending: logout(), next: None };
    let reply = new.store().mutate(&operation(), guest.session.id(), end).await.unwrap();
    assert_eq!(reply.outcome, Outcome::Applied);
    new.close().await.unwrap();
}

macro_rules! moves {
    ($($name:ident: $from:ident -> $to:ident,)*) => {
        mod everything_is_there_after_a_move_from {
            use super::House;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::everything_is_there_afterwards(House::$from(), House::$to()).await;
            })*
        }
        mod nothing_is_lost_that_happens_in_a_move_from {
            use super::House;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::under_load::nothing_is_lost(House::$from(), House::$to()).await;
            })*
        }
    };
}

moves! {
    memory_to_embedded: memory -> embedded,
    embedded_to_postgres: embedded -> postgres,
    embedded_to_redis: embedded -> redis,
    postgres_to_redis: postgres -> redis,
    redis_to_postgres: redis -> postgres,
    redis_to_embedded: redis -> embedded,
    postgres_to_a_cluster: postgres -> cluster,
    a_cluster_to_redis: cluster -> redis,
}
