//! What is over stays over.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::StatusCode;
use tenure::{Actor, Check, EndReason, Ending, SignIn, Stricter, UserId};
use tenure_tower::Adoption;

use crate::elsewhere::{HOUR, MINUTE, Place, deletes_old, ours};

const DAY: Duration = Duration::from_secs(86_400);

async fn is_out(place: &Place, cookie: &str) -> bool {
    let answer = place.get("/me", cookie).await;
    answer.status == StatusCode::UNAUTHORIZED && ours(&answer).is_none()
}

#[tokio::test]
async fn p1_after_a_sign_out_the_old_cookie_signs_nobody_in() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), HOUR);
        let new = ours(&place.get("/me", &old).await).unwrap();
        // The other system still takes it for good.
        let row = place.elsewhere.rows.lock().unwrap()["a"].clone();
        place.post("/sign-out", &new).await;
        assert_eq!(*place.elsewhere.forgotten.lock().unwrap(), ["row-a"]);
        place.elsewhere.rows.lock().unwrap().insert("a".into(), row);

        let answer = place.get("/me", &old).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(deletes_old(&answer) && ours(&answer).is_none());
        // However it is spelled.
        assert!(is_out(&place, "old=\"a\"").await);
        assert_eq!(place.live("u_ada").await, 0);
    }
}

#[tokio::test]
async fn p1_not_after_days_either_while_its_limits_would_let_it() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), HOUR);
        place.elsewhere.rows.lock().unwrap().get_mut("a").unwrap().remember = true;
        let row = place.elsewhere.rows.lock().unwrap()["a"].clone();
        let new = ours(&place.get("/me", &old).await).unwrap();
        place.post("/sign-out", &new).await;
        place.elsewhere.rows.lock().unwrap().insert("a".into(), row);
        stays_out(&place, &old, 31).await;
    }
}

#[tokio::test]
async fn p1_nor_when_a_sign_in_since_then_has_shortened_the_limits() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), HOUR);
        place.elsewhere.rows.lock().unwrap().get_mut("a").unwrap().remember = true;
        let row = place.elsewhere.rows.lock().unwrap()["a"].clone();
        let new = ours(&place.get("/me", &old).await).unwrap();
        // The password again, this time without "remember me".
        let new = ours(&place.post("/sign-in", &new).await).unwrap();
        place.post("/sign-out", &new).await;
        place.elsewhere.rows.lock().unwrap().insert("a".into(), row);
        stays_out(&place, &old, 31).await;
    }
}

#[tokio::test]
async fn p1_nor_when_the_clock_elsewhere_is_ahead() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), HOUR);
        let since = place.sessions.now().plus(36 * HOUR);
        place.elsewhere.rows.lock().unwrap().get_mut("a").unwrap().since = since;
        let row = place.elsewhere.rows.lock().unwrap()["a"].clone();
        let new = ours(&place.get("/me", &old).await).unwrap();
        place.post("/sign-out", &new).await;
        place.elsewhere.rows.lock().unwrap().insert("a".into(), row);
        stays_out(&place, &old, 5).await;
    }
}

/// An administrator, for whom stricter limits hold, is revoked, and then is one of the many again.
#[tokio::test]
async fn p1_nor_when_other_limits_hold_for_its_user_by_then() {
    for place in Place::each().await {
        let since = place.sessions.now();
        let adopt = async |stricter: Option<u64>| {
            let sign_in = SignIn::password(UserId::new("u_ada").unwrap()).remember(stricter.is_none());
            let stricter = Stricter { absolute_seconds: stricter, ..Default::default() };
            let adoption = Adoption::of_user("row-a", since, sign_in.stricter(stricter));
            place.sessions.adopt("old", adoption, &Check::signed_in()).await.unwrap()
        };
        let active = adopt(Some(3_600)).await.into_active().unwrap();
        let revoked = Ending::new(EndReason::Revoked, Actor::application());
        place.sessions.end(active.session().id(), revoked).await.unwrap();
        for day in 0..31 {
            place.clock.advance(DAY);
            place.sessions.maintain().await.unwrap();
            place.sessions.maintain().await.unwrap();
            assert!(adopt(None).await.active().is_none(), "day {day}");
        }
        let forgotten = place.sessions.get(active.session().id()).await.unwrap();
        assert!(forgotten.is_none(), "it is kept for longer than it could begin");
    }
}

async fn stays_out(place: &Place, old: &str, days: u32) {
    for day in 0..days {
        place.clock.advance(DAY);
        place.sessions.maintain().await.unwrap();
        place.sessions.maintain().await.unwrap();
        assert!(is_out(place, old).await, "day {day}");
    }
}

#[tokio::test]
async fn a_sign_out_on_the_first_request_ends_the_session_elsewhere_too() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), HOUR);
        let row = place.elsewhere.rows.lock().unwrap()["a"].clone();
        let answer = place.post("/sign-out", &old).await;
        assert!(deletes_old(&answer));
        assert_eq!(*place.elsewhere.forgotten.lock().unwrap(), ["row-a"]);
        place.elsewhere.rows.lock().unwrap().insert("a".into(), row);
        assert!(is_out(&place, &old).await);
    }
}

#[tokio::test]
async fn a_sign_out_stands_also_when_the_other_system_cannot_be_told() {
    for place in Place::each().await {
        let new = ours(&place.get("/me", &place.has("a", Some("u_ada"), HOUR)).await).unwrap();
        place.elsewhere.fails.store(true, Ordering::SeqCst);
        assert_eq!(place.post("/sign-out", &new).await.status, StatusCode::OK);
        assert_eq!(place.elsewhere.forgotten.lock().unwrap().len(), 1);
        assert!(is_out(&place, &new).await);
        assert_eq!(place.live("u_ada").await, 0);
    }
}

#[tokio::test]
async fn p1_a_session_that_was_revoked_does_not_begin_again() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), HOUR);
        place.get("/me", &old).await;
        let id = place.sessions.list(&UserId::new("u_ada").unwrap()).await.unwrap()[0].id();
        place.sessions.end(id, Ending::new(EndReason::Revoked, Actor::application())).await.unwrap();
        assert!(is_out(&place, &old).await);
    }
}

#[tokio::test]
async fn a_user_who_was_signed_out_everywhere_is_so_elsewhere_too() {
    for place in Place::each().await {
        let old = place.has("not-taken-over-yet", Some("u_ada"), HOUR);
        let ada = UserId::new("u_ada").unwrap();
        let ending = Ending::new(EndReason::Logout, Actor::user());
        place.sessions.end_all_of(&ada, None, ending).await.unwrap();
        assert!(is_out(&place, &old).await);
        place.clock.advance(MINUTE);
        let later = place.has("signed-in-since", Some("u_ada"), Duration::from_secs(30));
        assert_eq!(place.get("/me", &later).await.text, "u_ada");
    }
}

#[tokio::test]
async fn p1_nor_by_a_session_that_is_said_to_begin_a_little_later() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), Duration::ZERO);
        let since = place.sessions.now().plus(Duration::from_secs(30));
        place.elsewhere.rows.lock().unwrap().get_mut("a").unwrap().since = since;
        let ending = Ending::new(EndReason::Logout, Actor::user());
        place.sessions.end_all_of(&UserId::new("u_ada").unwrap(), None, ending).await.unwrap();
        assert!(is_out(&place, &old).await);
        place.clock.advance(Duration::from_secs(29));
        assert!(is_out(&place, &old).await);
    }
}

#[tokio::test]
async fn asvs_7_4_2_a_disabled_user_is_not_let_in_nor_by_an_old_session_later() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), HOUR);
        let ada = UserId::new("u_ada").unwrap();
        place.sessions.disable(&ada, Actor::application()).await.unwrap();
        let answer = place.get("/me", &old).await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::UNAUTHORIZED, 0));
        place.sessions.enable(&ada, Actor::application()).await.unwrap();
        assert!(is_out(&place, &old).await);
        place.clock.advance(MINUTE);
        let later = place.has("b", Some("u_ada"), Duration::from_secs(30));
        assert_eq!(place.get("/me", &later).await.text, "u_ada");
    }
}
