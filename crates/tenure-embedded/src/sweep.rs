//! Housekeeping in small steps, so that no change waits long for it.

use std::time::Duration;

use rusqlite::Connection;
use tenure::store::{Sweep, Swept, rules, steps};
use tenure::{Actor, EndReason, Ending};

use crate::error::Result;
use crate::txn::Txn;
use crate::{log, rows};

/// How many rows one step handles at the most.
pub(crate) const STEP: usize = 128;

/// How many events are kept whatever happens.
const FEW_EVENTS: u64 = 1_000;

/// When a session that cannot be read is looked at again.
const LATER: Duration = Duration::from_secs(3600);

/// Writes the ends of sessions past a limit and removes those that ended long ago.
pub(crate) fn sessions(txn: &mut Txn<'_>, sweep: &Sweep) -> Result<Swept> {
    let now = txn.now;
    let judged = sweep.as_of.min(now);
    let keys = rows::due(txn.conn, judged, sweep.limit)?;
    let mut swept = Swept { more: keys.len() == sweep.limit, ..Swept::default() };
    for key in keys {
        txn.wrote();
        let mut stored = match rows::at_key(txn.conn, key) {
            Ok(Some(stored)) => stored,
            Ok(None) => continue,
            Err(failure) if failure.is_damage() => {
                tracing::error!(error = %failure.0, "housekeeping leaves a session alone");
                rows::put_off(txn.conn, key, now.plus(LATER))?;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let record = &stored.record;
        match (record.ended().map(|ended| ended.at), record.dead(judged)) {
            (Some(at), _) => {
                let until = rules::kept_until(record, at, sweep.keep_ended_ms);
                if now < until {
                    rows::reschedule(txn.conn, &mut stored, until)?;
                } else {
                    rows::remove(txn.conn, key)?;
                    swept.removed += 1;
                }
            }
            (None, Some(reason)) => {
                swept.ended.push(record.id);
                steps::end(txn, stored.record, Ending::new(reason, Actor::system()))?;
            }
            (None, None) => {
                let due = record.due_at();
                rows::reschedule(txn.conn, &mut stored, due)?;
            }
        }
    }
    Ok(swept)
}

/// Removes receipts and events that were kept long enough.
pub(crate) fn logs(txn: &mut Txn<'_>, sweep: &Sweep) -> Result<Swept> {
    let since = |keep_ms: u64| rows::millis(txn.now).saturating_sub_unsigned(keep_ms);
    let (receipts_until, events_until) = (since(sweep.keep_receipts_ms), since(sweep.keep_events_ms));
    let receipts = log::prune_receipts(txn.conn, receipts_until, sweep.limit)?;
    let kept = u64::try_from(txn.head.sequence - txn.head.kept_from).unwrap_or(0);
    let too_many = kept > sweep.max_events || (kept > FEW_EVENTS && is_nearly_full(txn.conn)?);
    let events_until = if too_many { i64::MAX } else { events_until };
    let beyond = usize::try_from(kept.saturating_sub(FEW_EVENTS)).unwrap_or(usize::MAX);
    let limit = if too_many { sweep.limit.min(beyond) } else { sweep.limit };
    let (events, last) = log::prune_events(txn.conn, events_until, limit)?;
    if let Some(last) = last {
        txn.head.kept_from = last;
    }
    let removed = receipts + events;
    if removed > 0 {
        txn.wrote();
    }
    let full_step = sweep.limit as u64;
    Ok(Swept { ended: Vec::new(), removed, more: receipts == full_step || events == full_step })
}

/// Whether the file has almost the size it may have: then old events make room for sessions.
fn is_nearly_full(conn: &Connection) -> Result<bool> {
    let ask = |what: &str| -> Result<i64> { Ok(conn.prepare_cached(what)?.query_row([], |row| row.get(0))?) };
    let (used, free) = (ask("PRAGMA page_count")?, ask("PRAGMA freelist_count")?);
    let most = ask("PRAGMA max_page_count")?;
    Ok(used - free >= most - most / 4)
}

/// Ends the next sessions of a restored copy, from after `key` on. Gives the last key, or
/// none when there are no more.
pub(crate) fn end_restored(txn: &mut Txn<'_>, key: i64, limit: usize) -> Result<Option<i64>> {
    let ending =
        Ending::new(EndReason::Revoked, Actor::system()).note("an older copy of the store was restored");
    let batch = next_batch(txn.conn, key, limit)?;
    let last = batch.last().map(|(key, _)| *key);
    for (_, record) in batch {
        match record {
            Ok(stored) if stored.record.ended().is_none() => {
                steps::end(txn, stored.record, ending.clone())?;
            }
            Ok(_) => {}
            Err(failure) if failure.is_damage() => {
                // It cannot be checked either, so it is as good as ended.
                tracing::error!(error = %failure.0, "a restored session cannot be ended");
            }
            Err(failure) => return Err(failure),
        }
        txn.wrote();
    }
    Ok(last)
}

fn next_batch(conn: &Connection, key: i64, limit: usize) -> Result<Vec<(i64, Result<rows::Stored>)>> {
    let mut batch = Vec::new();
    rows::each_after(conn, key, |key, stored| {
        batch.push((key, stored));
        batch.len() < limit
    })?;
    Ok(batch)
}
