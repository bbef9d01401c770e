//! Sessions in PostgreSQL: durable, shared by many nodes.
//!
//! [`Postgres`] names a server; opening it makes its tables where there are none. All nodes that
//! are given the same URL and the same master key serve the same sessions.
//!
//! The rules of sessions are those of every other store and run in the node. PostgreSQL compares
//! what a node has seen with what is there, and writes: one round trip for a change.

mod changes;
mod columns;
mod engine;
mod error;
mod heartbeat;
mod identity;
mod listen;
mod log;
mod moving;
mod place;
mod pool;
mod rows;
mod schema;
mod server;
mod statements;
mod types;
mod write;

pub use engine::Postgres;
pub use tenure_shared::AfterRestore;
