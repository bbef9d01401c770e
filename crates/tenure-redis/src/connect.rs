//! Connecting to a server, and knowing it again.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, TlsCertificates};
use tenure::store::StoreError;

use crate::url::Address;

/// How to connect, and how long to wait.
#[derive(Clone)]
pub(crate) struct Settings {
    /// For an answer.
    pub(crate) timeout: Duration,
    /// How many replicas are to have what must not be lost.
    pub(crate) replicas: u32,
    /// How long to wait for them.
    pub(crate) replica_timeout: Duration,
    /// For how long what they confirmed is good.
    pub(crate) bound: Duration,
    /// The authority that servers' certificates are from, instead of the system's.
    pub(crate) authority: Option<Vec<u8>>,
    /// `user:password` at the sentinels.
    pub(crate) sentinel_login: Option<String>,
}

/// The name of a server's process and its history, if it is a primary.
pub(crate) fn identity(run: &str, replication: &str) -> String {
    format!("{run} {}", field(replication, "master_replid").unwrap_or_default())
}

/// A line of what `INFO` says.
pub(crate) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// A client for one server.
///
/// # Errors
/// Configuration when certificates cannot be used.
pub(crate) fn client(info: ConnectionInfo, settings: &Settings) -> Result<Client, StoreError> {
    let root_cert = settings.authority.clone();
    let client = match root_cert {
        Some(_) => Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert }),
        None => Client::open(info),
    };
    client
        .map_err(|error| StoreError::Configuration(format!("Redis cannot be used so: {}", error.category())))
}

/// Connects to a server.
///
/// # Errors
/// Unavailable, or Configuration when it does not let us in.
pub(crate) async fn connect(
    client: &Client,
    address: &Address,
    within: Duration,
    answers_within: Duration,
) -> Result<MultiplexedConnection, StoreError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(within))
        .set_response_timeout(Some(answers_within));
    client.get_multiplexed_async_connection_with_config(&config).await.map_err(|error| match error.kind() {
        redis::ErrorKind::AuthenticationFailed => {
            StoreError::Configuration(format!("{address} does not accept this user and password"))
        }
        _ => StoreError::Unavailable(format!("no connection to {address}: {}", error.category())),
    })
}
