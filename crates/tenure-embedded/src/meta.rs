//! The two rows that say what a store is and how far it has come.

use rusqlite::{Connection, params};
use tenure::clock::Timestamp;
use tenure::store::Barrier;

use crate::error::{Result, damaged};
use crate::rows::{Sum, millis, moment};

/// What a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The schema that was written.
    pub(crate) schema: i64,
    /// The oldest release, by the number of its schema, that can run on it.
    pub(crate) readable_by: i64,
    /// The store's random name.
    pub(crate) store: [u8; 16],
    /// Tells whether a master key is the right one.
    pub(crate) key_check: [u8; 32],
    /// The epoch of the event log.
    pub(crate) epoch: u64,
    /// Fresh at each opening, so that a copy from before is recognised.
    pub(crate) incarnation: [u8; 16],
    /// All sessions of a restored copy are being ended; it must not serve before.
    pub(crate) undecided: bool,
}

impl Meta {
    /// Reads it.
    ///
    /// # Errors
    /// Corrupt when it is not there or not as it was written.
    pub(crate) fn read(conn: &Connection) -> Result<Self> {
        let sql = "SELECT schema, readable_by, store, key_check, epoch, incarnation, undecided, sum
                   FROM meta WHERE one = 1";
        let (meta, sum) = conn.prepare_cached(sql)?.query_row([], |row| {
            let epoch: i64 = row.get(4)?;
            let meta = Self {
                schema: row.get(0)?,
                readable_by: row.get(1)?,
                store: row.get(2)?,
                key_check: row.get(3)?,
                epoch: epoch.cast_unsigned(),
                incarnation: row.get(5)?,
                undecided: row.get(6)?,
            };
            Ok((meta, row.get::<_, i64>(7)?))
        })?;
        if sum == meta.sum() {
            Ok(meta)
        } else {
            Err(damaged("the row that names the store is not as it was written").into())
        }
    }

    /// Writes it.
    pub(crate) fn write(&self, conn: &Connection) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO meta
                   (one, schema, readable_by, store, key_check, epoch, incarnation, undecided, sum)
                   VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        conn.execute(
            sql,
            params![
                self.schema,
                self.readable_by,
                self.store,
                self.key_check,
                self.epoch.cast_signed(),
                self.incarnation,
                self.undecided,
                self.sum()
            ],
        )?;
        Ok(())
    }

    fn sum(&self) -> i64 {
        Sum::new()
            .number(self.schema)
            .number(self.readable_by)
            .bytes(&self.store)
            .bytes(&self.key_check)
            .number(self.epoch.cast_signed())
            .bytes(&self.incarnation)
            .number(i64::from(self.undecided))
            .value()
    }
}

/// How far a store has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Counts the commits.
    pub(crate) commits: i64,
    /// The sequence of the last event.
    pub(crate) sequence: i64,
    /// The sequence of the last event that was removed.
    pub(crate) kept_from: i64,
    /// How many guests there are.
    pub(crate) guests: i64,
    /// The store's time at the last commit.
    pub(crate) latest: Timestamp,
    /// Until when nobody writes, because its sessions move to another store.
    pub(crate) barrier: Barrier,
}

impl Head {
    /// Reads it.
    ///
    /// # Errors
    /// Corrupt when it is not there or not as it was written.
    pub(crate) fn read(conn: &Connection) -> Result<Self> {
        let sql = "SELECT commits, sequence, kept_from, guests, latest, barrier, sum FROM head WHERE one = 1";
        let (head, sum) = conn.prepare_cached(sql)?.query_row([], |row| {
            let head = Self {
                commits: row.get(0)?,
                sequence: row.get(1)?,
                kept_from: row.get(2)?,
                guests: row.get(3)?,
                latest: moment(row.get(4)?),
                barrier: Barrier::from_millis(row.get::<_, i64>(5)?.cast_unsigned()),
            };
            Ok((head, row.get::<_, i64>(6)?))
        })?;
        if sum == head.sum() {
            Ok(head)
        } else {
            Err(damaged("the row that counts commits and events is not as it was written").into())
        }
    }

    /// Writes it.
    pub(crate) fn write(&self, conn: &Connection) -> Result<()> {
        let sql =
            "INSERT OR REPLACE INTO head (one, commits, sequence, kept_from, guests, latest, barrier, sum)
                   VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        conn.prepare_cached(sql)?.execute(params![
            self.commits,
            self.sequence,
            self.kept_from,
            self.guests,
            millis(self.latest),
            self.barrier.as_millis().cast_signed(),
            self.sum()
        ])?;
        Ok(())
    }

    /// How many guests there are, as the rules want it.
    pub(crate) fn guests(&self) -> u64 {
        u64::try_from(self.guests).unwrap_or(0)
    }

    fn sum(&self) -> i64 {
        Sum::new()
            .number(self.commits)
            .number(self.sequence)
            .number(self.kept_from)
            .number(self.guests)
            .number(millis(self.latest))
            .number(self.barrier.as_millis().cast_signed())
            .value()
    }
}

/// A sequence of the event log as the core counts it.
pub(crate) fn sequence(of: i64) -> Result<u64> {
    u64::try_from(of).map_err(|_| damaged("an event has a negative number").into())
}
