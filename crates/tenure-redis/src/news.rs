//! The logs, and what is new in them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
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
use crate::link::Link;
use crate::place::RedisPlace;
use crate::script::LOG;

/// A part of a log that is to be read, and whose it is.
struct Asked<'n> {
    link: &'n Arc<Link>,
    head: &'n Head,
    after: Position,
    limit: usize,
}

impl RedisPlace {
    /// A part of a log.
    pub(crate) async fn log_after(
        &self,
        partition: u16,
        after: Option<Position>,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        let (own, args) = self.reading(partition, after, limit);
        let said = self.calls.script(partition, &LOG, own, args).await.map_err(Failure::of_read)?;
        page(said)
    }

    /// The keys and the arguments of the script that reads a part of a log.
    fn reading(&self, partition: u16, after: Option<Position>, limit: usize) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let base = self.calls.keys.base(partition).as_bytes().to_vec();
        let epoch = after.map(|after| after.epoch.to_be_bytes().to_vec()).unwrap_or_default();
        let number = |number: u64| number.to_string().into_bytes();
        let own = vec![[&base[..], b"e"].concat()];
        (own, vec![base, epoch, number(after.map_or(0, |after| after.sequence)), number(limit as u64)])
    }

    /// What is new in all logs: one round to look where they end, another for those that went on. How
    /// much there is in each is known before it is read, so the limit is dealt out first.
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
        let heads = nodes.iter().zip(heads?);
        let mut heads: Vec<(&Arc<Link>, Head)> =
            heads.flat_map(|((link, _), heads)| heads.into_iter().map(move |head| (link, head))).collect();
        heads.sort_unstable_by_key(|(_, head)| head.partition);
        if heads.iter().any(|(_, head)| head.shut) {
            return Err(Barrier::shut());
        }
        let mut server = DefaultHasher::new();
        for (_, head) in &heads {
            (&head.server, head.end.epoch).hash(&mut server);
        }
        let now = heads.iter().map(|(_, head)| head.now).max().unwrap_or_default();
        // Another one comes first each time, so that a busy one does not keep the others back.
        let turn = usize::from(self.turn.fetch_add(1, Ordering::Relaxed)) % heads.len().max(1);
        heads.rotate_left(turn);
        let (mut left, mut tails, mut asked) = (limit as u64, Vec::new(), Vec::new());
        for (link, head) in &heads {
            let Head { partition, end, .. } = *head;
            let tail = |next, is_end, gap| Tail { partition, events: Vec::new(), next, is_end, gap };
            match after.get(usize::from(partition)).copied().flatten() {
                Some(after) if after == end => {}
                None => tails.push(tail(end, true, false)),
                Some(after) if after.epoch != end.epoch || after.sequence > end.sequence => {
                    tails.push(tail(end, true, true));
                }
                // There is something, and no room for it this time.
                Some(after) if left == 0 => tails.push(tail(after, false, false)),
                Some(after) => {
                    let taken = left.min(end.sequence - after.sequence);
                    left -= taken;
                    asked.push(Asked { link, head, after, limit: taken as usize });
                }
            }
        }
        let read = nodes.iter().map(|(link, _)| {
            self.tails(link, asked.iter().filter(|one| Arc::ptr_eq(one.link, link)).collect())
        });
        tails.extend(try_join_all(read).await?.into_iter().flatten());
        tails.sort_unstable_by_key(|tail| tail.partition);
        Ok(News { now, server: server.finish(), confirmed: confirmed.into_iter().all(|yes| yes), tails })
    }

    /// What came after positions in logs of one server, in one round. A log may have gone on since its
    /// end was seen.
    async fn tails(&self, link: &Link, asked: Vec<&Asked<'_>>) -> Result<Vec<Tail<Entry>>, StoreError> {
        let of = |one: &&Asked<'_>| {
            let partition = one.head.partition;
            let (own, args) = self.reading(partition, Some(one.after), one.limit);
            (self.calls.keys_of(partition, own), args)
        };
        let said = self.calls.scripts(link, &LOG, asked.iter().map(of).collect()).await?;
        let mut tails = Vec::with_capacity(asked.len());
        for (one, said) in asked.into_iter().zip(said) {
            let Head { partition, end, .. } = *one.head;
            let page = match said {
                Value::Array(_) => page(said)?,
                // For instance because its slot is just moving.
                _ => self.log_after(partition, Some(one.after), one.limit).await?,
            };
            tails.push(match page {
                LogPage::Truncated { .. } => {
                    Tail { partition, events: Vec::new(), next: end, is_end: true, gap: true }
                }
                LogPage::Entries(events) => {
                    let next = events.last().map_or(one.after, |last| last.position);
                    Tail { partition, events, next, is_end: next >= end, gap: false }
                }
            });
        }
        Ok(tails)
    }
}

/// What the script says that reads a part of a log.
fn page(said: Value) -> Result<LogPage, StoreError> {
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

fn entry(epoch: u64, value: &Value) -> Result<Entry, StoreError> {
    let Value::Array(parts) = value else { return Err(odd()) };
    let [Value::BulkString(id), Value::Array(fields)] = parts.as_slice() else { return Err(odd()) };
    let [_, at, _, Value::BulkString(body)] = fields.as_slice() else { return Err(odd()) };
    let sequence =
        std::str::from_utf8(id).ok().and_then(|id| id.split_once('-')?.0.parse().ok()).ok_or_else(odd)?;
    let at = Timestamp::from_millis(integer(at).map_err(Failure::of_read)?);
    Ok(Entry { position: Position { epoch, sequence }, at, body: body.clone() })
}
