//! The application with tower-sessions, as its documentation shows it. Compiled here with its
//! newest version, in `bench/older` with the newest that its other stores fit.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tower_sessions::cookie::time::Duration;
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};

const USER: &str = "user";
const COUNT: &str = "count";

type Answer = Result<String, StatusCode>;

/// When a session is saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Saves {
    /// When its data changed.
    Changes,
    /// With every request, so that it expires an hour after the last one.
    Always,
}

pub fn router(store: impl SessionStore + Clone, saves: Saves) -> Router {
    let layer = SessionManagerLayer::new(store);
    let layer = match saves {
        Saves::Changes => layer,
        Saves::Always => layer.with_expiry(Expiry::OnInactivity(Duration::hours(1))).with_always_save(true),
    };
    Router::new()
        .route("/sign-in/{user}", post(sign_in))
        .route("/read", get(read))
        .route("/count", post(count))
        .layer(layer)
}

async fn sign_in(session: Session, Path(user): Path<String>) -> Result<(), StatusCode> {
    session.cycle_id().await.map_err(failed)?;
    session.insert(USER, user).await.map_err(failed)
}

async fn read(session: Session) -> Answer {
    session.get::<String>(USER).await.map_err(failed)?.ok_or(StatusCode::UNAUTHORIZED)
}

async fn count(session: Session) -> Answer {
    let count = session.get::<u64>(COUNT).await.map_err(failed)?.unwrap_or(0) + 1;
    session.insert(COUNT, count).await.map_err(failed)?;
    Ok(count.to_string())
}

fn failed(_: tower_sessions::session::Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}
