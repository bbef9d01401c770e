//! Sessions of Tenure in Redis or Valkey, shared by many nodes: [`Redis`] names the servers, and opening
//! it gives the store.
//!
//! Sessions lie in partitions, each in one hash slot. A change reads, decides in Rust by the rules that
//! every store follows, and writes with one script, which compares what the decision was made on.

#![doc(html_no_source)]

mod answer;
mod calls;
mod connect;
mod engine;
mod error;
mod guests;
mod heads;
mod heart;
mod keys;
mod link;
mod meet;
mod meta;
mod moving;
mod news;
mod open;
mod options;
mod pack;
mod place;
mod scan;
mod script;
mod servers;
mod url;
mod wake;

pub use engine::Redis;
pub use tenure_shared::AfterRestore;
