//! The logs of the partitions.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use tenure::event::Position;
use tenure::store::{Barrier, News, StoreError, Tail};
use tenure_shared::{Entry, LogPage, Prune};
use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::ToSql;

use crate::error::{self, Sent};
use crate::identity::server_of;
use crate::place::PostgresPlace;
use crate::statements::SHUT;
use crate::types::{big, count, get, millis, moment};

/// How many partitions are pruned in one step.
const PRUNED_AT_ONCE: usize = 64;

/// How often logs are asked for when another server answers than the last time.
const ASKED: u32 = 3;

/// Stands for no position where positions are asked after: an array without nulls is read in one step.
const NOWHERE: i64 = -1;

impl PostgresPlace {
    /// The part of a log after a position.
    pub(crate) async fn log_of(
        &self,
        partition: u16,
        after: Option<Position>,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        let from = after.map(|position| big(position.sequence));
        let values: [&(dyn ToSql + Sync); 3] = [&i32::from(partition), &from, &big(limit as u64)];
        let rows = self.pool.query(Sent::Nothing, &self.sql.log, &values).await?;
        let first = rows.first().ok_or_else(|| error::corrupt("a partition is missing"))?;
        let (epoch, sequence, kept_from) = (server_of(first)?, count(get(first, 3)?), count(get(first, 4)?));
        let oldest = Position { epoch, sequence: kept_from };
        let after = after.unwrap_or(oldest);
        if after.epoch != epoch || after.sequence < kept_from || after.sequence > sequence {
            return Ok(LogPage::Truncated { oldest });
        }
        let entries = rows.iter().filter_map(|row| entry(row, 5, epoch).transpose());
        let entries = entries.collect::<Result<Vec<Entry>, StoreError>>()?;
        if entries.is_empty() && limit > 0 && after.sequence < sequence {
            return Err(error::corrupt("the end of a log is missing"));
        }
        Ok(LogPage::Entries(entries))
    }

    /// What is new in all logs.
    pub(crate) async fn news_after(
        &self,
        after: &[Option<Position>],
        limit: usize,
    ) -> Result<News<Entry>, StoreError> {
        // First, so that what it proves is later than the question.
        let beat = self.heartbeat.begin();
        // Another one comes first each time, so that a busy one does not keep the others back.
        let turn = i32::from(self.turn.fetch_add(1, Ordering::Relaxed));
        let (rows, server) = self.ends(after, limit, turn).await?;
        let first = rows.first().ok_or_else(nameless)?;
        let now = moment(get(first, 3)?);
        let replicates: bool = get(first, 4)?;
        self.heartbeat.is_needed(replicates);
        if count(get(first, 11)?) == SHUT {
            return Err(Barrier::shut());
        }
        let mut tails: BTreeMap<u16, Tail<Entry>> = BTreeMap::new();
        for row in &rows {
            let Some(id) = get::<Option<i32>>(row, 5)? else { continue };
            let partition =
                u16::try_from(id).map_err(|_| error::corrupt("a partition has a wrong number"))?;
            let (sequence, kept_from) = (count(get(row, 6)?), count(get(row, 7)?));
            let asked = after.get(usize::from(partition)).copied().flatten();
            let tail = tails
                .entry(partition)
                .or_insert_with(|| begun(partition, asked, server, sequence, kept_from));
            if let Some(entry) = entry(row, 8, server)? {
                tail.next = entry.position;
                tail.events.push(entry);
            }
            tail.is_end = tail.next.sequence == sequence;
        }
        let confirmed = !replicates || beat.confirms(server).await;
        Ok(News { now, server, confirmed, tails: tails.into_values().collect() })
    }

    /// The ends of all logs after these positions, and the server that says so. The positions are of
    /// the epoch that it names its own by: a standby that was promoted may lack what came last, and
    /// counts on with other events. So they are asked for again if they turn out to be of another one.
    async fn ends(
        &self,
        after: &[Option<Position>],
        limit: usize,
        turn: i32,
    ) -> Result<(Vec<SqlRow>, u64), StoreError> {
        for _ in 0..ASKED {
            let epoch = *self.servers.borrow();
            let ours = |position: &&Position| position.epoch == epoch;
            let from = |position: &Option<Position>| {
                position.as_ref().filter(ours).map_or(NOWHERE, |position| big(position.sequence))
            };
            let from: Vec<i64> = after.iter().map(from).collect();
            let values: [&(dyn ToSql + Sync); 3] = [&from, &big(limit as u64), &turn];
            let rows = self.near.query(Sent::Nothing, &self.sql.news, &values).await?;
            let server = server_of(rows.first().ok_or_else(nameless)?)?;
            self.servers.send_if_modified(|known| std::mem::replace(known, server) != server);
            if server == epoch || after.iter().all(Option::is_none) {
                return Ok((rows, server));
            }
        }
        Err(StoreError::Unavailable("each time another server of PostgreSQL answers".into()))
    }

    /// Forgets receipts and events.
    pub(crate) async fn prune_once(&self, prune: &Prune) -> Result<(u64, bool), StoreError> {
        let limit = big(prune.limit as u64);
        let receipts = [&millis(prune.receipts_until) as &(dyn ToSql + Sync), &limit];
        let row = self.pool.query_one(Sent::Again, &self.sql.prune_receipts, &receipts).await?;
        let receipts = count(get(&row, 0)?);
        let (mut went, mut more) = (receipts, receipts >= prune.limit as u64 && receipts > 0);
        let until = millis(prune.events_until);
        let rows = self.pool.query(Sent::Nothing, &self.sql.logs, &[&until]).await?;
        let mut logs = Vec::with_capacity(rows.len());
        for row in &rows {
            let (id, is_old): (i32, bool) = (get(row, 0)?, get(row, 3)?);
            logs.push((id, count(get(row, 1)?), count(get(row, 2)?), is_old));
        }
        let most =
            share(logs.iter().map(|(_, sequence, kept, _)| sequence - kept).collect(), prune.max_events);
        let mut pruned = 0;
        for (id, sequence, kept_from, is_old) in logs {
            let keep_after = sequence.saturating_sub(most);
            if !is_old && keep_after <= kept_from {
                continue;
            }
            if pruned == PRUNED_AT_ONCE {
                more = true;
                break;
            }
            pruned += 1;
            let values: [&(dyn ToSql + Sync); 4] = [&id, &until, &big(keep_after), &limit];
            let row = self.pool.query_one(Sent::Again, &self.sql.prune, &values).await?;
            let events = count(get(&row, 0)?);
            went += events;
            more |= events >= prune.limit as u64 && events > 0;
        }
        Ok((went, more))
    }
}

fn entry(row: &SqlRow, first: usize, epoch: u64) -> Result<Option<Entry>, StoreError> {
    let Some(sequence) = get::<Option<i64>>(row, first)? else { return Ok(None) };
    let position = Position { epoch, sequence: count(sequence) };
    Ok(Some(Entry { position, at: moment(get(row, first + 1)?), body: get(row, first + 2)? }))
}

fn nameless() -> StoreError {
    error::corrupt("the row that names the store is missing")
}

/// How many events each log may keep, so that all together keep so many: the long ones are cut, to
/// one length.
fn share(mut lengths: Vec<u64>, all: u64) -> u64 {
    lengths.sort_unstable();
    let (mut left, mut logs) = (all, lengths.len() as u64);
    for length in lengths {
        if length.saturating_mul(logs) > left {
            return left / logs;
        }
        left -= length;
        logs -= 1;
    }
    u64::MAX
}

/// What there is to tell of a log before its events. Who asked from a position that is not kept, or
/// of another history, goes on from the end.
fn begun(partition: u16, asked: Option<Position>, epoch: u64, sequence: u64, kept_from: u64) -> Tail<Entry> {
    let end = Position { epoch, sequence };
    let kept =
        |position: &Position| position.epoch == epoch && (kept_from..=sequence).contains(&position.sequence);
    let next = asked.filter(kept);
    Tail {
        partition,
        events: Vec::new(),
        next: next.unwrap_or(end),
        is_end: next.is_none(),
        gap: asked.is_some() && next.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn long_logs_are_cut_until_all_fit() {
        assert_eq!(share(vec![10, 10], 20), u64::MAX);
        assert_eq!(share(vec![10, 10], 10), 5);
        assert_eq!(share(vec![1, 100, 3], 10), 6);
        assert_eq!(share(vec![7], 0), 0);
        assert_eq!(share(vec![], 0), u64::MAX);
    }
}
