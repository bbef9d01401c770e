//! A check is answered straight from the connection, everything else by the router. Whatever bytes
//! come, nobody can tell which of the two it was.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{api_with, read_all};
use tenure::Policy;
use tenure_server::{Limits, Scope, serve};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The lines of the answer, without those of the time of day, in order: that of headers says nothing.
async fn ask(at: SocketAddr, parts: &[String]) -> Vec<String> {
    let mut stream = TcpStream::connect(at).await.unwrap();
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        if stream.write_all(part.as_bytes()).await.is_err() {
            break;
        }
    }
    let text = read_all(&mut stream).await;
    let mut lines: Vec<String> =
        text.lines().filter(|line| !line.starts_with("date: ")).map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Requests, in the parts that are sent one after another.
fn cases(key: &str, token: &str) -> Vec<Vec<String>> {
    let auth = format!("authorization: Bearer {key}\r\n");
    let json = "content-type: application/json\r\n";
    let good = format!(r#"{{"token":"{token}"}}"#);
    let n = good.len();
    let p = "POST /v1/sessions/verify HTTP/1.1\r\nhost: x\r\n";
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    vec![
        vec![format!("{p}{auth}{json}content-length: {n}\r\n\r\n{good}")],
        vec![format!("{p}{auth}{json}transfer-encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk(&good))],
        vec![format!(
            "{p}{auth}{json}transfer-encoding: chunked\r\n\r\n{}0\r\nx-trailer: a\r\n\r\n",
            chunk(&good)
        )],
        vec![format!("{p}{auth}{json}transfer-encoding: chunked\r\n\r\nzz\r\n")],
        vec![format!(
            "{p}{auth}{json}transfer-encoding: chunked\r\ncontent-length: {n}\r\n\r\n{}0\r\n\r\n",
            chunk(&good)
        )],
        vec![format!("{p}{auth}{json}content-length: {n}\r\ncontent-length: 5\r\n\r\n{good}")],
        vec![format!("{p}{auth}{json}content-length: 999999999999\r\n\r\n{good}")],
        vec![format!("{p}{auth}{json}content-length: 70000\r\n\r\n{}", " ".repeat(70_000))],
        vec![format!("{p}{auth}{json}content-length: {n}\r\nexpect: 100-continue\r\n\r\n"), good.clone()],
        vec![format!("{p}{json}content-length: {n}\r\nexpect: 100-continue\r\n\r\n"), good.clone()],
        vec![format!("{p}{auth}content-length: {n}\r\nexpect: 100-continue\r\n\r\n"), good.clone()],
        vec![format!("{p}{auth}{json}content-length: {n}\r\nexpect: nothing\r\n\r\n{good}")],
        vec![format!("POST /v1/sessions/verify HTTP/1.0\r\n{auth}{json}content-length: {n}\r\n\r\n{good}")],
        vec![format!(
            "POST http://elsewhere/v1/sessions/verify HTTP/1.1\r\nhost: x\r\n{auth}{json}content-length: {n}\r\n\r\n{good}"
        )],
        vec![format!(
            "POST /v1/sessions/verif%79 HTTP/1.1\r\nhost: x\r\n{auth}{json}content-length: {n}\r\n\r\n{good}"
        )],
        vec![format!(
            "POST //v1/sessions/verify HTTP/1.1\r\nhost: x\r\n{auth}{json}content-length: {n}\r\n\r\n{good}"
        )],
        vec![format!(
            "POST /v1/sessions/verify? HTTP/1.1\r\nhost: x\r\n{auth}{json}content-length: {n}\r\n\r\n{good}"
        )],
        vec![format!(
            "POST /v1/sessions/verify;a=b HTTP/1.1\r\nhost: x\r\n{auth}{json}content-length: {n}\r\n\r\n{good}"
        )],
        vec![format!(
            "POST /V1/sessions/verify HTTP/1.1\r\nhost: x\r\n{auth}{json}content-length: {n}\r\n\r\n{good}"
        )],
        vec![format!("HEAD /v1/sessions/verify HTTP/1.1\r\nhost: x\r\n{auth}\r\n")],
        vec![format!("OPTIONS /v1/sessions/verify HTTP/1.1\r\nhost: x\r\n{auth}\r\n")],
        vec![format!(
            "post /v1/sessions/verify HTTP/1.1\r\nhost: x\r\n{auth}{json}content-length: {n}\r\n\r\n{good}"
        )],
        vec![format!(
            "{p}{auth}content-type: Application/JSON ; charset=latin1\r\ncontent-length: {n}\r\n\r\n{good}"
        )],
        vec![format!("{p}{auth}content-type: text/plain\r\n{json}content-length: {n}\r\n\r\n{good}")],
        vec![format!("{p}{auth}{auth}{json}content-length: {n}\r\n\r\n{good}")],
        vec![format!("{p}authorization: bearer   {key}  \r\n{json}content-length: {n}\r\n\r\n{good}")],
        vec![format!(
            "{p}{auth}{json}content-length: {n}\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n{good}"
        )],
        vec![format!("{p}{auth}{json}content-length: {n}\r\n\r\n{good}").repeat(5)],
        vec![format!(
            "{p}{json}content-length: {n}\r\n\r\n{good}{p}{auth}{json}content-length: {n}\r\n\r\n{good}"
        )],
        vec![format!(
            "{p}{auth}{json}content-length: {n}\r\n\r\n{good}GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
        )],
        vec![format!("{p}{auth}{json}content-length: {n}\r\n\r\n{{")],
        [format!("{p}{auth}{json}content-length: {n}\r\n\r\n")]
            .into_iter()
            .chain(good.chars().map(String::from))
            .collect(),
        vec![format!("{p}{auth}{json}content-length: 3\r\n\r\n\u{feff}")],
        vec![format!("{p}{auth}{json}\r\n")],
        vec![format!(
            "{p}{auth}{json}content-length: 20000\r\n\r\n{}{}",
            "[".repeat(10_000),
            "]".repeat(10_000)
        )],
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bytes_are_answered_alike_by_the_connection_and_by_the_router() {
    for (body, request) in [(300, 700), (700, 300)] {
        let ms = Duration::from_millis;
        let limits = Limits { head: ms(400), body: ms(body), request: ms(request), ..Limits::default() };
        let api = api_with(Policy::default(), limits, &[Scope::Check, Scope::Issue]).await;
        let (_, token) = api.signed_in("u_1").await;
        let running = api.serve().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (straight_at, router_at) = (running.at, listener.local_addr().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let router = api.server.router();
        let other =
            tokio::spawn(serve(listener, router, limits, async { stopped.await.unwrap_or_default() }));

        let mut asked = JoinSet::new();
        for parts in cases(&api.key, &token) {
            let what: String = parts[0].replace(api.key.as_str(), "KEY").chars().take(300).collect();
            asked.spawn(async move {
                let (straight, through) = tokio::join!(ask(straight_at, &parts), ask(router_at, &parts));
                (what, straight, through)
            });
        }
        for (what, straight, through) in asked.join_all().await {
            assert_eq!(straight, through, "body {body} request {request}: {what}");
            assert!(straight.iter().any(|line| line.starts_with("HTTP/1.")), "no answer: {what}");
        }
        stop.send(()).ok();
        other.abort();
        running.task.abort();
    }
}
