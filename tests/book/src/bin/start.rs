//! The program of `docs/start.md`, as it stands there.
#![expect(clippy::print_stdout, reason = "it says where it listens")]

use axum::Router;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tenure_embedded::Embedded;
use tenure_tower::{Error, Key, Session, SessionLayer, Sessions, SignIn, SignedIn, UserId};

/// What a session keeps under the name `cart`, and its type.
const CART: Key<Vec<String>> = Key::new("cart");

const PRODUCTS: [&str; 3] = ["tea", "jam", "fig"];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Sessions::open(Embedded::at("./data")).await?;
    let at = std::env::var("LISTEN").unwrap_or("127.0.0.1:3000".into());
    let listener = tokio::net::TcpListener::bind(at).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app(&sessions)).await?;
    Ok(())
}

fn app(sessions: &Sessions) -> Router {
    Router::new()
        .route("/", get(shop))
        .route("/cart", post(add))
        .route("/sign-in", get(sign_in_page).post(sign_in))
        .route("/account", get(account))
        .route("/sign-out", post(sign_out))
        .route("/sign-out-everywhere", post(sign_out_everywhere))
        .layer(SessionLayer::new(sessions).sign_in_at("/sign-in"))
}

/// For everybody, signed in or not.
async fn shop(session: Session) -> Result<Html<String>, Error> {
    let cart = session.get(CART).await?.unwrap_or_default();
    let user = session.user().await?;
    let buttons = PRODUCTS.map(|product| format!("<button name=product value={product}>{product}</button>"));
    Ok(Html(format!(
        "<p>{}</p><p>In your cart: {}</p><form method=post action=/cart>{}</form><a href=/account>Account</a>",
        user.map_or("You are not signed in.".into(), |user| format!("You are {user}.")),
        cart.join(", "),
        buttons.concat(),
    )))
}

#[derive(Deserialize)]
struct Add {
    product: String,
}

/// A guest session begins here, if there is no session yet.
async fn add(session: Session, Form(form): Form<Add>) -> Result<Redirect, Error> {
    if PRODUCTS.contains(&form.product.as_str()) {
        // Two clicks at once are two products: nothing is lost.
        session.update(CART, |cart| cart.push(form.product.clone())).await?;
    }
    Ok(Redirect::to("/"))
}

async fn sign_in_page() -> Html<&'static str> {
    Html(
        "<form method=post><input name=name placeholder=alice><input name=password type=password>\
         <label><input name=remember type=checkbox value=true>Stay signed in</label><button>Sign in</button></form>",
    )
}

#[derive(Deserialize)]
struct Login {
    name: String,
    password: String,
    #[serde(default)]
    remember: bool,
}

async fn sign_in(session: Session, Form(login): Form<Login>) -> Result<Response, Error> {
    let Some(user) = check_password(&login) else {
        return Ok((StatusCode::UNAUTHORIZED, "That name and password do not go together.").into_response());
    };
    // The guest's cart comes along, the old cookie is dead, the answer sets a new one.
    session.sign_in(SignIn::password(user).remember(login.remember)).await?;
    Ok(Redirect::to("/account").into_response())
}

/// Yours: look the user up, compare a hash of the password, slow down guesses.
fn check_password(login: &Login) -> Option<UserId> {
    let right = login.name == "alice" && login.password == "wonderland";
    right.then(|| UserId::new("u_1").ok()).flatten()
}

/// For those who are signed in. Others are sent to the sign-in page.
async fn account(me: SignedIn) -> Result<Html<String>, Error> {
    let devices: Vec<String> =
        me.sessions().await?.iter().map(|session| format!("<li>{}</li>", session.device().label)).collect();
    Ok(Html(format!(
        "<h1>Hello {}</h1><p>You are signed in on:</p><ul>{}</ul>\
         <form method=post action=/sign-out><button>Sign out</button></form>\
         <form method=post action=/sign-out-everywhere><button>Sign out everywhere</button></form>",
        me.user(),
        devices.concat(),
    )))
}

async fn sign_out(session: Session) -> Result<Redirect, Error> {
    session.sign_out().await?;
    Ok(Redirect::to("/"))
}

/// Ends all sessions of this user, on all devices, at once and for good.
async fn sign_out_everywhere(me: SignedIn) -> Result<Redirect, Error> {
    me.sign_out_everywhere().await?;
    Ok(Redirect::to("/"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::{Request, header};
    use tenure_tower::tenure::testing::TestKit;
    use tower::ServiceExt;

    use super::*;

    async fn send(app: &Router, method: &str, path: &str, cookie: &str) -> StatusCode {
        let request = Request::builder().method(method).uri(path).header(header::COOKIE, cookie);
        let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        answer.status()
    }

    #[tokio::test]
    async fn signing_out_everywhere_reaches_the_phone() {
        let kit = TestKit::new().await;
        let app = app(&kit.sessions);
        let laptop = kit.sign_in_as("u_1").await; // what its browser would send as `Cookie`
        let phone = kit.sign_in_as("u_1").await;
        assert_eq!(send(&app, "GET", "/account", &phone).await, StatusCode::OK);
        assert_eq!(send(&app, "POST", "/sign-out-everywhere", &laptop).await, StatusCode::SEE_OTHER);
        assert_eq!(send(&app, "GET", "/account", &phone).await, StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn half_an_hour_of_silence_signs_out() {
        let kit = TestKit::new().await;
        let app = app(&kit.sessions);
        let cookie = kit.sign_in_as("u_1").await;
        kit.advance(Duration::from_secs(30 * 60)).await; // no test waits
        assert_eq!(send(&app, "GET", "/account", &cookie).await, StatusCode::UNAUTHORIZED);
    }
}
