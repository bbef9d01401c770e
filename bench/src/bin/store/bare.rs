//! The bare loop: what SQLite does for the changes of a store, and nothing else. It makes the same
//! changes to a copy of the store's file, in groups, on one connection.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};
use tenure::SessionId;

use crate::changes::WRITERS;

/// What one change wrote.
pub(crate) struct Written {
    id: [u8; 16],
    seen: i64,
    sum: i64,
    record: Vec<u8>,
    event: (i64, i64, i64, Vec<u8>),
}

/// Reads what the store has written, from its file.
pub(crate) struct Tape {
    conn: Connection,
    sequence: i64,
}

impl Tape {
    /// From now on.
    pub(crate) fn of(database: &Path) -> Self {
        let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a reader");
        let sequence = "SELECT sequence FROM head";
        let sequence = conn.query_row(sequence, [], |row| row.get(0)).expect("the head reads");
        Self { conn, sequence }
    }

    /// The last changes, one to each of these sessions.
    pub(crate) fn recorded(&mut self, ids: &[SessionId]) -> Vec<Written> {
        let sql = "SELECT sequence, at, sum, body FROM events WHERE sequence > ?1 ORDER BY sequence";
        let mut events = self.conn.prepare_cached(sql).expect("SQL");
        let events = events
            .query_map([self.sequence], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .expect("events read");
        let events: Vec<(i64, i64, i64, Vec<u8>)> = events.collect::<Result<_, _>>().expect("events read");
        assert_eq!(events.len(), ids.len(), "one event for each change");
        self.sequence += ids.len() as i64;
        let mut row =
            self.conn.prepare_cached("SELECT seen, sum, record FROM sessions WHERE id = ?1").expect("SQL");
        let mut of = |(id, event): (&SessionId, _)| {
            let id = *id.as_bytes();
            row.query_row([id], |row| {
                Ok(Written { id, seen: row.get(0)?, sum: row.get(1)?, record: row.get(2)?, event })
            })
            .expect("the session reads")
        };
        ids.iter().zip(events).map(&mut of).collect()
    }
}

/// The copy.
pub(crate) struct Bare(Connection);

impl Bare {
    /// With the settings that the store gives its own connection.
    pub(crate) fn open(copy: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(copy, flags).expect("the copy opens");
        conn.execute_batch(
            "PRAGMA trusted_schema = FALSE; PRAGMA cell_size_check = TRUE; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768;
             PRAGMA secure_delete = FAST; PRAGMA wal_autocheckpoint = 500; PRAGMA journal_size_limit = 8192000;",
        )
        .expect("the settings hold");
        Self(conn)
    }

    /// Makes the changes again, durably.
    pub(crate) fn replay(&mut self, changes: &[Written]) {
        for group in changes.chunks(WRITERS) {
            self.group(group).expect("the group is written");
        }
    }

    fn group(&mut self, group: &[Written]) -> rusqlite::Result<()> {
        let conn = &self.0;
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let head: [i64; 6] = conn
            .prepare_cached(
                "SELECT commits, sequence, kept_from, guests, latest, sum FROM head WHERE one = 1",
            )?
            .query_row([], |row| {
                Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?])
            })?;
        let mut find = conn.prepare_cached(
            "SELECT key, id, realm, state, owner, due, seen, sum, record FROM sessions WHERE id = ?1",
        )?;
        let mut rewrite =
            conn.prepare_cached("UPDATE sessions SET seen = ?2, sum = ?3, record = ?4 WHERE key = ?1")?;
        let mut append =
            conn.prepare_cached("INSERT INTO events (sequence, at, sum, body) VALUES (?1, ?2, ?3, ?4)")?;
        for Written { id, seen, sum, record, event } in group {
            let (key, before): (i64, Vec<u8>) = find.query_row([id], |row| Ok((row.get(0)?, row.get(8)?)))?;
            assert_ne!(before, *record, "a change changes something");
            rewrite.execute(params![key, seen, sum, record])?;
            append.execute(params![event.0, event.1, event.2, event.3])?;
        }
        conn.prepare_cached(
            "INSERT OR REPLACE INTO head (one, commits, sequence, kept_from, guests, latest, sum)
             VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            head[0] + 1,
            head[1] + group.len() as i64,
            head[2],
            head[3],
            head[4],
            head[5]
        ])?;
        conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}
