//! A test kit for applications: sessions in memory, a clock to advance, and a store that fails when it is told to.
//!
//! # Example: a request of somebody who is signed in
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use tenure::testing::TestKit;
//!
//! let kit = TestKit::new().await;
//! let cookie = kit.sign_in_as("alice").await;
//! // Send it as the `Cookie` header of a request to your application, built on `kit.sessions`.
//! assert!(cookie.starts_with("__Host-sid=tn1_"));
//!
//! kit.advance(Duration::from_secs(31 * 60)).await;
//! assert_eq!(kit.user_of(&cookie).await, None, "idle for longer than the policy allows");
//! # Ok(()) }
//! ```
//!
//! # Example: an outage of the store
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tenure::testing::{Call, Faults, Trouble};
//! use tenure::{Blame, Check, Memory, Sessions, SignIn, UserId};
//!
//! let faults = Faults::default();
//! // Before any engine. Without memory of its own, each check asks the store.
//! let builder = Sessions::builder(faults.before(Memory)).cache_bytes(0).without_background();
//! let sessions = builder.open().await?;
//! let issued = sessions.sign_in(None, SignIn::password(UserId::new("alice")?)).await?;
//! let token = issued.token.expose().as_bytes();
//!
//! faults.everything(Trouble::unavailable());
//! let error = sessions.check(token, &Check::signed_in()).await.unwrap_err();
//! assert_eq!(error.blame(), Blame::Store, "503, and no word on whether she is signed in");
//!
//! faults.heal();
//! assert!(sessions.check(token, &Check::signed_in()).await?.active().is_some());
//! assert_eq!(faults.count(Call::Load), 2);
//! # Ok(()) }
//! ```

mod brittle;
mod faults;
mod gate;
mod kit;
mod orders;
mod shared;

pub use crate::store::call::Call;
pub use brittle::Brittle;
pub use faults::{Faults, Passing, Trouble};
pub use gate::Gate;
pub use kit::TestKit;
pub use orders::every_order;
pub use shared::{Replica, SharedMemory};
