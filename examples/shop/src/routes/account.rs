//! Signing in and out, and who one is here.

use std::sync::Arc;

use axum::extract::{Form, Query, Request, State};
use axum::http::{Method as HttpMethod, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tenure_tower::{Error, Level, Session, SignedIn, tenure};

use crate::pages::{
    Account, Method, PEOPLE, Shell, SignIn, SignedOut, SignedOutReason, in_ascii, local_path,
};
use crate::people::{People, person_of};
use crate::view::{jiff_now, moment, page, say, shell, visitor};

/// The same for a wrong name and a wrong password (ASVS 6.3.8).
const WRONG: &str = "That name and password do not go together.";

#[derive(Deserialize)]
pub(crate) struct Way {
    #[serde(default)]
    return_to: String,
}

#[derive(Deserialize)]
pub(crate) struct Login {
    name: String,
    password: String,
    #[serde(default)]
    return_to: String,
    #[serde(default)]
    remember: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Why {
    #[serde(default)]
    reason: String,
}

pub(crate) async fn form(session: Session, Query(way): Query<Way>) -> Result<Response, Error> {
    sign_in_page(&session, &way.return_to, "", None).await
}

pub(crate) async fn sign_in(
    State(people): State<Arc<People>>,
    session: Session,
    Form(login): Form<Login>,
) -> Result<Response, Error> {
    let return_to = local_path(&login.return_to).to_owned();
    let Some(proof) = people.check(&login.name, login.password).await else {
        return sign_in_page(&session, &return_to, &login.name, Some(WRONG)).await;
    };
    match session.sign_in(proof.remember(login.remember.is_some())).await {
        Ok(()) => {}
        Err(Error::Session(tenure::Error::AnotherUser)) => {
            say(&session, "Somebody else is signed in here. Sign out first.").await?;
            return Ok(Redirect::to("/account").into_response());
        }
        Err(error) => return Err(error),
    }
    let name = session.user().await?.as_ref().and_then(person_of).map_or("friend", |person| person.full_name);
    say(&session, format!("Welcome, {name}. Your session has a new id and a new cookie.")).await?;
    Ok(Redirect::to(&in_ascii(&return_to)).into_response())
}

/// The form; whoever is signed in confirms with it that it is still them.
async fn sign_in_page(
    session: &Session,
    return_to: &str,
    name: &str,
    error: Option<&str>,
) -> Result<Response, Error> {
    let me = session.user().await?.as_ref().and_then(person_of);
    let remembered = session.snapshot().await?.is_some_and(|session| session.is_persistent());
    let form = SignIn {
        shell: shell(session, "/sign-in").await?,
        return_to: local_path(return_to).to_owned(),
        name: me.map_or(name, |person| person.name).to_owned(),
        error: error.map(str::to_owned),
        confirms: me.is_some(),
        remembered,
        people: me.map_or(&PEOPLE, std::slice::from_ref),
    };
    let status = error.map_or(StatusCode::OK, |_| StatusCode::UNAUTHORIZED);
    Ok(page(status, &form))
}

pub(crate) async fn sign_out(session: Session) -> Result<Redirect, Error> {
    session.sign_out().await?;
    Ok(Redirect::to("/signed-out?reason=logout"))
}

pub(crate) async fn signed_out(session: Session, Query(why): Query<Why>) -> Result<Response, Error> {
    if session.user().await?.is_some() {
        // The back button, or a link that somebody made up.
        return Ok(Redirect::to("/account").into_response());
    }
    let reason = SignedOutReason::from_code(&why.reason);
    let happened = "This browser has no session now, and looking around needs none.";
    ended(&session, reason, "/", StatusCode::OK, happened).await
}

pub(crate) async fn account(me: SignedIn) -> Result<Response, Error> {
    let shell = shell(me.session(), "/account").await?;
    let session = me.snapshot();
    let now = jiff_now(Some(session));
    let used = |used: &tenure::MethodUse| Method {
        method: used.method.as_str().to_owned(),
        at: moment(used.at, now),
    };
    let account = Account {
        name: visitor(Some(session)).name().unwrap_or_default().to_owned(),
        user: me.user().to_string(),
        level: session.level().unwrap_or(Level::One),
        methods: session.methods().iter().map(used).collect(),
        signed_in: moment(session.authenticated_at().unwrap_or(session.created_at()), now),
        idle_ends: moment(session.idle_expires_at(), now),
        ends: moment(session.expires_at(), now),
        remembered: session.is_persistent(),
        devices: me.sessions().await?.len(),
        shell,
    };
    Ok(page(StatusCode::OK, &account))
}

/// Whoever comes with the cookie of a session that has ended is told so, once: the answer
/// makes the browser forget it.
pub(crate) async fn tell_of_the_end(
    session: Session,
    uri: Uri,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let inactive = session.inactive().await?.filter(|inactive| inactive.forget);
    let was_signed_in =
        inactive.as_ref().and_then(|i| i.session.as_ref()).is_some_and(|s| s.user().is_some());
    let Some(inactive) = inactive.filter(|_| was_signed_in && !uri.path().starts_with("/sign")) else {
        return Ok(next.run(request).await);
    };
    let back = if request.method() == HttpMethod::GET { uri.path() } else { "/" };
    let reason = SignedOutReason::from_code(inactive.reason.as_str());
    let happened = "Your cookie was checked: its session has ended, so this answer cleared it.";
    ended(&session, reason, back, StatusCode::UNAUTHORIZED, happened).await
}

async fn ended(
    session: &Session,
    reason: SignedOutReason,
    return_to: &str,
    status: StatusCode,
    happened: &str,
) -> Result<Response, Error> {
    let shell = Shell { happened: happened.to_owned(), ..shell(session, return_to).await? };
    Ok(page(status, &SignedOut { shell, reason, return_to: local_path(return_to).to_owned() }))
}
