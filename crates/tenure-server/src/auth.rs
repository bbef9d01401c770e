//! Who asks: the API key of a request, and whether it may.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tenure::Actor;

use crate::app::App;
use crate::codes;
use crate::keys::{KnownKey, Scope};
use crate::problem::Problem;

/// The back end that asks. Only [`authenticate`] makes one.
#[derive(Clone)]
pub(crate) struct Caller(Arc<KnownKey>);

impl Caller {
    /// Who it is in events.
    pub(crate) fn actor(&self) -> Actor {
        self.0.actor()
    }
}

/// Lets a request through that shows a key of the realm, whatever it may do.
pub(crate) async fn authenticate(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match caller(&app, request.headers()) {
        Ok(known) => {
            request.extensions_mut().insert(Caller(Arc::new(known.clone())));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// The key of the realm that a request shows.
pub(crate) fn caller<'a>(app: &'a App, headers: &HeaderMap) -> Result<&'a KnownKey, Problem> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (shown.next(), shown.next()) else {
        return Err(refused("send one header `Authorization: Bearer <API key>`"));
    };
    let presented = header.as_bytes();
    let key = presented
        .split_at_checked(7)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
        .map(|(_, key)| key.trim_ascii())
        .ok_or_else(|| refused("the API key is sent as `Authorization: Bearer <API key>`"))?;
    let found = app.keys.find(app.sessions.realm(), key);
    found.ok_or_else(|| refused("the API key is none of this server's"))
}

/// Refuses a key that lacks a scope.
pub(crate) fn must_have(known: &KnownKey, scope: Scope) -> Result<(), Problem> {
    if known.may(scope) {
        return Ok(());
    }
    tracing::info!(key = known.name, scope = scope.as_str(), "an API key lacks a scope");
    let detail = format!("this takes an API key with the scope `{}`", scope.as_str());
    Err(Problem::new(&codes::INSUFFICIENT_SCOPE, detail))
}

fn refused(detail: &'static str) -> Problem {
    tracing::info!(detail, "a request without a valid API key");
    Problem::new(&codes::UNAUTHORIZED, detail)
}

/// What a route takes: an argument of this type lets only callers with the scope in.
pub(crate) struct May<const SCOPE: u8>(pub(crate) Caller);

/// The caller may check tokens.
pub(crate) type MayCheck = May<{ Scope::Check as u8 }>;
/// The caller may issue tokens.
pub(crate) type MayIssue = May<{ Scope::Issue as u8 }>;
/// The caller may do everything.
pub(crate) type MayAdmin = May<{ Scope::Admin as u8 }>;
/// The caller may read, change and end sessions.
pub(crate) type MayManage = May<{ Scope::Manage as u8 }>;

impl<const SCOPE: u8, S: Sync> FromRequestParts<S> for May<SCOPE> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| refused("send one header `Authorization: Bearer <API key>`"))?;
        let scope = [Scope::Check, Scope::Issue, Scope::Manage, Scope::Admin]
            .into_iter()
            .find(|scope| *scope as u8 == SCOPE)
            .unwrap_or(Scope::Admin);
        must_have(&caller.0, scope)?;
        Ok(Self(caller))
    }
}
