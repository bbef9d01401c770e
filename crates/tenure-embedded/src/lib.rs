//! The default store of Tenure: durable sessions on one machine, in SQLite.
//!
//! [`Embedded`] names a folder; opening it gives the store. Everything it acknowledges is on
//! the disk, and checks never wait for writes. One process has the folder open at a time.
//!
//! The master key is kept outside the folder, so a copy of the folder opens no session: where it
//! is looked for, and what a restored copy does, is said at [`Embedded`].
//!
//! # Example: sessions that survive a restart
//! ```
//! use tenure::{Check, Sessions, SignIn, UserId};
//! use tenure_embedded::Embedded;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (folder, config) = (tempfile::tempdir()?, tempfile::tempdir()?);
//! # let (data, config) = (folder.path().join("data"), config.path());
//! let sessions = Sessions::open(Embedded::at(&data).config_dir(config)).await?;
//! let token = sessions.sign_in(None, SignIn::password(UserId::new("u_1")?)).await?.token;
//! sessions.close().await?;
//!
//! // The process ends, and starts again: the master key is in `config`, the sessions in `data`.
//! let sessions = Sessions::open(Embedded::at(&data).config_dir(config)).await?;
//! assert_eq!(sessions.check(token.expose().as_bytes(), &Check::signed_in()).await?.as_str(), "ok");
//! # sessions.close().await?;
//! # Ok(()) }
//! ```

mod backup;
mod commit;
mod engine;
mod error;
mod folder;
mod job;
mod key_file;
mod log;
mod mark;
mod meta;
mod moving;
mod open;
mod operations;
mod pack;
mod reader;
mod reserve;
mod rows;
mod schema;
mod start;
mod store;
mod sweep;
mod txn;
mod verify;
mod writer;

pub use engine::{AfterClockGap, Embedded};
pub use tenure_shared::AfterRestore;
pub use verify::{Progress, Report};
