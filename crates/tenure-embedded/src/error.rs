//! What SQLite and the file system say, in the words of the store.

use std::io;
use std::path::Path;

use rusqlite::{ErrorCode, ffi};
use tenure::store::StoreError;

/// What to do about damage.
pub(crate) const REMEDY: &str =
    "run `tenure store verify DIR` to see how much is affected, and restore a backup";

/// A failure inside a step of the store.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) StoreError);

/// The result of a step of the store.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// Whether it is damage to what is stored.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self.0, StoreError::Corrupt(_))
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self(sqlite(&error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

/// An error before the commit: nothing happened.
pub(crate) fn sqlite(error: &rusqlite::Error) -> StoreError {
    let text = describe(error);
    let Some(code) = error.sqlite_error_code() else {
        return damaged(&text);
    };
    match error.sqlite_extended_error_code() {
        // The file is shorter than it says, or other than it was.
        Some(ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_DATA) => return damaged(&text),
        // The index of the write-ahead log could not grow.
        Some(ffi::SQLITE_IOERR_SHMSIZE) => return full(&text),
        _ => {}
    }
    match code {
        ErrorCode::DiskFull => full(&text),
        ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::ConstraintViolation
        | ErrorCode::TypeMismatch
        | ErrorCode::Unknown => damaged(&text),
        _ => StoreError::Unavailable(text),
    }
}

/// An error of the commit itself: what it was to write may be there after a restart.
pub(crate) fn in_commit(error: &rusqlite::Error) -> StoreError {
    match sqlite(error) {
        StoreError::Unavailable(_) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
            StoreError::Unavailable(describe(error))
        }
        StoreError::Unavailable(text) => StoreError::Unknown(text),
        other => other,
    }
}

/// Damage that is not tied to one session.
pub(crate) fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what}; {REMEDY}"))
}

/// No room.
pub(crate) fn full(why: &str) -> StoreError {
    StoreError::Full(format!("{why}; free some disk space or raise the store's limit"))
}

/// A file operation of opening or closing that failed.
pub(crate) fn file(doing: &str, path: &Path, error: &io::Error) -> StoreError {
    let text = format!("{doing} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => full(&text),
        _ => StoreError::Configuration(text),
    }
}

/// The store was closed, or its thread is gone.
pub(crate) fn closed() -> StoreError {
    StoreError::Unavailable("it was closed".into())
}

/// The message of SQLite without the SQL; none of our statements has values in its text.
fn describe(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::SqliteFailure(code, None) => code.to_string(),
        rusqlite::Error::QueryReturnedNoRows => "a row that must be there is missing".into(),
        _ => "a row holds a value of the wrong kind".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
    }

    #[test]
    fn sqlite_errors_are_told_by_what_they_mean() {
        let cases = [
            (ffi::SQLITE_FULL, "full"),
            (ffi::SQLITE_IOERR_SHMSIZE, "full"),
            (ffi::SQLITE_CORRUPT, "damaged"),
            (ffi::SQLITE_NOTADB, "damaged"),
            (ffi::SQLITE_IOERR_SHORT_READ, "damaged"),
            (ffi::SQLITE_BUSY, "answer"),
            (ffi::SQLITE_IOERR_READ, "answer"),
        ];
        for (code, word) in cases {
            assert!(sqlite(&failure(code)).to_string().contains(word), "{code}");
        }
    }

    #[test]
    fn an_io_error_in_a_commit_leaves_the_outcome_unknown() {
        let outcome = in_commit(&failure(ffi::SQLITE_IOERR_FSYNC));
        assert!(matches!(outcome, StoreError::Unknown(_)));
        let full = in_commit(&failure(ffi::SQLITE_FULL));
        assert!(matches!(full, StoreError::Full(_)));
    }
}
