//! User sessions for axum and every other tower web framework.
//!
//! [`SessionLayer`] goes around the application; handlers take [`Session`], [`SignedIn`] or
//! [`Guest`] as arguments, and `?` on whatever they do with it gives the right answer: the
//! sign-in page, 401, 403, or a 503 that leaves the visitor's cookie alone.
//!
//! # From nothing to signing out everywhere
//!
//! An application in which people sign in, see who they are, and sign out on all their devices.
//! What a guest has put into the cart is still there after the sign-in.
//!
//! ```
//! use axum::extract::{Form, Path};
//! use axum::response::Redirect;
//! use axum::routing::{get, post};
//! use axum::Router;
//! use tenure_tower::{Error, Key, Memory, Session, SessionLayer, Sessions, SignIn, SignedIn, UserId};
//!
//! const CART: Key<Vec<String>> = Key::new("cart");
//!
//! fn app(sessions: &Sessions) -> Router {
//!     Router::new()
//!         .route("/cart/{item}", post(add))
//!         .route("/sign-in", post(sign_in))
//!         .route("/account", get(account))
//!         .route("/sign-out-everywhere", post(sign_out_everywhere))
//!         .layer(SessionLayer::new(sessions).sign_in_at("/sign-in"))
//! }
//!
//! /// For everybody. A guest session begins when there is something to keep.
//! async fn add(session: Session, Path(item): Path<String>) -> Result<&'static str, Error> {
//!     session.update(CART, |cart| cart.push(item.clone())).await?; // compare-and-set
//!     Ok("added")
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Login {
//!     name: String,
//!     password: String,
//! }
//!
//! async fn sign_in(session: Session, Form(login): Form<Login>) -> Result<Redirect, Error> {
//!     if let Some(user) = check_password(&login) {
//!         session.sign_in(SignIn::password(user)).await?; // the answer sets a new cookie
//!         return Ok(Redirect::to("/account"));
//!     }
//!     Ok(Redirect::to("/sign-in"))
//! }
//!
//! /// Yours: Tenure does everything after it.
//! fn check_password(login: &Login) -> Option<UserId> {
//!     let right = login.name == "alice" && login.password == "wonderland";
//!     right.then(|| UserId::new("u_1").ok()).flatten()
//! }
//!
//! /// For those who are signed in. Others are sent to the sign-in page.
//! async fn account(me: SignedIn) -> Result<String, Error> {
//!     let cart = me.session().get(CART).await?.unwrap_or_default();
//!     Ok(format!("{} on {} devices, cart: {cart:?}", me.user(), me.sessions().await?.len()))
//! }
//!
//! async fn sign_out_everywhere(me: SignedIn) -> Result<Redirect, Error> {
//!     me.sign_out_everywhere().await?;
//!     Ok(Redirect::to("/"))
//! }
//!
//! # use axum::body::Body;
//! # use axum::http::{Request, StatusCode, header};
//! # use tower::ServiceExt;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sessions = Sessions::open(Memory).await?; // or `tenure_embedded::Embedded::at("./data")`
//! let app = app(&sessions); // then axum::serve(listener, app)
//! # // What two browsers do with it.
//! # let send = async |method: &str, path: &str, cookie: &str, body: &str| {
//! #     let request = Request::builder().method(method).uri(path).header(header::COOKIE, cookie);
//! #     let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
//! #     let answer = app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
//! #     let set = answer.headers().get(header::SET_COOKIE).map(|value| value.to_str().unwrap());
//! #     let cookie = set.map_or(cookie, |set| set.split(';').next().unwrap()).to_owned();
//! #     let status = answer.status();
//! #     let body = axum::body::to_bytes(answer.into_body(), 4096).await.unwrap();
//! #     (status, cookie, String::from_utf8(body.to_vec()).unwrap())
//! # };
//! # let login = "name=alice&password=wonderland";
//! # let (_, guest, _) = send("POST", "/cart/tea", "", "").await;
//! # assert_eq!(send("GET", "/account", &guest, "").await.0, StatusCode::UNAUTHORIZED);
//! # let (_, laptop, _) = send("POST", "/sign-in", &guest, login).await;
//! # let (_, phone, _) = send("POST", "/sign-in", "", login).await;
//! # let (status, _, said) = send("GET", "/account", &laptop, "").await;
//! # assert_eq!((status, &*said), (StatusCode::OK, "u_1 on 2 devices, cart: [\"tea\"]"));
//! # assert_eq!(send("GET", "/account", &guest, "").await.0, StatusCode::UNAUTHORIZED);
//! # let (status, forgotten, _) = send("POST", "/sign-out-everywhere", &laptop, "").await;
//! # assert_eq!((status, &*forgotten), (StatusCode::SEE_OTHER, "__Host-sid="));
//! # assert_eq!(send("GET", "/account", &phone, "").await.0, StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! ```
//!
//! # What a handler takes
//!
//! | the visitor has | [`Session`] | [`SignedIn`] | [`Guest`] |
//! |---|---|---|---|
//! | no session, or one that is over | nothing yet; a guest session begins with what is kept first | 401 | nothing yet |
//! | a **guest** session | its data, no user | 401 | its data |
//! | a **pending** session: a user who owes a second factor | its data, no user | 401 | its data |
//! | a session of a **signed-in** user | its data and the user | the user | 403 |
//! | a token that a sign-in replaced | nothing; what would begin a session is 401 | 401 | nothing |
//! | a token that only the store knows, and it is away | 503 when something is asked of it | 503 | 503 |
//!
//! Instead of 401 people are sent to the sign-in page, and instead of 403 home, if the layer knows
//! them. [`Session`] itself costs nothing: it is read when something is asked of it.
//!
//! A guest session belongs to nobody: it is a cart before the sign-in. A pending one
//! ([`SignIn::pending`]) is of somebody who has shown the password and not the code. [`Guest`] lets
//! both in, for neither is signed in, and [`Session::user`] is none in both. What tells them apart is
//! the snapshot: its [`state`](Snapshot::state), and whose it will be. So a page for the second factor
//! takes [`Guest`]:
//!
//! ```
//! # use axum::{extract::Form, response::Redirect};
//! # use tenure_tower::{Error, Guest, Method, SessionState, SignIn, UserId};
//! # #[derive(serde::Deserialize)]
//! # struct Code { code: String }
//! # fn is_right(user: &UserId, code: &str) -> bool { true }
//! # fn totp() -> Method { Method::new("totp").expect("a method's name") }
//! async fn second_factor(visitor: Guest, Form(form): Form<Code>) -> Result<Redirect, Error> {
//!     let session = visitor.session().snapshot().await?;
//!     let pending = session.filter(|session| session.state() == SessionState::Pending);
//!     let Some(user) = pending.and_then(|session| session.user().cloned()) else {
//!         return Ok(Redirect::to("/sign-in")); // the password first
//!     };
//!     if is_right(&user, &form.code) {
//!         // Everything that was shown, and the roles: this is the whole sign-in.
//!         visitor.session().sign_in(SignIn::with(user, [Method::password(), totp()])).await?;
//!     }
//!     Ok(Redirect::to("/account"))
//! }
//! ```
//!
//! [`Guard`] asks for more around a whole group of routes: a role, a [`Level`], a recent
//! authentication. What is wrong with a request is a [`Failure`] in the extensions of its answer,
//! for pages of your own.
//!
//! # Where sessions are kept, and for how long
//!
//! In an engine: [`Memory`], or `tenure_embedded::Embedded` for a folder of this machine. An
//! application does not change for another one. How long they live is a [`Policy`];
//! [`Sessions::builder`] takes it, and a cookie of another name.
//!
//! # Tests
//!
//! With the feature `testing`, `tenure::testing::TestKit` signs in with one line, moves the clock
//! instead of waiting, and lets the store fail.
//!
//! The book in `docs/` of the repository says the rest: how sessions live and end, every field of
//! a policy, operating, and what stays your part.

mod adopt;
mod answer;
mod area;
mod error;
mod extract;
mod guard;
mod handle;
mod layer;
mod session;
mod settings;

pub use adopt::{Adopt, Foreign};
pub use area::In;
pub use error::{Error, Failure, Remedy};
pub use extract::{Guest, SignedIn};
pub use guard::{Guard, Guarded};
pub use layer::{SessionFuture, SessionLayer, SessionService};
pub use session::Session;

pub use tenure;
pub use tenure::{
    Actor, Adoption, Changes, CookieSettings, Device, EndReason, Inactive, Key, Level, Memory, Method,
    Policy, Preset, Realm, Reason, Refusal, Require, Role, SessionId, SessionState, Sessions, SignIn,
    Snapshot, UserId,
};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
