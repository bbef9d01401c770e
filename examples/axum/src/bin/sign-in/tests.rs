//! The application as a browser meets it.

use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt;
use tenure_tower::tenure::testing::TestKit;
use tower::ServiceExt;

use super::*;

async fn start() -> Router {
    let kit = TestKit::new().await;
    app(&kit.sessions, Users::open(Connection::open_in_memory().unwrap()).unwrap())
}

/// Sends a form; gives status, the cookie that is set, and the page.
async fn post(app: &Router, path: &str, form: &str, cookie: &str) -> (StatusCode, String, String) {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::COOKIE, cookie)
        .body(Body::from(form.to_owned()));
    told(app.clone().oneshot(request.unwrap()).await.unwrap()).await
}

async fn get(app: &Router, path: &str, cookie: &str) -> (StatusCode, String, String) {
    let request = Request::get(path).header(header::COOKIE, cookie).body(Body::empty());
    told(app.clone().oneshot(request.unwrap()).await.unwrap()).await
}

async fn told(answer: Response) -> (StatusCode, String, String) {
    let status = answer.status();
    let cookie = answer.headers().get(header::SET_COOKIE).map(|set| set.to_str().unwrap().to_owned());
    let cookie = cookie.unwrap_or_default().split(';').next().unwrap().to_owned();
    let page = answer.into_body().collect().await.unwrap().to_bytes();
    (status, cookie, String::from_utf8(page.to_vec()).unwrap())
}

#[tokio::test]
async fn somebody_registers_signs_in_elsewhere_and_signs_out_everywhere() {
    let app = start().await;
    let (status, laptop, _) = post(&app, "/register", "name=ann&password=correct+horse", "").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (status, phone, _) = post(&app, "/sign-in", "name=ann&password=correct+horse", "").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(get(&app, "/", &laptop).await.2.contains("signed in on 2 devices"));

    let (status, _, _) = post(&app, "/sign-out-everywhere", "", &phone).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    for cookie in [laptop, phone] {
        let (status, _, page) = get(&app, "/", &cookie).await;
        assert!(status != StatusCode::OK && !page.contains("Hello"), "{status} {page}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let app = start().await;
    post(&app, "/register", "name=ann&password=correct+horse", "").await;
    let wrong = post(&app, "/sign-in", "name=ann&password=battery", "").await;
    assert_eq!(wrong.0, StatusCode::UNAUTHORIZED);
    assert_eq!(post(&app, "/sign-in", "name=bob&password=battery", "").await, wrong);
    assert_eq!(post(&app, "/register", "name=ann&password=x", "").await.0, StatusCode::CONFLICT);
}
