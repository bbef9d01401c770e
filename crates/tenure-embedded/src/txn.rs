//! A transaction under way: what operations read and write in it.

use rusqlite::Connection;
use tenure::clock::Timestamp;
use tenure::event::EventBody;
use tenure::record::Record;
use tenure::store::StoreError;

use crate::error::{self, Result};
use crate::log;
use crate::meta::Head;
use crate::rows::{self, Columns, ENDED, GUEST};

/// One transaction of the writer, in which many operations take part.
pub(crate) struct Txn<'c> {
    pub(crate) conn: &'c Connection,
    pub(crate) now: Timestamp,
    pub(crate) head: Head,
    wrote: bool,
}

impl<'c> Txn<'c> {
    /// Begins it. Without a [`commit`](Self::commit) nothing of it stays.
    pub(crate) fn begin(conn: &'c Connection, now: Timestamp) -> Result<Self> {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut txn = Self { conn, now, head: Head::default(), wrote: false };
        txn.head = Head::read(conn)?;
        // A store's time never runs backwards, whatever the machine's does.
        txn.now = now.max(txn.head.latest);
        Ok(txn)
    }

    /// Runs `work` so that it happens whole or not at all, and leaves the rest of the
    /// transaction as it is.
    pub(crate) fn step<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = (self.head, self.wrote);
        self.conn.prepare_cached("SAVEPOINT step")?.execute([])?;
        let result = work(self);
        if result.is_err() && !self.conn.is_autocommit() {
            (self.head, self.wrote) = before;
            self.conn.prepare_cached("ROLLBACK TO step")?.execute([])?;
        }
        if !self.conn.is_autocommit() {
            self.conn.prepare_cached("RELEASE step")?.execute([])?;
        }
        result
    }

    /// Makes it durable. `Ok(None)` when there was nothing to write.
    pub(crate) fn commit(mut self) -> std::result::Result<Option<Head>, StoreError> {
        if self.wrote {
            self.head.commits += 1;
            self.head.latest = self.now;
            self.head.write(self.conn)?;
        }
        self.conn.execute_batch("COMMIT").map_err(|error| error::in_commit(&error))?;
        Ok(self.wrote.then_some(self.head))
    }

    /// Notes that something was written beside what the methods here write.
    pub(crate) fn wrote(&mut self) {
        self.wrote = true;
    }

    /// Writes a session, new or changed.
    pub(crate) fn write(&mut self, record: &mut Record) -> Result<()> {
        self.wrote = true;
        let mut columns = Columns::of(record);
        let before = rows::columns(self.conn, record.id)?;
        self.head.guests += i64::from(columns.state == GUEST);
        let Some((key, before)) = before else {
            return rows::insert(self.conn, columns, record);
        };
        self.head.guests -= i64::from(before.state == GUEST);
        if columns.state != ENDED {
            // Looking too early costs a look, moving the entry costs a write each time.
            columns.due = columns.due.min(before.due);
        }
        if columns == before {
            rows::rewrite(self.conn, key, columns, record)
        } else {
            rows::update(self.conn, key, columns, record)
        }
    }

    /// Appends an event.
    pub(crate) fn tell(&mut self, body: &EventBody) -> Result<()> {
        self.wrote = true;
        self.head.sequence += 1;
        log::append(self.conn, self.head.sequence, self.now, body)
    }
}

impl Drop for Txn<'_> {
    /// Leaves no transaction open.
    fn drop(&mut self) {
        if !self.conn.is_autocommit()
            && let Err(error) = self.conn.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "a transaction could not be rolled back");
        }
    }
}
