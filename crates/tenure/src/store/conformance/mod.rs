//! The conformance suite: whether a [`Store`](super::Store) keeps its promises.
//!
//! For everybody who writes a store. It needs the feature `testing`; in the `Cargo.toml` of
//! the store:
//!
//! ```toml
//! [dev-dependencies]
//! tenure = { version = "0.1", features = ["testing"] }
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//! ```
//!
//! Then one line makes one test of each case, named as the promise that it tries, as in
//! `revocation::late_change_cannot_revive_an_ended_session`:
//!
//! # Example: trying the store in memory
//! ```
//! use tenure::Memory;
//! use tenure::store::conformance::Fixture;
//!
//! async fn empty() -> Fixture {
//!     Fixture::open(|| Memory).await
//! }
//!
//! tenure::store_conformance!(empty);
//! # fn main() {}
//! ```
//!
//! The function is called for each test and opens a store that is **empty and shared with
//! no other test**: a fresh folder, schema or prefix. What it gives to [`Fixture::open`]
//! makes the [`Engine`](super::Engine), and owns what has to live as long as the test:
//!
//! ```text
//! async fn empty() -> Fixture {
//!     let folder = tempfile::tempdir().unwrap();
//!     Fixture::open(move || Embedded::at(folder.path())).await
//! }
//! ```
//!
//! [`cases`] has the same list for those who would rather run it in their own way, and
//! [`Fixture`] its tools for tests of one's own: builders for sessions, operations and
//! conditions, and what asks a store and looks at its log.
//!
//! # Example: a test of one's own
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use std::time::Duration;
//! use tenure::Memory;
//! use tenure::store::conformance::{Fixture, logout, user};
//!
//! let fixture = Fixture::open(|| Memory).await;
//! let session = fixture.begin(fixture.signed_in(&user("u_1"))).await;
//! fixture.wait(Duration::from_secs(60));
//! fixture.apply(session.id, logout()).await;
//! assert!(fixture.list(&user("u_1")).await.is_empty());
//! assert_eq!(fixture.end_of(session.id).await.at, fixture.now());
//! # }
//! ```
//!
//! # What a store must bring
//!
//! - It takes the time from the [`Context`](super::Context) that it is opened with, and from
//!   nowhere else. The clock of a test stands still until the case moves it.
//! - It works on a runtime with several threads. Many cases let 8 to 50 tasks begin at the
//!   same moment; none of them sleeps or has a time limit, so a store that blocks hangs.
//! - If it says [`durable`](super::StoreInfo::durable), it can be closed and opened again.
//!   Only durable stores are asked the cases of the group `restart`, and only those that can
//!   [move](super::Movable) those of `moving`; for others these tests pass without doing anything, as
//!   [`Case::applies_to`] says.
//!
//! # What each group tries
//!
//! | group | what holds | promise |
//! |---|---|---|
//! | `missing` | a session or user that never was is no error, and changes nothing; a closed store fails every call | P5 |
//! | `creating` | a session is as it was ordered; an id begins once, whatever became of it | P1, P2 |
//! | `changing` | changes to different keys all survive; a change against something old is a conflict | P2 |
//! | `data_limits` | 64 keys of 64 bytes, 32 KiB in all; what does not fit is refused whole | |
//! | `retries` | an operation that comes again changes and tells nothing; receipts are given back and go in time | P2 |
//! | `revocation` | nothing changes an ended session: no mutation, no touch, no race | P1 |
//! | `expiry` | touches move forward only; only full authentication moves the absolute limit; a session past a limit is dead at once; a clock that jumps ends nobody | P4 |
//! | `events` | each step is told once, each end with time, reason and actor; the log has no gap and reads the same again; an old position is refused | P7 |
//! | `listing` | the list has every live session and no ended one, also in a race with signing out everywhere | P8 |
//! | `limits` | never more sessions than allowed, pending ones and guests apart; who is pushed out is told so once | P7, P8 |
//! | `claims` | a guest that becomes a user is frozen, released by its own attempt only, and a refused sign-in uses up its id | P1 |
//! | `rotation` | everybody gets the same prepared token, it takes over once, and a replaced one changes nothing | P10 |
//! | `authentication` | a second factor and a new password: what they move and what they do not | P4, P10 |
//! | `users` | disabling ends and refuses everything of a user at once | P1, P8 |
//! | `paging` | pages are complete and without doubles, whatever comes and goes meanwhile | |
//! | `sweeping` | housekeeping is bounded, tells each end once, touches nobody alive and forgets in time | P4, P7 |
//! | `moving` | all is exported and imported once, nothing is taken back; a frozen store is not written in, a shut one answers nobody; only who froze it may shut it | P1, P2 |
//! | `restart` | what was acknowledged is there after closing and opening | P1, P6 |

mod acting;
mod authentication;
mod builders;
mod case;
mod changing;
mod claims;
mod creating;
mod data_limits;
mod events;
mod expiry;
mod fixture;
mod limits;
mod list;
mod listing;
mod missing;
mod moving;
mod paging;
mod restart;
mod retries;
mod revocation;
mod rotation;
mod sweeping;
mod tables;
mod users;

pub use builders::{
    ABSOLUTE_MS, GRACE, IDLE_MS, admission, change, claim, end, identity, logout, owner, revoked, route,
    sealed, set, sweep, user,
};
pub use case::{Case, Run};
pub use fixture::Fixture;
pub use list::{cases, run};
