//! A site with everything that sets a cookie, and a visitor whose browser has a jar.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT, CACHE_CONTROL, COOKIE};
use axum::http::{Method, Request, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tenure::testing::TestKit;
use tenure_tower::{Error, Key, Session, SessionLayer, SignIn, SignedIn, UserId};

use crate::jar::{Jar, Origin};
use crate::support::{Answer, send};

pub(crate) const CART: Key<Vec<String>> = Key::new("cart");
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const NAME: &str = "__Host-sid";

fn alice() -> SignIn {
    SignIn::password(UserId::new("u_alice").unwrap())
}

async fn add(s: Session) -> Result<&'static str, Error> {
    s.update(CART, |cart| cart.push("apple".into())).await?;
    Ok("added")
}

async fn cart(s: Session) -> Result<String, Error> {
    Ok(s.get(CART).await?.unwrap_or_default().join(","))
}

/// An answer that a cache in between would keep for everybody.
async fn cacheable(s: Session) -> Result<impl IntoResponse, Error> {
    add(s).await?;
    Ok([(CACHE_CONTROL, "public, max-age=3600, no-cache=\"Set-Cookie\"")])
}

async fn sign_in(s: Session) -> Result<&'static str, Error> {
    s.sign_in(alice()).await.map(|()| "welcome")
}

async fn remember(s: Session) -> Result<&'static str, Error> {
    s.sign_in(alice().remember(true)).await.map(|()| "welcome")
}

async fn step_up(me: SignedIn) -> Result<&'static str, Error> {
    me.step_up(alice()).await.map(|()| "still you")
}

async fn sign_out(s: Session) -> Result<&'static str, Error> {
    s.sign_out().await.map(|()| "bye")
}

async fn fails(s: Session) -> Result<&'static str, StatusCode> {
    s.set(CART, vec!["pear".into()]).await.map_err(|_| StatusCode::IM_A_TEAPOT)?;
    Err(StatusCode::BAD_GATEWAY)
}

/// The routes of a site, without a layer.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/cart", get(cart).post(add))
        .route("/cacheable", post(cacheable))
        .route("/sign-in", post(sign_in))
        .route("/remember", post(remember))
        .route("/step-up", post(step_up))
        .route("/sign-out", post(sign_out))
        .route("/fails", post(fails))
        .route("/me", get(me).post(me))
        .route("/files/{*path}", get(me))
}

async fn me(me: SignedIn) -> String {
    format!("Hello {}", me.user())
}

pub(crate) async fn site() -> (TestKit, Router) {
    let kit = TestKit::new().await;
    let app = routes().layer(SessionLayer::new(&kit.sessions).sign_in_at("/sign-in"));
    (kit, app)
}

/// Somebody with a browser.
#[derive(Clone)]
pub(crate) struct Visitor {
    app: Router,
    pub(crate) jar: Jar,
}

impl Visitor {
    pub(crate) fn new(app: &Router) -> Self {
        Self { app: app.clone(), jar: Jar::default() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let answer = self.ask(Method::GET, path).await;
        self.take(&answer);
        answer
    }

    pub(crate) async fn post(&mut self, path: &str) -> Answer {
        let answer = self.ask(Method::POST, path).await;
        self.take(&answer);
        answer
    }

    /// Sends a request and leaves the cookies of the answer on the way.
    pub(crate) async fn ask(&self, method: Method, path: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(ACCEPT, "text/html,*/*");
        if let Some(cookie) = self.jar.header(path, Origin::Https) {
            request = request.header(COOKIE, cookie);
        }
        send(&self.app, request.body(Body::empty()).unwrap()).await
    }

    /// The answer's cookies arrive.
    pub(crate) fn take(&mut self, answer: &Answer) {
        for header in answer.set_cookies() {
            let taken = self.jar.take(header, Origin::Https);
            taken.unwrap_or_else(|why| panic!("a browser drops {header}: {why}"));
        }
    }

    pub(crate) async fn is_signed_in(&mut self) -> bool {
        self.get("/me").await.text == "Hello u_alice"
    }
}

/// Every way in which a cookie of ours is set or deleted, and the answer that does it.
pub(crate) async fn every_way() -> Vec<(&'static str, Answer)> {
    let (kit, app) = site().await;
    let mut visitor = Visitor::new(&app);
    let mut ways = vec![
        ("a guest begins", visitor.post("/cart").await),
        ("a guest signs in", visitor.post("/sign-in").await),
    ];
    kit.advance(16 * MINUTE).await;
    ways.push(("a token renews itself", visitor.get("/me").await));
    ways.push(("the same user signs in again", visitor.post("/sign-in").await));
    ways.push(("a step-up", visitor.post("/step-up").await));
    let mut left = visitor.clone();
    ways.push(("a sign-out", visitor.post("/sign-out").await));
    ways.push(("an ended session is presented", left.get("/me").await));
    ways.push(("somebody is remembered", visitor.post("/remember").await));
    ways.push(("an answer that is an error", Visitor::new(&app).post("/fails").await));
    ways.push(("an answer that asks to be cached", Visitor::new(&app).post("/cacheable").await));
    let mut idle = Visitor::new(&app);
    idle.post("/sign-in").await;
    kit.advance(31 * MINUTE).await;
    ways.push(("an idle session is presented", idle.get("/me").await));
    ways
}
