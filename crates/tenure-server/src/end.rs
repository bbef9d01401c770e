//! Ending many sessions at once, by a filter.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tenure::{Ending, Error, SessionId, Sessions, UserId};
use tokio::task::JoinSet;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{May, MayManage};
use crate::body::Json;
use crate::codes;
use crate::problem::{self, Problem};
use crate::sessions::{WhyEnd, no_such_filter};

/// How many sessions are read at once.
const BATCH: usize = 500;

/// How many sessions are ended at once: durable stores put their writes into one commit.
const AT_ONCE: usize = 64;

/// How long one request goes on ending; what is left is for the next one.
const WORK: Duration = Duration::from_secs(4);

/// Which sessions are to end.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EndMany)]
pub(crate) struct EndMany {
    /// Sessions that match. `user` is what this release has.
    #[serde(default)]
    #[schema(value_type = schema_of::Filter)]
    filter: BTreeMap<String, serde_json::Value>,
    /// With an empty filter: every session of the realm is meant, guests included.
    #[serde(default)]
    all: bool,
    /// The id of a session that goes on.
    #[schema(value_type = Option<String>)]
    except: Option<SessionId>,
    /// Why.
    reason: WhyEnd,
    /// What a person wants to remember about it; 256 bytes of it are kept.
    note: Option<String>,
    /// Only count what would end.
    #[serde(default)]
    dry_run: bool,
}

/// The form of the filter, for the OpenAPI document.
mod schema_of {
    /// Sessions that match.
    #[derive(utoipa::ToSchema)]
    #[schema(as = EndFilter)]
    #[expect(dead_code, reason = "describes what `filter` takes")]
    pub(crate) struct Filter {
        /// Sessions of this user.
        user: Option<String>,
    }
}

/// What became of it.
#[derive(Serialize, ToSchema)]
#[schema(as = EndedMany)]
pub(crate) struct EndedMany {
    /// How many live sessions matched.
    matched: u64,
    /// How many this ended; 0 after a dry run.
    ended: u64,
    /// Whether some are left: repeat the request.
    more: bool,
}

/// Ends sessions by a filter
///
/// Works for a few seconds at the most; `more` says that the request is to be repeated.
#[utoipa::path(post, operation_id = "end_sessions", path = "/v1/sessions/end", tag = "manage", request_body = EndMany,
    responses(
        (status = 200, description = "What became of it.", body = EndedMany),
        (status = 400, description = "The filter is empty, without `all`.", body = problem::Body, content_type = "application/problem+json"),
        (status = "default", description = "See `code`.", body = problem::Body, content_type = "application/problem+json")))]
pub(crate) async fn end(
    State(app): State<App>,
    May(caller): MayManage,
    Json(asked): Json<EndMany>,
) -> Result<axum::Json<EndedMany>, Problem> {
    let ending = Ending::new(asked.reason.into(), caller.actor());
    let ending = match &asked.note {
        Some(note) => ending.note(note),
        None => ending,
    };
    let sessions = &app.sessions;
    let done = match (user(&asked.filter)?, asked.all) {
        (Some(_), true) => {
            let detail = "`all` goes with an empty filter";
            return Err(Problem::new(&codes::INVALID_REQUEST, detail));
        }
        (Some(user), false) => end_user(sessions, &user, asked.except, ending, asked.dry_run).await?,
        (None, true) if asked.dry_run => count_all(sessions, asked.except).await?,
        (None, true) => end_all(sessions, asked.except, ending).await?,
        (None, false) => {
            let detail = "an empty filter would end every session: name a user, or say \"all\": true";
            return Err(Problem::new(&codes::EMPTY_FILTER, detail));
        }
    };
    Ok(axum::Json(done))
}

fn user(filter: &BTreeMap<String, serde_json::Value>) -> Result<Option<UserId>, Problem> {
    if let Some(other) = filter.keys().find(|name| *name != "user") {
        return Err(no_such_filter(other));
    }
    let Some(user) = filter.get("user") else {
        return Ok(None);
    };
    let Some(user) = user.as_str() else {
        return Err(Problem::new(&codes::INVALID_REQUEST, "`filter.user` is a text"));
    };
    Ok(Some(UserId::new(user).map_err(Error::from)?))
}

async fn end_user(
    sessions: &Sessions,
    user: &UserId,
    except: Option<SessionId>,
    ending: Ending,
    dry_run: bool,
) -> Result<EndedMany, Error> {
    let (matched, ended) = if dry_run {
        let live = sessions.list(user).await?;
        let meant = live.iter().filter(|session| Some(session.id()) != except);
        (meant.count() as u64, 0)
    } else {
        let ended = sessions.end_all_of(user, except, ending).await?;
        (ended, ended)
    };
    Ok(EndedMany { matched, ended, more: false })
}

async fn count_all(sessions: &Sessions, except: Option<SessionId>) -> Result<EndedMany, Error> {
    let (mut matched, mut after) = (0, None);
    let until = sessions.running() + WORK;
    loop {
        let page = sessions.page(after, BATCH).await?;
        let meant = page.sessions.iter().filter(|session| Some(session.id()) != except);
        matched += meant.count() as u64;
        after = page.next;
        let more = after.is_some();
        if !more || sessions.running() >= until {
            return Ok(EndedMany { matched, ended: 0, more });
        }
    }
}

async fn end_all(sessions: &Sessions, except: Option<SessionId>, ending: Ending) -> Result<EndedMany, Error> {
    let (mut ended, mut after) = (0, None);
    let until = sessions.running() + WORK;
    loop {
        let page = sessions.page(after, BATCH).await?;
        let ids: Vec<SessionId> = page.sessions.iter().map(|session| session.id()).collect();
        for some in ids.chunks(AT_ONCE) {
            ended += end_these(sessions, some, except, &ending).await?;
        }
        after = page.next;
        let more = after.is_some();
        if !more || sessions.running() >= until {
            return Ok(EndedMany { matched: ended, ended, more });
        }
    }
}

/// Ends these. One that is gone meanwhile is fine.
async fn end_these(
    sessions: &Sessions,
    ids: &[SessionId],
    except: Option<SessionId>,
    ending: &Ending,
) -> Result<u64, Error> {
    let mut work = JoinSet::new();
    for id in ids.iter().copied().filter(|id| Some(*id) != except) {
        let (sessions, ending) = (sessions.clone(), ending.clone());
        work.spawn(async move { sessions.end(id, ending).await });
    }
    let mut ended = 0;
    while let Some(done) = work.join_next().await {
        match done {
            Ok(Ok(by_this)) => ended += u64::from(by_this),
            Ok(Err(Error::Refused(tenure::Refusal::Missing) | Error::Inactive(_))) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(Error::Bug("ending a session broke off; see the log for the panic")),
        }
    }
    Ok(ended)
}
