//! Connecting to a server, and knowing it again.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, fs, io};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, RedisError, TlsCertificates};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
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
        _ => match of_tls(&error) {
            Some(rustls::Error::InvalidCertificate(why)) => StoreError::Configuration(format!(
                "the certificate of {address} is not accepted, {why}: give the file of the authority that \
                 signed it (in Rust: `Redis::authority_file`), and say the host as the certificate does"
            )),
            Some(why) => StoreError::Unavailable(format!("no TLS with {address}: {why}")),
            None => StoreError::Unavailable(format!("no connection to {address}: {}", error.category())),
        },
    })
}

/// What TLS says of it.
fn of_tls(error: &RedisError) -> Option<&rustls::Error> {
    // The client keeps its causes behind a pointer.
    let cause = error.source()?.downcast_ref::<Arc<dyn Error + Send + Sync>>()?;
    cause.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}

/// The certificates in a file.
///
/// # Errors
/// Configuration when there are none.
pub(crate) fn certificates(path: &Path) -> Result<Vec<u8>, StoreError> {
    let wrong = |why: &dyn fmt::Display| {
        StoreError::Configuration(format!("reading the certificates in {}: {why}", path.display()))
    };
    let pem = fs::read(path).map_err(|error| wrong(&error))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(pem),
        Ok(_) => Err(wrong(&"it has none; they are expected as PEM")),
        Err(error) => Err(wrong(&error)),
    }
}
