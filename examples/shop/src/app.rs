//! The shop as an application: its routes and what goes around them.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::middleware::{from_fn, map_response};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tenure_tower::{SessionLayer, Sessions};
use tokio::net::TcpListener;
use tower_http::csrf::CsrfLayer;

use crate::people::People;
use crate::routes::{account, devices, shop, theme};
use crate::{failure, pages};

/// How long a form is at the most, in bytes.
const LONGEST_FORM: usize = 16 * 1024;

/// The shop over these sessions.
///
/// From the inside out: pages, the page for those whose session has ended, sessions, pages
/// for failures, protection against forged forms, security headers.
pub fn router(sessions: &Sessions, people: People) -> Router {
    let sessions_layer = SessionLayer::new(sessions)
        .sign_in_at("/sign-in")
        .client_ip(|parts| parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip()));
    Router::new()
        .route("/", get(shop::home))
        .route("/cart", get(shop::cart))
        .route("/cart/add", post(shop::add))
        .route("/cart/set", post(shop::set))
        .route("/cart/empty", post(shop::empty))
        .route("/sign-in", get(account::form).post(account::sign_in))
        .route("/sign-out", post(account::sign_out))
        .route("/signed-out", get(account::signed_out))
        .route("/account", get(account::account))
        .route("/devices", get(devices::list))
        .route("/devices/end", post(devices::end))
        .route("/devices/end-others", post(devices::end_others))
        .route("/devices/end-all", post(devices::end_all))
        .route("/appearance", get(theme::form).post(theme::choose))
        .fallback(shop::not_found)
        .layer(from_fn(account::tell_of_the_end))
        .layer(DefaultBodyLimit::max(LONGEST_FORM))
        .layer(sessions_layer)
        .layer(from_fn(failure::pages))
        .layer(CsrfLayer::new())
        .layer(from_fn(failure::forged))
        .route("/static/shop.css", get(stylesheet))
        .route("/static/icon.svg", get(icon))
        .route("/signed-out/forget.svg", get(forget))
        .layer(map_response(failure::secured))
        .with_state(Arc::new(people))
}

/// Serves the shop until `shutdown` is done and running requests are answered.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    sessions: &Sessions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let app = router(sessions, People::new()?).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).with_graceful_shutdown(shutdown).await
}

async fn stylesheet() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "no-cache")], pages::STYLESHEET)
}

async fn icon() -> impl IntoResponse {
    ([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "max-age=86400")], pages::ICON)
}

/// A picture of nothing on the page of those who are signed out: with it the browser forgets
/// the pages it keeps whole for the back button. `no-store` alone does not do that: Chromium
/// shows the page again that came right after the redirect of a sign-in, and the header on the
/// answer of the sign-out is too early for the page that was left by it.
async fn forget() -> impl IntoResponse {
    (
        [
            (CONTENT_TYPE, "image/svg+xml"),
            (CACHE_CONTROL, "no-store"),
            (HeaderName::from_static("clear-site-data"), "\"cache\""),
        ],
        r#"<svg xmlns="http://www.w3.org/2000/svg"/>"#,
    )
}
