//! The logs, and what is new in them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::Ordering;

use futures_util::future::{join_all, try_join_all};
use redis::Value;
use tenure::clock::Timestamp;
use tenure::event::Position;
use tenure::store::{Barrier, News, StoreError, Tail};
use tenure_shared::{Entry, LogPage};

use crate::answer::{array, integer};
use crate::error::{Failure, odd};
use crate::heads::Head;
use crate::place::RedisPlace;
use crate::script::LOG;

impl RedisPlace {
    /// A part of a log.
    pub(crate) async fn log_after(
        &self,
        partition: u16,
        after: Option<Position>,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        let base = self.calls.keys.base(partition).as_bytes().to_vec();
        let epoch = after.map(|after| after.epoch.to_be_bytes().to_vec()).unwrap_or_default();
        let number = |number: u64| number.to_string().into_bytes();
        let own = vec![[&base[..], b"e"].concat()];
        let args = vec![base, epoch, number(after.map_or(0, |after| after.sequence)), number(limit as u64)];
        let said = self.calls.script(partition, &LOG, own, args).await.map_err(Failure::of_read)?;
        let said = array(said).map_err(Failure::of_read)?;
        let [Value::Int(kept), Value::BulkString(epoch), what] = said.as_slice() else { return Err(odd()) };
        let epoch = u64::from_be_bytes(epoch.as_slice().try_into().map_err(|_| odd())?);
        match (kept, what) {
            (0, oldest) => {
                let sequence = integer(oldest).map_err(Failure::of_read)?;
                Ok(LogPage::Truncated { oldest: Position { epoch, sequence } })
            }
            (_, Value::Array(entries)) => {
                Ok(LogPage::Entries(entries.iter().map(|one| entry(epoch, one)).collect::<Result<_, _>>()?))
            }
            _ => Err(odd()),
        }
    }

    /// What is new in all logs: one round to look where they end, another for those that went on.
    pub(crate) async fn news_after(
        &self,
        after: &[Option<Position>],
        limit: usize,
    ) -> Result<News<Entry>, StoreError> {
        let nodes = self.calls.by_server().await?;
        // Both begin after the question. So what this primary had then is told, and if its replicas
        // confirm, it was the primary then.
        let confirmed =
            join_all(nodes.iter().map(|(link, partitions)| self.calls.is_confirmed(link, partitions)));
        let heads = try_join_all(nodes.iter().map(|(link, partitions)| self.calls.heads(link, partitions)));
        let (confirmed, heads) = tokio::join!(confirmed, heads);
        let mut heads: Vec<Head> = heads?.into_iter().flatten().collect();
        heads.sort_unstable_by_key(|head| head.partition);
        let shut = heads.iter().any(|head| head.shut);
        self.shut.store(shut, Ordering::Relaxed);
        if shut {
            return Err(Barrier::shut());
        }
        let mut server = DefaultHasher::new();
        for head in &heads {
            (&head.server, head.end.epoch).hash(&mut server);
        }
        let mut left = limit;
        let mut tails = Vec::new();
        for head in &heads {
            match after.get(usize::from(head.partition)).copied().flatten() {
                Some(after) if after == head.end => {}
                None => tails.push(Tail {
                    partition: head.partition,
                    events: Vec::new(),
                    next: head.end,
                    is_end: true,
                    gap: false,
                }),
                Some(after) if left > 0 => {
                    let tail = self.tail(head, after, left).await?;
                    left = left.saturating_sub(tail.events.len());
                    tails.push(tail);
                }
                // There is something, and no room for it this time.
                Some(after) => tails.push(Tail {
                    partition: head.partition,
                    events: Vec::new(),
                    next: after,
                    is_end: false,
                    gap: false,
                }),
            }
        }
        let now = heads.iter().map(|head| head.now).max().unwrap_or_default();
        Ok(News { now, server: server.finish(), confirmed: confirmed.into_iter().all(|yes| yes), tails })
    }

    /// What came after a position. The log may have gone on since its end was seen.
    async fn tail(&self, head: &Head, after: Position, limit: usize) -> Result<Tail<Entry>, StoreError> {
        let partition = head.partition;
        Ok(match self.log_after(partition, Some(after), limit).await? {
            LogPage::Truncated { .. } => {
                Tail { partition, events: Vec::new(), next: head.end, is_end: true, gap: true }
            }
            LogPage::Entries(events) => {
                let next = events.last().map_or(after, |last| last.position);
                Tail { partition, events, next, is_end: next >= head.end, gap: false }
            }
        })
    }
}

fn entry(epoch: u64, value: &Value) -> Result<Entry, StoreError> {
    let Value::Array(parts) = value else { return Err(odd()) };
    let [Value::BulkString(id), Value::Array(fields)] = parts.as_slice() else { return Err(odd()) };
    let [_, at, _, Value::BulkString(body)] = fields.as_slice() else { return Err(odd()) };
    let sequence =
        std::str::from_utf8(id).ok().and_then(|id| id.split_once('-')?.0.parse().ok()).ok_or_else(odd)?;
    let at = Timestamp::from_millis(integer(at).map_err(Failure::of_read)?);
    Ok(Entry { position: Position { epoch, sequence }, at, body: body.clone() })
}
