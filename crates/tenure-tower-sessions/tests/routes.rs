//! An application on tower-sessions behaves over this store as over its own. The cases have the
//! names that tower-sessions' integration tests have; each runs on every engine.

mod support;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{Request, StatusCode};
use axum::routing::get;
use http_body_util::BodyExt;
use support::Kit;
use tenure_tower_sessions::TenureStore;
use time::OffsetDateTime;
use tower::ServiceExt;
use tower_sessions::{Expiry, Session, SessionManagerLayer};

const HOUR: time::Duration = time::Duration::HOUR;
const DAY: time::Duration = time::Duration::DAY;

/// The applications to try, one on each engine.
struct Apps(Vec<(Router, Kit)>);

struct Answer {
    status: StatusCode,
    set_cookie: Option<String>,
    text: String,
}

impl Apps {
    async fn new(max_age: Option<time::Duration>, domain: Option<&'static str>) -> Self {
        let mut apps = Vec::new();
        for kit in Kit::each().await {
            let mut layer = SessionManagerLayer::new(TenureStore::new(&kit.sessions));
            if let Some(max_age) = max_age {
                layer = layer.with_expiry(Expiry::OnInactivity(max_age));
            }
            if let Some(domain) = domain {
                layer = layer.with_domain(domain);
            }
            apps.push((routes().layer(layer), kit));
        }
        Self(apps)
    }
}

fn routes() -> Router {
    Router::new()
        .route("/", get(|_: Session| async { "hello" }))
        .route("/insert", get(|s: Session| async move { s.insert("foo", 42).await.unwrap() }))
        .route(
            "/get",
            get(|s: Session| async move { s.get::<u32>("foo").await.unwrap().unwrap().to_string() }),
        )
        .route(
            "/get_value",
            get(|s: Session| async move { format!("{:?}", s.get_value("foo").await.unwrap()) }),
        )
        .route("/remove_value", get(|s: Session| async move { drop(s.remove_value("foo").await.unwrap()) }))
        .route("/cycle_id", get(|s: Session| async move { s.cycle_id().await.unwrap() }))
        .route("/flush", get(|s: Session| async move { s.flush().await.unwrap() }))
        .route(
            "/set_expiry",
            get(|s: Session| async move {
                s.set_expiry(Some(Expiry::AtDateTime(OffsetDateTime::now_utc() + DAY)));
            }),
        )
        .route("/remove_expiry", get(|s: Session| async move { s.set_expiry(Some(Expiry::OnSessionEnd)) }))
}

async fn ask(app: &Router, path: &str, cookie: Option<&str>) -> Answer {
    let mut request = Request::builder().uri(path);
    if let Some(cookie) = cookie {
        request = request.header(COOKIE, cookie);
    }
    let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let set_cookie = answer.headers().get(SET_COOKIE).map(|value| value.to_str().unwrap().to_owned());
    let status = answer.status();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    Answer { status, set_cookie, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

impl Answer {
    /// The cookie as the browser sends it back.
    fn pair(&self) -> &str {
        self.set_cookie.as_deref().expect("a cookie is set").split(';').next().unwrap()
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.set_cookie.as_deref().expect("a cookie is set").split("; ").skip(1);
        attributes.find_map(|pair| match pair.split_once('=') {
            Some((found, value)) => (found == name).then_some(value),
            None => (pair == name).then_some(""),
        })
    }

    /// Whether the cookie lives for about as long.
    fn lives(&self, expected: time::Duration) -> bool {
        let seconds: i64 = self.attribute("Max-Age").unwrap().parse().unwrap();
        (expected.whole_seconds() - 60..=expected.whole_seconds()).contains(&seconds)
    }
}

#[tokio::test]
async fn no_session_set() {
    for (app, _kit) in Apps::new(Some(HOUR), None).await.0 {
        assert_eq!(ask(&app, "/", None).await.set_cookie, None);
    }
}

#[tokio::test]
async fn bogus_session_cookie() {
    for (app, _kit) in Apps::new(Some(HOUR), None).await.0 {
        let bogus = "id=AAAAAAAAAAAAAAAAAAAAAA";
        let answer = ask(&app, "/insert", Some(bogus)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_ne!(answer.pair(), bogus);
    }
}

#[tokio::test]
async fn malformed_session_cookie() {
    for (app, _kit) in Apps::new(Some(HOUR), None).await.0 {
        let answer = ask(&app, "/", Some("id=malformed")).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_ne!(answer.pair(), "id=malformed");
    }
}

#[tokio::test]
async fn insert_session() {
    for (app, _kit) in Apps::new(Some(HOUR), None).await.0 {
        let answer = ask(&app, "/insert", None).await;
        assert!(answer.pair().starts_with("id=") && answer.lives(HOUR));
        for (name, value) in [("HttpOnly", ""), ("Secure", ""), ("SameSite", "Strict"), ("Path", "/")] {
            assert_eq!(answer.attribute(name), Some(value), "{name}");
        }
    }
}

#[tokio::test]
async fn session_max_age() {
    for (app, _kit) in Apps::new(None, None).await.0 {
        assert_eq!(ask(&app, "/insert", None).await.attribute("Max-Age"), None);
    }
}

#[tokio::test]
async fn get_session() {
    for (app, _kit) in Apps::new(Some(HOUR), None).await.0 {
        let inserted = ask(&app, "/insert", None).await;
        assert_eq!(ask(&app, "/get", Some(inserted.pair())).await.text, "42");
    }
}

#[tokio::test]
async fn get_no_value() {
    for (app, _kit) in Apps::new(Some(HOUR), None).await.0 {
        assert_eq!(ask(&app, "/get_value", None).await.text, "None");
    }
}

#[tokio::test]
async fn remove_last_value() {
    for (app, _kit) in Apps::new(Some(HOUR), None).await.0 {
        let inserted = ask(&app, "/insert", None).await;
        let cookie = Some(inserted.pair());
        assert_eq!(ask(&app, "/remove_value", cookie).await.status, StatusCode::OK);
        assert_eq!(ask(&app, "/get_value", cookie).await.text, "None");
    }
}

#[tokio::test]
async fn cycle_session_id() {
    for (app, _kit) in Apps::new(Some(HOUR), None).await.0 {
        let inserted = ask(&app, "/insert", None).await;
        let cycled = ask(&app, "/cycle_id", Some(inserted.pair())).await;
        assert_ne!(inserted.pair(), cycled.pair());
        assert_eq!(ask(&app, "/get", Some(cycled.pair())).await.text, "42");
        assert_eq!(ask(&app, "/get_value", Some(inserted.pair())).await.text, "None");
    }
}

#[tokio::test]
async fn flush_session() {
    for (app, _kit) in Apps::new(Some(HOUR), None).await.0 {
        let inserted = ask(&app, "/insert", None).await;
        let flushed = ask(&app, "/flush", Some(inserted.pair())).await;
        assert_eq!((flushed.pair(), flushed.attribute("Max-Age")), ("id=", Some("0")));
        assert_eq!(flushed.attribute("Path"), Some("/"));
        assert_eq!(ask(&app, "/get_value", Some(inserted.pair())).await.text, "None");
    }
}

#[tokio::test]
async fn flush_with_domain() {
    for (app, _kit) in Apps::new(Some(HOUR), Some("localhost")).await.0 {
        let inserted = ask(&app, "/insert", None).await;
        let flushed = ask(&app, "/flush", Some(inserted.pair())).await;
        assert_eq!((flushed.pair(), flushed.attribute("Max-Age")), ("id=", Some("0")));
        assert_eq!(flushed.attribute("Domain"), Some("localhost"));
    }
}

#[tokio::test]
async fn set_expiry() {
    for (app, kit) in Apps::new(Some(HOUR), Some("localhost")).await.0 {
        let inserted = ask(&app, "/insert", None).await;
        let moved = ask(&app, "/set_expiry", Some(inserted.pair())).await;
        assert!(inserted.lives(HOUR) && moved.lives(DAY));
        // Later than the first date and still within the limits of the policy.
        kit.clock.advance(Duration::from_secs(3_700));
        assert_eq!(ask(&app, "/get", Some(moved.pair())).await.text, "42");
    }
}

#[tokio::test]
async fn change_expiry_type() {
    for (app, _kit) in Apps::new(None, Some("localhost")).await.0 {
        let inserted = ask(&app, "/insert", None).await;
        assert_eq!(inserted.attribute("Max-Age"), None);
        assert!(ask(&app, "/set_expiry", Some(inserted.pair())).await.lives(DAY));
    }
    for (app, _kit) in Apps::new(Some(HOUR), Some("localhost")).await.0 {
        let inserted = ask(&app, "/insert", None).await;
        assert!(inserted.lives(HOUR));
        assert_eq!(ask(&app, "/remove_expiry", Some(inserted.pair())).await.attribute("Max-Age"), None);
    }
}
