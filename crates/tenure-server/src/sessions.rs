//! Routes about one session, and the list of a realm's sessions.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use tenure::{Changes, EndReason, Ending, Error, InvalidSessionId, Refusal, SessionId, Snapshot, UserId};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::{May, MayManage};
use crate::body::{Asked, Json, Place, only};
use crate::codes;
use crate::problem::{self, Problem};
use crate::request::setting;
use crate::schema;

/// How many sessions a page has at the most.
const MAX_PAGE: usize = 500;

/// Filters that a later release is to have, told apart from misspelt ones.
pub(crate) const LATER_FILTERS: &[&str] =
    &["state", "ip", "device", "role", "created_before", "created_after", "seen_before"];

/// What to change in a session's data.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeSession)]
pub(crate) struct Change {
    /// Keys to set and keys to remove, all at once or not at all.
    data: DataChange,
    /// Versions that keys must have; 0 for a key that must not be there.
    #[serde(default)]
    expect: BTreeMap<String, u64>,
}

/// Keys to set and keys to remove.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DataChange)]
pub(crate) struct DataChange {
    /// Values by key.
    #[serde(default)]
    set: BTreeMap<String, serde_json::Value>,
    /// Keys.
    #[serde(default)]
    remove: Vec<String>,
}

/// How a session is to end.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EndHow {
    /// `logout` or `revoked`; `revoked` if not said.
    #[serde(default)]
    reason: WhyEnd,
    /// What a person wants to remember about it; 256 bytes of it are kept.
    note: Option<String>,
}

/// Why a back end ends a session.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WhyEnd)]
pub(crate) enum WhyEnd {
    /// Its user signed out.
    Logout,
    /// Somebody with the right to do so ended it.
    #[default]
    Revoked,
}

impl From<WhyEnd> for EndReason {
    fn from(why: WhyEnd) -> Self {
        match why {
            WhyEnd::Logout => Self::Logout,
            WhyEnd::Revoked => Self::Revoked,
        }
    }
}

/// A page of sessions.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionPage)]
pub(crate) struct Page {
    /// The sessions. A page may be shorter than asked for and still not the last.
    #[schema(value_type = Vec<schema::Session>)]
    sessions: Vec<Arc<Snapshot>>,
    /// Pass it on as `cursor` for the next page; null after the last.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// Reads a session
///
/// Also one that ended within the last 24 hours. Reading is no activity.
#[utoipa::path(get, operation_id = "get_session", path = "/v1/sessions/{id}", tag = "manage",
    params(("id" = String, Path, description = "The session id, `ses_…`.")),
    responses(
        (status = 200, description = "The session; its version is the `ETag`.", body = schema::Session),
        (status = "default", description = "See `code`.", body = problem::Body, content_type = "application/problem+json")))]
pub(crate) async fn show(
    State(app): State<App>,
    _: MayManage,
    Place(id): Place<String>,
) -> Result<Response, Problem> {
    let found = app.sessions.get(session_id(&id)?).await?;
    Ok(shown(found.ok_or(Error::Refused(Refusal::Missing))?))
}

/// Changes a session's data
#[utoipa::path(patch, operation_id = "change_session", path = "/v1/sessions/{id}", tag = "manage", request_body = Change,
    params(
        ("id" = String, Path, description = "The session id, `ses_…`."),
        ("If-Match" = Option<String>, Header, description = "Only if the data still has this version, in quotes.")),
    responses(
        (status = 200, description = "The session after the change.", body = schema::Session),
        (status = 409, description = "An `expect` did not hold.", body = problem::Body, content_type = "application/problem+json"),
        (status = 410, description = "The session has ended.", body = problem::Body, content_type = "application/problem+json"),
        (status = 412, description = "`If-Match` did not hold.", body = problem::Body, content_type = "application/problem+json"),
        (status = "default", description = "See `code`.", body = problem::Body, content_type = "application/problem+json")))]
pub(crate) async fn change(
    State(app): State<App>,
    May(caller): MayManage,
    Place(id): Place<String>,
    headers: HeaderMap,
    Json(asked): Json<Change>,
) -> Result<Response, Problem> {
    let id = session_id(&id)?;
    let changes = changes(asked, if_match(&headers)?)?;
    let session = app.sessions.change_of(id, caller.actor(), changes).await?;
    Ok(shown(session))
}

/// Ends a session
///
/// Fine, too, when it had ended already.
#[utoipa::path(delete, operation_id = "end_session", path = "/v1/sessions/{id}", tag = "manage",
    params(("id" = String, Path, description = "The session id, `ses_…`."), EndHow),
    responses(
        (status = 204, description = "It has ended."),
        (status = "default", description = "See `code`.", body = problem::Body, content_type = "application/problem+json")))]
pub(crate) async fn end(
    State(app): State<App>,
    May(caller): MayManage,
    Place(id): Place<String>,
    Asked(how): Asked<EndHow>,
) -> Result<StatusCode, Problem> {
    let ending = Ending::new(how.reason.into(), caller.actor());
    let ending = match &how.note {
        Some(note) => ending.note(note),
        None => ending,
    };
    match app.sessions.end(session_id(&id)?, ending).await {
        Ok(_) | Err(Error::Inactive(_)) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(error.into()),
    }
}

/// Lists live sessions
///
/// Of a user, newest first, or of the whole realm, oldest first. Other filters come in a later
/// release.
#[utoipa::path(get, operation_id = "list_sessions", path = "/v1/sessions", tag = "manage",
    params(
        ("user" = Option<String>, Query, description = "Only sessions of this user."),
        ("limit" = Option<u32>, Query, description = "1 to 500; 100 if not said."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before.")),
    responses(
        (status = 200, description = "A page.", body = Page),
        (status = "default", description = "See `code`.", body = problem::Body, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(app): State<App>,
    _: MayManage,
    Asked(asked): Asked<Vec<(String, String)>>,
) -> Result<axum::Json<Page>, Problem> {
    let asked = ListQuery::read(asked)?;
    let (sessions, next) = match &asked.user {
        Some(user) => of_user(app.sessions.list(user).await?, asked.after, asked.limit),
        None => {
            let page = app.sessions.page(asked.after, asked.limit).await?;
            (page.sessions, page.next)
        }
    };
    let next_cursor = next.map(|id| BASE64URL_NOPAD.encode(id.as_bytes()));
    Ok(axum::Json(Page { sessions, next_cursor }))
}

struct ListQuery {
    user: Option<UserId>,
    after: Option<SessionId>,
    limit: usize,
}

impl ListQuery {
    fn read(asked: Vec<(String, String)>) -> Result<Self, Problem> {
        let mut query = Self { user: None, after: None, limit: 100 };
        let mut seen = Vec::new();
        for (name, value) in asked {
            if seen.contains(&name) {
                let detail = format!("`{name}`: give it once");
                return Err(Problem::new(&codes::INVALID_PARAMETER, detail));
            }
            match name.as_str() {
                "user" => query.user = Some(UserId::new(&value).map_err(Error::from)?),
                "cursor" => query.after = Some(cursor(&value)?),
                "limit" => query.limit = limit(&value)?,
                other => return Err(no_such_filter(other)),
            }
            seen.push(name);
        }
        Ok(query)
    }
}

/// What to say of a filter that is not `user`.
pub(crate) fn no_such_filter(name: &str) -> Problem {
    if LATER_FILTERS.contains(&name) {
        let detail = format!("the filter `{name}` is not in this release; there is `user`");
        return Problem::new(&codes::NOT_IN_THIS_RELEASE, detail);
    }
    let name: String = name.chars().take(64).collect();
    Problem::new(&codes::INVALID_PARAMETER, format!("unknown `{name}`; there is `user`"))
}

fn limit(text: &str) -> Result<usize, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
    limit.ok_or_else(|| Problem::new(&codes::INVALID_PARAMETER, format!("`limit` is 1 to {MAX_PAGE}")))
}

fn cursor(text: &str) -> Result<SessionId, Problem> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
    let id = bytes.and_then(|bytes| bytes.try_into().ok());
    id.map(SessionId::from_bytes).ok_or_else(|| {
        Problem::new(&codes::INVALID_CURSOR, "`cursor` is `next_cursor` of the page before, as it was")
    })
}

/// The part of a user's sessions that comes after `after`, newest first.
fn of_user(
    mut all: Vec<Arc<Snapshot>>,
    after: Option<SessionId>,
    limit: usize,
) -> (Vec<Arc<Snapshot>>, Option<SessionId>) {
    all.sort_by_key(|session| std::cmp::Reverse(session.id()));
    all.retain(|session| after.is_none_or(|after| session.id() < after));
    let more = all.len() > limit;
    all.truncate(limit);
    let next = all.last().map(|session| session.id()).filter(|_| more);
    (all, next)
}

/// The session id in `text`.
pub(crate) fn session_id(text: &str) -> Result<SessionId, Problem> {
    let invalid = |invalid: InvalidSessionId| Problem::from(Error::from(invalid));
    text.parse().map_err(invalid)
}

fn changes(asked: Change, version: Option<u64>) -> Result<Changes, Problem> {
    let DataChange { set, remove } = asked.data;
    if let Some(key) = remove.iter().find(|key| set.contains_key(*key)) {
        let detail = format!("`{key}` is both to be set and to be removed");
        return Err(Problem::new(&codes::INVALID_REQUEST, detail));
    }
    let changes = remove.into_iter().fold(setting(set), Changes::remove);
    let changes =
        asked.expect.into_iter().fold(changes, |changes, (key, version)| changes.expect(key, version));
    Ok(match version {
        Some(version) => changes.if_version(version),
        None => changes,
    })
}

/// The version in `If-Match`; none without it and for `*`.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(text) = only(headers, &IF_MATCH)? else {
        return Ok(None);
    };
    if text == "*" {
        return Ok(None);
    }
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    quoted.and_then(|version| version.parse().ok()).map(Some).ok_or_else(|| {
        let detail = "`If-Match` is the session's version in quotes, for example \"3\"";
        Problem::new(&codes::INVALID_HEADER, detail)
    })
}

fn shown(session: Arc<Snapshot>) -> Response {
    let etag = HeaderValue::from_str(&format!("\"{}\"", session.version()));
    let mut answer = axum::Json(session).into_response();
    if let Ok(etag) = etag {
        answer.headers_mut().insert(ETAG, etag);
    }
    answer
}
