//! The default store of Tenure: durable sessions on one machine, in SQLite.
//!
//! [`Embedded`] names a folder; opening it gives the store. Everything it acknowledges is on
//! the disk, and checks never wait for writes.
//!
//! # Example: sessions that survive a restart
//! ```no_run
//! use std::sync::Arc;
//! use tenure::clock::SystemClock;
//! use tenure::random::SystemRandom;
//! use tenure::store::{Context, Engine, StoreError};
//! use tenure_embedded::Embedded;
//!
//! # async fn example() -> Result<(), StoreError> {
//! let context = Context::new(Arc::new(SystemClock), Arc::new(SystemRandom));
//! let opened = Box::new(Embedded::at("./data")).open(context).await?;
//! opened.store.close().await;
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

pub use engine::{AfterClockGap, AfterRestore, Embedded};
pub use verify::{Progress, Report};
