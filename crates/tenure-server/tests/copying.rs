//! `/v1/store/copy`: what it answers while a copy goes on, and to those who want another one.

use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tenure::random::SystemRandom;
use tenure::testing::{Faults, SharedMemory};
use tenure::{Sessions, SignIn};
use tenure_server::{ApiKey, ApiKeys, Destination, KnownKey, Mover, Scope, Server, ServerOptions};
use tower::ServiceExt;

/// A server over a store in memory, whose sessions may move to others in memory, `1` to `3`, or to
/// where they are: `0`.
struct Api {
    sessions: Sessions,
    router: Router,
    key: String,
    mover: Mover,
}

async fn api() -> Api {
    let old = SharedMemory::default();
    let stores = [old.clone(), old.another(), old.another(), old.another()];
    let mover = Mover::new(move |address| {
        let store = address.parse().ok().and_then(|at: usize| stores.get(at)).ok_or("there is none")?;
        // Whoever lets go of one of them does not end it for all.
        let engine = Box::new(Faults::default().before(store.clone()).left_open());
        Ok(Destination { engine, name: format!("store {address}") })
    });
    let sessions = Sessions::open(old).await.unwrap();
    let key = ApiKey::generate(&SystemRandom);
    let known = KnownKey::new(&key, "tests", sessions.realm().clone(), [Scope::Admin], sessions.now());
    let api_keys = ApiKeys::new([known]);
    let options = ServerOptions { api_keys, mover: Some(mover.clone()), ..ServerOptions::default() };
    let router = Server::new(sessions.clone(), options).router();
    Api { sessions, router, key: key.expose().into(), mover }
}

impl Api {
    async fn ask(&self, method: Method, body: String) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri("/v1/store/copy")
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&text).unwrap())
    }

    async fn copy(&self, to: &str, call_off: bool) -> (u16, Value) {
        self.ask(Method::POST, json!({ "to": to, "call_off": call_off }).to_string()).await
    }

    async fn until(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (status, state) = self.ask(Method::GET, String::new()).await;
            assert_eq!(status, 200);
            if is_it(&state) {
                return state;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    async fn ended(&self) -> Value {
        self.until(|state| state["state"] != "running" && state["state"] != "calling_off").await
    }

    async fn sign_in(&self) -> Result<(), tenure::Error> {
        let signed_in = self.sessions.sign_in(None, SignIn::password("ann".parse().unwrap())).await;
        signed_in.map(drop)
    }
}

#[tokio::test]
async fn a_copy_that_goes_on_can_be_called_off_and_no_other_begins_meanwhile() {
    let api = api().await;
    api.sign_in().await.unwrap();
    let (status, state) = api.copy("1", false).await;
    assert_eq!((status, &state["state"], &state["to"]), (202, &json!("running"), &json!("store 1")));
    // Nodes get twice the bound to let go of the old store: for so long it stays in this stage.
    api.until(|state| state["stage"] == "handing_over" || state["stage"] == "comparing").await;
    let (status, state) = api.copy("1", false).await;
    assert_eq!((status, &state["state"]), (202, &json!("running")), "the same is told how it goes");
    for call_off in [false, true] {
        let (status, problem) = api.copy("2", call_off).await;
        assert_eq!((status, &problem["code"]), (409, &json!("copy_under_way")));
        assert!(problem["detail"].as_str().unwrap().contains("store 1"), "{problem}");
    }
    let (status, state) = api.copy("1", true).await;
    assert_eq!((status, &state["state"]), (202, &json!("calling_off")));
    assert_eq!(api.ended().await["state"], "called_off");
    api.sign_in().await.unwrap();

    api.copy("1", false).await;
    let state = api.ended().await;
    assert_eq!(state["state"], "failed");
    assert!(state["error"].as_str().unwrap().contains("not empty"), "{state}");
    api.sign_in().await.unwrap();

    api.copy("2", false).await;
    assert_eq!(api.mover.moved().await, "2");
    let (status, state) = api.copy("2", false).await;
    assert_eq!((status, &state["state"], &state["moved"]["sessions"]), (202, &json!("moved"), &json!(3)));
    assert!(api.sign_in().await.is_err(), "the old store is shut");
    api.copy("2", true).await;
    assert_eq!(api.ended().await["state"], "failed", "there is no way back");
}

#[tokio::test]
async fn sessions_do_not_move_to_where_they_are() {
    let api = api().await;
    api.copy("0", false).await;
    let state = api.ended().await;
    assert!(state["error"].as_str().unwrap().contains("is the old one"), "{state}");
    api.copy("0", true).await;
    assert_eq!(api.ended().await["state"], "failed", "nothing was begun");
    api.sign_in().await.unwrap();
    api.copy("0", false).await;
    assert!(api.ended().await["error"].as_str().unwrap().contains("not empty"));
    api.sign_in().await.unwrap();
}
