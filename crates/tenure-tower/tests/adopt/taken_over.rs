//! What becomes of somebody who comes from elsewhere.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use tenure::event::EventKind;
use tenure::store::EventPage;
use tenure::{Found, UserId};
use tenure_tower::{Adopt, SessionLayer};

use crate::elsewhere::{HOUR, MINUTE, Place, app, deletes_old, ours};

#[tokio::test]
async fn whoever_was_signed_in_stays_so_and_gets_the_new_cookie_for_the_old() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), HOUR);
        let answer = place.get("/me", &old).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "u_ada"));
        assert!(deletes_old(&answer));
        let new = ours(&answer).unwrap();
        let cart = place.get("/cart", &new).await;
        assert_eq!((cart.text.as_str(), cart.set_cookies().len()), ("apple", 0));

        let listed = place.sessions.list(&UserId::new("u_ada").unwrap()).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert!(listed[0].has_role("customer"));
        let ago = |at| place.sessions.now().since(at);
        assert_eq!(ago(listed[0].authenticated_at().unwrap()), HOUR);
        assert_eq!(ago(listed[0].methods()[0].at), HOUR);
        assert!(ago(listed[0].created_at()) < MINUTE);
    }
}

#[tokio::test]
async fn the_event_says_that_it_was_adopted_and_from_which_cookie() {
    for place in Place::each().await {
        place.get("/me", &place.has("a", Some("u_ada"), HOUR)).await;
        let EventPage::Events(events) = place.sessions.store().events(0, None, 10).await.unwrap() else {
            panic!("nothing was cut");
        };
        let created: Vec<_> = events.iter().filter(|event| event.body.kind == EventKind::Created).collect();
        assert_eq!(created.len(), 1);
        assert_eq!(created[0].body.actor.as_str(), "adopted:old");
    }
}

#[tokio::test]
async fn a_visitors_cart_comes_along_and_survives_the_sign_in() {
    for place in Place::each().await {
        let old = place.has("a", None, HOUR);
        let answer = place.get("/cart", &old).await;
        assert_eq!(answer.text, "apple");
        assert!(deletes_old(&answer));
        let guest = ours(&answer).unwrap();
        assert_eq!(place.get("/me", &guest).await.status, StatusCode::UNAUTHORIZED);
        let user = ours(&place.post("/sign-in", &guest).await).unwrap();
        assert_eq!(place.get("/cart", &user).await.text, "apple");
        assert_eq!(place.get("/me", &old).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn p9_a_request_that_leaves_its_session_alone_asks_nobody() {
    for place in Place::each().await {
        let answer = place.get("/still", &place.has("a", Some("u_ada"), HOUR)).await;
        assert_eq!(answer.set_cookies().len(), 0);
        assert_eq!(place.elsewhere.asked.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_session_of_ours_goes_before_a_cookie_from_elsewhere() {
    for place in Place::each().await {
        let first = ours(&place.get("/me", &place.has("a", Some("u_ada"), HOUR)).await).unwrap();
        let other = place.has("b", Some("u_bob"), HOUR);
        let asked = place.elsewhere.asked.load(Ordering::SeqCst);
        assert_eq!(place.get("/me", &format!("{first}; {other}")).await.text, "u_ada");
        assert_eq!(place.elsewhere.asked.load(Ordering::SeqCst), asked);
        // One of ours that is over does not stand in the way of a new session elsewhere.
        place.post("/sign-out", &first).await;
        let answer = place.get("/me", &format!("{first}; {other}")).await;
        assert_eq!(answer.text, "u_bob");
        assert!(ours(&answer).is_some() && deletes_old(&answer));
    }
}

#[tokio::test]
async fn a_sign_out_takes_an_old_cookie_away_that_a_sign_in_has_left() {
    for place in Place::each().await {
        let answer = place.post("/sign-in", "old=nobody").await;
        assert!(!deletes_old(&answer));
        let ours = ours(&answer).unwrap();
        assert!(deletes_old(&place.post("/sign-out", &format!("{ours}; old=nobody")).await));
    }
}

#[tokio::test]
async fn the_old_cookie_is_deleted_where_it_was_set() {
    for place in Place::each().await {
        let adopt = Adopt::cookie("old", |_| async { Ok(None) }).path("/shop").domain("example.org");
        let app = app(SessionLayer::new(&place.sessions).adopt(adopt));
        let place = Place { app, ..place };
        let answer = place.post("/sign-out", "old=x").await;
        assert!(answer.set_cookies().contains(&"old=; Path=/shop; Max-Age=0; Domain=example.org; Secure"));
    }
}

#[tokio::test]
async fn p3_a_stolen_store_does_not_tell_the_old_session() {
    let [memory, place] = Place::each().await;
    drop(memory);
    let old = place.has("a-secret-of-elsewhere", Some("u_ada"), HOUR);
    let answer = place.get("/me", &old).await;
    let cookie = ours(&answer).unwrap();
    let Found::One(token) = place.sessions.cookie().find([cookie.as_bytes()]) else { panic!("{cookie}") };
    let verdict = place.sessions.check(token, &tenure::Check::default()).await.unwrap();
    let session = verdict.session().unwrap().clone();
    assert_eq!(place.sessions.adopted_from(&session).as_deref(), Some("row-a-secret-of-elsewhere"));
    // Neither on disk nor in what programs are shown of the session.
    assert!(!serde_json::to_string(&*session).unwrap().contains("a-secret-of-elsewhere"));
    let mut files = 0;
    for file in std::fs::read_dir(place.folder.path().join("store")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
        files += usize::from(!bytes.is_empty());
        let secret = b"a-secret-of-elsewhere";
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
    assert!(files > 0);
}
