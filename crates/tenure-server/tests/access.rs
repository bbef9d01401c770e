//! Who may ask what, and what every answer carries.

mod common;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Request};
use common::{Api, api, api_with};
use serde_json::json;
use tenure::Policy;
use tenure_server::{Limits, Scope};

/// Every route with an API key, a body that fits, and the scope it takes.
fn routes() -> Vec<(Method, &'static str, &'static str, Scope)> {
    let id = "/v1/sessions/ses_00000000000000000000000000000000";
    vec![
        (Method::POST, "/v1/sessions", "{}", Scope::Issue),
        (
            Method::POST,
            "/v1/sessions/sign-in",
            r#"{"token":"x","user":"u","methods":["password"]}"#,
            Scope::Issue,
        ),
        (Method::POST, "/v1/sessions/rotate", r#"{"token":"x"}"#, Scope::Issue),
        (Method::POST, "/v1/sessions/verify", r#"{"token":"x"}"#, Scope::Check),
        (Method::POST, "/v1/sessions/end", r#"{"filter":{"user":"u"},"reason":"revoked"}"#, Scope::Manage),
        (Method::GET, "/v1/sessions", "", Scope::Manage),
        (Method::GET, id, "", Scope::Manage),
        (Method::PATCH, id, r#"{"data":{}}"#, Scope::Manage),
        (Method::DELETE, id, "", Scope::Manage),
        (Method::GET, "/v1/users/u/sessions", "", Scope::Manage),
        (Method::DELETE, "/v1/users/u/sessions", "", Scope::Manage),
        (Method::GET, "/v1/store/copy", "", Scope::Admin),
        (Method::POST, "/v1/store/copy", r#"{"to":"memory:"}"#, Scope::Admin),
    ]
}

async fn with_scopes(scopes: &[Scope]) -> Api {
    api_with(Policy::default(), Limits::default(), scopes).await
}

#[tokio::test]
async fn each_route_takes_its_scope_and_no_other() {
    for scope in [Scope::Check, Scope::Issue, Scope::Manage, Scope::Admin] {
        let api = with_scopes(&[scope]).await;
        for (method, path, body, takes) in routes() {
            let answer = api.send(api.request(method.clone(), path, body)).await;
            if scope == takes || scope == Scope::Admin {
                assert!(![401, 403].contains(&answer.status.as_u16()), "{method} {path}: {}", answer.text);
            } else {
                answer.refused(403, "insufficient_scope");
                assert!(answer.text.contains(takes.as_str()), "{}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn without_a_valid_key_every_route_is_401_whatever_it_holds() {
    let api = api().await;
    let wrong = format!("Bearer tnk_{}", "A".repeat(43));
    let shown = [
        None,
        Some(HeaderValue::from_static("")),
        Some(HeaderValue::from_static("Bearer")),
        Some(HeaderValue::from_static("Bearer ")),
        Some(HeaderValue::from_static("Basic dTpw")),
        Some(HeaderValue::from_str(&wrong).unwrap()),
        Some(HeaderValue::from_str(&format!("Bearer {}x", api.key)).unwrap()),
        Some(HeaderValue::from_str(&format!("Bearer {}", &api.key[..46])).unwrap()),
        Some(HeaderValue::from_str(&format!("Token {}", api.key)).unwrap()),
        Some(HeaderValue::from_bytes(b"Bearer \xff\xfe\x80").unwrap()),
        Some(HeaderValue::from_str(&format!("Bearer {}", "x".repeat(10_000))).unwrap()),
    ];
    for (method, path, _, _) in routes() {
        for header in &shown {
            let mut request = api.request(method.clone(), path, "no json at all");
            request.headers_mut().remove(AUTHORIZATION);
            if let Some(header) = header {
                request.headers_mut().insert(AUTHORIZATION, header.clone());
            }
            let answer = api.send(request).await;
            answer.refused(401, "unauthorized");
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
        }
    }
}

#[tokio::test]
async fn two_authorization_headers_are_believed_in_neither() {
    let api = api().await;
    let mut request = api.request(Method::GET, "/v1/sessions", "");
    let again = request.headers()[AUTHORIZATION].clone();
    request.headers_mut().append(AUTHORIZATION, again);
    api.send(request).await.refused(401, "unauthorized");
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case() {
    let api = api().await;
    let mut request = api.request(Method::GET, "/v1/sessions", "");
    let header = format!("bEARER  {} ", api.key);
    request.headers_mut().insert(AUTHORIZATION, header.parse().unwrap());
    api.send(request).await.expect(200);
}

#[tokio::test]
async fn every_answer_forbids_caching_and_being_taken_for_a_page() {
    let api = api().await;
    let request = |path: &str| api.request(Method::GET, path, "");
    let answers = [
        api.send(request("/healthz")).await,
        api.send(request("/readyz")).await,
        api.send(request("/openapi.json")).await,
        api.send(request("/docs/errors.md")).await,
        api.send(request("/v1/sessions")).await,
        api.send(request("/nowhere")).await,
        api.send(api.request(Method::PUT, "/v1/sessions", "")).await,
        api.send(Request::get("/v1/sessions").body(Body::empty()).unwrap()).await,
        api.post("/v1/sessions", json!({})).await,
    ];
    for answer in answers {
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; sandbox; frame-ancestors 'none'"
        );
        assert_eq!(answer.header("set-cookie"), "");
    }
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_problems_too() {
    let api = api().await;
    for path in ["/", "/v1", "/v1/", "/v1/sessions/", "/v1/sessions/a/b", "/metric"] {
        api.get(path).await.refused(404, "no_such_route");
    }
    let cases = [
        (Method::PUT, "/v1/sessions", "GET,HEAD,POST"),
        (Method::GET, "/v1/sessions/verify", "POST"),
        (Method::POST, "/healthz", "GET,HEAD"),
        (Method::POST, "/v1/users/u/sessions", "DELETE,GET,HEAD"),
    ];
    for (method, path, allow) in cases {
        let answer = api.send(api.request(method, path, "")).await;
        answer.refused(405, "method_not_allowed");
        let mut allowed: Vec<&str> = answer.header("allow").split(',').collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(","), allow);
    }
}

#[tokio::test]
async fn a_problem_links_to_its_section() {
    let api = api().await;
    let problem = api.get("/nowhere").await.json();
    assert_eq!(problem["type"], "/docs/errors.md#no_such_route");
    assert_eq!((&problem["status"], &problem["code"]), (&json!(404), &json!("no_such_route")));
    let keys: Vec<&String> = problem.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["code", "detail", "status", "title", "type"]);
    let page = api.get("/docs/errors.md").await;
    assert!(page.text.contains("\n## no_such_route\n"));
}

#[tokio::test]
async fn a_body_is_json_and_says_so() {
    let api = api().await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"] {
        let mut request = api.request(Method::POST, "/v1/sessions", "{}");
        request.headers_mut().insert(CONTENT_TYPE, kind.parse().unwrap());
        api.send(request).await.refused(415, "unsupported_media_type");
    }
    let mut request = api.request(Method::POST, "/v1/sessions", "{}");
    request.headers_mut().remove(CONTENT_TYPE);
    api.send(request).await.refused(415, "unsupported_media_type");
    let mut request = api.request(Method::POST, "/v1/sessions", "{}");
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("Application/JSON; charset=utf-8"));
    api.send(request).await.expect(201);
}

#[tokio::test]
async fn health_needs_no_key_and_readiness_names_what_is_wrong() {
    let api = api().await;
    let ask = |path: &'static str| Request::get(path).body(Body::empty()).unwrap();
    assert_eq!(api.send(ask("/healthz")).await.text, "ok\n");
    assert_eq!(api.send(ask("/readyz")).await.text, "ready\n");
    let year = std::time::Duration::from_secs(365 * 86_400);
    api.kit.clock.jump_ahead(year);
    let answer = api.send(ask("/readyz")).await;
    answer.refused(503, "clock_implausible");
    assert!(answer.json()["detail"].as_str().unwrap().contains("31536000 s"));
    assert_eq!(api.send(ask("/healthz")).await.status, 200);
    api.kit.clock.step_back(year);
    api.kit.sessions.close().await.unwrap();
    let answer = api.send(ask("/readyz")).await;
    answer.refused(503, "store_unavailable");
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(api.send(ask("/healthz")).await.status, 200);
}
