//! Requests that come at once, answers that are lost, and another system that fails.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::header::COOKIE;
use axum::http::{Request, StatusCode};
use tenure::clock::Timestamp;
use tenure::testing::{Call, Faults, TestKit, Trouble};
use tenure::{
    Actor, AtLimit, Check, EndReason, Ending, Error, Memory, Policy, Sessions, SignIn, UserId, Verdict,
};
use tenure_tower::{Adoption, SessionLayer};

use crate::elsewhere::{Elsewhere, HOUR, MINUTE, Place, Row, app, deletes_old, ours};
use crate::support::send;

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

/// Requests with the old cookie overlap with the first use of the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn p10_no_request_fails_because_another_was_quicker() {
    let sessions = Sessions::builder(Memory).without_background().open().await.unwrap();
    let since = Timestamp::from_millis(sessions.now().as_millis() - 60_000);
    let check = Check::signed_in().can_set_cookie(true);
    for n in 0..3_000 {
        let at_once = (0..8).map(|_| {
            let (sessions, check) = (sessions.clone(), check.clone());
            tokio::spawn(async move {
                let sign_in = SignIn::password(UserId::new(format!("u_{n}")).unwrap());
                let adoption = Adoption::of_user(format!("row-{n}"), since, sign_in);
                let verdict = sessions.adopt("old", adoption, &check).await.unwrap();
                let Verdict::Ok(active) = verdict else { panic!("session {n}: {verdict:?}") };
                if let Some(issued) = active.renewed() {
                    let used = sessions.check(issued.token.expose().as_bytes(), &check).await.unwrap();
                    assert!(used.active().is_some(), "session {n}: {used:?}");
                }
            })
        });
        for request in at_once.collect::<Vec<_>>() {
            request.await.unwrap();
        }
    }
}

#[tokio::test]
async fn p5_where_no_new_cookie_can_be_prepared_the_old_one_is_good_for_now() {
    let kit = TestKit::new().await;
    let elsewhere = Elsewhere::default();
    let since = kit.sessions.now();
    elsewhere.rows.lock().unwrap().insert("a".into(), Row { user: Some("u_ada"), since, remember: false });
    let app = app(SessionLayer::new(&kit.sessions).adopt(elsewhere.adopt()));
    let get =
        async || send(&app, Request::get("/me").header(COOKIE, "old=a").body(Body::empty()).unwrap()).await;
    kit.faults.always(Call::Prepare, Trouble::full());
    let answer = get().await;
    assert_eq!((answer.text.as_str(), answer.set_cookies().len()), ("u_ada", 0));
    kit.faults.heal();
    let answer = get().await;
    assert!(answer.text == "u_ada" && ours(&answer).is_some() && deletes_old(&answer));
}

#[tokio::test]
async fn p5_a_network_that_brings_too_many_carts_is_told_so() {
    let mut policy = Policy::default();
    policy.guest.new_per_minute = 1;
    // Without a known address all visitors share what a hundred networks have.
    for place in Place::each_with(&policy).await {
        for n in 0..150 {
            let answer = place.get("/cart", &place.has(&format!("g{n}"), None, HOUR)).await;
            if n < 100 {
                assert_eq!(answer.text, "apple", "guest {n}");
            } else {
                assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "guest {n}");
                assert!(answer.header("retry-after") == "1" && answer.set_cookies().is_empty());
            }
        }
        place.clock.advance(MINUTE);
        assert_eq!(place.get("/cart", "old=g149").await.text, "apple");
    }
}

#[tokio::test]
async fn a_network_that_brings_too_many_dead_cookies_has_to_wait_before_the_store_is_asked() {
    let faults = Faults::default();
    let builder = Sessions::builder(faults.before(Memory)).cache_bytes(0).without_background();
    let sessions = builder.open().await.unwrap();
    let since = sessions.now();
    let check = Check::signed_in().ip(Some([192, 0, 2, 1].into()));
    let adopt = async |user: &str| {
        let adoption = Adoption::of_user("row-1", since, SignIn::password(UserId::new(user).unwrap()));
        sessions.adopt("old", adoption, &check).await
    };
    let active = adopt("u_ada").await.unwrap().into_active().unwrap();
    let logout = Ending::new(EndReason::Logout, Actor::user());
    sessions.end(active.session().id(), logout).await.unwrap();
    for _ in 0..100 {
        assert!(adopt("u_ada").await.unwrap().inactive().is_some());
    }
    let mut n = 0;
    while adopt("u_ada").await.is_ok() {
        n += 1;
        assert!(n < 600, "nobody has to wait");
    }
    let asked = faults.count(Call::Load);
    assert!(matches!(adopt("u_ada").await, Err(Error::Throttled { .. })));
    assert_eq!(faults.count(Call::Load), asked);
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
