//! Routes about moving the sessions to another store.

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::App;
use crate::auth::MayAdmin;
use crate::body::Json;
use crate::codes;
use crate::mover::{Asked, MoveState, Mover};
use crate::problem::{self, Problem};

fn mover(app: &App) -> Result<&Mover, Problem> {
    let none = || {
        Problem::new(
            &codes::NOT_IN_THIS_RELEASE,
            "this server serves the store of its application; move it there",
        )
    };
    app.mover.as_ref().ok_or_else(none)
}

/// Moves all sessions to another store
///
/// They are copied while they are in use, compared, and served from the new store; tokens stay valid. One
/// at a time: asked again for the same, this tells how it goes. `call_off` also stops a copy that goes on.
#[utoipa::path(post, operation_id = "copy_store", path = "/v1/store/copy", tag = "admin",
    request_body = Asked,
    responses(
        (status = 202, description = "It was begun, or goes on.", body = MoveState),
        (status = "default", description = "See `code`.", body = problem::Body, content_type = "application/problem+json")))]
pub(crate) async fn begin(
    State(app): State<App>,
    _: MayAdmin,
    Json(asked): Json<Asked>,
) -> Result<(StatusCode, axum::Json<MoveState>), Problem> {
    let state = mover(&app)?.begin(&app.sessions, asked)?;
    Ok((StatusCode::ACCEPTED, axum::Json(state)))
}

/// Tells how a copy goes
#[utoipa::path(get, operation_id = "show_copy", path = "/v1/store/copy", tag = "admin",
    responses(
        (status = 200, description = "The last copy.", body = MoveState),
        (status = "default", description = "See `code`.", body = problem::Body, content_type = "application/problem+json")))]
pub(crate) async fn show(State(app): State<App>, _: MayAdmin) -> Result<axum::Json<MoveState>, Problem> {
    Ok(axum::Json(mover(&app)?.state()))
}
