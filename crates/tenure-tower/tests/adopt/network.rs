//! Requests that come at once, answers that are lost, and another system that fails.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use tenure::AtLimit;
use tenure::{EndReason, Policy, UserId};

use crate::elsewhere::{HOUR, MINUTE, Place, deletes_old, ours};

fn one_session(at_limit: AtLimit) -> Policy {
    Policy { max_sessions: 1, at_limit, ..Policy::default() }
}

#[tokio::test]
async fn requests_that_come_at_once_make_one_session_and_use_up_no_limit() {
    for at_limit in [AtLimit::Refuse, AtLimit::EndLongestIdle] {
        for place in Place::each_with(&one_session(at_limit)).await {
            let old = place.has("a", Some("u_ada"), HOUR);
            let [a, b, c, d, e, f] = std::array::from_fn(|_| place.get("/me", &old));
            let (a, b, c, d, e, f) = tokio::join!(a, b, c, d, e, f);
            let answers = [a, b, c, d, e, f];
            assert!(answers.iter().all(|answer| answer.text == "u_ada" && deletes_old(answer)));
            let first = ours(&answers[0]).unwrap();
            assert!(answers.iter().all(|answer| ours(answer).as_ref() == Some(&first)));
            assert_eq!(place.live("u_ada").await, 1);
            assert_eq!(place.get("/me", &first).await.text, "u_ada");
        }
    }
}

#[tokio::test]
async fn p10_whoever_lost_the_answer_gets_it_again() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), HOUR);
        let lost = ours(&place.get("/me", &old).await);
        place.clock.advance(20 * MINUTE);
        let again = place.get("/me", &old).await;
        assert_eq!((again.text.as_str(), ours(&again)), ("u_ada", lost));
        assert!(deletes_old(&again));
    }
}

#[tokio::test]
async fn p10_a_request_still_on_its_way_is_served_and_sets_no_cookie() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), HOUR);
        let new = ours(&place.get("/me", &old).await).unwrap();
        assert_eq!(place.get("/me", &new).await.text, "u_ada");
        let late = place.get("/me", &old).await;
        assert_eq!((late.text.as_str(), late.set_cookies().len()), ("u_ada", 0));
        assert_eq!(place.get("/me", &new).await.text, "u_ada");
    }
}

#[tokio::test]
async fn an_old_cookie_that_comes_when_the_new_one_is_in_use_ends_the_session() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), HOUR);
        let new = ours(&place.get("/me", &old).await).unwrap();
        place.get("/me", &new).await;
        place.clock.advance(MINUTE);
        let id = place.sessions.list(&UserId::new("u_ada").unwrap()).await.unwrap()[0].id();
        let stolen = place.get("/me", &old).await;
        assert_eq!(stolen.status, StatusCode::UNAUTHORIZED);
        assert!(deletes_old(&stolen) && ours(&stolen).is_none());
        let over = place.sessions.get(id).await.unwrap().unwrap();
        assert_eq!(over.end_reason(), Some(EndReason::TokenReuse));
        assert_eq!(place.get("/me", &new).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn p5_another_system_that_fails_is_no_logout() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), HOUR);
        place.elsewhere.fails.store(true, Ordering::SeqCst);
        let answer = place.get("/me", &old).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!((answer.header("retry-after"), answer.set_cookies().len()), ("1", 0));
        assert!(!answer.text.contains("no connection"));
        place.elsewhere.fails.store(false, Ordering::SeqCst);
        assert_eq!(place.get("/me", &old).await.text, "u_ada");
    }
}

#[tokio::test]
async fn p5_a_store_that_fails_leaves_both_cookies_alone() {
    for place in Place::each().await {
        let old = place.has("a", Some("u_ada"), HOUR);
        place.sessions.store().close().await;
        let answer = place.get("/me", &old).await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::SERVICE_UNAVAILABLE, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn another_system_that_hangs_keeps_nobody_waiting_for_ever() {
    let [place, _] = Place::each().await;
    let old = place.has("a", Some("u_ada"), HOUR);
    place.elsewhere.hangs.store(true, Ordering::SeqCst);
    assert_eq!(place.get("/me", &old).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_cookie_that_is_too_long_or_comes_twice_is_not_believed() {
    for place in Place::each().await {
        let good = place.has("a", Some("u_ada"), HOUR);
        let long = place.has(&"x".repeat(4_097), Some("u_ada"), HOUR);
        let fits = place.has(&"y".repeat(200), Some("u_bob"), HOUR);
        for cookie in [&long, &format!("{good}; {good}"), &format!("{good}; old=b"), "old=ü", "old="] {
            let answer = place.get("/me", cookie).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", cookie.len());
            assert_eq!(answer.set_cookies().len(), 0);
        }
        assert_eq!(place.get("/me", &fits).await.text, "u_bob");
        // What names no session here either, because it is too long to be an id.
        let id = place.has(&"z".repeat(300), Some("u_bob"), HOUR);
        assert_eq!(place.get("/me", &id).await.status, StatusCode::UNAUTHORIZED);
    }
}
