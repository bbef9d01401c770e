//! Ending many sessions: of a user, by a filter, all.

mod common;

use common::api;
use serde_json::json;

#[tokio::test]
async fn a_users_sessions_are_listed_newest_first_and_ended_but_one() {
    let api = api().await;
    let (mut ids, mut tokens) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let (id, token) = api.signed_in("u/1").await;
        api.kit.clock.advance(std::time::Duration::from_millis(5));
        ids.push(id);
        tokens.push(token);
    }
    api.signed_in("u_2").await;
    let path = "/v1/users/u%2F1/sessions";
    let listed = api.get(path).await.expect(200);
    let listed: Vec<&str> = listed["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["id"].as_str().unwrap())
        .collect();
    assert_eq!(listed, [&*ids[2], &ids[1], &ids[0]]);
    let answer = api.delete(&format!("{path}?except={}", ids[1])).await.expect(200);
    assert_eq!(answer, json!({ "ended": 2 }));
    assert_eq!(api.verify(&tokens[0]).await["reason"], "revoked");
    assert_eq!(api.verify(&tokens[1]).await["verdict"], "ok");
    assert_eq!(api.delete(path).await.expect(200), json!({ "ended": 1 }));
    assert_eq!(api.delete(path).await.expect(200), json!({ "ended": 0 }));
    assert_eq!(api.get(path).await.expect(200), json!({ "sessions": [] }));
    assert_eq!(api.get("/v1/users/u_2/sessions").await.json()["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn parameters_of_a_users_sessions_are_checked() {
    let api = api().await;
    let long = format!("/v1/users/{}/sessions", "u".repeat(257));
    api.get(&long).await.refused(422, "invalid_name");
    api.get("/v1/users/a%0Ab/sessions").await.refused(422, "invalid_name");
    api.get("/v1/users/a%ff/sessions").await.refused(422, "invalid_parameter");
    api.delete("/v1/users/u_1/sessions?except=x").await.refused(422, "invalid_parameter");
    api.delete("/v1/users/u_1/sessions?exept=x").await.refused(422, "invalid_parameter");
}

#[tokio::test]
async fn a_filter_ends_a_users_sessions_and_a_dry_run_none() {
    let api = api().await;
    let (keep, token) = api.signed_in("u_1").await;
    api.signed_in("u_1").await;
    api.signed_in("u_2").await;
    let mut asked =
        json!({ "filter": { "user": "u_1" }, "except": keep, "reason": "logout", "dry_run": true });
    let answer = api.post("/v1/sessions/end", asked.clone()).await.expect(200);
    assert_eq!(answer, json!({ "matched": 1, "ended": 0, "more": false }));
    asked["dry_run"] = json!(false);
    let answer = api.post("/v1/sessions/end", asked).await.expect(200);
    assert_eq!(answer, json!({ "matched": 1, "ended": 1, "more": false }));
    assert_eq!(api.verify(&token).await["verdict"], "ok");
}

#[tokio::test]
async fn everything_ends_only_when_it_is_said() {
    let api = api().await;
    let (keep, kept) = api.signed_in("u_1").await;
    let mut tokens = vec![api.guest().await.1];
    for n in 0..600 {
        tokens.push(api.signed_in(&format!("u_{n}")).await.1);
    }
    for asked in [json!({ "filter": {}, "reason": "revoked" }), json!({ "reason": "revoked" })] {
        api.post("/v1/sessions/end", asked).await.refused(400, "empty_filter");
    }
    let mut asked = json!({ "filter": {}, "all": true, "except": keep, "reason": "revoked", "note": "x", "dry_run": true });
    let answer = api.post("/v1/sessions/end", asked.clone()).await.expect(200);
    assert_eq!(answer, json!({ "matched": 601, "ended": 0, "more": false }));
    asked["dry_run"] = json!(false);
    let answer = api.post("/v1/sessions/end", asked).await.expect(200);
    assert_eq!(answer, json!({ "matched": 601, "ended": 601, "more": false }));
    for token in tokens.iter().step_by(100) {
        assert_eq!(api.verify(token).await["reason"], "revoked");
    }
    assert_eq!(api.verify(&kept).await["verdict"], "ok");
}

#[tokio::test]
async fn filters_that_do_not_fit_are_told_apart() {
    let api = api().await;
    let end = |filter| json!({ "filter": filter, "reason": "revoked" });
    let cases = [
        (end(json!({ "state": "guest" })), "not_in_this_release"),
        (end(json!({ "user": "u_1", "ip": "::1" })), "not_in_this_release"),
        (end(json!({ "usr": "u_1" })), "invalid_parameter"),
        (end(json!({ "user": 1 })), "invalid_request"),
        (end(json!({ "user": "" })), "invalid_name"),
        (json!({ "filter": { "user": "u_1" } }), "invalid_request"),
        (json!({ "filter": { "user": "u_1" }, "all": true, "reason": "revoked" }), "invalid_request"),
        (json!({ "filter": { "user": "u_1" }, "reason": "token_reuse" }), "invalid_request"),
        (json!({ "filter": { "user": "u_1" }, "reason": "revoked", "except": "x" }), "invalid_request"),
    ];
    for (asked, code) in cases {
        api.post("/v1/sessions/end", asked).await.refused(422, code);
    }
}
