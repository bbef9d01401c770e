//! Limits hold for those who come from elsewhere as for everybody.

use std::time::Duration;

use axum::http::StatusCode;
use tenure::AtLimit;
use tenure::clock::Timestamp;
use tenure::{Policy, UserId};

use crate::elsewhere::{HOUR, MINUTE, Place, deletes_old, ours};

#[tokio::test]
async fn p4_the_absolute_limit_counts_from_the_sign_in_elsewhere() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), 11 * HOUR);
        let mut cookie = ours(&place.get("/me", &old).await).unwrap();
        for _ in 0..3 {
            place.clock.advance(15 * MINUTE);
            let answer = place.get("/me", &cookie).await;
            assert_eq!(answer.text, "u_ada");
            cookie = ours(&answer).unwrap_or(cookie);
        }
        place.clock.advance(15 * MINUTE);
        assert_eq!(place.get("/me", &cookie).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn p4_whoever_is_past_the_limit_comes_too_late() {
    for place in Place::each().await {
        for (user, ago) in [(Some("u_ada"), 12 * HOUR), (None, 24 * HOUR)] {
            let old = place.has("a", user, ago);
            let answer = place.get("/me", &old).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert!(deletes_old(&answer) && ours(&answer).is_none());
            assert_eq!(place.live("u_ada").await, 0);
        }
    }
}

#[tokio::test]
async fn a_remembered_user_keeps_the_longer_limits() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), 100 * HOUR);
        assert_eq!(place.get("/me", &old).await.status, StatusCode::UNAUTHORIZED);
        place.elsewhere.rows.lock().unwrap().get_mut("a").unwrap().remember = true;
        let answer = place.get("/me", &old).await;
        assert_eq!(answer.text, "u_ada");
        let left = (30 * 24 - 100) * 3_600;
        assert!(answer.set_cookies().iter().any(|set| set.contains(&format!("Max-Age={left};"))));
    }
}

#[tokio::test]
async fn a_moment_that_is_still_to_come_moves_no_limit() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), Duration::ZERO);
        let row = place.elsewhere.rows.lock().unwrap()["a"].clone();
        let since = row.since.plus(100 * HOUR);
        place.elsewhere.rows.lock().unwrap().insert("a".into(), crate::elsewhere::Row { since, ..row });
        place.get("/me", &old).await;
        let session = &place.sessions.list(&UserId::new("u_ada").unwrap()).await.unwrap()[0];
        assert!(session.authenticated_at().unwrap() <= place.sessions.now());
        assert!(session.expires_at().since(place.sessions.now()) <= 12 * HOUR);
    }
}

#[tokio::test]
async fn a_moment_in_the_wrong_unit_begins_nothing_that_is_kept_for_ever() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), Duration::ZERO);
        let micros = place.sessions.now().as_millis() * 1_000;
        place.elsewhere.rows.lock().unwrap().get_mut("a").unwrap().since = Timestamp::from_millis(micros);
        let answer = place.get("/me", &old).await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::UNAUTHORIZED, 0));
        assert_eq!(place.live("u_ada").await, 0);
    }
}

#[tokio::test]
async fn whoever_has_no_room_for_a_session_keeps_the_old_cookie() {
    let policy = Policy { max_sessions: 1, at_limit: AtLimit::Refuse, ..Policy::default() };
    for place in Place::each_with(&policy).await {
        let first = ours(&place.get("/me", &place.has("a", Some("u_ada"), HOUR)).await).unwrap();
        let second = place.has("b", Some("u_ada"), HOUR);
        let refused = place.get("/me", &second).await;
        assert_eq!((refused.status, refused.set_cookies().len()), (StatusCode::UNAUTHORIZED, 0));
        assert_eq!(place.get("/me", &first).await.text, "u_ada");
        place.post("/sign-out", &first).await;
        assert_eq!(place.get("/me", &second).await.text, "u_ada");
    }
}

#[tokio::test]
async fn one_more_session_pushes_out_the_one_that_was_idle_longest() {
    let policy = Policy { max_sessions: 1, ..Policy::default() };
    for place in Place::each_with(&policy).await {
        let first = ours(&place.get("/me", &place.has("a", Some("u_ada"), HOUR)).await).unwrap();
        place.clock.advance(MINUTE);
        assert_eq!(place.get("/me", &place.has("b", Some("u_ada"), HOUR)).await.text, "u_ada");
        assert_eq!(place.get("/me", &first).await.status, StatusCode::UNAUTHORIZED);
    }
}
