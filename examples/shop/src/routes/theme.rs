//! Choosing colours: a setting that lives in the session, also a guest's.

use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use serde::Deserialize;
use tenure_tower::{Error, Session};

use crate::pages::{Appearance, Theme};
use crate::view::{THEME, page, say, shell};

#[derive(Deserialize)]
pub(crate) struct Choice {
    theme: String,
}

pub(crate) async fn form(session: Session) -> Result<Response, Error> {
    Ok(page(StatusCode::OK, &Appearance { shell: shell(&session, "/appearance").await? }))
}

pub(crate) async fn choose(session: Session, Form(choice): Form<Choice>) -> Result<Redirect, Error> {
    if let Some(theme) = Theme::from_slug(&choice.theme) {
        session.set(THEME, theme.slug().to_owned()).await?;
        say(&session, format!("The shop now wears {}.", theme.title().to_lowercase())).await?;
    }
    Ok(Redirect::to("/appearance"))
}
