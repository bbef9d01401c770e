//! Load over sockets: visitors with cookies, on connections that stay open.

mod connection;
mod server;
mod slice;

pub use server::Server;
pub use slice::{Load, Slice};
