//! Reading, changing, listing and ending one session.

mod common;

use std::time::Duration;

use common::{api, issued};
use serde_json::json;

/// The fields of `session`, exactly as `docs/openapi.json` has them.
const FIELDS: [&str; 19] = [
    "id",
    "previous",
    "realm",
    "state",
    "user",
    "roles",
    "level",
    "methods",
    "created_at",
    "authenticated_at",
    "last_seen_at",
    "idle_expires_at",
    "expires_at",
    "persistent",
    "generation",
    "version",
    "device",
    "data",
    "data_versions",
];

#[tokio::test]
async fn a_session_has_exactly_the_fields_of_the_contract() {
    let api = api().await;
    let device = json!({
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "ip": "203.0.113.7",
    });
    let asked = json!({
        "user": "u_8fa1", "roles": ["customer"], "methods": ["password"],
        "data": { "cart": ["apple"] }, "device": device,
    });
    let answer = api.post("/v1/sessions", asked).await.expect(201);
    let session = &answer["session"];
    let keys: Vec<&String> = session.as_object().unwrap().keys().collect();
    let mut expected = FIELDS.to_vec();
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(session["previous"], json!(null));
    assert_eq!(session["realm"], "default");
    assert_eq!(session["state"], "signed_in");
    assert_eq!(session["user"], "u_8fa1");
    assert_eq!(session["roles"], json!(["customer"]));
    assert_eq!(session["level"], 1);
    assert_eq!(session["methods"], json!([{ "method": "password", "at": "2026-01-01T00:00:00.000Z" }]));
    assert_eq!((&session["generation"], &session["persistent"]), (&json!(1), &json!(false)));
    assert_eq!(session["device"]["label"], "Firefox on Linux");
    let keys: Vec<&String> = session["device"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["browser", "ip", "kind", "label", "os", "user_agent"]);
    assert_eq!(session["data"], json!({ "cart": ["apple"] }));
    assert!(session["data_versions"]["cart"].is_u64());
    let shown = api.get(&format!("/v1/sessions/{}", session["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(shown, *session);
}

#[tokio::test]
async fn a_change_sets_and_removes_keys_and_moves_the_version() {
    let api = api().await;
    let (id, _) = api.guest().await;
    let before = api.get(&format!("/v1/sessions/{id}")).await;
    let etag = before.header("etag").to_owned();
    let change = json!({ "data": { "set": { "lang": "de" }, "remove": ["cart"] } });
    let answer = api.patch(&id, Some(&etag), change).await;
    assert_ne!(answer.header("etag"), etag);
    let after = answer.expect(200);
    assert_eq!(after["data"], json!({ "lang": "de" }));
    assert_eq!(after["version"].as_u64(), before.json()["version"].as_u64().map(|version| version + 1));
}

#[tokio::test]
async fn a_condition_that_does_not_hold_changes_nothing() {
    let api = api().await;
    let (id, _) = api.guest().await;
    let set = json!({ "set": { "cart": [] } });
    api.patch(&id, Some("\"99\""), json!({ "data": set })).await.refused(412, "version_mismatch");
    let expecting = json!({ "data": set, "expect": { "cart": 99 } });
    api.patch(&id, None, expecting).await.refused(409, "data_conflict");
    let new_only = json!({ "data": set, "expect": { "cart": 0 } });
    api.patch(&id, None, new_only).await.refused(409, "data_conflict");
    api.patch(&id, Some("3"), json!({ "data": set })).await.refused(422, "invalid_header");
    let session = api.get(&format!("/v1/sessions/{id}")).await.expect(200);
    assert_eq!(session["data"], json!({ "cart": ["apple"] }));
    api.patch(&id, Some("*"), json!({ "data": set })).await.expect(200);
}

#[tokio::test]
async fn a_change_that_says_two_things_of_a_key_is_refused() {
    let api = api().await;
    let (id, _) = api.guest().await;
    let both = json!({ "data": { "set": { "a": 1 }, "remove": ["a"] } });
    api.patch(&id, None, both).await.refused(422, "invalid_request");
}

#[tokio::test]
async fn data_beyond_the_limits_is_refused_and_the_limit_is_named() {
    let api = api().await;
    let (id, _) = api.guest().await;
    let keys: serde_json::Map<_, _> = (0..65).map(|n| (format!("k{n}"), json!(n))).collect();
    let cases = [
        (json!({ "x".repeat(65): 1 }), "key_too_long", "64"),
        (json!({ "": 1 }), "key_too_long", "64"),
        (json!(keys), "too_many_keys", "64"),
        (json!({ "big": "x".repeat(33 * 1024) }), "data_too_large", "32768"),
    ];
    for (set, code, limit) in cases {
        let answer = api.patch(&id, None, json!({ "data": { "set": set } })).await;
        answer.refused(413, code);
        assert!(answer.json()["detail"].as_str().unwrap().contains(limit), "{}", answer.text);
    }
}

#[tokio::test]
async fn an_ended_session_cannot_be_changed_and_ends_twice_without_complaint() {
    let api = api().await;
    let (id, token) = api.signed_in("u_1").await;
    let path = format!("/v1/sessions/{id}");
    api.delete(&format!("{path}?reason=logout&note=bye")).await.expect(204);
    api.delete(&path).await.expect(204);
    let session = api.get(&path).await.expect(200);
    assert_eq!(session["state"], "ended");
    assert_eq!(
        (&session["ended"]["reason"], &session["ended"]["note"], &session["ended"]["actor"]),
        (&json!("logout"), &json!("bye"), &json!("api_key:tests"))
    );
    api.patch(&id, None, json!({ "data": { "set": { "a": 1 } } })).await.refused(410, "session_ended");
    assert_eq!(api.verify(&token).await["reason"], "logout");
}

#[tokio::test]
async fn a_session_that_is_not_there_is_404_and_a_bad_id_422() {
    let api = api().await;
    let missing = format!("ses_{}", "0".repeat(32));
    let path = format!("/v1/sessions/{missing}");
    api.get(&path).await.refused(404, "session_not_found");
    api.delete(&path).await.refused(404, "session_not_found");
    api.patch(&missing, None, json!({ "data": {} })).await.refused(404, "session_not_found");
    for bad in ["ses_1", "x", "%ff", &"0".repeat(4000)] {
        let answer = api.get(&format!("/v1/sessions/{bad}")).await;
        assert_eq!(answer.status.as_u16(), 422, "{bad}");
    }
}

#[tokio::test]
async fn an_end_takes_known_reasons_and_parameters_only() {
    let api = api().await;
    let (id, _) = api.guest().await;
    for query in ["reason=token_reuse", "reason=x", "why=logout", "reason=logout&reason=revoked"] {
        let answer = api.delete(&format!("/v1/sessions/{id}?{query}")).await;
        answer.refused(422, "invalid_parameter");
    }
    assert_eq!(api.get(&format!("/v1/sessions/{id}")).await.expect(200)["state"], "guest");
}

#[tokio::test]
async fn the_list_of_a_user_pages_newest_first_and_holds_no_dead_one() {
    let api = api().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(api.signed_in("u 1/ä").await.0);
        api.kit.clock.advance(Duration::from_millis(5));
    }
    api.signed_in("u_2").await;
    let dead = ids.remove(1);
    api.delete(&format!("/v1/sessions/{dead}")).await.expect(204);
    ids.reverse();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/sessions?user=u%201%2F%C3%A4&limit=3{cursor}");
        let page = api.get(&path).await.expect(200);
        let some = page["sessions"].as_array().unwrap();
        found.extend(some.iter().map(|session| session["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, ids);
}

#[tokio::test]
async fn the_list_of_a_realm_pages_through_everything() {
    let api = api().await;
    let mut ids = Vec::new();
    for n in 0..7 {
        ids.push(api.signed_in(&format!("u_{n}")).await.0);
    }
    ids.push(api.guest().await.0);
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for _ in 0..9 {
        let page = api.get(&format!("/v1/sessions?limit=3{cursor}")).await.expect(200);
        let some = page["sessions"].as_array().unwrap();
        assert!(some.len() <= 3);
        found.extend(some.iter().map(|session| session["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    found.sort();
    ids.sort();
    assert_eq!(found, ids);
}

#[tokio::test]
async fn a_filter_of_a_later_release_says_so_and_an_unknown_one_too() {
    let api = api().await;
    let later = ["state", "ip", "device", "role", "created_before", "created_after", "seen_before"];
    for name in later {
        let answer = api.get(&format!("/v1/sessions?{name}=x")).await;
        answer.refused(422, "not_in_this_release");
        assert!(answer.text.contains(name));
    }
    for query in ["usr=x", "limit=0", "limit=501", "limit=x", "user=a&user=b"] {
        api.get(&format!("/v1/sessions?{query}")).await.refused(422, "invalid_parameter");
    }
    api.get("/v1/sessions?user=").await.refused(422, "invalid_name");
    for cursor in ["x", "AAAA", "%00", "ses_0"] {
        api.get(&format!("/v1/sessions?cursor={cursor}")).await.refused(422, "invalid_cursor");
    }
}

#[tokio::test]
async fn the_sessions_of_another_realm_are_not_there() {
    let api = api().await;
    let other = tenure::Realm::new("other").unwrap();
    let policy = api.kit.sessions.policy().clone();
    let elsewhere = api.kit.sessions.in_realm(other, tenure::CookieSettings::default(), policy).unwrap();
    let user: tenure::UserId = "u_1".parse().unwrap();
    let there = elsewhere.sign_in(None, tenure::SignIn::password(user)).await.unwrap();
    let id = there.session.id();
    api.get(&format!("/v1/sessions/{id}")).await.refused(404, "session_not_found");
    api.delete(&format!("/v1/sessions/{id}")).await.refused(404, "session_not_found");
    assert_eq!(api.verify(there.token.expose()).await["reason"], "malformed");
    let all = json!({ "filter": {}, "all": true, "reason": "revoked" });
    assert_eq!(api.post("/v1/sessions/end", all).await.expect(200)["ended"], 0);
    let guest = api.post("/v1/sessions", json!({})).await.expect(201);
    assert_eq!(issued(&guest).1.len(), tenure::TOKEN_LEN);
}
