//! Input that nobody honest sends.

mod common;

use axum::http::Method;
use common::api;
use serde_json::json;

/// The body limit, as `docs/policy.md` has it.
const MAX_BODY: usize = 64 * 1024;

#[tokio::test]
async fn no_malformed_token_is_more_than_malformed() {
    let api = api().await;
    let (id, token) = api.signed_in("u_1").await;
    let mut tokens = vec![
        String::new(),
        " ".into(),
        "tn1_".into(),
        "tn1_é".into(),
        "\0".into(),
        "tn1_\u{202e}".into(),
        format!("{token} "),
        format!("{token}="),
        format!(" {token}"),
        token.to_uppercase(),
        token.replace("tn1_", "tn2_"),
        format!("tn1_{}", "A".repeat(92)),
        "x".repeat(60_000),
        id.clone(),
    ];
    for at in [4, 5, 20, 40, 60, 80, 95] {
        let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
        let mut changed = token.clone();
        changed.replace_range(at..=at, other);
        tokens.push(changed);
        tokens.push(token[..at].into());
    }
    for bad in tokens {
        let answer = api.post("/v1/sessions/verify", json!({ "token": bad })).await.expect(200);
        assert_eq!(answer["verdict"], "inactive");
        assert_eq!(answer["reason"], "malformed", "{bad:.100}");
        let cookie = json!({ "cookie": format!("__Host-sid={bad}") });
        let answer = api.post("/v1/sessions/verify", cookie).await.expect(200);
        let honest = bad.trim_end() == token;
        assert_eq!(answer["verdict"] == "ok", honest, "{bad:.100}");
        api.post("/v1/sessions/rotate", json!({ "token": bad })).await.refused(422, "invalid_token");
    }
    assert_eq!(api.verify(&token).await["verdict"], "ok", "none of them ended anything");
}

#[tokio::test]
async fn text_that_is_no_utf_8_is_no_json() {
    let api = api().await;
    let bodies: [&[u8]; 3] = [b"{\"token\":\"\xff\xfe\"}", b"\xc3\x28", b"{\"cookie\":\"__Host-sid=\x80\"}"];
    for body in bodies {
        let mut request = api.request(Method::POST, "/v1/sessions/verify", "");
        *request.body_mut() = axum::body::Body::from(body.to_vec());
        api.send(request).await.refused(400, "invalid_json");
    }
    let surrogate = api.request(Method::POST, "/v1/sessions/verify", r#"{"token":"\ud800"}"#);
    api.send(surrogate).await.refused(400, "invalid_json");
}

#[tokio::test]
async fn broken_json_is_400_and_names_the_place() {
    let api = api().await;
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    for body in ["", "{", "{\"token\":}", "nul", "{\"token\":\"x\"} trailing", &deep] {
        let answer = api.send(api.request(Method::POST, "/v1/sessions/verify", body)).await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{}", answer.text);
        assert!(answer.text.contains("line 1"), "{}", answer.text);
    }
    let (id, _) = api.guest().await;
    let nested = format!("{{\"data\":{{\"set\":{{\"a\":{deep}}}}}}}");
    let answer = api.send(api.request(Method::PATCH, &format!("/v1/sessions/{id}"), &nested)).await;
    answer.refused(400, "invalid_json");
}

#[tokio::test]
async fn an_unknown_field_is_named_wherever_it_is() {
    let api = api().await;
    let (id, _) = api.guest().await;
    let cases = [
        ("/v1/sessions", json!({ "usr": "u" })),
        ("/v1/sessions", json!({ "device": { "usr": "u" } })),
        ("/v1/sessions/verify", json!({ "token": "x", "usr": 1 })),
        ("/v1/sessions/verify", json!({ "token": "x", "require": { "usr": 1 } })),
        ("/v1/sessions/sign-in", json!({ "token": "x", "user": "u", "methods": ["password"], "usr": 1 })),
        ("/v1/sessions/rotate", json!({ "token": "x", "usr": 1 })),
        ("/v1/sessions/end", json!({ "filter": { "user": "u" }, "reason": "revoked", "usr": 1 })),
    ];
    for (path, body) in cases {
        let answer = api.post(path, body).await;
        answer.refused(422, "invalid_request");
        assert!(answer.json()["detail"].as_str().unwrap().contains("`usr`"), "{}", answer.text);
    }
    for body in [json!({ "data": {}, "usr": 1 }), json!({ "data": { "usr": {} } })] {
        let answer = api.patch(&id, None, body).await;
        answer.refused(422, "invalid_request");
        assert!(answer.text.contains("`usr`"));
    }
    let twice = api.request(Method::POST, "/v1/sessions/verify", r#"{"token":"a","token":"b"}"#);
    api.send(twice).await.refused(422, "invalid_request");
}

#[tokio::test]
async fn a_problem_does_not_repeat_a_token_that_stood_in_the_wrong_place() {
    let api = api().await;
    let (_, token) = api.signed_in("u_1").await;
    let bodies = [
        json!({ "token": "x", "touch": token }),
        json!({ "token": "x", "accept": [token] }),
        json!({ "token": "x", "require": { "level": token } }),
        json!({ "token": "x", "device": { "ip": token } }),
    ];
    for body in bodies {
        let answer = api.post("/v1/sessions/verify", body).await;
        answer.refused(422, "invalid_request");
        assert!(!answer.text.contains(&token[..20]), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_body_of_64_kib_is_taken_and_a_byte_more_is_413() {
    let api = api().await;
    let body = |size: usize| {
        let frame = json!({ "token": "" }).to_string().len();
        json!({ "token": "x".repeat(size - frame) }).to_string()
    };
    let fits = api.send(api.request(Method::POST, "/v1/sessions/verify", &body(MAX_BODY))).await;
    assert_eq!(fits.status, 200);
    for size in [MAX_BODY + 1, 65 * 1024, 1024 * 1024] {
        let answer = api.send(api.request(Method::POST, "/v1/sessions/verify", &body(size))).await;
        answer.refused(413, "body_too_large");
        assert!(answer.text.contains("64 KiB"));
    }
}

#[tokio::test]
async fn a_user_agent_cannot_forge_a_list() {
    let api = api().await;
    let device = json!({ "user_agent": "a\r\nb\u{1b}[31m\u{202e}c", "ip": "2001:db8::1" });
    let answer = api.post("/v1/sessions", json!({ "device": device })).await.expect(201);
    let shown = answer["session"]["device"]["user_agent"].as_str().unwrap();
    assert!(!shown.chars().any(|c| c.is_control() || c == '\u{202e}'), "{shown:?}");
}
