//! An application and a browser for the tests of the layer.

use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use tenure::testing::TestKit;
use tower::ServiceExt;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The `Set-Cookie` headers.
    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// A header's value, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Where it redirects to.
    pub(crate) fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }
}

/// A browser: keeps the session cookie and sends it.
#[derive(Clone)]
pub(crate) struct Browser {
    app: Router,
    pub(crate) cookie: Option<String>,
}

impl Browser {
    pub(crate) fn new(app: &Router) -> Self {
        Self { app: app.clone(), cookie: None }
    }

    /// One that holds the cookie of a session that was made elsewhere.
    pub(crate) fn with_cookie(app: &Router, cookie: String) -> Self {
        Self { app: app.clone(), cookie: Some(cookie) }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[(ACCEPT.as_str(), "text/html,*/*")]).await
    }

    pub(crate) async fn post(&mut self, path: &str) -> Answer {
        self.send(Method::POST, path, &[(ACCEPT.as_str(), "text/html,*/*")]).await
    }

    pub(crate) async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = send(&self.app, request.body(Body::empty()).unwrap()).await;
        for set in answer.set_cookies().into_iter().filter(|set| set.starts_with("__Host-sid=")) {
            let (pair, attributes) = set.split_once(';').unwrap();
            self.cookie = (!attributes.contains("Max-Age=0")).then(|| pair.to_owned());
        }
        answer
    }
}

pub(crate) async fn send(app: &Router, request: Request<Body>) -> Answer {
    let answer = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Answer { status: parts.status, headers: parts.headers, text }
}

/// A kit and an application built on it.
pub(crate) async fn app(build: impl FnOnce(&TestKit) -> Router) -> (TestKit, Router) {
    let kit = TestKit::new().await;
    let app = build(&kit);
    (kit, app)
}
