//! The application with tower-sessions, as its documentation shows it. Compiled here with its
//! newest version, in `bench/sqlx` with the newest that its SQLx store fits.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tower_sessions::{Session, SessionManagerLayer, SessionStore};

const USER: &str = "user";
const COUNT: &str = "count";

type Answer = Result<String, StatusCode>;

pub fn router(store: impl SessionStore + Clone) -> Router {
    Router::new()
        .route("/sign-in/{user}", post(sign_in))
        .route("/read", get(read))
        .route("/count", post(count))
        .layer(SessionManagerLayer::new(store))
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
