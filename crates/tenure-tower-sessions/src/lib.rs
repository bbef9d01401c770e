//! A store for [`tower-sessions`](https://docs.rs/tower-sessions): the application keeps its API,
//! and the sessions are Tenure's. Limits, lists, ending, events and encryption are those of every
//! other session.
//!
//! [`TenureStore`] goes where another store went. With [`TenureStore::signed_in_by`] it also says
//! who a session belongs to; then a user's sessions can be listed and ended like any others.
//!
//! # Example: the store in the place of another
//! ```
//! use axum::http::StatusCode;
//! use tenure::{Memory, Sessions, SignIn, UserId};
//! use tenure_tower_sessions::TenureStore;
//! use tower_sessions::{Session, SessionManagerLayer};
//!
//! async fn count(session: Session) -> Result<String, StatusCode> {
//!     let failed = |_| StatusCode::SERVICE_UNAVAILABLE;
//!     let visits = session.get::<u32>("visits").await.map_err(failed)?.unwrap_or(0) + 1;
//!     session.insert("visits", visits).await.map_err(failed)?;
//!     Ok(format!("visit {visits}"))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sessions = Sessions::open(Memory).await?;
//! let store = TenureStore::new(&sessions).signed_in_by(|data| {
//!     let user = UserId::new(data.get("user")?.as_str()?).ok()?;
//!     Some(SignIn::password(user))
//! });
//! let app: axum::Router = axum::Router::new()
//!     .route("/", axum::routing::get(count))
//!     .layer(SessionManagerLayer::new(store));
//! # use tower::ServiceExt;
//! # let answer = app.oneshot(axum::http::Request::new(axum::body::Body::empty())).await?;
//! # assert!(answer.headers().contains_key("set-cookie"));
//!
//! // Whoever is signed in is listed, and can be signed out everywhere.
//! let theirs = sessions.list(&UserId::new("u_8fa1")?).await?;
//! # assert!(theirs.is_empty());
//! # Ok(()) }
//! ```
//!
//! # What holds
//! - **Ended stays ended.** A save that comes late is refused and brings nothing back.
//! - **Parallel requests that set different keys lose nothing**: a save writes the keys that its
//!   request has changed, not the whole map.
//! - **Limits.** A session ends by the idle and absolute limits of the policy, or at the date that
//!   tower-sessions gave it, whichever comes first. A request that loads the session is activity.
//! - **A stolen store opens no session.** The id in the cookie is not in the store: it is the
//!   session's public id, encrypted under a key that comes from the master key. All but one in
//!   thousands of made-up ids are refused without asking the store.
//! - **A failing store is an error**, never an empty session.
//!
//! # What does not
//! - Two requests that set the *same* key: the last one wins. tower-sessions has no way to say more;
//!   [`tenure::Sessions::update`] has.
//! - A request that saves twice, as one that calls `Session::save` and whose layer saves once more,
//!   writes each time whatever it has changed since it was loaded or began. What another request has
//!   set in between under the same keys is taken back: tower-sessions hands the store the same
//!   record again and does not say what of it was saved before.
//! - `save` makes no session. An id that this store did not make, or whose session is over, is
//!   refused; other stores would bring it to life.
//! - A session that holds nothing at all cannot tell who emptied it: a save into it writes the whole
//!   map.
//! - A session becomes a user's, or stops being one's, with a new id only: `cycle_id` before the
//!   first, `flush` or `cycle_id` for the second. A save that would do it under the old id is refused.
//! - The id does not renew itself; `cycle_id` does that. In between a crash can lose the session:
//!   tower-sessions deletes the old one first.
//! - Whoever holds the master key and a copy of the store can make the ids. Tenure's own tokens
//!   do not have that weakness: the store has hashes of them only.
//! - The device and address of a session are not known: a store does not see the request.
//! - Data is bound by Tenure's limits: 32 KiB, 64 keys of 1 to 64 bytes each, one of them
//!   the store's own. An application's key `tower-sessions/expiry` or `tower-sessions/base` is refused.

mod data;
mod handle;
mod store;

pub use store::TenureStore;

/// The recipes compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/coming-from.md")]
pub struct ComingFrom;
