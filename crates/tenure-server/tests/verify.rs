//! Checking tokens: what the answer says, and what it hands out.

mod common;

use std::time::Duration;

use common::{Api, api, issued};
use serde_json::{Value, json};

async fn verify(api: &Api, asked: Value) -> Value {
    api.post("/v1/sessions/verify", asked).await.expect(200)
}

#[tokio::test]
async fn a_signed_in_session_is_ok_by_token_and_by_cookie() {
    let api = api().await;
    let (id, token) = api.signed_in("u_1").await;
    let cookie = format!("theme=dark; __Host-sid={token}; lang=de");
    for asked in [json!({ "token": token }), json!({ "cookie": cookie })] {
        let answer = verify(&api, asked).await;
        assert_eq!((&answer["verdict"], &answer["session"]["id"]), (&json!("ok"), &json!(id)));
        assert_eq!(answer["cache_for_ms"], 1000);
        assert_eq!(answer["reason"], Value::Null);
        assert_eq!(answer.get("set_cookie"), None);
        let keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["cache_for_ms", "session", "verdict"]);
    }
}

#[tokio::test]
async fn a_guest_is_accepted_only_where_it_is_said() {
    let api = api().await;
    let (_, token) = api.guest().await;
    let answer = verify(&api, json!({ "token": token, "can_set_cookie": true })).await;
    assert_eq!(answer, json!({ "verdict": "inactive", "reason": "not_accepted", "cache_for_ms": 0 }));
    let answer = verify(&api, json!({ "token": token, "accept": ["guest"] })).await;
    assert_eq!(answer["verdict"], "ok");
    let asked = json!({ "token": token, "accept": ["pending"] });
    assert_eq!(verify(&api, asked).await["reason"], "not_accepted");
}

#[tokio::test]
async fn a_guest_is_never_asked_to_step_up() {
    let api = api().await;
    let (_, token) = api.guest().await;
    for require in [json!({ "level": 1 }), json!({ "roles": ["admin"] })] {
        let asked = json!({ "token": token, "accept": ["guest"], "require": require });
        let answer = verify(&api, asked).await;
        assert_eq!((&answer["verdict"], &answer["reason"]), (&json!("inactive"), &json!("not_accepted")));
    }
}

#[tokio::test]
async fn what_is_missing_is_told_apart() {
    let api = api().await;
    let asked = json!({ "user": "u_1", "roles": ["customer"] });
    let (_, token) = issued(&api.post("/v1/sessions", asked).await.expect(201));
    api.kit.clock.advance(Duration::from_secs(120));
    let cases = [
        (json!({ "level": 1, "max_auth_age_seconds": 120, "roles": ["customer"] }), "ok", None),
        (json!({ "level": 2 }), "step_up", Some("insufficient_level")),
        (json!({ "max_auth_age_seconds": 119 }), "step_up", Some("stale_authentication")),
        (json!({ "roles": ["customer", "admin"] }), "forbidden", Some("missing_role")),
        (json!({ "roles": ["admin"], "level": 3 }), "forbidden", Some("missing_role")),
    ];
    for (require, verdict, reason) in cases {
        let asked = json!({ "token": token, "require": require, "can_set_cookie": true });
        let answer = verify(&api, asked).await;
        assert_eq!((answer["verdict"].as_str(), answer["reason"].as_str()), (Some(verdict), reason));
        assert_eq!(answer["session"]["user"], "u_1");
        assert_eq!(answer.get("set_cookie"), None);
    }
}

#[tokio::test]
async fn a_dead_cookie_is_forgotten_only_where_the_answer_can_carry_one() {
    let api = api().await;
    let (id, token) = api.signed_in("u_1").await;
    api.delete(&format!("/v1/sessions/{id}")).await.expect(204);
    let answer = verify(&api, json!({ "token": token })).await;
    assert_eq!(answer, json!({ "verdict": "inactive", "reason": "revoked", "cache_for_ms": 0 }));
    let answer = verify(&api, json!({ "token": token, "can_set_cookie": true })).await;
    let clearing = "__Host-sid=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax";
    assert_eq!(answer["set_cookie"], clearing);
}

#[tokio::test]
async fn a_token_that_was_replaced_by_a_sign_in_clears_no_cookie() {
    let api = api().await;
    let (_, guest) = api.guest().await;
    let asked = json!({ "token": guest, "user": "u_1", "methods": ["password"] });
    api.post("/v1/sessions/sign-in", asked).await.expect(200);
    let answer = verify(&api, json!({ "token": guest, "can_set_cookie": true })).await;
    assert_eq!(answer, json!({ "verdict": "inactive", "reason": "superseded", "cache_for_ms": 0 }));
}

#[tokio::test]
async fn no_cookie_and_several_cookies_are_told_and_clear_nothing() {
    let api = api().await;
    let (_, token) = api.signed_in("u_1").await;
    let twice = format!("__Host-sid={token}; __Host-sid={token}");
    for (cookie, reason) in [("", "no_token"), ("a=b", "no_token"), (&*twice, "malformed")] {
        let answer = verify(&api, json!({ "cookie": cookie, "can_set_cookie": true })).await;
        assert_eq!(answer, json!({ "verdict": "inactive", "reason": reason, "cache_for_ms": 0 }));
    }
}

#[tokio::test]
async fn the_idle_limit_ends_and_polling_does_not_keep_alive() {
    let api = api().await;
    let (_, active) = api.signed_in("u_1").await;
    let (_, polled) = api.signed_in("u_1").await;
    for _ in 0..3 {
        api.kit.clock.advance(Duration::from_secs(15 * 60));
        assert_eq!(verify(&api, json!({ "token": active })).await["verdict"], "ok");
        verify(&api, json!({ "token": polled, "touch": false })).await;
    }
    let answer = verify(&api, json!({ "token": polled })).await;
    assert_eq!((&answer["verdict"], &answer["reason"]), (&json!("inactive"), &json!("idle_timeout")));
}

#[tokio::test]
async fn a_due_token_gets_its_successor_only_where_a_cookie_can_be_set() {
    let api = api().await;
    let (_, token) = api.signed_in("u_1").await;
    api.kit.clock.advance(Duration::from_secs(16 * 60));
    let answer = verify(&api, json!({ "token": token })).await;
    assert_eq!(answer.get("set_cookie"), None);
    assert_eq!(answer["session"]["generation"], 1);
    let answer = verify(&api, json!({ "token": token, "can_set_cookie": true })).await;
    let cookie = answer["set_cookie"].as_str().unwrap();
    let next = cookie.strip_prefix("__Host-sid=").unwrap().split(';').next().unwrap();
    assert_ne!(next, token);
    assert_eq!(answer["cache_for_ms"], 0);
    let again = verify(&api, json!({ "token": token, "can_set_cookie": true })).await;
    assert_eq!(again["set_cookie"], cookie);
    assert_eq!(verify(&api, json!({ "token": next })).await["verdict"], "ok");
}

#[tokio::test]
async fn an_outage_is_no_verdict_and_leaves_the_cookie_alone() {
    let api = api().await;
    let (_, token) = api.signed_in("u_1").await;
    api.kit.sessions.close().await.unwrap();
    let asked = json!({ "token": token, "can_set_cookie": true });
    let answer = api.post("/v1/sessions/verify", asked).await;
    answer.refused(503, "store_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(!answer.text.contains("set_cookie"));
}

#[tokio::test]
async fn requests_that_do_not_fit_name_what_does_not() {
    let api = api().await;
    let cases = [
        (json!({}), "`token` or `cookie`"),
        (json!({ "token": "x", "cookie": "y" }), "`token` or `cookie`"),
        (json!({ "token": "x", "csrf": "y" }), "csrf"),
        (json!({ "token": "x", "require": { "permission": "y" } }), "permission"),
        (json!({ "token": "x", "require": { "level": 4 } }), "1 to 3"),
        (json!({ "token": "x", "require": { "level": -1 } }), "u8"),
        (json!({ "token": "x", "require": { "roles": ["a b"] } }), "role"),
        (json!({ "token": "x", "accept": ["ended"] }), "guest"),
        (json!({ "token": "x", "touch": "yes" }), "boolean"),
        (json!({ "token": 7 }), "string"),
    ];
    for (asked, named) in cases {
        let answer = api.post("/v1/sessions/verify", asked).await;
        answer.refused(422, "invalid_request");
        assert!(answer.text.contains(named), "{named}: {}", answer.text);
    }
}
