//! Visitors who come with a session of another system stay signed in, and nobody else gets in.

mod apart;
mod elsewhere;
mod left_alone;
mod limits;
mod network;
mod over;
#[allow(dead_code, reason = "these tests use a part of it")]
#[path = "../support/mod.rs"]
mod support;
mod taken_over;
