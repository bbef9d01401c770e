//! What every answer carries besides.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;
use crate::problem;

/// No cache keeps an answer, no browser takes one for a page that may do things.
const ALWAYS: [(HeaderName, HeaderValue); 4] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'"),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Adds the headers, and notes the request in the log: by its route, never by what it holds.
pub(crate) async fn dress(State(app): State<App>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let began = began(&app);
    let answer = next.run(request).await;
    let mut answer = problem::method_not_allowed(&answer).unwrap_or(answer);
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    finish(&app, &mut answer, (&method, route), began);
    answer
}

/// When a request began, if anybody wants to know.
pub(crate) fn began(app: &App) -> Option<Duration> {
    tracing::enabled!(tracing::Level::DEBUG).then(|| app.sessions.running())
}

/// The same for an answer to a request of this method and route, which began then.
pub(crate) fn finish<B>(
    app: &App,
    answer: &mut Response<B>,
    (method, route): (&Method, &str),
    began: Option<Duration>,
) {
    for (name, value) in ALWAYS {
        answer.headers_mut().insert(name, value);
    }
    let Some(began) = began else { return };
    let took = app.sessions.running().saturating_sub(began);
    tracing::debug!(
        %method,
        route,
        status = answer.status().as_u16(),
        micros = took.as_micros(),
        "answered"
    );
}
