//! Sessions as rows: what is a column, what the checksum covers, and how a damaged row is told.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};
use tenure::clock::Timestamp;
use tenure::record::{Record, State};
use tenure::store::StoreError;
use tenure::{Realm, SessionId, UserId};

use crate::error::{REMEDY, Result};
use crate::pack::{pack, unpack};

/// The columns that [`Stored::read`] wants, in its order.
const COLUMNS: &str = "key, id, realm, state, owner, due, seen, sum, record";

/// The `state` of a guest.
pub(crate) const GUEST: i64 = 0;
/// The `state` of a user's session, pending or signed in.
pub(crate) const OF_USER: i64 = 1;
/// The `state` of an ended session.
pub(crate) const ENDED: i64 = 2;

/// The columns of a session beside its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) realm: i64,
    pub(crate) state: i64,
    pub(crate) owner: Option<i64>,
    pub(crate) due: i64,
}

impl Columns {
    /// What they are for `record`.
    pub(crate) fn of(record: &Record) -> Self {
        let state = match record.state {
            State::Guest | State::Claimed(_) => GUEST,
            State::Pending(_) | State::SignedIn(_) => OF_USER,
            State::Ended(_) => ENDED,
        };
        let user = record.user().filter(|_| state == OF_USER);
        let due = record.ended().map_or_else(|| record.due_at(), |ended| ended.at);
        Self {
            realm: realm_hash(&record.realm),
            state,
            owner: user.map(|user| owner_hash(&record.realm, user)),
            due: millis(due),
        }
    }
}

/// A session as it is stored.
pub(crate) struct Stored {
    pub(crate) key: i64,
    pub(crate) columns: Columns,
    pub(crate) record: Record,
}

impl Stored {
    /// Reads a row of [`COLUMNS`]. A row that is not what was written is an error with the
    /// session's name, never skipped.
    fn read(row: &Row<'_>) -> Result<Self> {
        let bytes = row.get_ref(1)?.as_blob().unwrap_or_default();
        let Ok(bytes) = <[u8; 16]>::try_from(bytes) else {
            return Err(crate::error::damaged("a session has a damaged id").into());
        };
        let id = SessionId::from_bytes(bytes);
        Self::parse(row, id).map_err(|_| damaged(id).into())
    }

    fn parse(row: &Row<'_>, id: SessionId) -> std::result::Result<Self, BadRow> {
        let columns =
            Columns { realm: row.get(2)?, state: row.get(3)?, owner: row.get(4)?, due: row.get(5)? };
        let seen: i64 = row.get(6)?;
        let sum: i64 = row.get(7)?;
        let bytes = row.get_ref(8)?.as_blob().map_err(|_| BadRow)?;
        if sum != checksum(id, &columns, seen, bytes) {
            return Err(BadRow);
        }
        let record = unpack(bytes, id, moment(seen)).ok_or(BadRow)?;
        let key = row.get(0)?;
        Ok(Self { key, columns, record })
    }
}

/// A row that is not what was written.
struct BadRow;

impl From<rusqlite::Error> for BadRow {
    fn from(_: rusqlite::Error) -> Self {
        Self
    }
}

/// The session of this id, also when it has ended.
pub(crate) fn find(conn: &Connection, id: SessionId) -> Result<Option<Stored>> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1");
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query([id.as_bytes()])?;
    let found = rows.next()?.map(Stored::read).transpose()?;
    if found.is_none() {
        suspect_neighbours(conn, id)?;
    }
    Ok(found)
}

/// A miss may come from a damaged entry of the index: then that entry is where the search
/// ended, so the entries on both sides must be what their rows say.
fn suspect_neighbours(conn: &Connection, id: SessionId) -> Result<()> {
    for sql in [
        format!("SELECT {COLUMNS} FROM sessions WHERE id > ?1 ORDER BY id LIMIT 1"),
        format!("SELECT {COLUMNS} FROM sessions WHERE id < ?1 ORDER BY id DESC LIMIT 1"),
    ] {
        let mut query = conn.prepare_cached(&sql)?;
        let mut rows = query.query([id.as_bytes()])?;
        if let Some(row) = rows.next()? {
            let entry: Vec<u8> = row.get(1)?;
            let neighbour = Stored::read(row).map_err(|_| damaged(id))?;
            if neighbour.record.id == id || neighbour.record.id.as_bytes() != entry.as_slice() {
                return Err(damaged(id).into());
            }
        }
    }
    Ok(())
}

/// The sessions of a user that have not ended, oldest first.
pub(crate) fn of_user(conn: &Connection, realm: &Realm, user: &UserId) -> Result<Vec<Record>> {
    each_of_user(conn, realm, user)?.into_iter().collect()
}

/// The same without those that are damaged: nobody can check those either, and the others are
/// to end all the same.
pub(crate) fn readable_of_user(conn: &Connection, realm: &Realm, user: &UserId) -> Result<Vec<Record>> {
    let readable = |stored: Result<Record>| match stored {
        Err(failure) if failure.is_damage() => {
            tracing::error!(error = %failure.0, "a session of a user cannot be read");
            None
        }
        other => Some(other),
    };
    each_of_user(conn, realm, user)?.into_iter().filter_map(readable).collect()
}

fn each_of_user(conn: &Connection, realm: &Realm, user: &UserId) -> Result<Vec<Result<Record>>> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE owner = ?1 ORDER BY id");
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query([owner_hash(realm, user)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let record = Stored::read(row).map(|stored| stored.record);
        let is_theirs = |record: &Record| record.realm == *realm && record.user() == Some(user);
        if record.as_ref().map_or(true, is_theirs) {
            found.push(record);
        }
    }
    Ok(found)
}

/// The sessions of a realm that have not ended, after an id, in order.
pub(crate) fn of_realm(
    conn: &Connection,
    realm: &Realm,
    after: Option<SessionId>,
    limit: usize,
) -> Result<Vec<Record>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM sessions WHERE id > ?1 AND realm = ?2 AND state < {ENDED} ORDER BY id"
    );
    let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query(params![after, realm_hash(realm)])?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let record = Stored::read(row)?.record;
        if record.realm == *realm {
            found.push(record);
        }
    }
    Ok(found)
}

/// Calls `each` with every session in the order of their keys, from after `key` on, damaged
/// ones included, until it says no.
pub(crate) fn each_after(
    conn: &Connection,
    key: i64,
    mut each: impl FnMut(i64, Result<Stored>) -> bool,
) -> Result<()> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE key > ?1 ORDER BY key");
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query([key])?;
    while let Some(row) = rows.next()? {
        let key = row.get(0)?;
        if !each(key, Stored::read(row)) {
            break;
        }
    }
    Ok(())
}

/// The keys of the sessions to look at, those that are due first.
pub(crate) fn due(conn: &Connection, now: Timestamp, limit: usize) -> Result<Vec<i64>> {
    let mut query = conn.prepare_cached("SELECT key FROM sessions WHERE due <= ?1 ORDER BY due LIMIT ?2")?;
    let keys = query.query_map(params![millis(now), count(limit)], |row| row.get(0))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

/// The session of this key.
pub(crate) fn at_key(conn: &Connection, key: i64) -> Result<Option<Stored>> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE key = ?1");
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query([key])?;
    rows.next()?.map(Stored::read).transpose()
}

/// The key and the columns of a session, without its record.
pub(crate) fn columns(conn: &Connection, id: SessionId) -> Result<Option<(i64, Columns)>> {
    let mut query =
        conn.prepare_cached("SELECT key, realm, state, owner, due FROM sessions WHERE id = ?1")?;
    let found = query.query_row([id.as_bytes()], |row| {
        let columns =
            Columns { realm: row.get(1)?, state: row.get(2)?, owner: row.get(3)?, due: row.get(4)? };
        Ok((row.get(0)?, columns))
    });
    Ok(found.optional()?)
}

/// Writes a new session.
pub(crate) fn insert(conn: &Connection, columns: Columns, record: &mut Record) -> Result<()> {
    let (seen, sum, bytes) = packed(&columns, record);
    let mut statement = conn.prepare_cached(
        "INSERT INTO sessions (id, realm, state, owner, due, seen, sum, record)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute(params![
        record.id.as_bytes(),
        columns.realm,
        columns.state,
        columns.owner,
        columns.due,
        seen,
        sum,
        bytes
    ])?;
    Ok(())
}

/// Writes a session whose columns stay: no index is touched.
pub(crate) fn rewrite(conn: &Connection, key: i64, columns: Columns, record: &mut Record) -> Result<()> {
    let (seen, sum, bytes) = packed(&columns, record);
    conn.prepare_cached("UPDATE sessions SET seen = ?2, sum = ?3, record = ?4 WHERE key = ?1")?
        .execute(params![key, seen, sum, bytes])?;
    Ok(())
}

/// Writes a session and its columns.
pub(crate) fn update(conn: &Connection, key: i64, columns: Columns, record: &mut Record) -> Result<()> {
    let (seen, sum, bytes) = packed(&columns, record);
    let mut statement = conn.prepare_cached(
        "UPDATE sessions SET state = ?2, owner = ?3, due = ?4, seen = ?5, sum = ?6, record = ?7
         WHERE key = ?1",
    )?;
    statement.execute(params![key, columns.state, columns.owner, columns.due, seen, sum, bytes])?;
    Ok(())
}

/// Writes only the time of last activity.
pub(crate) fn touch(conn: &Connection, stored: &mut Stored, at: Timestamp) -> Result<()> {
    stored.record.last_seen_at = at;
    let (seen, sum, _) = packed(&stored.columns, &mut stored.record);
    conn.prepare_cached("UPDATE sessions SET seen = ?2, sum = ?3 WHERE key = ?1")?
        .execute(params![stored.key, seen, sum])?;
    Ok(())
}

/// Writes only when to look at a session again.
pub(crate) fn reschedule(conn: &Connection, stored: &mut Stored, due: Timestamp) -> Result<()> {
    stored.columns.due = millis(due);
    let (_, sum, _) = packed(&stored.columns, &mut stored.record);
    conn.prepare_cached("UPDATE sessions SET due = ?2, sum = ?3 WHERE key = ?1")?.execute(params![
        stored.key,
        stored.columns.due,
        sum
    ])?;
    Ok(())
}

/// Puts off a session that cannot be read, and leaves it as it is otherwise.
pub(crate) fn put_off(conn: &Connection, key: i64, due: Timestamp) -> Result<()> {
    conn.prepare_cached("UPDATE sessions SET due = ?2 WHERE key = ?1")?.execute(params![key, millis(due)])?;
    Ok(())
}

/// Removes a session.
pub(crate) fn remove(conn: &Connection, key: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM sessions WHERE key = ?1")?.execute([key])?;
    Ok(())
}

/// What is written of a record: the time of last activity, the checksum, and the bytes.
fn packed(columns: &Columns, record: &mut Record) -> (i64, i64, Vec<u8>) {
    let bytes = pack(record);
    let seen = millis(record.last_seen_at);
    (seen, checksum(record.id, columns, seen, &bytes), bytes)
}

fn checksum(id: SessionId, columns: &Columns, seen: i64, record: &[u8]) -> i64 {
    Sum::new()
        .bytes(id.as_bytes())
        .number(columns.realm)
        .number(columns.state)
        .number(columns.owner.unwrap_or(-1))
        .number(columns.due)
        .number(seen)
        .bytes(record)
        .value()
}

/// A checksum over the parts of a row, each with its length.
pub(crate) struct Sum(crc32fast::Hasher);

impl Sum {
    pub(crate) fn new() -> Self {
        Self(crc32fast::Hasher::new())
    }

    pub(crate) fn number(self, number: i64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&count(bytes.len()).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// Signed, because that takes four bytes in SQLite and not five.
    pub(crate) fn value(self) -> i64 {
        i64::from(self.0.finalize().cast_signed())
    }
}

/// A session that cannot be read.
pub(crate) fn damaged(id: SessionId) -> StoreError {
    StoreError::Corrupt(format!("session {id} is not as it was written; {REMEDY}"))
}

fn realm_hash(realm: &Realm) -> i64 {
    i64::from(Sha256::digest(realm.as_str())[0].cast_signed())
}

fn owner_hash(realm: &Realm, user: &UserId) -> i64 {
    let hash = Sha256::new()
        .chain_update([u8::try_from(realm.as_str().len()).unwrap_or(u8::MAX)])
        .chain_update(realm.as_str())
        .chain_update(user.as_str())
        .finalize();
    hash[..6].iter().fold(0, |all, byte| all << 8 | i64::from(*byte))
}

/// A moment as SQLite holds it.
pub(crate) fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// A moment as SQLite held it.
pub(crate) fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// A count as SQLite holds it.
pub(crate) fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}
