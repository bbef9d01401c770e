//! The server on a socket: slow clients, too many clients, and stopping.

mod common;

use std::time::Duration;

use common::{api, api_with, read_all};
use serde_json::json;
use tenure::{Check, Policy, Verdict};
use tenure_server::{Limits, Scope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A head that promises a body of `length` bytes.
fn head(key: &str, path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

fn limits(limits: Limits) -> impl Future<Output = common::Api> {
    api_with(Policy::default(), limits, &[Scope::Admin])
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_408_and_the_connection_ends() {
    let api = limits(Limits { body: Duration::from_millis(100), ..Limits::default() }).await;
    let running = api.serve().await;
    let answer =
        running.raw(format!("{}{{\"tok", head(&api.key, "/v1/sessions/verify", 50)).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"code\":\"body_timeout\""), "{answer}");
}

#[tokio::test]
async fn who_sends_far_too_much_still_reads_why_it_was_refused() {
    let api = api().await;
    let running = api.serve().await;
    for size in [65 * 1024, 2 * 1024 * 1024] {
        let asked = format!("{}{}", head(&api.key, "/v1/sessions", size), "x".repeat(size));
        let answer =
            running.raw(asked.replacen("Host: x", "Host: x\r\nConnection: close", 1).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("64 KiB"), "{answer}");
    }
}

#[tokio::test]
async fn a_head_that_comes_too_slowly_ends_the_connection() {
    let api = limits(Limits { head: Duration::from_millis(100), ..Limits::default() }).await;
    let running = api.serve().await;
    let answer = running.raw(b"GET /healthz HTTP/1.1\r\nHo").await;
    assert!(!answer.contains("200"), "{answer}");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_503_and_may_be_repeated() {
    let slow = Limits { request: Duration::from_millis(100), ..Limits::default() };
    let api = limits(slow).await;
    let running = api.serve().await;
    let answer =
        running.raw(format!("{}{{\"tok", head(&api.key, "/v1/sessions/verify", 50)).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\"code\":\"request_timeout\"") && answer.contains("retry-after: "), "{answer}");
}

#[tokio::test]
async fn beyond_the_bound_requests_are_503_and_health_still_answers() {
    let api = limits(Limits { requests: 1, ..Limits::default() }).await;
    let running = api.serve().await;
    let mut first = running.connect().await;
    first.write_all(format!("{}{{", head(&api.key, "/v1/sessions/verify", 13)).as_bytes()).await.unwrap();
    let ask = format!("{}{{\"token\":\"x\"}}", head(&api.key, "/v1/sessions/verify", 13));
    let closing = ask.replacen("Host: x", "Host: x\r\nConnection: close", 1);
    let mut answer = String::new();
    for _ in 0..100 {
        answer = running.raw(closing.as_bytes()).await;
        if answer.contains("overloaded") {
            break;
        }
    }
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1"), "{answer}");
    let health = running.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
    first.write_all(b"\"token\":\"x\"}").await.unwrap();
    let mut begin = [0; 15];
    first.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    drop(first);
    let answer = running.raw(closing.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "the place is free again: {answer}");
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_their_turn() {
    let api = limits(Limits { connections: 1, ..Limits::default() }).await;
    let running = api.serve().await;
    let mut first = running.connect().await;
    first.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut begin = [0; 15];
    first.read_exact(&mut begin).await.unwrap();
    let mut second = running.connect().await;
    second.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), second.read_exact(&mut begin)).await;
    assert!(early.is_err(), "no answer while the first is open");
    drop(first);
    assert!(read_all(&mut second).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn stopping_finishes_what_is_under_way_and_takes_nothing_new() {
    let api = api().await;
    let (_, token) = api.signed_in("u_1").await;
    let mut running = api.serve().await;
    let idle = running.connect().await;
    let mut kept = running.connect().await;
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut begin = [0; 15];
    kept.read_exact(&mut begin).await.unwrap();
    let body = json!({ "token": token }).to_string();
    let mut busy = running.connect().await;
    let head = head(&api.key, "/v1/sessions/verify", body.len());
    busy.write_all(format!("{head}{}", &body[..9]).as_bytes()).await.unwrap();
    // Until the head has surely been read.
    running.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    running.stop();
    assert!(read_all(&mut kept).await.contains("ok"), "a connection that waits is closed");
    assert!(!running.task.is_finished(), "a request is under way");
    busy.write_all(&body.as_bytes()[9..]).await.unwrap();
    let answer = read_all(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"verdict\":\"ok\""), "{answer}");
    let stopped = tokio::time::timeout(Duration::from_secs(5), &mut running.task).await;
    stopped.expect("one that never said anything does not hold the server up").unwrap();
    assert!(tokio::net::TcpStream::connect(running.at).await.is_err());
    drop(idle);
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_client_that_never_ends() {
    let api = limits(Limits { stop: Duration::from_millis(200), ..Limits::default() }).await;
    let mut running = api.serve().await;
    let mut slow = running.connect().await;
    slow.write_all(head(&api.key, "/v1/sessions/verify", 50).as_bytes()).await.unwrap();
    running.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    running.stop();
    tokio::time::timeout(Duration::from_secs(5), &mut running.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn activity_that_was_seen_before_the_stop_is_not_lost() {
    let api = api().await;
    let (id, token) = api.signed_in("u_1").await;
    let mut running = api.serve().await;
    api.kit.clock.advance(Duration::from_secs(600));
    let body = json!({ "token": token }).to_string();
    let ask = format!("{}{body}", head(&api.key, "/v1/sessions/verify", body.len()));
    let answer = running.raw(ask.replacen("Host: x", "Host: x\r\nConnection: close", 1).as_bytes()).await;
    assert!(answer.contains("\"verdict\":\"ok\""), "{answer}");
    let stored = || async {
        let id = id.parse().unwrap();
        api.kit.sessions.store().load(id).await.unwrap().unwrap().last_seen_at
    };
    let before = stored().await;
    running.stop();
    (&mut running.task).await.unwrap();
    api.kit.sessions.maintain().await.unwrap();
    assert_eq!(stored().await.since(before), Duration::from_secs(600));
    let check = Check::signed_in().touch(false);
    let verdict = api.kit.sessions.check(token.as_bytes(), &check).await.unwrap();
    assert!(matches!(verdict, Verdict::Ok(_)));
}
