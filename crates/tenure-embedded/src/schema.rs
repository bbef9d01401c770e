//! Making a database, opening it, and moving its schema on.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use tenure::clock::Timestamp;
use tenure::store::StoreError;

use crate::error::{Result, damaged};
use crate::meta::{Head, Meta};

/// The schema that this release writes.
pub(crate) const SCHEMA: i64 = 1;

/// One step from a schema to the next.
struct Migration {
    /// The schema that it leads to.
    to: i64,
    /// The oldest release that can run on that one. A schema changes in two steps: first
    /// what is new is added and the release before can still run; what is old goes later.
    readable_by: i64,
    /// What changes.
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[Migration {
    to: 1,
    readable_by: 1,
    sql: include_str!("schema.sql"),
}];

/// How large a page is. Larger pages waste less at their ends, smaller ones make a smaller
/// commit.
const PAGE: u32 = 4096;

/// How many pages the write-ahead log holds before they go into the database.
const LOG_PAGES: u32 = 1000;

/// Makes a database that holds an empty store.
pub(crate) fn create(path: &Path, meta: &mut Meta, latest: Timestamp) -> Result<()> {
    let mut conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.pragma_update(None, "page_size", PAGE)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    let txn = conn.transaction()?;
    let head = Head {
        latest,
        ..Head::default()
    };
    migrate_from(&txn, 0, meta)?;
    head.write(&txn)?;
    txn.commit()?;
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Configuration(
            "SQLite cannot keep a write-ahead log here; use a folder on a local disk".into(),
        )
        .into());
    }
    conn.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// Moves a store to the schema of this release. One of a later release that this one can
/// still run on stays as it is.
///
/// # Errors
/// Configuration when a later release left nothing that this one could run on.
pub(crate) fn migrate(conn: &mut Connection, meta: &mut Meta) -> Result<()> {
    if meta.readable_by > SCHEMA {
        return Err(StoreError::Configuration(format!(
            "it was written by a newer release (schema {}, which needs a release that knows schema {}; \
             this one knows {SCHEMA}). Run that release, or restore a backup from before the upgrade",
            meta.schema, meta.readable_by
        ))
        .into());
    }
    if meta.schema >= SCHEMA {
        return Ok(());
    }
    let txn = conn.transaction()?;
    migrate_from(&txn, meta.schema, meta)?;
    txn.commit()?;
    Ok(())
}

fn migrate_from(conn: &Connection, schema: i64, meta: &mut Meta) -> Result<()> {
    for step in MIGRATIONS.iter().filter(|step| step.to > schema) {
        conn.execute_batch(step.sql)?;
        (meta.schema, meta.readable_by) = (step.to, step.readable_by);
    }
    meta.write(conn)
}

/// Opens a database for writing.
pub(crate) fn open_writer(path: &Path) -> Result<Connection> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    common(&conn)?;
    let mode: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode != "wal" {
        return Err(damaged("the database does not keep a write-ahead log").into());
    }
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    let log_bytes = 2 * i64::from(LOG_PAGES) * i64::from(PAGE);
    conn.pragma_update_and_check(None, "journal_size_limit", log_bytes, |_| Ok(()))?;
    Ok(conn)
}

/// Opens a database for reading.
pub(crate) fn open_reader(path: &Path) -> std::result::Result<Connection, StoreError> {
    let open = || -> Result<Connection> {
        let conn = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        common(&conn)?;
        Ok(conn)
    };
    open().map_err(StoreError::from)
}

fn common(conn: &Connection) -> Result<()> {
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    Ok(())
}
