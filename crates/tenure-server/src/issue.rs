//! Routes that hand out tokens: beginning a session, signing in, rotating.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tenure::Stricter;
use tenure::{Check, Issued, Method, NewGuest, Role, SignIn, Snapshot, UserId};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{Caller, May, MayIssue};
use crate::body::{Json, Retry};
use crate::codes;
use crate::problem::{self, Problem};
use crate::request::{DeviceSeen, Presented, setting};
use crate::schema;

/// A session and the token that its client gets.
#[derive(Serialize, ToSchema)]
#[schema(as = Issued)]
pub(crate) struct Answer {
    /// The session.
    #[schema(value_type = schema::Session)]
    session: Arc<Snapshot>,
    /// The secret that the client presents. For clients without cookies.
    #[schema(example = "tn1_…")]
    token: String,
    /// The same as a `Set-Cookie` header, ready to send.
    #[schema(example = "__Host-sid=tn1_…; Path=/; Secure; HttpOnly; SameSite=Lax")]
    set_cookie: String,
}

impl From<Issued> for Answer {
    fn from(issued: Issued) -> Self {
        Self {
            token: issued.token.expose().into(),
            set_cookie: issued.set_cookie.expose().into(),
            session: issued.session,
        }
    }
}

/// A session to begin: a guest's without `user`, a user's with it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateSession)]
pub(crate) struct Create {
    /// Who has just proved to be there. Without it a guest session begins.
    #[schema(value_type = Option<String>, max_length = 256, example = "u_8fa1")]
    user: Option<UserId>,
    /// The token of a guest that becomes a session of `user`.
    #[schema(value_type = Option<String>)]
    guest_token: Option<Presented>,
    /// Which keys of the guest's data come along; all if not said.
    #[schema(max_items = 64)]
    carry: Option<Vec<String>>,
    /// What the user may do.
    #[schema(value_type = Option<Vec<String>>, max_items = 64)]
    roles: Option<Vec<Role>>,
    /// How the user proved it, in plain words; `["password"]` if not said.
    #[schema(value_type = Option<Vec<String>>, max_items = 16, example = json!(["password", "totp"]))]
    methods: Option<Vec<Method>>,
    /// What to keep in the new session from the start.
    data: Option<BTreeMap<String, serde_json::Value>>,
    /// The user asked to be remembered.
    remember: Option<bool>,
    /// The visitor's device.
    device: Option<DeviceSeen>,
    /// Limits for this session that are stricter than the policy's; looser ones change nothing.
    #[schema(value_type = Option<StricterLimits>)]
    policy: Option<Stricter>,
}

/// Stricter limits for one session. What is not set is as for everybody.
#[derive(ToSchema)]
#[schema(as = StricterLimits)]
#[expect(dead_code, reason = "describes what the core reads")]
pub(crate) struct StricterLimits {
    /// It dies after this long without activity; at least twice the policy's touch threshold.
    #[schema(required = false, example = 600)]
    idle_seconds: Option<u64>,
    /// It dies this long after the authentication, whatever happens.
    #[schema(required = false, minimum = 1, example = 3600)]
    absolute_seconds: Option<u64>,
}

/// A sign-in in the session of a token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SignIn)]
pub(crate) struct SignInRequest {
    /// The token that came with the visitor's request.
    #[schema(value_type = String)]
    token: Presented,
    /// Who has just proved to be there.
    #[schema(value_type = String, max_length = 256, example = "u_8fa1")]
    user: UserId,
    /// Which keys of the guest's data come along; all if not said.
    carry: Option<Vec<String>>,
    /// What the user may do.
    #[schema(value_type = Option<Vec<String>>, max_items = 64)]
    roles: Option<Vec<Role>>,
    /// How the user proved it, in plain words; at least one.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 16, example = json!(["password"]))]
    methods: Vec<Method>,
    /// The user asked to be remembered.
    remember: Option<bool>,
    /// The visitor's device.
    device: Option<DeviceSeen>,
}

/// A token to renew.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Rotate)]
pub(crate) struct Rotate {
    /// The current token.
    #[schema(value_type = String)]
    token: Presented,
}

/// Begins a session
///
/// Without `user` it is a guest's. With `user` and `guest_token` that guest becomes a session of
/// the user; a guest token that is dead by now is as good as none.
#[utoipa::path(post, operation_id = "create_session", path = "/v1/sessions", tag = "issue", request_body = Create,
    params(("Idempotency-Key" = Option<String>, Header, description = "At least 128 random bits, 22 to 128 characters: a repeated request gets the first answer.")),
    responses(
        (status = 201, description = "The session and its token.", body = Answer),
        (status = "default", description = "See `code`.", body = problem::Body, content_type = "application/problem+json")))]
pub(crate) async fn create(
    State(app): State<App>,
    May(caller): MayIssue,
    Retry(retry): Retry,
    Json(asked): Json<Create>,
) -> Result<(StatusCode, axum::Json<Answer>), Problem> {
    let device = asked.device.unwrap_or_default();
    let data = setting(asked.data.unwrap_or_default());
    let stricter = asked.policy.unwrap_or_default();
    let Some(user) = asked.user else {
        let of_users = asked.guest_token.is_some()
            || asked.carry.is_some()
            || asked.roles.is_some()
            || asked.methods.is_some()
            || asked.remember.is_some();
        if of_users {
            let detail = "`guest_token`, `carry`, `roles`, `methods` and `remember` take a `user`";
            return Err(Problem::new(&codes::INVALID_REQUEST, detail));
        }
        let new = NewGuest::with(data)
            .device(device.device())
            .stricter(stricter)
            .actor(caller.actor())
            .idempotency_key(retry);
        let issued = app.sessions.create_guest(new).await?;
        return Ok((StatusCode::CREATED, axum::Json(issued.into())));
    };
    if asked.carry.is_some() && asked.guest_token.is_none() {
        let detail = "`carry` names keys of a guest: give its `guest_token`";
        return Err(Problem::new(&codes::INVALID_REQUEST, detail));
    }
    if asked.guest_token.is_some() && !data.is_empty() {
        let detail = "`data` is for a new session: change the guest's data, then sign it in";
        return Err(Problem::new(&codes::INVALID_REQUEST, detail));
    }
    let methods = asked.methods.unwrap_or_else(|| vec![Method::password()]);
    let sign_in = SignIn::with(user, at_least_one(methods)?)
        .roles(asked.roles.unwrap_or_default())
        .remember(asked.remember.unwrap_or_default())
        .stricter(stricter)
        .data(data)
        .idempotency_key(retry);
    let sign_in = carrying(sign_in, asked.carry);
    let presented = asked.guest_token.as_ref();
    let answer = sign(&app, &caller, presented, sign_in, device).await?;
    Ok((StatusCode::CREATED, answer))
}

/// Signs a user in
///
/// A guest becomes a new session of the user, whose `previous` names the guest. The same user
/// again is re-authentication: same session, new token, new limits. A token that is dead by now
/// is as good as none: a new session begins.
#[utoipa::path(post, operation_id = "sign_in", path = "/v1/sessions/sign-in", tag = "issue", request_body = SignInRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "At least 128 random bits, 22 to 128 characters: a repeated request gets the first answer.")),
    responses(
        (status = 200, description = "The session and its token. The old token is dead.", body = Answer),
        (status = 409, description = "The token is of another user's session.", body = problem::Body, content_type = "application/problem+json"),
        (status = "default", description = "See `code`.", body = problem::Body, content_type = "application/problem+json")))]
pub(crate) async fn sign_in(
    State(app): State<App>,
    May(caller): MayIssue,
    Retry(retry): Retry,
    Json(asked): Json<SignInRequest>,
) -> Result<axum::Json<Answer>, Problem> {
    let sign_in = SignIn::with(asked.user, at_least_one(asked.methods)?)
        .roles(asked.roles.unwrap_or_default())
        .remember(asked.remember.unwrap_or_default())
        .idempotency_key(retry);
    let sign_in = carrying(sign_in, asked.carry);
    let device = asked.device.unwrap_or_default();
    sign(&app, &caller, Some(&asked.token), sign_in, device).await
}

/// Renews a token
///
/// The presented token stays good until the new one is first used.
#[utoipa::path(post, operation_id = "rotate_token", path = "/v1/sessions/rotate", tag = "issue", request_body = Rotate,
    params(("Idempotency-Key" = Option<String>, Header, description = "At least 128 random bits, 22 to 128 characters: a repeated request gets the first answer.")),
    responses(
        (status = 200, description = "The session and its next token.", body = Answer),
        (status = "default", description = "See `code`.", body = problem::Body, content_type = "application/problem+json")))]
pub(crate) async fn rotate(
    State(app): State<App>,
    May(caller): MayIssue,
    Retry(retry): Retry,
    Json(asked): Json<Rotate>,
) -> Result<axum::Json<Answer>, Problem> {
    let verdict = app.sessions.check(asked.token.as_bytes(), &looking(None)).await?;
    let active = verdict.into_active().map_err(tenure::Error::from)?;
    let issued = app.sessions.rotate(&active, caller.actor(), retry).await?;
    Ok(axum::Json(issued.into()))
}

async fn sign(
    app: &App,
    caller: &Caller,
    presented: Option<&Presented>,
    sign_in: SignIn,
    device: DeviceSeen,
) -> Result<axum::Json<Answer>, Problem> {
    let verdict = match presented {
        Some(token) => Some(app.sessions.check(token.as_bytes(), &looking(Some(&device))).await?),
        None => None,
    };
    let sign_in = sign_in.device(device.device()).actor(caller.actor());
    let issued = app.sessions.sign_in(verdict.as_ref(), sign_in).await?;
    Ok(axum::Json(issued.into()))
}

fn carrying(sign_in: SignIn, keys: Option<Vec<String>>) -> SignIn {
    match keys {
        Some(keys) => sign_in.carry(keys),
        None => sign_in,
    }
}

/// Looking at a token before something is done with it is no activity of its own.
fn looking(device: Option<&DeviceSeen>) -> Check {
    Check::any().touch(false).ip(device.and_then(|device| device.ip))
}

fn at_least_one(methods: Vec<Method>) -> Result<Vec<Method>, Problem> {
    if methods.is_empty() {
        let detail = "`methods` names at least one, for example [\"password\"]";
        return Err(Problem::new(&codes::INVALID_REQUEST, detail));
    }
    Ok(methods)
}
