//! Checks go straight to work and not through the router: the answers are the same.

mod common;

use axum::body::Body;
use axum::http::{Method, Request};
use common::{Answer, Api, Running, api, api_with};
use tenure::Policy;
use tenure_server::{Limits, Scope};
use tokio::io::AsyncWriteExt;

const CHECK: &str = "/v1/sessions/verify";

/// A request as it goes over the wire.
struct Sent<'a> {
    method: Method,
    path: &'a str,
    headers: Vec<(&'a str, String)>,
    body: String,
}

impl<'a> Sent<'a> {
    /// A check with this body, as a back end sends it.
    fn check(api: &Api, body: &str) -> Self {
        let headers = vec![
            ("authorization", format!("Bearer {}", api.key)),
            ("content-type", "application/json".to_owned()),
        ];
        Self { method: Method::POST, path: CHECK, headers, body: body.to_owned() }
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| *header != name);
        self
    }

    fn with(mut self, name: &'a str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(&self.method).uri(self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(Body::from(self.body.clone())).unwrap()
    }

    /// What the server answers over a connection: status, headers in order of their names, body.
    async fn over(&self, running: &Running) -> (u16, Vec<String>, String) {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let text = format!(
            "{} {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{}",
            self.method,
            self.path,
            self.body.len(),
            self.body
        );
        let answer = running.raw(text.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let own = ["date: ", "connection: ", "content-length: "];
        let mut headers: Vec<String> =
            lines.filter(|line| !own.iter().any(|own| line.starts_with(own))).map(str::to_owned).collect();
        headers.sort();
        (status, headers, body.to_owned())
    }

    /// What the router answers.
    async fn through(&self, api: &Api) -> (u16, Vec<String>, String) {
        let Answer { status, headers, text } = api.send(self.request()).await;
        let mut headers: Vec<String> = headers
            .iter()
            .filter(|(name, _)| *name != "content-length")
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        (status.as_u16(), headers, text)
    }
}

#[tokio::test]
async fn a_check_over_a_connection_is_answered_as_by_the_router() {
    let api = api().await;
    let mut running = api.serve().await;
    let (_, token) = api.signed_in("u_1").await;
    let (_, ended) = api.signed_in("u_2").await;
    let (_, guest) = api.guest().await;
    api.delete("/v1/users/u_2/sessions").await;
    let check = |body: &str| Sent::check(&api, body);
    let good = format!(r#"{{"token":"{token}"}}"#);
    let requests = [
        check(&good),
        check(&good).with("content-length-hint", "none"),
        check(&format!(r#"{{"cookie":"a=b; __Host-sid={token}","can_set_cookie":true}}"#)),
        check(&format!(r#"{{"token":"{ended}","can_set_cookie":true}}"#)),
        check(&format!(r#"{{"token":"{guest}"}}"#)),
        check(&format!(r#"{{"token":"{guest}","accept":["guest"]}}"#)),
        check(&format!(r#"{{"token":"{token}","require":{{"level":2}}}}"#)),
        check(&format!(r#"{{"token":"{token}","require":{{"roles":["admin"]}}}}"#)),
        check(r#"{"token":"tn1_made_up"}"#),
        check(r#"{"token":"tn1_a","more":1}"#),
        check(r#"{"token":"#),
        check("{}"),
        check(""),
        check(&" ".repeat(70_000)),
        check(&good).without("content-type"),
        check(&good).without("authorization"),
        check(&good).with("authorization", "Bearer again"),
        check(&good).without("authorization").with("authorization", "Bearer tnk_wrong_wrong_wrong_wrong"),
        Sent { method: Method::GET, ..check("") },
        Sent { method: Method::PUT, ..check(&good) },
        Sent { path: "/v1/sessions/verify/", ..check(&good) },
        Sent { path: "/v1/sessions/verify?a=b", ..check(&good) },
        Sent { path: "/v1/users/u_1/sessions", method: Method::GET, ..check("") },
    ];
    for request in requests {
        let what = format!("{} {} {:?} {:.60}", request.method, request.path, request.headers, request.body);
        assert_eq!(request.over(&running).await, request.through(&api).await, "{what}");
    }
    running.stop();
}

#[tokio::test]
async fn a_check_over_a_connection_takes_the_scope_and_a_place() {
    let api = api_with(Policy::default(), Limits::default(), &[Scope::Manage]).await;
    let mut running = api.serve().await;
    let (status, _, text) = Sent::check(&api, r#"{"token":"tn1_a"}"#).over(&running).await;
    assert!(status == 403 && text.contains("insufficient_scope"), "{text}");
    running.stop();

    let limits = Limits { requests: 1, ..Limits::default() };
    let api = api_with(Policy::default(), limits, &[Scope::Admin]).await;
    let mut running = api.serve().await;
    // One whose body is still to come has the only place.
    let mut slow = running.connect().await;
    let key = &api.key;
    let head = format!(
        "POST {CHECK} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: 17\r\nexpect: 100-continue\r\n\r\n"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut asked = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut slow, &mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100");
    for path in [CHECK, "/v1/sessions"] {
        let request = Sent { path, ..Sent::check(&api, "{}") };
        let (status, _, text) = request.over(&running).await;
        assert!(status == 503 && text.contains("overloaded"), "{path}: {text}");
    }
    drop(slow);
    running.stop();
}
