//! The catalogue and the cart.

use axum::extract::Form;
use axum::http::{StatusCode, Uri};
use axum::response::{Redirect, Response};
use serde::Deserialize;
use tenure_tower::{Error, Session};

use crate::catalogue::{self, PRODUCTS};
use crate::pages::{Cart, Home, Item, Line, NotFound};
use crate::view::{CART, page, say, shell};

/// How many of one product a cart holds.
const MOST: u32 = 99;

#[derive(Deserialize)]
pub(crate) struct Add {
    product: String,
}

#[derive(Deserialize)]
pub(crate) struct Set {
    product: String,
    quantity: u32,
}

pub(crate) async fn home(session: Session) -> Result<Response, Error> {
    let shell = shell(&session, "/").await?;
    let cart = session.get(CART).await?.unwrap_or_default();
    let item = |product| Item { product, in_cart: cart.get(product.slug).copied().unwrap_or(0) };
    Ok(page(StatusCode::OK, &Home { shell, items: PRODUCTS.iter().map(item).collect() }))
}

pub(crate) async fn cart(session: Session) -> Result<Response, Error> {
    let shell = shell(&session, "/cart").await?;
    let cart = session.get(CART).await?.unwrap_or_default();
    let line = |(slug, &quantity): (&String, &u32)| Some(Line { product: catalogue::find(slug)?, quantity });
    Ok(page(StatusCode::OK, &Cart { shell, lines: cart.iter().filter_map(line).collect() }))
}

pub(crate) async fn add(session: Session, Form(form): Form<Add>) -> Result<Redirect, Error> {
    let Some(product) = catalogue::find(&form.product) else {
        return Ok(Redirect::to("/"));
    };
    // Compare-and-set: two clicks at once count twice.
    session
        .update(CART, |cart| {
            let quantity = cart.entry(product.slug.to_owned()).or_insert(0);
            *quantity = (*quantity + 1).min(MOST);
        })
        .await?;
    say(&session, format!("{} is in your cart.", product.name)).await?;
    Ok(Redirect::to(&format!("/#{}", product.slug)))
}

pub(crate) async fn set(session: Session, Form(form): Form<Set>) -> Result<Redirect, Error> {
    let Some(product) = catalogue::find(&form.product) else {
        return Ok(Redirect::to("/cart"));
    };
    session
        .update(CART, |cart| match form.quantity {
            0 => drop(cart.remove(product.slug)),
            quantity => drop(cart.insert(product.slug.to_owned(), quantity.min(MOST))),
        })
        .await?;
    Ok(Redirect::to("/cart"))
}

pub(crate) async fn empty(session: Session) -> Result<Redirect, Error> {
    session.remove(CART).await?;
    Ok(Redirect::to("/cart"))
}

pub(crate) async fn not_found(session: Session, uri: Uri) -> Result<Response, Error> {
    let shell = shell(&session, uri.path()).await?;
    Ok(page(StatusCode::NOT_FOUND, &NotFound { shell }))
}
