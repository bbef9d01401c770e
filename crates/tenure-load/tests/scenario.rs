//! A web application is visited as a browser does: with the cookies that it set, and each thing once.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{COOKIE, SET_COOKIE};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tenure_load::{Scenario, Settings, Target, run};
use tokio::net::TcpListener;

const SCENARIO: &str = r#"
    cookie = "sid"
    [[user]]
    name = "user-{n}"
    password = "secret"
    [visit]
    path = "/"
    [sign_in]
    method = "POST"
    path = "/in"
    form = { name = "{name}" }
    expect = 303
    [who]
    path = "/who"
    shows = "Hello, {name}"
    [sign_out]
    method = "POST"
    path = "/out"
    expect = 303
    [[request]]
    name = "order"
    method = "POST"
    path = "/order"
    expect = 303
"#;

/// An application that gives a new cookie with each order, and knows the old one no more.
#[derive(Default)]
struct Shop {
    /// The number of the newest cookie of each user.
    newest: HashMap<String, u64>,
    orders: u64,
    outs: u64,
}

impl Shop {
    fn answer(&mut self, path: &str, cookie: &str, body: &str) -> (u16, Option<String>, String) {
        let (name, number) =
            cookie.strip_prefix("sid=").and_then(|sid| sid.split_once('.')).unwrap_or_default();
        let number: u64 = number.parse().unwrap_or(0);
        let newest = self.newest.get_mut(name);
        let known = newest.filter(|newest| **newest == number);
        match (path, known) {
            ("/in", _) => {
                let name = body.strip_prefix("name=").unwrap().to_owned();
                let newest = self.newest.entry(name.clone()).or_insert(0);
                *newest += 1;
                (303, Some(format!("sid={name}.{newest}; Path=/")), String::new())
            }
            ("/order", Some(newest)) => {
                self.orders += 1;
                // It is done, and the answer is that it may not have been.
                if self.orders.is_multiple_of(3) {
                    return (503, None, String::new());
                }
                *newest += 1;
                (303, Some(format!("sid={name}.{newest}; Path=/")), String::new())
            }
            ("/out", Some(_)) => {
                self.outs += 1;
                self.newest.remove(name);
                (if self.outs.is_multiple_of(2) { 503 } else { 303 }, None, String::new())
            }
            ("/who", Some(_)) => (200, None, format!("Hello, {name}")),
            ("/", _) => (200, None, String::new()),
            _ => (401, None, String::new()),
        }
    }
}

async fn serve(listener: TcpListener, shop: Arc<Mutex<Shop>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let shop = Arc::clone(&shop);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request: Request<Incoming>| {
                let shop = Arc::clone(&shop);
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let cookie = parts.headers.get(COOKIE).map_or("", |cookie| cookie.to_str().unwrap());
                    let body = String::from_utf8_lossy(&body);
                    let (status, set, text) = shop.lock().unwrap().answer(parts.uri.path(), cookie, &body);
                    let mut answer = Response::builder().status(status);
                    if let Some(set) = set {
                        answer = answer.header(SET_COOKIE, set);
                    }
                    Ok::<_, Infallible>(answer.body(Full::new(Bytes::from(text))).unwrap())
                }
            });
            let http = hyper::server::conn::http1::Builder::new();
            http.serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_of_every_answer_are_kept_and_nothing_is_done_twice() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let shop = Arc::new(Mutex::new(Shop::default()));
    let serving = tokio::spawn(serve(listener, Arc::clone(&shop)));
    let settings = Settings {
        rate: 300.0,
        duration: Duration::from_secs(2),
        warm_up: Duration::ZERO,
        population: 20,
        // One at a time: a request with a cookie that another one replaces is no mistake.
        outstanding: 1,
        mix: "guest=1,sign-in=10,check=20,change=60,end=5,ended=5".parse().unwrap(),
        ..Settings::of(vec![server])
    };
    let target = Target::Web(Scenario::parse(SCENARIO).unwrap());
    let report = run(settings, target, std::future::pending(), |_| {}).await.unwrap();
    serving.abort();
    assert_eq!(report.wrong(), 0, "{}", report.to_text());
    let json: Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    let shop = shop.lock().unwrap();
    assert!(shop.orders > 10 && shop.outs > 1, "{} {}", shop.orders, shop.outs);
    // A request for somebody who is signed out meanwhile is refused, and no order.
    assert!(json["kinds"]["change"]["done"].as_u64().unwrap() >= shop.orders);
    assert_eq!(json["retries"], 0);
}
