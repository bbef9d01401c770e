//! `instructions APP ROUTE REQUESTS`: so many requests to one application without a socket, for
//! a program that counts instructions. Two runs that differ in requests tell what one takes.

use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT, COOKIE, HOST, SET_COOKIE, USER_AGENT};
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
    let requests = requests.parse().expect("a number");
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut router = app.router(folder.path()).await;
        let cookies = sign_in(&mut router).await;
        for number in 0..requests {
            let request =
                request(route.method(), &format!("/{}", route.name()), Some(&cookies[number % VISITORS]));
            let body = answer(&mut router, request).await.into_body().collect().await.expect("a body");
            assert!(!body.to_bytes().is_empty());
        }
    });
}

async fn sign_in(router: &mut Router) -> Vec<HeaderValue> {
    let mut cookies = Vec::new();
    for number in 0..VISITORS {
        let asked = request("POST", &format!("/sign-in/user-{number:04}"), None);
        let set = answer(router, asked).await.headers()[SET_COOKIE].to_str().expect("text").to_owned();
        let pair = set.split(';').next().expect("a part").to_owned();
        cookies.push(pair.try_into().expect("a cookie"));
    }
    cookies
}

fn request(method: &str, path: &str, cookie: Option<&HeaderValue>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header(HOST, "bench.example");
    request = request.header(USER_AGENT, BROWSER).header(ACCEPT, WANTED);
    if let Some(cookie) = cookie {
        request = request.header(COOKIE, cookie);
    }
    request.body(Body::empty()).expect("a request")
}

async fn answer(router: &mut Router, request: Request<Body>) -> Response<Body> {
    let Ok(ready) = ServiceExt::<Request<Body>>::ready(router).await;
    let Ok(answer) = ready.call(request).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer
}
