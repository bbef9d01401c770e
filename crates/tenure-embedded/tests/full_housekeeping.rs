//! A full store gets room again by itself: activity is still written, so housekeeping goes on.

mod common;

use std::time::Duration;

use common::{Place, begin, session, signed_in};
use tenure::record::NewState;
use tenure::store::{StoreError, Touch};
use tenure::{Changes, Check, Error, NewGuest, Sessions, SignIn, Verdict};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_still_writes_activity() {
    let place = Place::default();
    let store = place.try_open(place.engine().max_bytes(2 << 20)).await.unwrap();
    let ada = begin(&*store, signed_in("ada")).await.unwrap();
    let full = loop {
        if let Err(error) = begin(&*store, session(NewState::Guest, 2_000)).await {
            break error;
        }
    };
    assert!(matches!(full, StoreError::Full(_)), "{full}");
    let mut seen = ada.last_seen_at;
    for _ in 0..20 {
        place.clock.advance(Duration::from_secs(120));
        let at = seen.plus(Duration::from_secs(120));
        store.touch(&[Touch { id: ada.id, at }]).await.unwrap();
        seen = store.load(ada.id).await.unwrap().unwrap().last_seen_at;
        assert_eq!(seen, at);
    }
    let refused = begin(&*store, session(NewState::Guest, 2_000)).await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "touches make no room: {refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_whose_users_are_active_gets_room_again() {
    let place = Place::default();
    let builder = Sessions::builder(place.engine().max_bytes(2 << 20));
    let sessions = builder.clock(place.clock.clone()).without_background().open().await.unwrap();
    let ada = SignIn::password(common::user("ada")).remember(true);
    let ada = sessions.sign_in(None, ada).await.unwrap();
    let guest = || NewGuest::with(Changes::default().set("x", "y".repeat(2_000).into()));
    let full = loop {
        if let Err(error) = sessions.create_guest(guest()).await {
            break error;
        }
    };
    assert!(matches!(full, Error::Store(StoreError::Full(_))), "{full:?}");

    // The guests are idle for long, ended and forgotten, while she comes every hour.
    for _ in 0..5 * 24 {
        place.clock.advance(HOUR);
        let verdict = sessions.check(ada.token.expose().as_bytes(), &Check::signed_in()).await.unwrap();
        assert!(matches!(verdict, Verdict::Ok(_)), "{verdict:?}");
        assert_eq!(sessions.maintain().await.unwrap().touched, 1);
    }
    sessions.create_guest(guest()).await.unwrap();
}
