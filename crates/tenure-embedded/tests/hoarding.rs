//! Visitors and damage that take room or rights from others.

mod common;

use std::time::Duration;

use common::{Place, begin, session, user};
use tenure::record::NewState;
use tenure::store::StoreError;
use tenure::store::conformance::{identity, revoked};
use tenure::{Active, Actor, Changes, Check, NewGuest, Sessions, SignIn};

async fn open(place: &Place, max_bytes: u64) -> Sessions {
    let builder = Sessions::builder(place.engine().max_bytes(max_bytes)).clock(place.clock.clone());
    builder.without_background().open().await.unwrap()
}

async fn active(sessions: &Sessions, token: &str) -> Active {
    let verdict = sessions.check(token.as_bytes(), &Check::any()).await.unwrap();
    verdict.active().expect("active").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_the_room_for_ends_is_not_used_up_by_one_who_ends_and_ends() {
    let place = Place::default();
    let sessions = open(&place, 2 << 20).await;
    let issued = sessions.sign_in(None, SignIn::password(user("mallory"))).await.unwrap();
    let store = sessions.store().clone();
    for n in 0.. {
        let new = session(NewState::SignedIn(identity(&user(&format!("user-{}", n / 10)))), 2_000);
        match begin(&*store, new).await {
            Ok(_) => {}
            Err(StoreError::Full(_)) => break,
            Err(error) => panic!("{error}"),
        }
    }
    let mallory = active(&sessions, issued.token.expose()).await;
    let before = place.database().metadata().unwrap().len();
    for _ in 0..5_000 {
        sessions.end_others(&mallory).await.unwrap();
    }
    assert!(sessions.disable(&user("user-1"), Actor::application()).await.unwrap() > 0);
    assert!(sessions.end_all_of(&user("user-2"), None, revoked()).await.unwrap() > 0);
    let after = place.database().metadata().unwrap().len();
    assert!(after - before < 256 << 10, "{before} bytes became {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_guest_who_changes_and_changes_keeps_nobody_out_for_long() {
    let place = Place::default();
    let sessions = open(&place, 4 << 20).await;
    let guest = sessions.create_guest(NewGuest::default()).await.unwrap();
    let guest = active(&sessions, guest.token.expose()).await;
    let (mut full, mut changes) = (false, 0_u32);
    while !full {
        let change = |n: u32| {
            let (sessions, guest) = (sessions.clone(), guest.clone());
            tokio::spawn(async move {
                sessions.change(&guest, Changes::default().set("n", n.into())).await.map(drop)
            })
        };
        for task in (0..64).map(change).collect::<Vec<_>>() {
            full |= task.await.unwrap().is_err();
        }
        changes += 64;
        assert!(changes < 1_000_000, "it never gets full");
    }
    let refused = sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap_err();
    assert_eq!(refused.code(), "store_full");
    // Housekeeping, which runs every few seconds, lets go of old events.
    sessions.maintain().await.unwrap();
    place.clock.advance(Duration::from_secs(1));
    sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_one_damaged_session_keeps_no_other_of_its_user_alive() {
    let place = Place::default();
    let sessions = open(&place, 1 << 30).await;
    let password = || SignIn::password(user("eve"));
    let damaged = sessions.sign_in(None, password()).await.unwrap();
    let whole = sessions.sign_in(None, password()).await.unwrap();
    let other = sessions.sign_in(None, password()).await.unwrap();
    sessions.close().await.unwrap();
    drop(sessions);
    let database = rusqlite::Connection::open(place.database()).unwrap();
    let spoil = "UPDATE sessions SET sum = sum + 1 WHERE id = ?1";
    assert_eq!(database.execute(spoil, [damaged.session.id().as_bytes()]).unwrap(), 1);
    drop(database);

    let sessions = open(&place, 1 << 30).await;
    let said = async |token: &tenure::SessionToken| {
        let verdict = sessions.check(token.expose().as_bytes(), &Check::signed_in()).await;
        verdict.map_or_else(|error| error.code(), |verdict| verdict.reason().map_or("ok", |why| why.as_str()))
    };
    let ended = sessions.end_all_of(&user("eve"), Some(other.session.id()), revoked()).await;
    assert_eq!((ended.unwrap(), said(&whole.token).await), (1, "revoked"));
    assert_eq!(sessions.disable(&user("eve"), Actor::application()).await.unwrap(), 1);
    assert_eq!(said(&other.token).await, "user_disabled");
    assert_eq!(said(&damaged.token).await, "store_damaged", "it lets nobody in either");
}
