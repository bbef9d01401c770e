//! Rows of the standards that are about the API: who learns what, and where tokens may stand.

mod common;

use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderValue, Method};
use common::{Answer, Api, api, api_with, issued};
use serde_json::{Value, json};
use tenure::random::SystemRandom;
use tenure::{Device, Policy, Realm, SignIn, UserId};
use tenure_server::{ApiKey, ApiKeys, KnownKey, Limits, Scope, Server, ServerOptions};

const USER: &str = "needle-user";
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) needle-agent Firefox/140.0";
const IP: &str = "203.0.113.77";
const NOBODY: &str = "ses_00000000000000000000000000000000";

/// Somebody whose session is not for everybody to see: the id and the `Cookie` header.
async fn somebody(api: &Api) -> (String, String) {
    let device = Device::from_request(Some(AGENT), IP.parse().ok());
    let user = UserId::new(USER).unwrap();
    let cookie = api.kit.sign_in(SignIn::password(user.clone()).device(device)).await;
    let session = api.kit.sessions.list(&user).await.unwrap().remove(0);
    (session.id().to_string(), cookie)
}

/// Everything that shows, changes or ends the session `id`.
fn routes_about(id: &str) -> Vec<(Method, String, String)> {
    let end = json!({ "filter": { "user": USER }, "reason": "revoked" }).to_string();
    let one = format!("/v1/sessions/{id}");
    vec![
        (Method::GET, "/v1/sessions".into(), String::new()),
        (Method::GET, format!("/v1/sessions?user={USER}"), String::new()),
        (Method::GET, one.clone(), String::new()),
        (Method::HEAD, one.clone(), String::new()),
        (Method::PATCH, one.clone(), json!({ "data": { "set": { "a": 1 } } }).to_string()),
        (Method::DELETE, one, String::new()),
        (Method::POST, "/v1/sessions/end".into(), end),
        (Method::GET, format!("/v1/users/{USER}/sessions"), String::new()),
        (Method::DELETE, format!("/v1/users/{USER}/sessions"), String::new()),
    ]
}

/// Asks all of it with this `Authorization`, and gets what is told to somebody who asks about
/// the session and about one that is not there.
async fn ask_all(api: &Api, shown: Option<&str>, id: &str) -> Vec<(Answer, Answer)> {
    let mut answers = Vec::new();
    for (there, not_there) in routes_about(id).into_iter().zip(routes_about(NOBODY)) {
        let mut pair = Vec::new();
        for (method, path, body) in [there, not_there] {
            let mut request = api.request(method, &path, &body);
            request.headers_mut().remove(AUTHORIZATION);
            if let Some(shown) = shown {
                request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(shown).unwrap());
            }
            pair.push(api.send(request).await);
        }
        let second = pair.pop().unwrap();
        answers.push((pair.pop().unwrap(), second));
    }
    answers
}

fn assert_tells_nothing(answers: &[(Answer, Answer)], status: u16, id: &str) {
    for (about, about_nobody) in answers {
        assert_eq!(about.status, status, "{}", about.text);
        assert_eq!((about.status, &about.text), (about_nobody.status, &about_nobody.text));
        let told = format!("{:?} {}", about.headers, about.text);
        for needle in [USER, id, IP, "Firefox", "needle-agent"] {
            assert!(!told.contains(needle), "{told}");
        }
    }
}

#[tokio::test]
async fn cs_sm_19_whoever_may_not_manage_sessions_sees_none_and_ends_none() {
    for scopes in [&[Scope::Check][..], &[Scope::Issue], &[Scope::Check, Scope::Issue]] {
        let api = api_with(Policy::default(), Limits::default(), scopes).await;
        let (id, cookie) = somebody(&api).await;
        let own = format!("Bearer {}", api.key);
        assert_tells_nothing(&ask_all(&api, Some(&own), &id).await, 403, &id);
        let token = cookie.strip_prefix("__Host-sid=").unwrap();
        let with_token = format!("Bearer {token}");
        for shown in [None, Some("Bearer tnk_wrong"), Some(with_token.as_str())] {
            assert_tells_nothing(&ask_all(&api, shown, &id).await, 401, &id);
        }
        assert_eq!(api.kit.user_of(&cookie).await.unwrap().as_str(), USER, "nothing ended");
    }
}

#[tokio::test]
async fn cs_sm_19_the_administrator_of_another_realm_sees_none() {
    let mut api = api().await;
    let (id, cookie) = somebody(&api).await;
    let (key, now) = (ApiKey::generate(&SystemRandom), api.kit.sessions.now());
    let known = KnownKey::new(&key, "other", Realm::new("other").unwrap(), [Scope::Admin], now);
    let options = ServerOptions { api_keys: ApiKeys::new([known]), ..ServerOptions::default() };
    api.router = Server::new(api.kit.sessions.clone(), options).router();
    let shown = format!("Bearer {}", key.expose());
    assert_tells_nothing(&ask_all(&api, Some(&shown), &id).await, 401, &id);
    assert_eq!(api.kit.user_of(&cookie).await.unwrap().as_str(), USER);
}

#[tokio::test]
async fn asvs_7_2_2_no_caller_chooses_a_token() {
    let api = api().await;
    let (_, good) = api.signed_in("u_1").await;
    let chosen = format!("tn1_{}", "A".repeat(92));
    for field in ["token", "secret", "id", "session", "session_id", "set_cookie", "cookie", "generation"] {
        for value in [json!(chosen), json!(good), json!(1)] {
            let answer = api.post("/v1/sessions", json!({ "user": "u_2", field: value })).await;
            answer.refused(422, "invalid_request");
            assert!(answer.json()["detail"].as_str().unwrap().contains(&format!("`{field}`")));
        }
    }
    assert!(api.kit.sessions.list(&UserId::new("u_2").unwrap()).await.unwrap().is_empty());
    for made_up in [chosen.as_str(), "chosen", ""] {
        let asked = json!({ "user": "u_3", "guest_token": made_up });
        let (id, token) = issued(&api.post("/v1/sessions", asked).await.expect(201));
        assert!(token != made_up && token.len() == good.len() && id != NOBODY);
        let asked = json!({ "user": "u_3", "token": made_up, "methods": ["password"] });
        let answer = api.post("/v1/sessions/sign-in", asked).await.expect(200);
        assert_ne!(answer["token"], made_up);
    }
}

#[tokio::test]
async fn asvs_7_2_2_two_sign_ins_have_two_tokens_and_an_api_key_is_none() {
    let api = api().await;
    let mut tokens: Vec<String> = Vec::new();
    for _ in 0..10 {
        tokens.push(api.signed_in("u_1").await.1);
    }
    let (asked, last) = (json!({ "user": "u_1", "methods": ["password"] }), tokens[9].clone());
    let mut again = asked;
    again["token"] = json!(last);
    tokens.push(issued(&api.post("/v1/sessions/sign-in", again).await.expect(200)).1);
    // The secrets in them, so that ids that differ do not hide secrets that do not.
    let mut secrets: Vec<&str> = tokens.iter().map(|token| &token[32..74]).collect();
    secrets.sort_unstable();
    secrets.dedup();
    assert_eq!(secrets.len(), 11);

    for asked in [json!({ "token": api.key }), json!({ "cookie": format!("__Host-sid={}", api.key) })] {
        let verdict = api.post("/v1/sessions/verify", asked).await.expect(200);
        assert_eq!((&verdict["verdict"], &verdict["reason"]), (&json!("inactive"), &json!("malformed")));
    }
}

#[tokio::test]
async fn cs_sm_4_a_token_in_an_address_or_a_header_is_not_read() {
    let api = api().await;
    let (_, token) = api.signed_in("u_1").await;
    for name in ["token", "cookie", "__Host-sid"] {
        let path = format!("/v1/sessions/verify?{name}={token}");
        let answer = api.post(&path, json!({})).await;
        answer.refused(422, "invalid_request");
        assert!(!answer.text.contains(&token));
    }
    let mut request = api.request(Method::POST, "/v1/sessions/verify", "{}");
    let cookie = HeaderValue::from_str(&format!("__Host-sid={token}")).unwrap();
    request.headers_mut().insert(COOKIE, cookie.clone());
    request.headers_mut().insert("x-session-token", HeaderValue::from_str(&token).unwrap());
    api.send(request).await.refused(422, "invalid_request");
    // The browser's cookie does not let anybody in at the API either.
    let mut request = api.request(Method::GET, "/v1/sessions", "");
    request.headers_mut().remove(AUTHORIZATION);
    request.headers_mut().insert(COOKIE, cookie);
    api.send(request).await.refused(401, "unauthorized");
    for path in [format!("/v1/sessions/{token}"), format!("/v1/sessions/verify/{token}")] {
        let answer = api.get(&path).await;
        assert!([404, 422].contains(&answer.status.as_u16()) && !answer.text.contains(&token));
    }
    assert_eq!(api.verify(&token).await["verdict"], "ok");
}

/// Only what issues a token tells it, in an answer that no cache keeps.
#[tokio::test]
async fn cs_sm_13_asvs_3_3_4_a_token_is_told_once_and_never_kept() {
    let api = api().await;
    let begun = api.post("/v1/sessions", json!({ "user": "u_1", "data": { "a": 1 } })).await;
    let (id, token) = issued(&begun.json());
    api.kit.advance(std::time::Duration::from_secs(16 * 60)).await;
    let asked = json!({ "token": token, "can_set_cookie": true });
    let renewed = api.post("/v1/sessions/verify", asked).await;
    let next = renewed.json()["set_cookie"].as_str().unwrap()[11..].split(';').next().unwrap().to_owned();
    let signed_in = json!({ "token": next, "user": "u_1", "methods": ["password"] });
    let again = api.post("/v1/sessions/sign-in", signed_in).await;
    let last = issued(&again.json()).1;
    for answer in [&begun, &renewed, &again] {
        let said: Vec<_> = answer.headers.get_all("cache-control").iter().collect();
        assert_eq!(said, ["no-store"]);
        assert!(!answer.headers.contains_key("set-cookie"), "it is the back end's to set");
    }
    let others = [
        api.post("/v1/sessions/verify", json!({ "token": last })).await,
        api.get("/v1/sessions").await,
        api.get(&format!("/v1/sessions/{id}")).await,
        api.get("/v1/users/u_1/sessions").await,
        api.patch(&id, None, json!({ "data": { "set": { "a": 2 } } })).await,
        api.post("/v1/sessions/end", json!({ "filter": { "user": "u_1" }, "reason": "revoked" })).await,
        api.post("/v1/sessions/verify", json!({ "token": last, "can_set_cookie": true })).await,
        api.post("/v1/sessions/rotate", json!({ "token": last })).await,
    ];
    for answer in others {
        let told = format!("{:?} {}", answer.headers, answer.text);
        // From the secret on; the id before it is for everybody who may see the session.
        for token in [&token, &next, &last] {
            assert!(!told.contains(&token[32..]), "{told}");
        }
    }
}

/// A back end sends `set_cookie` as it is: whatever was in the request, it is one clean header.
#[tokio::test]
async fn ck_20_no_control_character_reaches_a_cookie() {
    let api = api().await;
    let (_, guest) = api.guest().await;
    let hostile = (0..0x20).chain(0x7f..0xa0).map(|code| char::from_u32(code).unwrap()).chain(['\u{2028}']);
    let mut cookies = 0;
    for control in hostile {
        let bad = format!("a{control}\r\nSet-Cookie: evil=1{control}");
        let device = json!({ "user_agent": bad, "ip": "203.0.113.7" });
        let asked = [
            ("/v1/sessions", json!({ "device": device, "data": { "a": bad } })),
            ("/v1/sessions", json!({ "user": bad })),
            (
                "/v1/sessions",
                json!({ "user": "u_1", "guest_token": bad, "remember": true, "device": device }),
            ),
            ("/v1/sessions", json!({ "user": "u_1", "methods": [bad] })),
            ("/v1/sessions", json!({ "user": "u_1", "roles": [bad] })),
            ("/v1/sessions/verify", json!({ "token": bad, "can_set_cookie": true })),
            ("/v1/sessions/verify", json!({ "token": format!("{guest}{bad}"), "can_set_cookie": true })),
            ("/v1/sessions/verify", json!({ "cookie": format!("__Host-sid={bad}"), "can_set_cookie": true })),
            ("/v1/sessions/sign-in", json!({ "token": bad, "user": "u_1", "methods": ["password"] })),
        ];
        for (path, body) in asked {
            let answer = api.post(path, body).await;
            let json: Value = answer.json();
            if let Some(cookie) = json["set_cookie"].as_str() {
                assert!(cookie.bytes().all(|b| (0x20..0x7f).contains(&b)), "{cookie:?}");
                assert!(cookie.starts_with("__Host-sid=") && !cookie.contains("evil"), "{cookie}");
                cookies += 1;
            }
        }
    }
    assert!(cookies > 5 * 65, "most of them are answered with a cookie: {cookies}");
}
