//! Taking an address.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::net::TcpListener;

/// Takes an address.
pub(crate) async fn listen(at: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(at)
        .await
        .with_context(|| format!("cannot listen on {at} (take another address with --listen)"))
}
