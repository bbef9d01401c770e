//! An API over sessions in memory, and ways to ask it.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tenure::Policy;
use tenure::random::SystemRandom;
use tenure::testing::TestKit;
use tenure_server::{ApiKey, ApiKeys, KnownKey, Limits, Scope, Server, ServerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::ServiceExt;

/// An idempotency key: 128 random bits would be another one each time.
pub(crate) const RETRY: (&str, &str) = ("idempotency-key", "0f8fad5b-d9cb-469f-a165-70867728950e");

pub(crate) struct Api {
    pub(crate) kit: TestKit,
    pub(crate) server: Server,
    pub(crate) router: Router,
    pub(crate) key: String,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn code(&self) -> (u16, String) {
        let code = serde_json::from_str::<Value>(&self.text).ok();
        let code = code.and_then(|json| json["code"].as_str().map(str::to_owned));
        (self.status.as_u16(), code.unwrap_or_default())
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!(self.code(), (status, code.into()), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub(crate) async fn api() -> Api {
    api_with(Policy::default(), Limits::default(), &[Scope::Admin]).await
}

pub(crate) async fn api_with(policy: Policy, limits: Limits, scopes: &[Scope]) -> Api {
    let kit = TestKit::with_policy(policy).await;
    let key = ApiKey::generate(&SystemRandom);
    let now = kit.sessions.now();
    let known = KnownKey::new(&key, "tests", kit.sessions.realm().clone(), scopes.iter().copied(), now);
    let options = ServerOptions { api_keys: ApiKeys::new([known]), limits, ..ServerOptions::default() };
    let server = Server::new(kit.sessions.clone(), options);
    Api { router: server.router(), server, kit, key: key.expose().into() }
}

impl Api {
    pub(crate) fn request(&self, method: Method, path: &str, body: &str) -> Request<Body> {
        Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(text.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path, "")).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path, "")).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path, &body.to_string())).await
    }

    pub(crate) async fn post_with(&self, path: &str, header: (&str, &str), body: Value) -> Answer {
        let mut request = self.request(Method::POST, path, &body.to_string());
        let name = axum::http::HeaderName::from_bytes(header.0.as_bytes()).unwrap();
        request.headers_mut().insert(name, header.1.parse().unwrap());
        self.send(request).await
    }

    pub(crate) async fn patch(&self, id: &str, if_match: Option<&str>, body: Value) -> Answer {
        let path = format!("/v1/sessions/{id}");
        let mut request = self.request(Method::PATCH, &path, &body.to_string());
        if let Some(version) = if_match {
            request.headers_mut().insert("if-match", version.parse().unwrap());
        }
        self.send(request).await
    }

    pub(crate) async fn verify(&self, token: &str) -> Value {
        self.post("/v1/sessions/verify", json!({ "token": token })).await.expect(200)
    }

    /// A session of `user`: its id and token.
    pub(crate) async fn signed_in(&self, user: &str) -> (String, String) {
        issued(&self.post("/v1/sessions", json!({ "user": user })).await.expect(201))
    }

    /// A guest session with a cart: its id and token.
    pub(crate) async fn guest(&self) -> (String, String) {
        let data = json!({ "data": { "cart": ["apple"] } });
        issued(&self.post("/v1/sessions", data).await.expect(201))
    }

    /// Serves on a free port of this machine.
    pub(crate) async fn serve(&self) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = self.server.clone();
        let task = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            server.run(listener, stopped).await.unwrap();
        });
        Running { at, stop: Some(stop), task }
    }
}

/// The id and the token in an answer that issued one.
#[track_caller]
pub(crate) fn issued(answer: &Value) -> (String, String) {
    let text = |at: &Value| at.as_str().unwrap().to_owned();
    (text(&answer["session"]["id"]), text(&answer["token"]))
}

/// A server on a socket.
pub(crate) struct Running {
    pub(crate) at: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.at).await.unwrap()
    }

    /// Sends these bytes and reads until the server closes the connection.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_all(&mut stream).await
    }
}

/// Everything until the end, as text.
pub(crate) async fn read_all(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let reading = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut read)).await;
    reading.expect("the server closes the connection").ok();
    String::from_utf8_lossy(&read).into_owned()
}
