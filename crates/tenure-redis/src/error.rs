//! What the server's errors mean.

use redis::{RedisError, ServerError, ServerErrorKind, Value};
use tenure::store::StoreError;

use crate::url::Address;

/// Why there is no answer to a command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was not done.
    Refused(StoreError),
    /// It was sent, and may have been done.
    Broken(String),
    /// The same, and there was no answer in time.
    Late(String),
}

impl Failure {
    /// For a command that only reads.
    pub(crate) fn of_read(self) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Broken(why) | Self::Late(why) => StoreError::Unavailable(why),
        }
    }

    /// For a command that writes.
    pub(crate) fn of_write(self) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Broken(why) | Self::Late(why) => StoreError::Unknown(why),
        }
    }
}

/// What a server says instead of an answer. Nothing was done, except for `Failed`.
#[derive(Debug)]
pub(crate) enum Excuse {
    /// It does not know the script.
    NoScript,
    /// The slot lies elsewhere.
    Moved,
    /// This once, another server is to be asked.
    Ask(Option<Address>),
    /// It is no primary, or not any more.
    NotPrimary(String),
    /// Later.
    Later(String),
    /// It will not do it.
    Refused(StoreError),
    /// It broke off.
    Failed(String),
}

/// The first error among the answers.
pub(crate) fn excuse(value: &Value, asked: &Address) -> Option<Excuse> {
    match value {
        Value::ServerError(error) => Some(of_server(error, asked)),
        Value::Array(values) => values.iter().find_map(|value| match value {
            Value::ServerError(error) => Some(of_server(error, asked)),
            _ => None,
        }),
        _ => None,
    }
}

fn of_server(error: &ServerError, asked: &Address) -> Excuse {
    let said = format!("{asked} says {} {}", error.code(), error.details().unwrap_or_default());
    match error.kind() {
        Some(ServerErrorKind::NoScript) => return Excuse::NoScript,
        Some(ServerErrorKind::Moved) => return Excuse::Moved,
        Some(ServerErrorKind::Ask) => {
            return Excuse::Ask(error.details().and_then(|text| redirected(text, asked)));
        }
        Some(ServerErrorKind::ReadOnly) => return Excuse::NotPrimary(said),
        Some(ServerErrorKind::TryAgain) => return Excuse::Later(said),
        Some(ServerErrorKind::BusyLoading | ServerErrorKind::ClusterDown | ServerErrorKind::MasterDown) => {
            return Excuse::Refused(StoreError::Unavailable(said));
        }
        Some(ServerErrorKind::NoPerm) => return Excuse::Refused(StoreError::Configuration(said)),
        _ => {}
    }
    match error.code() {
        "OOM" => Excuse::Refused(StoreError::Full(format!("{asked} is at its limit of memory (maxmemory)"))),
        "NOREPLICAS" | "BUSY" => Excuse::Refused(StoreError::Unavailable(said)),
        "MISCONF" => Excuse::Refused(StoreError::Unavailable(format!(
            "{asked} cannot save to its disk and takes no writes until it can: make room there, or see its log \
             for what is wrong"
        ))),
        "NOAUTH" | "WRONGPASS" => Excuse::Refused(StoreError::Configuration(said)),
        _ => Excuse::Failed(said),
    }
}

/// `SLOT HOST:PORT`; without a host it is that of the server that says so.
fn redirected(details: &str, asked: &Address) -> Option<Address> {
    let (host, port) = details.split_whitespace().nth(1)?.rsplit_once(':')?;
    let host = if host.is_empty() { &asked.host } else { host };
    Some(Address { host: host.to_owned(), port: port.parse().ok()? })
}

/// A connection that broke, without what was sent over it.
pub(crate) fn broken(asked: &Address, error: &RedisError) -> String {
    if error.is_timeout() {
        format!("{asked} does not answer in time")
    } else {
        format!("the connection to {asked} broke: {}", error.category())
    }
}

/// An answer of another shape than ours.
pub(crate) fn odd() -> StoreError {
    StoreError::Corrupt("Redis answers what no Tenure wrote; does something else use the same prefix?".into())
}
