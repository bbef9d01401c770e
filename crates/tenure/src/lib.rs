//! User sessions for web back ends: who is signed in, on which device, how strongly, until
//! when, and how that ends.
//!
//! This is the core: no framework, no socket, no file. Applications on tower, such as those of axum,
//! take it through `tenure-tower`, whose first page leads from nothing to a signed-in user.
//! [`Sessions`] is the handle that everything goes through.
//!
//! # From nothing to signing out everywhere
//!
//! ```
//! use tenure::{Check, Key, Memory, NewGuest, Sessions, SignIn, UserId};
//!
//! const CART: Key<Vec<String>> = Key::new("cart");
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sessions = Sessions::open(Memory).await?; // or `tenure_embedded::Embedded::at("./data")`
//!
//! // A visitor puts something into a cart. `set_cookie` is the header to send.
//! let guest = sessions.create_guest(NewGuest::default()).await?;
//! let cookie = guest.set_cookie.expose().split(';').next().unwrap().to_owned();
//!
//! // The next request brings the cookie. Guests are accepted here.
//! let visitor = sessions.check_cookie([cookie.as_bytes()], &Check::any()).await?;
//! let active = visitor.active().expect("a guest's session");
//! sessions.update(active, CART, |cart| cart.push("tea".into())).await?; // compare-and-set
//!
//! // Your password check says yes: the cart comes along, and the old cookie is dead.
//! let user = UserId::new("u_1")?;
//! let laptop = sessions.sign_in(Some(&visitor), SignIn::password(user.clone())).await?;
//! let phone = sessions.sign_in(None, SignIn::password(user.clone())).await?;
//! assert_eq!(CART.read(&laptop.session)?, Some(vec!["tea".to_owned()]));
//! assert_eq!(sessions.list(&user).await?.len(), 2);
//!
//! // Signed-in users only, as a check is by default.
//! let verdict = sessions.check(laptop.token.expose().as_bytes(), &Check::default()).await?;
//! let me = verdict.active().expect("signed in a moment ago");
//! assert_eq!(me.session().user(), Some(&user));
//!
//! // At once and for good, on all devices.
//! assert_eq!(sessions.sign_out_everywhere(me).await?, 2);
//! let verdict = sessions.check(phone.token.expose().as_bytes(), &Check::default()).await?;
//! assert_eq!((verdict.as_str(), verdict.reason().unwrap().as_str()), ("inactive", "logout"));
//! # Ok(()) }
//! ```
//!
//! # What is where
//!
//! | to | see |
//! |---|---|
//! | say how long sessions live | [`Policy`], [`Preset`] |
//! | require a role, a level or a recent sign-in | [`Require`] |
//! | have several applications or tenants in one store | [`Sessions::in_realm`] |
//! | write a store | [`store`] |
//! | test | `testing`, with the feature of that name |
//! | read what can go wrong | [`Error`], by whose fault it is |
//!
//! The book in `docs/` of the repository says how sessions live and end, how to operate, and what
//! stays your part.

mod cache;
pub mod clock;
mod cookie;
mod device;
mod error;
pub mod event;
mod freshness;
mod front;
mod id;
mod key;
mod keys;
mod level;
mod limiter;
pub mod metrics;
mod policy;
pub mod random;
mod reason;
pub mod record;
mod seal;
mod sessions;
mod snapshot;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod token;
mod tombstones;
mod vault;

pub use cookie::{CookieSettings, Found, InvalidCookieName, SameSite, SetCookie};
pub use device::{Device, DeviceKind, MAX_USER_AGENT};
pub use error::{Blame, Error};
pub use id::{InvalidName, InvalidSessionId, OperationId, Realm, Role, Route, SessionId, UserId};
pub use key::Key;
pub use keys::{InvalidMasterKey, MasterKey};
pub use level::{InvalidLevel, Level};
pub use policy::{
    Deviation, GuestPolicy, InvalidPolicy, Limits, MAX_COOKIE_AGE, PendingPolicy, Policy, Preset, RolePolicy,
    RotationPolicy, Stricter, UnknownPreset,
};
pub use reason::{Actor, EndReason, Ending, MAX_NOTE, Reason};
pub use record::admission::AtLimit;
pub use record::identity::{Method, MethodUse};
pub use record::refusal::Refusal;
pub use record::session_state::SessionState;
pub use seal::{SEAL_OVERHEAD, Sealed};
pub use sessions::{
    Active, Adoption, Builder, Changes, Check, IdempotencyKey, Inactive, InvalidIdempotencyKey, Issued,
    Maintained, Move, MoveProgress, MoveStage, Moved, NewGuest, Require, SessionPage, Sessions, SignIn,
    Verdict,
};
pub use snapshot::Snapshot;
pub use store::memory::Memory;
pub use token::{SecretHash, SessionToken, TOKEN_LEN};
