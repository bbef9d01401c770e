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

const MIGRATIONS: &[Migration] = &[Migration { to: 1, readable_by: 1, sql: include_str!("schema.sql") }];

/// How large a page is. Larger pages waste less at their ends, smaller ones make a smaller
/// commit.
const PAGE: u32 = 8192;

/// How much of a database each connection keeps in memory at the most, in KiB. A commit is not to
/// spill into the log before it is complete, and the upper pages of the trees of millions of
/// sessions are to stay.
const WRITER_CACHE: i64 = 32 * 1024;
const READER_CACHE: i64 = 8 * 1024;

/// How many pages the write-ahead log holds before they go into the database.
const LOG_PAGES: u32 = 500;

/// Makes a database that holds an empty store.
pub(crate) fn create(path: &Path, meta: &mut Meta, latest: Timestamp) -> Result<()> {
    let mut conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.pragma_update(None, "page_size", PAGE)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    let txn = conn.transaction()?;
    let head = Head { latest, ..Head::default() };
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
    // What was removed is overwritten, where that costs no further write.
    conn.pragma_update_and_check(None, "secure_delete", "FAST", |_| Ok(()))?;
    conn.pragma_update(None, "cache_size", -WRITER_CACHE)?;
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
        conn.pragma_update(None, "cache_size", -READER_CACHE)?;
        Ok(conn)
    };
    open().map_err(StoreError::from)
}

/// How long the database file is, if nothing waits in the log: then its pages must be whole.
pub(crate) fn may_be_cut(database: &Path) -> Option<u64> {
    let log = database.with_extension("db-wal");
    let is_empty = log.metadata().map_or(true, |log| log.len() == 0);
    is_empty.then(|| database.metadata().map_or(0, |file| file.len()))
}

/// Refuses a database file that ends within a page.
pub(crate) fn refuse_cut(conn: &Connection, length: Option<u64>) -> Result<()> {
    let page: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    match length {
        Some(length) if !length.is_multiple_of(page.unsigned_abs().max(1)) => {
            Err(damaged("the database file was cut off").into())
        }
        _ => Ok(()),
    }
}

fn common(conn: &Connection) -> Result<()> {
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Embedded;
    use tenure::clock::TestClock;
    use tenure::random::SystemRandom;
    use tenure::store::Context;

    async fn open(folder: &Path) -> std::result::Result<(), StoreError> {
        let context = Context::new(Arc::new(TestClock::default()), Arc::new(SystemRandom));
        let engine = Embedded::at(folder.join("store")).config_dir(folder.join("config"));
        engine.start(context).await.map(|_| ())
    }

    /// Makes a store say that a release of this schema wrote it.
    fn pretend(folder: &Path, schema: i64, readable_by: i64) {
        let conn = Connection::open(folder.join("store/tenure.db")).unwrap();
        let mut meta = Meta::read(&conn).unwrap();
        (meta.schema, meta.readable_by) = (schema, readable_by);
        meta.write(&conn).unwrap();
    }

    #[tokio::test]
    async fn a_release_runs_on_the_schema_of_the_next_one_and_leaves_it() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).await.unwrap();
        pretend(folder.path(), SCHEMA + 1, SCHEMA);
        open(folder.path()).await.unwrap();
        let conn = Connection::open(folder.path().join("store/tenure.db")).unwrap();
        assert_eq!(Meta::read(&conn).unwrap().schema, SCHEMA + 1);
    }

    #[tokio::test]
    async fn a_schema_that_this_release_cannot_run_on_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).await.unwrap();
        pretend(folder.path(), SCHEMA + 2, SCHEMA + 1);
        let refusal = open(folder.path()).await.unwrap_err();
        assert!(matches!(refusal, StoreError::Configuration(_)));
        assert!(refusal.to_string().contains("newer release"), "{refusal}");
        let refusal = Embedded::verify(folder.path().join("store"), |_| {}).unwrap_err();
        assert!(refusal.to_string().contains("newer release"), "{refusal}");
    }

    #[test]
    fn migrations_lead_to_the_schema_of_this_release_step_by_step() {
        let steps: Vec<i64> = MIGRATIONS.iter().map(|step| step.to).collect();
        assert_eq!(steps, (1..=SCHEMA).collect::<Vec<_>>());
        assert!(MIGRATIONS.iter().all(|step| step.readable_by <= step.to));
    }
}
