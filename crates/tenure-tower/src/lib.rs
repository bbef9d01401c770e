//! User sessions for axum and every other tower web framework.
//!
//! [`SessionLayer`] goes around the application; handlers take [`Session`], [`SignedIn`] or
//! [`Guest`] as arguments, and `?` on whatever they do with it gives the right answer: the
//! sign-in page, 401, 403, or a 503 that leaves the visitor's cookie alone.
//!
//! # Example: a cart that survives the sign-in
//! ```no_run
//! use axum::Router;
//! use axum::extract::{Form, Path};
//! use axum::response::Redirect;
//! use axum::routing::{get, post};
//! use tenure_tower::{Key, Memory, Session, SessionLayer, Sessions, SignIn, SignedIn};
//!
//! const CART: Key<Vec<String>> = Key::new("cart");
//!
//! #[derive(serde::Deserialize)]
//! struct Login {
//!     user: String,
//!     password: String,
//!     #[serde(default)]
//!     remember: bool,
//! }
//!
//! async fn add(s: Session, Path(item): Path<String>) -> Result<&'static str, tenure_tower::Error> {
//!     s.update(CART, |cart| cart.push(item.clone())).await?; // compare-and-set
//!     Ok("added")
//! }
//!
//! async fn sign_in(s: Session, Form(form): Form<Login>) -> Result<Redirect, tenure_tower::Error> {
//!     let user = check_password(&form.user, &form.password).await?; // yours
//!     s.sign_in(SignIn::password(user).remember(form.remember)).await?;
//!     Ok(Redirect::to("/account"))
//! }
//!
//! # async fn check_password(user: &str, _: &str) -> Result<tenure_tower::UserId, tenure_tower::Error> {
//! #     Ok(tenure_tower::UserId::new(user).map_err(tenure_tower::tenure::Error::from)?)
//! # }
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sessions = Sessions::open(Memory).await?;
//! let app = Router::new()
//!     .route("/cart/{item}", post(add))
//!     .route("/sign-in", post(sign_in))
//!     .route("/account", get(|me: SignedIn| async move { format!("Hello {}", me.user()) }))
//!     .layer(SessionLayer::new(&sessions).sign_in_at("/sign-in"));
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! axum::serve(listener, app).await?;
//! # Ok(()) }
//! ```

mod answer;
mod error;
mod extract;
mod guard;
mod handle;
mod layer;
mod session;
mod settings;

pub use error::{Error, Failure, Remedy};
pub use extract::{Guest, SignedIn};
pub use guard::{Guard, Guarded};
pub use layer::{SessionFuture, SessionLayer, SessionService};
pub use session::Session;

pub use tenure;
pub use tenure::{
    Actor, Changes, CookieSettings, Device, EndReason, Inactive, Key, Level, Memory, Method, Policy, Preset,
    Realm, Reason, Refusal, Require, Role, SessionId, SessionState, Sessions, SignIn, Snapshot, UserId,
};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
