//! What takes PostgreSQL, Redis or nginx. `cargo xtask test --quick` leaves `needs_servers` out.
#![cfg(unix)]

mod common;
mod needs_servers;
