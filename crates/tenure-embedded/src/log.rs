//! Events, receipts and users as rows.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tenure::clock::Timestamp;
use tenure::event::{Event, EventBody, Position};
use tenure::store::{Replay, UserRecord};
use tenure::{OperationId, Realm, SessionId, UserId};

use crate::error::{Result, damaged};
use crate::meta;
use crate::rows::{Sum, count, millis, moment};

/// The version of the layout of an event's body: a byte before it.
const EVENT_FORMAT: u8 = 1;

/// Writes an event.
pub(crate) fn append(conn: &Connection, sequence: i64, at: Timestamp, body: &EventBody) -> Result<()> {
    let mut bytes = vec![EVENT_FORMAT];
    rmp_serde::encode::write(&mut bytes, body).map_err(|_| damaged("an event that cannot be written"))?;
    let sum = event_sum(sequence, at, &bytes);
    conn.prepare_cached("INSERT INTO events (sequence, at, sum, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![sequence, millis(at), sum, bytes])?;
    Ok(())
}

/// The events after `sequence`, which must follow without a gap.
pub(crate) fn after(conn: &Connection, epoch: u64, sequence: i64, limit: usize) -> Result<Vec<Event>> {
    let mut query = conn.prepare_cached(
        "SELECT sequence, at, sum, body FROM events WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
    )?;
    let mut rows = query.query(params![sequence, count(limit)])?;
    let mut events = Vec::new();
    let mut expected = sequence;
    while let Some(row) = rows.next()? {
        expected += 1;
        events.push(event(row, epoch, expected)?);
    }
    Ok(events)
}

/// Reads an event, which must be the one of this sequence.
fn event(row: &Row<'_>, epoch: u64, expected: i64) -> Result<Event> {
    let (sequence, at) = (row.get::<_, i64>(0)?, moment(row.get(1)?));
    let sum: i64 = row.get(2)?;
    let bytes: Vec<u8> = row.get(3)?;
    let body = match bytes.split_first() {
        Some((&EVENT_FORMAT, packed)) if sum == event_sum(sequence, at, &bytes) => {
            rmp_serde::from_slice(packed).ok()
        }
        _ => None,
    };
    match body {
        Some(body) if sequence == expected => {
            let sequence = meta::sequence(sequence)?;
            let position = Position { epoch, sequence };
            Ok(Event { position, at, body })
        }
        _ => Err(damaged(&format!("event {expected} is missing or not as it was written")).into()),
    }
}

fn event_sum(sequence: i64, at: Timestamp, body: &[u8]) -> i64 {
    Sum::new().number(sequence).number(millis(at)).bytes(body).value()
}

/// Removes the oldest events that were committed until `until`, and says how many and the
/// last of them.
pub(crate) fn prune_events(conn: &Connection, until: i64, limit: usize) -> Result<(u64, Option<i64>)> {
    let last = prefix(conn, "events", "sequence", until, limit)?;
    let Some(last) = last else {
        return Ok((0, None));
    };
    let removed = conn.prepare_cached("DELETE FROM events WHERE sequence <= ?1")?.execute([last])?;
    Ok((removed as u64, Some(last)))
}

/// Removes the oldest receipts that were left until `until`, and says how many.
pub(crate) fn prune_receipts(conn: &Connection, until: i64, limit: usize) -> Result<u64> {
    let last = prefix(conn, "receipts", "key", until, limit)?;
    let Some(last) = last else {
        return Ok(0);
    };
    let removed = conn.prepare_cached("DELETE FROM receipts WHERE key <= ?1")?.execute([last])?;
    Ok(removed as u64)
}

/// The last key of the oldest rows, at most `limit` of them, that are from `until` or before.
/// Keys follow time, so nothing younger is looked at than the first that stays.
fn prefix(conn: &Connection, table: &str, key: &str, until: i64, limit: usize) -> Result<Option<i64>> {
    let sql = format!("SELECT {key}, at FROM {table} ORDER BY {key} LIMIT ?1");
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query([count(limit)])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? > until {
            break;
        }
        last = Some(row.get(0)?);
    }
    Ok(last)
}

/// What an operation left for its retries.
pub(crate) fn receipt(conn: &Connection, operation: OperationId) -> Result<Option<Replay>> {
    let mut query = conn.prepare_cached("SELECT session, receipt, at, sum FROM receipts WHERE id = ?1")?;
    let found = query
        .query_row([operation.as_bytes()], |row| {
            Ok((row.get::<_, [u8; 16]>(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?))
        })
        .optional()?;
    let Some((session, receipt, at, sum)) = found else {
        return Ok(None);
    };
    let session = SessionId::from_bytes(session);
    let replay = Replay { session, receipt };
    if receipt_sum(operation, moment(at), &replay) == sum {
        Ok(Some(replay))
    } else {
        Err(damaged(&format!("the receipt of {operation:?} is not as it was written")).into())
    }
}

/// Leaves a receipt.
pub(crate) fn keep_receipt(
    conn: &Connection,
    operation: OperationId,
    at: Timestamp,
    replay: &Replay,
) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT OR REPLACE INTO receipts (id, at, session, sum, receipt) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    statement.execute(params![
        operation.as_bytes(),
        millis(at),
        replay.session.as_bytes(),
        receipt_sum(operation, at, replay),
        replay.receipt
    ])?;
    Ok(())
}

fn receipt_sum(operation: OperationId, at: Timestamp, replay: &Replay) -> i64 {
    Sum::new()
        .bytes(operation.as_bytes())
        .number(millis(at))
        .bytes(replay.session.as_bytes())
        .bytes(&replay.receipt)
        .value()
}

/// What is known of a user.
pub(crate) fn user(conn: &Connection, realm: &Realm, user: &UserId) -> Result<UserRecord> {
    let mut query =
        conn.prepare_cached("SELECT epoch, disabled_at, sum FROM users WHERE realm = ?1 AND user = ?2")?;
    let found = query
        .query_row([realm.as_str(), user.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, i64>(2)?))
        })
        .optional()?;
    let Some((epoch, disabled_at, sum)) = found else {
        return Ok(UserRecord::default());
    };
    let record = UserRecord { epoch: epoch.cast_unsigned(), disabled_at: disabled_at.map(moment) };
    if user_sum(realm.as_str(), user.as_str(), &record) == sum {
        Ok(record)
    } else {
        Err(damaged("what is known of a user is not as it was written").into())
    }
}

/// Writes what is known of a user.
pub(crate) fn put_user(conn: &Connection, realm: &Realm, user: &UserId, record: &UserRecord) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT OR REPLACE INTO users (realm, user, epoch, disabled_at, sum) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    statement.execute(params![
        realm.as_str(),
        user.as_str(),
        record.epoch.cast_signed(),
        record.disabled_at.map(millis),
        user_sum(realm.as_str(), user.as_str(), record)
    ])?;
    Ok(())
}

fn user_sum(realm: &str, user: &str, record: &UserRecord) -> i64 {
    Sum::new()
        .bytes(realm.as_bytes())
        .bytes(user.as_bytes())
        .number(record.epoch.cast_signed())
        .number(record.disabled_at.map_or(-1, millis))
        .value()
}

/// How many rows of receipts, users and events cannot be read, with what is wrong about each.
pub(crate) fn check(conn: &Connection, head: &meta::Head, mut bad: impl FnMut(String)) -> Result<u64> {
    let mut query = conn.prepare("SELECT sequence, at, sum, body FROM events ORDER BY sequence")?;
    let mut rows = query.query([])?;
    let mut expected = head.kept_from;
    while let Some(row) = rows.next()? {
        expected += 1;
        if let Err(failure) = event(row, 0, expected) {
            bad(failure.0.to_string());
            expected = row.get(0)?;
        }
    }
    if expected != head.sequence {
        bad(format!("the event log ends at {expected}, and should at {}", head.sequence));
    }
    let mut query = conn.prepare("SELECT id, at, session, receipt, sum FROM receipts")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        if !receipt_is_whole(row).unwrap_or(false) {
            bad("a receipt is not as it was written".into());
        }
    }
    let mut query = conn.prepare("SELECT realm, user, epoch, disabled_at, sum FROM users")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        if !user_is_whole(row).unwrap_or(false) {
            bad("what is known of a user is not as it was written".into());
        }
    }
    Ok(u64::try_from(expected - head.kept_from).unwrap_or(0))
}

fn receipt_is_whole(row: &Row<'_>) -> rusqlite::Result<bool> {
    let operation = OperationId::from_bytes(row.get(0)?);
    let at = moment(row.get(1)?);
    let session = SessionId::from_bytes(row.get(2)?);
    let receipt = row.get(3)?;
    Ok(receipt_sum(operation, at, &Replay { session, receipt }) == row.get::<_, i64>(4)?)
}

fn user_is_whole(row: &Row<'_>) -> rusqlite::Result<bool> {
    let (realm, user): (String, String) = (row.get(0)?, row.get(1)?);
    let record = UserRecord {
        epoch: row.get::<_, i64>(2)?.cast_unsigned(),
        disabled_at: row.get::<_, Option<i64>>(3)?.map(moment),
    };
    Ok(user_sum(&realm, &user, &record) == row.get::<_, i64>(4)?)
}
