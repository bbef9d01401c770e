//! "My devices": the sessions of the user, and ending them.

use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tenure_tower::{Error, SignedIn, Snapshot, tenure};

use crate::pages::{Device, DeviceKind, Devices};
use crate::view::{jiff_now, moment, page, say, shell};

#[derive(Deserialize)]
pub(crate) struct Which {
    session: String,
}

pub(crate) async fn list(me: SignedIn) -> Result<Response, Error> {
    let shell = shell(me.session(), "/devices").await?;
    let mut sessions = me.sessions().await?;
    let mine = me.snapshot().id();
    sessions.sort_by_key(|session| session.id() != mine);
    let now = jiff_now(Some(me.snapshot()));
    let devices = sessions.iter().map(|session| device(session, session.id() == mine, now)).collect();
    Ok(page(StatusCode::OK, &Devices { shell, devices }))
}

pub(crate) async fn end(me: SignedIn, Form(which): Form<Which>) -> Result<Response, Error> {
    let Ok(id) = which.session.parse() else {
        return Ok(Redirect::to("/devices").into_response());
    };
    match confirmed(me.end(id).await)? {
        Ok(_) if id == me.snapshot().id() => {
            return Ok(Redirect::to("/signed-out?reason=logout").into_response());
        }
        Ok(_) => say(me.session(), "That device is signed out.").await?,
        Err(to_confirm) => return Ok(to_confirm),
    }
    Ok(Redirect::to("/devices").into_response())
}

pub(crate) async fn end_others(me: SignedIn) -> Result<Response, Error> {
    match confirmed(me.end_others().await)? {
        Ok(1) => say(me.session(), "One other device is signed out.").await?,
        Ok(ended) => say(me.session(), format!("{ended} other devices are signed out.")).await?,
        Err(to_confirm) => return Ok(to_confirm),
    }
    Ok(Redirect::to("/devices").into_response())
}

pub(crate) async fn end_all(me: SignedIn) -> Result<Response, Error> {
    Ok(match confirmed(me.sign_out_everywhere().await)? {
        Ok(_) => Redirect::to("/signed-out?reason=logout").into_response(),
        Err(to_confirm) => to_confirm,
    })
}

/// Whoever signed in long ago confirms first that it is them, and then comes back here.
fn confirmed<T>(done: Result<T, Error>) -> Result<Result<T, Response>, Error> {
    match done {
        Ok(done) => Ok(Ok(done)),
        Err(Error::Session(tenure::Error::StepUp(_))) => {
            Ok(Err(Redirect::to("/sign-in?return_to=/devices").into_response()))
        }
        Err(error) => Err(error),
    }
}

fn device(session: &Snapshot, current: bool, now: jiff::Timestamp) -> Device {
    let device = session.device();
    Device {
        session: session.id().to_string(),
        label: device.label.clone(),
        kind: match device.kind {
            tenure::DeviceKind::Phone => DeviceKind::Phone,
            tenure::DeviceKind::Tablet => DeviceKind::Tablet,
            _ => DeviceKind::Desktop,
        },
        ip: device.ip.map(|ip| ip.to_string()).unwrap_or_default(),
        signed_in: moment(session.authenticated_at().unwrap_or(session.created_at()), now),
        last_seen: moment(session.last_seen_at(), now),
        current,
    }
}
