//! Beginning sessions, signing in, rotating, and repeating what got lost.

mod common;

use std::time::Duration;

use common::{RETRY, api, api_with, issued};
use serde_json::{Value, json};
use tenure::Policy;
use tenure::clock::Timestamp;
use tenure_server::{Limits, Scope};

#[tokio::test]
async fn a_guest_begins_with_its_data_and_a_cookie_for_the_browsers_session() {
    let api = api().await;
    let answer = api.post("/v1/sessions", json!({ "data": { "cart": [1] } })).await.expect(201);
    let (_, token) = issued(&answer);
    let cookie = format!("__Host-sid={token}; Path=/; Secure; HttpOnly; SameSite=Lax");
    assert_eq!(answer["set_cookie"], cookie);
    assert_eq!(answer["session"]["state"], "guest");
    assert_eq!((&answer["session"]["user"], &answer["session"]["level"]), (&json!(null), &json!(0)));
}

#[tokio::test]
async fn who_asked_to_be_remembered_gets_a_cookie_that_stays() {
    let api = api().await;
    let asked = json!({ "user": "u_1", "remember": true, "methods": ["password", "totp"] });
    let answer = api.post("/v1/sessions", asked).await.expect(201);
    let cookie = answer["set_cookie"].as_str().unwrap();
    assert!(cookie.contains("; Max-Age=2592000; "), "{cookie}");
    assert_eq!((&answer["session"]["persistent"], &answer["session"]["level"]), (&json!(true), &json!(2)));
}

#[tokio::test]
async fn a_session_can_have_stricter_limits_than_the_policy_and_never_looser_ones() {
    let api = api().await;
    let lives = |answer: &Value, field: &str| {
        let at = |field: &str| answer["session"][field].as_str().unwrap().parse::<Timestamp>().unwrap();
        at(field).since(at("created_at")).as_secs()
    };
    let strict = json!({ "user": "u_1", "policy": { "idle_seconds": 300, "absolute_seconds": 3600 } });
    let answer = api.post("/v1/sessions", strict).await.expect(201);
    assert_eq!((lives(&answer, "idle_expires_at"), lives(&answer, "expires_at")), (300, 3_600));
    let loose = json!({ "user": "u_1", "policy": { "idle_seconds": 86_400, "absolute_seconds": 864_000 } });
    let answer = api.post("/v1/sessions", loose).await.expect(201);
    assert_eq!((lives(&answer, "idle_expires_at"), lives(&answer, "expires_at")), (1_800, 43_200));
    let guest = json!({ "policy": { "absolute_seconds": 600 } });
    let answer = api.post("/v1/sessions", guest).await.expect(201);
    assert_eq!((lives(&answer, "idle_expires_at"), lives(&answer, "expires_at")), (600, 600));
    let too_short = json!({ "user": "u_1", "policy": { "idle_seconds": 119 } });
    let refused = api.post("/v1/sessions", too_short).await;
    refused.refused(422, "invalid_request");
    assert!(refused.text.contains("policy.idle_seconds must be at least 120"), "{}", refused.text);
    let never = json!({ "policy": { "absolute_seconds": 0 } });
    api.post("/v1/sessions", never).await.refused(422, "invalid_request");
}

#[tokio::test]
async fn a_guest_that_signs_in_brings_its_cart_and_its_token_dies() {
    let api = api().await;
    for route in ["/v1/sessions", "/v1/sessions/sign-in"] {
        let (guest, old) = api.guest().await;
        let name = if route.ends_with("sign-in") { "token" } else { "guest_token" };
        let asked = json!({ name: old, "user": "u_1", "methods": ["password"] });
        let answer = api.post(route, asked).await;
        assert!(answer.status.is_success());
        let answer = answer.json();
        assert_eq!(answer["session"]["previous"], guest);
        assert_eq!(answer["session"]["data"], json!({ "cart": ["apple"] }));
        let verdict = api.verify(&old).await;
        assert_eq!((&verdict["verdict"], &verdict["reason"]), (&json!("inactive"), &json!("superseded")));
        assert_eq!(api.verify(&issued(&answer).1).await["verdict"], "ok");
    }
}

#[tokio::test]
async fn only_the_keys_that_are_named_are_carried() {
    let api = api().await;
    let data = json!({ "data": { "cart": ["apple"], "draft": "secret" } });
    let (_, guest) = issued(&api.post("/v1/sessions", data).await.expect(201));
    let asked = json!({ "token": guest, "user": "u_1", "methods": ["password"], "carry": ["cart"] });
    let answer = api.post("/v1/sessions/sign-in", asked).await.expect(200);
    assert_eq!(answer["session"]["data"], json!({ "cart": ["apple"] }));
}

#[tokio::test]
async fn the_same_user_again_is_authenticated_anew_in_the_same_session() {
    let api = api().await;
    let (id, old) = api.signed_in("u_1").await;
    api.kit.clock.advance(Duration::from_secs(60));
    let asked = json!({ "token": old, "user": "u_1", "methods": ["password", "totp"] });
    let answer = api.post("/v1/sessions/sign-in", asked).await.expect(200);
    assert_eq!(answer["session"]["id"], id);
    assert_eq!(answer["session"]["level"], 2);
    assert!(answer["session"]["generation"].as_u64() > Some(1));
    assert_eq!(api.verify(&old).await["reason"], "superseded");
}

#[tokio::test]
async fn another_user_is_refused_until_the_session_has_ended() {
    let api = api().await;
    let (id, token) = api.signed_in("u_1").await;
    let asked = json!({ "token": token, "user": "u_2", "methods": ["password"] });
    let answer = api.post("/v1/sessions/sign-in", asked.clone()).await;
    answer.refused(409, "signed_in_as_another_user");
    assert_eq!(api.verify(&token).await["verdict"], "ok");
    api.delete(&format!("/v1/sessions/{id}")).await.expect(204);
    let answer = api.post("/v1/sessions/sign-in", asked).await.expect(200);
    assert_eq!((&answer["session"]["user"], &answer["session"]["previous"]), (&json!("u_2"), &json!(null)));
}

#[tokio::test]
async fn rotating_gives_a_new_token_and_the_old_one_lasts_until_it_is_used() {
    let api = api().await;
    let (id, old) = api.signed_in("u_1").await;
    let answer = api.post("/v1/sessions/rotate", json!({ "token": old })).await.expect(200);
    let (same, new) = issued(&answer);
    assert_eq!(same, id);
    assert_ne!(new, old);
    assert_eq!(api.verify(&old).await["verdict"], "ok");
    assert_eq!(api.verify(&new).await["verdict"], "ok");
    let answer = api.post("/v1/sessions/rotate", json!({ "token": new })).await;
    answer.refused(429, "rotation_too_soon");
    assert_eq!(answer.header("retry-after"), "10");
}

#[tokio::test]
async fn a_token_that_is_good_for_nothing_is_not_rotated() {
    let api = api().await;
    let (id, token) = api.signed_in("u_1").await;
    api.delete(&format!("/v1/sessions/{id}")).await.expect(204);
    api.post("/v1/sessions/rotate", json!({ "token": token })).await.refused(410, "session_ended");
    api.post("/v1/sessions/rotate", json!({ "token": "x" })).await.refused(422, "invalid_token");
    let (_, guest) = api.guest().await;
    let asked = json!({ "token": guest, "user": "u_1", "methods": ["password"] });
    api.post("/v1/sessions/sign-in", asked).await.expect(200);
    api.post("/v1/sessions/rotate", json!({ "token": guest })).await.refused(409, "token_superseded");
}

#[tokio::test]
async fn a_request_whose_answer_was_lost_gets_the_same_token_again() {
    let api = api().await;
    let (_, guest) = api.guest().await;
    let (_, rotating) = api.signed_in("u_3").await;
    let sign_in = json!({ "token": guest, "user": "u_1", "methods": ["password"] });
    let cases = [
        ("/v1/sessions", json!({ "data": { "a": 1 } })),
        ("/v1/sessions", json!({ "user": "u_1", "data": { "a": 1 } })),
        ("/v1/sessions/sign-in", sign_in),
        ("/v1/sessions/rotate", json!({ "token": rotating })),
    ];
    for (at, (path, body)) in cases.into_iter().enumerate() {
        let header = (RETRY.0, &*format!("{}-{at}", RETRY.1));
        let first = api.post_with(path, header, body.clone()).await;
        let again = api.post_with(path, header, body).await;
        assert_eq!(first.status, again.status);
        assert_eq!(issued(&first.json()), issued(&again.json()), "{path}");
    }
    assert_eq!(api.get("/v1/users/u_1/sessions").await.json()["sessions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_idempotency_key_of_another_users_sign_in_gives_nothing_away() {
    let api = api().await;
    let first = api.post_with("/v1/sessions", RETRY, json!({ "user": "u_1" })).await.expect(201);
    let other = api.post_with("/v1/sessions", RETRY, json!({ "user": "u_2" })).await;
    assert_eq!(other.json()["session"]["user"], "u_2");
    assert!(!other.text.contains(&issued(&first).1));
}

#[tokio::test]
async fn an_idempotency_key_that_could_be_guessed_is_refused() {
    let api = api().await;
    for bad in ["short", &"x".repeat(129), "with a space in it and more"] {
        let answer = api.post_with("/v1/sessions", (RETRY.0, bad), json!({})).await;
        answer.refused(422, "invalid_header");
    }
}

#[tokio::test]
async fn fields_that_do_not_go_together_are_refused() {
    let api = api().await;
    let (_, guest) = api.guest().await;
    let cases = [
        json!({ "roles": ["a"] }),
        json!({ "guest_token": guest }),
        json!({ "remember": true }),
        json!({ "methods": ["password"] }),
        json!({ "user": "u_1", "carry": ["cart"] }),
        json!({ "user": "u_1", "guest_token": guest, "data": { "a": 1 } }),
        json!({ "user": "u_1", "methods": [] }),
        json!({ "user": "u_1", "policy": { "max_sessions": 9 } }),
        json!({ "user": "u_1", "policy": null, "carry": [] }),
        json!({ "user": "" }),
        json!({ "user": "a\nb" }),
        json!({ "user": "u".repeat(257) }),
        json!({ "user": "u_1", "roles": ["a b"] }),
        json!({ "user": "u_1", "roles": vec!["a"; 65] }),
        json!({ "user": "u_1", "methods": vec!["a"; 17] }),
        json!({ "user": "u_1", "guest_token": guest, "carry": vec!["a"; 65] }),
        json!({ "user": "u_1", "methods": ["Pass Word"] }),
        json!({ "user": "u_1", "device": { "ip": "nowhere" } }),
        json!({ "user": "u_1", "device": { "port": 1 } }),
        json!([]),
    ];
    for asked in cases {
        api.post("/v1/sessions", asked.clone()).await.refused(422, "invalid_request");
    }
    let nobody = json!({ "token": guest, "methods": ["password"] });
    api.post("/v1/sessions/sign-in", nobody).await.refused(422, "invalid_request");
    let unproven = json!({ "token": guest, "user": "u_1" });
    api.post("/v1/sessions/sign-in", unproven).await.refused(422, "invalid_request");
    assert_eq!(api.verify(&guest).await["reason"], "not_accepted");
}

#[tokio::test]
async fn the_limits_of_the_policy_have_codes_of_their_own() {
    let mut policy = Policy { max_sessions: 1, at_limit: tenure::AtLimit::Refuse, ..Policy::default() };
    policy.guest.max = 1;
    policy.guest.new_per_minute = 2;
    let api = api_with(policy, Limits::default(), &[Scope::Admin]).await;
    api.signed_in("u_1").await;
    api.post("/v1/sessions", json!({ "user": "u_1" })).await.refused(403, "session_limit");
    api.guest().await;
    let full = api.post("/v1/sessions", json!({})).await;
    full.refused(503, "guest_limit");
    assert!(!full.header("retry-after").is_empty());
    let device = json!({ "device": { "ip": "203.0.113.7" } });
    let mut last = api.post("/v1/sessions", device.clone()).await;
    for _ in 0..3 {
        last = api.post("/v1/sessions", device.clone()).await;
    }
    last.refused(429, "throttled");
    assert!(!last.header("retry-after").is_empty());
    let user: tenure::UserId = "u_9".parse().unwrap();
    api.kit.sessions.disable(&user, tenure::Actor::system()).await.unwrap();
    api.post("/v1/sessions", json!({ "user": "u_9" })).await.refused(403, "user_disabled");
}
