//! From a session to what a page shows of it.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tenure_tower::tenure::clock::Timestamp;
use tenure_tower::{Error, Key, Session, SessionState, Snapshot};

use crate::pages::{Moment, SessionFacts, Shell, Template, Theme, Visitor};
use crate::people::person_of;

/// How many of which product.
pub(crate) const CART: Key<BTreeMap<String, u32>> = Key::new("cart");
/// The colours that were chosen.
pub(crate) const THEME: Key<String> = Key::new("theme");
/// What the last form did, to be said once.
const NOTICE: Key<String> = Key::new("notice");

/// What every page shows, from the session behind it.
pub(crate) async fn shell(session: &Session, path: &str) -> Result<Shell, Error> {
    let notice = session.get(NOTICE).await?;
    if notice.is_some() {
        session.remove(NOTICE).await?;
    }
    let theme = session.get(THEME).await?;
    let cart = session.get(CART).await?.unwrap_or_default();
    let snapshot = session.snapshot().await?;
    let now = jiff_now(snapshot.as_deref());
    Ok(Shell {
        theme: theme.and_then(|slug| Theme::from_slug(&slug)).unwrap_or_default(),
        visitor: visitor(snapshot.as_deref()),
        cart_count: cart.values().sum(),
        path: path.to_owned(),
        notice,
        happened: happened(snapshot.as_deref()).to_owned(),
        session: snapshot.as_deref().map(|session| facts(session, now)),
    })
}

/// Has something said on the next page.
pub(crate) async fn say(session: &Session, notice: impl Into<String>) -> Result<(), Error> {
    session.set(NOTICE, notice.into()).await
}

/// A page as an answer.
pub(crate) fn page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub(crate) fn visitor(session: Option<&Snapshot>) -> Visitor {
    let person =
        session.filter(|s| s.state() == SessionState::SignedIn).and_then(|s| s.user()).map(person_of);
    match person {
        None => Visitor::Guest,
        Some(person) => Visitor::SignedIn { name: person.map_or("friend", |p| p.full_name).to_owned() },
    }
}

pub(crate) fn moment(at: Timestamp, now: jiff::Timestamp) -> Moment {
    Moment::new(jiff_of(at), now)
}

/// The time by which a page reckons.
#[expect(clippy::disallowed_methods, reason = "pages show the time of day; nothing is decided by it")]
pub(crate) fn jiff_now(session: Option<&Snapshot>) -> jiff::Timestamp {
    let seen = session.map(|s| jiff_of(s.last_seen_at())).unwrap_or_default();
    jiff::Timestamp::now().max(seen)
}

fn jiff_of(at: Timestamp) -> jiff::Timestamp {
    i64::try_from(at.as_millis())
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default()
}

fn facts(session: &Snapshot, now: jiff::Timestamp) -> SessionFacts {
    SessionFacts {
        id: session.id().to_string(),
        previous: session.previous().map(|id| id.to_string()),
        generation: session.generation(),
        level: session.level().map_or(0, u8::from),
        idle_ends: moment(session.idle_expires_at(), now),
        ends: moment(session.expires_at(), now),
        remembered: session.is_persistent(),
    }
}

fn happened(session: Option<&Snapshot>) -> &'static str {
    match session.map(Snapshot::state) {
        None => "No session was made: looking around needs none.",
        Some(SessionState::Guest) => {
            "Your cart is in a guest session. Signing in gives it a new id and a new cookie."
        }
        Some(_) if session.is_some_and(|s| s.previous().is_some()) => {
            "Your cookie was checked. This session took over from the guest session that held your cart."
        }
        Some(_) => "Your cookie was checked, and this click counts as activity.",
    }
}
