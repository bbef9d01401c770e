//! The site behind hyper on a socket, and the bytes that reach it.

use axum::Router;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::jar::Origin;
use crate::site::{Visitor, site};

const DELETION: &str = "set-cookie: __Host-sid=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax";

/// Serves on a free port of this machine for as long as the test runs.
async fn serve(app: &Router) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let app = app.clone();
    tokio::spawn(async move { axum::serve(listener, app).await });
    at
}

/// Sends a request with these header lines, and reads the whole answer.
async fn ask(at: std::net::SocketAddr, target: &str, lines: &[Vec<u8>]) -> String {
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n").into_bytes();
    for line in lines {
        request.extend_from_slice(line);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn cookie(pairs: &str) -> Vec<u8> {
    format!("Cookie: {pairs}").into_bytes()
}

/// HTTP/2 and HTTP/3 split the header so that it compresses (RFC 9113, 8.2.3).
#[tokio::test]
async fn ck_15_the_cookie_is_found_in_whichever_cookie_header_it_comes() {
    let (_, app) = site().await;
    let mut visitor = Visitor::new(&app);
    visitor.post("/sign-in").await;
    let ours = visitor.jar.header("/", Origin::Https).unwrap();
    let at = serve(&app).await;
    let crumbs: Vec<String> = (0..20).map(|at| format!("other{at}=x")).collect();
    for place in 0..=crumbs.len() {
        let mut split = crumbs.clone();
        split.insert(place, ours.clone());
        let lines: Vec<Vec<u8>> = split.iter().map(|pair| cookie(pair)).collect();
        let answer = ask(at, "/me", &lines).await;
        assert!(answer.ends_with("\r\n\r\nHello u_alice"), "{place}: {answer}");
    }
    let uneven = [cookie("a=b; c=d"), cookie(&format!("e=f; {ours}")), cookie("g=h")];
    assert!(ask(at, "/me", &uneven).await.ends_with("Hello u_alice"));
    let none: Vec<Vec<u8>> = crumbs.iter().map(|pair| cookie(pair)).collect();
    assert!(ask(at, "/me", &none).await.starts_with("HTTP/1.1 401"));
}

#[tokio::test]
async fn ck_16_two_of_the_name_are_believed_in_neither_also_in_headers_of_their_own() {
    let (_, app) = site().await;
    let mut visitor = Visitor::new(&app);
    visitor.post("/sign-in").await;
    let ours = visitor.jar.header("/", Origin::Https).unwrap();
    let at = serve(&app).await;
    for other in ["__Host-sid=evil", &ours] {
        for lines in [[cookie(&ours), cookie(other)], [cookie(other), cookie(&ours)]] {
            let answer = ask(at, "/me", &lines).await;
            assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
            assert!(!answer.contains("set-cookie"), "the right one stays");
        }
    }
    assert!(visitor.is_signed_in().await);
}

/// Line breaks and other control characters in what a visitor sends reach no header of the
/// answer: neither as they are nor decoded.
#[tokio::test]
async fn ck_20_nothing_that_a_visitor_sends_becomes_a_header() {
    let (_, app) = site().await;
    let at = serve(&app).await;
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for control in (0..0x20).chain([0x7f, 0x85, 0xff]).filter(|b| *b != b'\r' && *b != b'\n') {
        for name in
            ["Cookie: __Host-sid=", "Cookie: a=b; __Host-sid=tn1_", "User-Agent: x", "X-Forwarded-For: y"]
        {
            let mut line = name.as_bytes().to_vec();
            line.push(control);
            line.extend_from_slice(b"Set-Cookie: evil=1");
            lines.push(line);
        }
    }
    lines.push(cookie("__Host-sid=x\rSet-Cookie: evil=1"));
    lines.push(cookie("__Host-sid=x%0d%0aSet-Cookie:%20evil=1"));
    let targets = [
        "/me",
        "/me?a=%0d%0aSet-Cookie:%20evil=1",
        "/files/%0aSet-Cookie:%20evil=1",
        "/files/%E5%98%8A%E5%98%8DSet-Cookie:evil=1",
    ];
    for target in targets {
        for line in &lines {
            let page = [line.clone(), b"Accept: text/html".to_vec()];
            let answer = ask(at, target, &page).await;
            let (head, _) = answer.split_once("\r\n\r\n").unwrap();
            let status = &head[9..12];
            assert!(["303", "400"].contains(&status), "{line:?}: {answer}");
            // The one cookie that may be set is the deletion of what is no token.
            let headers: Vec<&str> = head.split("\r\n").skip(1).collect();
            let set = headers.iter().filter(|header| header.to_lowercase().starts_with("set-cookie"));
            let set: Vec<_> = set.filter(|header| **header != DELETION).collect();
            assert!(set.is_empty(), "{target} {line:?}: {answer}");
            let mut echoes = headers.iter().filter(|header| header.contains("evil"));
            assert!(echoes.all(|header| header.starts_with("location: /sign-in?return_to=/")), "{answer}");
            assert!(head.replace("\r\n", "").bytes().all(|b| (0x20..0x7f).contains(&b)), "{answer}");
        }
    }
}
