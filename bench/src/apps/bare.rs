//! The application without sessions: what axum costs by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::IntoResponse;
use axum::routing::{get, post};

pub(crate) fn router() -> Router {
    Router::new()
        .route("/sign-in/{user}", post(sign_in))
        .route("/read", get(|| async { "user-0000".to_owned() }))
        .route("/count", post(count))
        .with_state(Arc::new(AtomicU64::new(0)))
}

/// A cookie as long as that of the others, so that the requests are.
async fn sign_in() -> impl IntoResponse {
    [(SET_COOKIE, format!("sid={}", "a".repeat(96)))]
}

async fn count(State(count): State<Arc<AtomicU64>>) -> String {
    (count.fetch_add(1, Ordering::Relaxed) + 1).to_string()
}
