//! `instructions APP ROUTE REQUESTS`: so many requests to one application without a socket, for
//! a program that counts instructions. Two runs that differ in requests tell what one takes.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{ACCEPT, COOKIE, HOST, SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tenure_bench::apps::{App, Route};
use tower::{Service, ServiceExt};

const VISITORS: usize = 32;
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const WANTED: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [app, route, requests] = args.as_slice() else { panic!("instructions APP ROUTE REQUESTS") };
    let app: App = app.parse().expect("an application");
    let route: Route = route.parse().expect("a route");
    let requests: usize = requests.parse().expect("a number");
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut router = app.router(&folder.path().to_string_lossy()).await;
        let mut visitors = Vec::new();
        for number in 0..VISITORS {
            let cookie = sign_in(&mut router, number).await;
            visitors.push(request(route.method(), &format!("/{}", route.name()), Some(&cookie)));
        }
        for parts in visitors.iter().cycle().take(requests) {
            let answer = answer(&mut router, parts.clone()).await;
            let body = answer.into_body().collect().await.expect("a body");
            assert!(!body.to_bytes().is_empty());
        }
    });
}

async fn sign_in(router: &mut Router, number: usize) -> String {
    let asked = request("POST", &format!("/sign-in/user-{number:04}"), None);
    let answer = answer(router, asked).await;
    let set = answer.headers()[SET_COOKIE].to_str().expect("text");
    set.split(';').next().expect("a part").to_owned()
}

/// A request as a server reads it: all values of headers are parts of one piece of memory.
fn request(method: &str, path: &str, cookie: Option<&str>) -> Parts {
    let mut values = vec![(HOST, "bench.example"), (USER_AGENT, BROWSER), (ACCEPT, WANTED)];
    values.extend(cookie.map(|cookie| (COOKIE, cookie)));
    let read: Bytes = values.iter().map(|(_, value)| *value).collect::<String>().into();
    let (mut parts, ()) =
        Request::builder().method(method).uri(path).body(()).expect("a request").into_parts();
    let mut at = 0;
    for (name, value) in values {
        let piece = read.slice(at..at + value.len());
        at += value.len();
        parts.headers.append(name, HeaderValue::from_maybe_shared(piece).expect("a value"));
    }
    parts
}

async fn answer(router: &mut Router, parts: Parts) -> Response<Body> {
    let Ok(ready) = ServiceExt::<Request<Body>>::ready(router).await;
    let Ok(answer) = ready.call(Request::from_parts(parts, Body::empty())).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer
}
