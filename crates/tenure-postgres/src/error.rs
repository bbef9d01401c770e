//! What PostgreSQL and the connection to it say, in the words of the store.

use std::error::Error as _;

use deadpool_postgres::{HookError, PoolError};
use tenure::store::StoreError;
use tenure_shared::Wrote;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Whether what was sent may have changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It was not sent, or only reads.
    Nothing,
    /// It writes, and can be sent again.
    Again,
    /// A write.
    Write,
}

/// An error, by what became of what was sent.
pub(crate) fn of(error: &Error, sent: Sent) -> StoreError {
    let text = describe(error);
    let Some(state) = error.code() else {
        if is_conversion(error) {
            return StoreError::Corrupt(format!("{text}; restore a backup of the database"));
        }
        return doubt(sent, text);
    };
    match state {
        &SqlState::DISK_FULL => StoreError::Full(format!("{text}; free some space on the server's disk")),
        &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED => corrupt(&text),
        // The server ends the connection, perhaps after it has committed.
        &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN => doubt(sent, text),
        &SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::Unavailable(format!(
            "{text}: this server takes no writes, it may be a standby; name all servers in the URL"
        )),
        &SqlState::INSUFFICIENT_PRIVILEGE => StoreError::Configuration(format!(
            "{text}; give the role the rights on the schema, or let it own the schema"
        )),
        &SqlState::UNDEFINED_TABLE | &SqlState::UNDEFINED_FUNCTION | &SqlState::INVALID_SCHEMA_NAME => {
            StoreError::Configuration(format!("{text}; the tables of the store are gone or incomplete"))
        }
        &SqlState::INVALID_CATALOG_NAME => {
            StoreError::Configuration(format!("{text}; make the database with `createdb`"))
        }
        other => match &other.code()[..2] {
            "28" => StoreError::Configuration(format!("{text}; look at user and password in the URL")),
            "22" | "23" => corrupt(&text),
            _ => StoreError::Unavailable(text),
        },
    }
}

/// No connection.
pub(crate) fn of_pool(error: &PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            of(error, Sent::Nothing)
        }
        PoolError::Closed => closed(),
        PoolError::Timeout(_) => none_free(),
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// There is no connection in time.
pub(crate) fn none_free() -> StoreError {
    StoreError::Unavailable(
        "no connection to PostgreSQL in time: it does not answer, or commits wait for a standby".into(),
    )
}

/// There was no answer in time.
pub(crate) fn no_answer(sent: Sent) -> StoreError {
    doubt(sent, "PostgreSQL does not answer".into())
}

/// It was closed.
pub(crate) fn closed() -> StoreError {
    StoreError::Unavailable("it was closed".into())
}

/// Something that must be there is not, or is something else.
pub(crate) fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what}; restore a backup of the database"))
}

fn doubt(sent: Sent, text: String) -> StoreError {
    match sent {
        Sent::Write => StoreError::Unknown(text),
        Sent::Nothing | Sent::Again => StoreError::Unavailable(text),
    }
}

/// Whether a value that was read is not what it should be.
fn is_conversion(error: &Error) -> bool {
    // The library has no name for the kind, but its text is its own.
    error.to_string().starts_with("error deserializing column")
}

/// The message without details, which may quote values.
pub(crate) fn describe(error: &Error) -> String {
    if let Some(from_server) = error.as_db_error() {
        return format!("{} ({})", from_server.message(), from_server.code().code());
    }
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// What a function says that writes.
pub(crate) fn wrote(code: i32) -> Result<Wrote, StoreError> {
    Wrote::of_code(code.into()).unwrap_or_else(|| Err(corrupt("the function that writes is another one")))
}
