//! Checking a token: the route that back ends ask for each request of a visitor.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tenure::{Check, Level, Reason, Require, Role, Sessions, Snapshot, Verdict};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::MayCheck;
use crate::body::Json;
use crate::codes;
use crate::problem::{self, Problem};
use crate::request::{DeviceSeen, Presented};
use crate::schema;

/// A token to check, and what it has to be good for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Verify)]
pub(crate) struct Asked {
    /// The token. Give this or `cookie`.
    #[schema(value_type = Option<String>)]
    token: Option<Presented>,
    /// The visitor's `Cookie` header as it came. Give this or `token`.
    #[schema(value_type = Option<String>)]
    cookie: Option<Presented>,
    /// States to accept besides `signed_in`.
    #[serde(default)]
    accept: Vec<Accept>,
    /// Whether this counts as activity. `false` for background polling.
    #[serde(default = "yes")]
    #[schema(default = true)]
    touch: bool,
    /// Whether the answer to the visitor can carry a cookie. Only then a token that is due gets
    /// its successor, and only then a dead cookie is to be forgotten.
    #[serde(default)]
    can_set_cookie: bool,
    /// What the session must have besides.
    #[serde(default)]
    require: Required,
    /// The visitor's device. Its address bounds what one network can ask of the store.
    #[serde(default)]
    device: DeviceSeen,
}

fn yes() -> bool {
    true
}

/// A state that is accepted besides `signed_in`.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Accept)]
pub(crate) enum Accept {
    /// A session without a user.
    Guest,
    /// A session that owes a second factor.
    Pending,
}

/// What a session must have.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Require)]
pub(crate) struct Required {
    /// The assurance level at least.
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 3)]
    level: Option<Level>,
    /// How long ago the last full authentication may be.
    max_auth_age_seconds: Option<u64>,
    /// Roles, all of them.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    roles: Vec<Role>,
}

/// What a token is good for.
#[derive(Serialize, ToSchema)]
#[schema(as = Verdict)]
pub(crate) struct Answer {
    /// `ok`: let the request through. `step_up`: the user is signed in and has to prove it
    /// again or more strongly. `forbidden`: the user is signed in and may not. `inactive`:
    /// nobody is signed in.
    #[schema(value_type = schema::VerdictWord)]
    verdict: &'static str,
    /// Why it is not `ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "idle_timeout")]
    reason: Option<&'static str>,
    /// The session, unless it is inactive.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Session>)]
    session: Option<Arc<Snapshot>>,
    /// How long this answer may be relied upon.
    cache_for_ms: u64,
    /// A `Set-Cookie` header to send to the visitor: the next token, or to forget a dead one.
    #[serde(skip_serializing_if = "Option::is_none")]
    set_cookie: Option<String>,
}

/// Checks a token
///
/// Always 200 when it can be said; 503 says nothing about the session. `csrf` and
/// `require.permission` come in a later release.
#[utoipa::path(post, operation_id = "verify_token", path = "/v1/sessions/verify", tag = "check", request_body = Asked,
    responses(
        (status = 200, description = "What the token is good for.", body = Answer),
        (status = "default", description = "See `code`.", body = problem::Body, content_type = "application/problem+json")))]
pub(crate) async fn verify(
    State(app): State<App>,
    _: MayCheck,
    Json(asked): Json<Asked>,
) -> Result<axum::Json<Answer>, Problem> {
    decide(&app, asked).await.map(axum::Json)
}

/// Says what a token is good for.
pub(crate) async fn decide(app: &App, asked: Asked) -> Result<Answer, Problem> {
    let can_set_cookie = asked.can_set_cookie;
    let mut check = Check::signed_in()
        .touch(asked.touch)
        .can_set_cookie(can_set_cookie)
        .require(asked.require.into())
        .ip(asked.device.ip);
    for accept in &asked.accept {
        check = match accept {
            Accept::Guest => check.or_guest(),
            Accept::Pending => check.or_pending(),
        };
    }
    let sessions = &app.sessions;
    let verdict = match (&asked.token, &asked.cookie) {
        (Some(token), None) => sessions.check(token.as_bytes(), &check).await?,
        (None, Some(header)) => sessions.check_cookie([header.as_bytes()], &check).await?,
        _ => {
            let detail = "give either `token` or `cookie`, the visitor's whole Cookie header";
            return Err(Problem::new(&codes::INVALID_REQUEST, detail));
        }
    };
    Ok(answer(sessions, verdict, can_set_cookie))
}

impl From<Required> for Require {
    fn from(required: Required) -> Self {
        let Required { level, max_auth_age_seconds, roles } = required;
        let require = roles.into_iter().fold(Self::default(), Self::role);
        let require = level.into_iter().fold(require, Self::level);
        max_auth_age_seconds.map(Duration::from_secs).into_iter().fold(require, Self::max_auth_age)
    }
}

fn answer(sessions: &Sessions, verdict: Verdict, can_set_cookie: bool) -> Answer {
    let said = Answer {
        verdict: verdict.as_str(),
        reason: verdict.reason().map(Reason::as_str),
        session: None,
        cache_for_ms: 0,
        set_cookie: None,
    };
    match verdict.into_active() {
        Err(inactive) => {
            let forgets = inactive.forget && can_set_cookie;
            Answer { set_cookie: forgets.then(|| sessions.cookie().clear().expose().into()), ..said }
        }
        Ok(active) => {
            let session = Arc::clone(active.session());
            let renewed = active.renewed().map(|issued| &issued.set_cookie);
            // An answer that sets a cookie is for this one request.
            let cache_for = if renewed.is_some() { Duration::ZERO } else { active.cache_for() };
            Answer {
                session: Some(session),
                cache_for_ms: u64::try_from(cache_for.as_millis()).unwrap_or(0),
                set_cookie: renewed.map(|cookie| cookie.expose().into()),
                ..said
            }
        }
    }
}
