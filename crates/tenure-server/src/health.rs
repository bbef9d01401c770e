//! Whether the process lives, and whether it can serve.

use std::time::Duration;

use axum::extract::State;
use tenure::Error;
use tenure::store::StoreError;

use crate::app::App;
use crate::problem::{self, Problem};

/// How long the store may take to show that it answers.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process lives.
#[utoipa::path(get, operation_id = "healthz", path = "/healthz", tag = "health", security(()),
    responses((status = 200, description = "The process lives.", body = String, content_type = "text/plain")))]
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// The store answers and the clock can be believed: send requests here.
#[utoipa::path(get, operation_id = "readyz", path = "/readyz", tag = "health", security(()),
    responses(
        (status = 200, description = "It can serve.", body = String, content_type = "text/plain"),
        (status = 503, description = "It cannot, for the reason in `detail`.", body = problem::Body,
            content_type = "application/problem+json")))]
pub(crate) async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    let slow = |_| StoreError::Unavailable(format!("no answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, app.sessions.ready()).await.map_err(slow).map_err(Error::from)??;
    Ok("ready\n")
}
