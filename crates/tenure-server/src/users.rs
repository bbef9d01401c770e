//! Routes about one user's sessions.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tenure::{EndReason, Ending, Error, SessionId, Snapshot, UserId};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::{May, MayManage};
use crate::body::{Asked, Place};
use crate::problem::{self, Problem};
use crate::schema;

/// The live sessions of a user.
#[derive(Serialize, ToSchema)]
#[schema(as = UserSessions)]
pub(crate) struct UserSessions {
    /// Every live one and no dead one, newest first.
    #[schema(value_type = Vec<schema::Session>)]
    sessions: Vec<Arc<Snapshot>>,
}

/// How many sessions ended.
#[derive(Serialize, ToSchema)]
#[schema(as = EndedCount)]
pub(crate) struct EndedCount {
    /// How many this ended.
    ended: u64,
}

/// Which session goes on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Except {
    /// The id of a session that goes on.
    #[param(value_type = Option<String>)]
    except: Option<SessionId>,
}

/// Lists a user's sessions
#[utoipa::path(get, operation_id = "list_user_sessions", path = "/v1/users/{user}/sessions", tag = "manage",
    params(("user" = String, Path, description = "The user id, percent-encoded.")),
    responses(
        (status = 200, description = "The live sessions, newest first.", body = UserSessions),
        (status = "default", description = "See `code`.", body = problem::Body, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(app): State<App>,
    _: MayManage,
    Place(user): Place<String>,
) -> Result<axum::Json<UserSessions>, Problem> {
    let sessions = app.sessions.list(&user_id(&user)?).await?;
    Ok(axum::Json(UserSessions { sessions }))
}

/// Signs a user out everywhere
///
/// Also stops sign-ins that are under way.
#[utoipa::path(delete, operation_id = "end_user_sessions", path = "/v1/users/{user}/sessions", tag = "manage",
    params(("user" = String, Path, description = "The user id, percent-encoded."), Except),
    responses(
        (status = 200, description = "How many ended.", body = EndedCount),
        (status = "default", description = "See `code`.", body = problem::Body, content_type = "application/problem+json")))]
pub(crate) async fn end(
    State(app): State<App>,
    May(caller): MayManage,
    Place(user): Place<String>,
    Asked(asked): Asked<Except>,
) -> Result<axum::Json<EndedCount>, Problem> {
    let ending = Ending::new(EndReason::Revoked, caller.actor());
    let user = user_id(&user)?;
    let ended = app.sessions.end_all_of(&user, asked.except, ending).await?;
    Ok(axum::Json(EndedCount { ended }))
}

fn user_id(text: &str) -> Result<UserId, Problem> {
    UserId::new(text).map_err(|invalid| Error::from(invalid).into())
}
