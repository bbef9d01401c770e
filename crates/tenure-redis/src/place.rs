//! The place: what is asked of it, as calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use redis::Value;
use tenure::SessionId;
use tenure::clock::Timestamp;
use tenure::event::Position;
use tenure::store::{Barrier, News, PageRequest, Part, StoreError, StoreInfo};
use tenure_shared::{
    Body, Entry, Kept, LogPage, Place, Prune, Raise, Row, Touched, View, Want, Write, Wrote,
};

use crate::answer::{array, integer, is_shut};
use crate::calls::{Calls, Word};
use crate::error::{Failure, odd};
use crate::guests::Guests;
use crate::pack;
use crate::script::{PRUNE, RELEASE, TOUCH, VIEW, WRITE, WRITE_ALWAYS};
use crate::wake::Wake;

/// How long to wait before looking again whether a partition is held.
const IN_LINE: Duration = Duration::from_millis(4);

/// How often.
const LOOKS: u32 = 500;

/// Sessions in Redis.
pub(crate) struct RedisPlace {
    pub(crate) calls: Arc<Calls>,
    pub(crate) guests: Guests,
    pub(crate) wake: Wake,
    pub(crate) durable: bool,
    /// Counts the questions for news.
    pub(crate) turn: AtomicU16,
}

impl RedisPlace {
    pub(crate) fn partitions(&self) -> std::ops::Range<u16> {
        0..self.calls.keys.partitions()
    }

    /// One session and the time: what most checks and changes want, without a script.
    async fn view_one(&self, partition: u16, word: Word, id: SessionId) -> Result<View, Failure> {
        let mut commands = redis::pipe();
        commands.cmd("HGET").arg(self.calls.keys.head(partition)).arg("latest").cmd("TIME");
        // Reads like GET, but counts as a command that writes: a replica refuses it.
        commands.cmd("GETEX").arg(self.calls.keys.session(partition, id.as_bytes()));
        commands.cmd("HGET").arg(self.calls.keys.head(partition)).arg("barrier");
        let (said, link) = self.calls.commands_at(partition, word, commands).await?;
        let said = array(said)?;
        let [latest, Value::Array(time), row, barrier] = said.as_slice() else {
            return Err(Failure::Refused(odd()));
        };
        if is_shut(barrier) {
            return Err(Failure::Refused(Barrier::shut()));
        }
        let [seconds, micros] = time.as_slice() else { return Err(Failure::Refused(odd())) };
        let now = (integer(seconds)? * 1_000 + integer(micros)? / 1_000).max(integer(latest)?);
        let sessions = match row {
            Value::BulkString(bytes) => vec![pack::row(id, bytes).map_err(Failure::Refused)?],
            _ => Vec::new(),
        };
        Ok(View { now: Timestamp::from_millis(now), server: link.number, sessions, ..View::default() })
    }

    /// One session and nothing else: what a check wants that memory cannot answer.
    async fn body_of(&self, partition: u16, id: SessionId) -> Result<Option<Body>, Failure> {
        let mut commands = redis::pipe();
        // A partition that is gone has no sessions, and nobody has ended them.
        commands.cmd("HGET").arg(self.calls.keys.head(partition)).arg("seq");
        // As above: refused by a replica.
        commands.cmd("GETEX").arg(self.calls.keys.session(partition, id.as_bytes()));
        commands.cmd("HGET").arg(self.calls.keys.head(partition)).arg("barrier");
        let (said, _) = self.calls.commands_at(partition, Word::for_what(false), commands).await?;
        match array(said)?.as_slice() {
            [_, _, barrier] if is_shut(barrier) => Err(Failure::Refused(Barrier::shut())),
            [_, Value::BulkString(bytes), _] => {
                pack::row(id, bytes).map(|row| Some(row.into())).map_err(Failure::Refused)
            }
            [_, Value::Nil, _] => Ok(None),
            _ => Err(Failure::Refused(odd())),
        }
    }

    /// Looks, and waits in line for a partition that is to be held. Whoever waited long enough looks
    /// without holding it.
    pub(crate) async fn view_all(&self, want: &Want) -> Result<View, StoreError> {
        for _ in 0..LOOKS {
            let (view, held) = self.look(want).await?;
            if held {
                return Ok(view);
            }
            tokio::time::sleep(IN_LINE).await;
        }
        self.look(&Want { hold: None, ..want.clone() }).await.map(|(view, _)| view)
    }

    /// What is wanted, and whether the partition is held if that is wanted too.
    async fn look(&self, want: &Want) -> Result<(View, bool), StoreError> {
        let keys = self.calls.keys.base(want.partition).as_bytes();
        let own = want
            .sessions
            .iter()
            .map(|id| self.calls.keys.session(want.partition, id.as_bytes()))
            .chain(want.cells.iter().map(|key| [keys, &pack::cell_name(*key)].concat()))
            .chain(want.owner.map(|_| [keys, b"o"].concat()))
            .collect();
        let args = vec![keys.to_vec(), pack::want(want)];
        let word = Word::for_what(want.essential);
        let asked = self.calls.script_at(want.partition, word, &VIEW, own, args).await;
        let (said, link) = asked.map_err(Failure::of_read)?;
        if said == Value::BulkString(b"SHUT".to_vec()) {
            return Err(Barrier::shut());
        }
        let said = array(said).map_err(Failure::of_read)?;
        let [now, guests, Value::Array(rows), Value::Array(owned), Value::Array(cells), held] =
            said.as_slice()
        else {
            return Err(odd());
        };
        let number = |value| integer(value).map_err(Failure::of_read);
        let now = Timestamp::from_millis(number(now)?);
        let mut view = View { now, server: link.number, ..View::default() };
        for (id, row) in want.sessions.iter().zip(rows) {
            match row {
                Value::BulkString(row) if !row.is_empty() => view.sessions.push(pack::row(*id, row)?),
                _ => {}
            }
        }
        for pair in owned.chunks_exact(2) {
            let [Value::BulkString(id), Value::BulkString(row)] = pair else { return Err(odd()) };
            view.of_owner.push(pack::row(pack::id_in(id, 0)?, row)?);
        }
        for (key, cell) in want.cells.iter().zip(cells) {
            match cell {
                Value::BulkString(cell) if !cell.is_empty() => view.cells.push(pack::cell(*key, cell)?),
                _ => {}
            }
        }
        // Where partitions count apart, it is the writing that counts them all.
        view.guests = number(guests)?;
        Ok((view, *held == Value::Int(1)))
    }
}

#[async_trait]
impl Place for RedisPlace {
    fn info(&self) -> StoreInfo {
        StoreInfo {
            engine: "redis",
            partitions: self.calls.keys.partitions(),
            durable: self.durable,
            shared: true,
        }
    }

    async fn view(&self, want: &Want) -> Result<View, StoreError> {
        if let ([id], None, [], false, None) =
            (want.sessions.as_slice(), want.owner, want.cells.as_slice(), want.guests, want.hold)
        {
            return match self.view_one(want.partition, Word::for_what(want.essential), *id).await {
                // Also a server that cannot save to its disk, and takes no command that might write.
                Err(Failure::Refused(StoreError::Unavailable(_)) | Failure::Broken(_)) => {
                    self.view_all(want).await
                }
                done => done.map_err(Failure::of_read),
            };
        }
        self.view_all(want).await
    }

    async fn session(&self, partition: u16, id: SessionId) -> Result<Option<Body>, StoreError> {
        match self.body_of(partition, id).await {
            Err(Failure::Refused(StoreError::Unavailable(_)) | Failure::Broken(_)) => {
                let want = Want { partition, sessions: vec![id], ..Want::default() };
                Ok(self.view_all(&want).await?.sessions.pop().map(Body::from))
            }
            done => done.map_err(Failure::of_read),
        }
    }

    async fn write(&self, write: &Write) -> Result<Wrote, StoreError> {
        let leave = match write.max_guests {
            Some(max) if write.guests > 0 => Some(self.guests.ask(&self.calls, write.partition, max).await?),
            _ => None,
        };
        let base = self.calls.keys.base(write.partition).as_bytes();
        let own = self.keys_of(write);
        let script = if write.essential { &*WRITE_ALWAYS } else { &*WRITE };
        let args = vec![base.to_vec(), pack::write(write, leave.as_ref().map_or(0, |leave| leave.elsewhere))];
        let word = Word::for_what(write.essential);
        let asked = self.calls.script_at(write.partition, word, script, own, args).await;
        if let Some(leave) = leave {
            self.guests.done(&self.calls, leave).await;
        }
        let (said, link) = asked.map_err(Failure::of_write)?;
        let wrote = wrote(&said)?;
        if wrote == Wrote::Done {
            if !write.events.is_empty() {
                self.wake.tell();
            }
            if write.essential {
                self.calls.confirm_at(&link, write.partition).await?;
            }
        }
        Ok(wrote)
    }

    async fn release(&self, partition: u16, holder: u64) {
        let args = vec![holder.to_be_bytes().to_vec()];
        if let Err(error) = self.calls.script(partition, &RELEASE, Vec::new(), args).await {
            tracing::debug!(error = %error.of_read(), "a hold ends by itself");
        }
    }

    async fn confirm(&self, partition: u16, server: u64) -> Result<(), StoreError> {
        self.calls.confirm(partition, server).await
    }

    async fn touch(&self, touches: &[Touched], now: Option<Timestamp>) -> Result<(), StoreError> {
        let each = self.partitions().filter_map(|partition| {
            let here: Vec<&Touched> = touches.iter().filter(|touch| touch.partition == partition).collect();
            (!here.is_empty()).then(|| self.touch_in(partition, here, now))
        });
        try_join_all(each).await.map(drop)
    }

    async fn due(&self, until: Timestamp, limit: usize) -> Result<Vec<Row>, StoreError> {
        self.first_due(until, limit).await
    }

    async fn page(&self, request: &PageRequest, limit: usize) -> Result<Vec<Row>, StoreError> {
        self.next_of_realm(request, limit).await
    }

    async fn prune(&self, prune: &Prune) -> Result<(u64, bool), StoreError> {
        let lengths = try_join_all(self.partitions().map(|partition| self.log_length(partition))).await?;
        let total: u64 = lengths.iter().sum();
        let too_many = total.saturating_sub(prune.max_events);
        // Each log gives in proportion to its length.
        let share = |length: u64| match u128::from(length) * u128::from(too_many) {
            0 => 0,
            product => u64::try_from(product.div_ceil(u128::from(total))).unwrap_or(u64::MAX),
        };
        let each = self.partitions().zip(lengths).map(|(partition, length)| async move {
            let base = self.calls.keys.base(partition).as_bytes().to_vec();
            let numbers = [
                prune.receipts_until.as_millis(),
                prune.events_until.as_millis(),
                share(length),
                u64::try_from(prune.limit).unwrap_or(u64::MAX),
            ];
            let own = [b"t", b"e"].iter().map(|name| [&base[..], *name].concat()).collect();
            let args = [base.clone()].into_iter().chain(numbers.iter().map(|n| n.to_string().into_bytes()));
            let said =
                self.calls.script(partition, &PRUNE, own, args.collect()).await.map_err(Failure::of_read)?;
            match array(said).map_err(Failure::of_read)?.as_slice() {
                [Value::Int(went), Value::Int(more)] => Ok((went.unsigned_abs(), *more == 1)),
                _ => Err(odd()),
            }
        });
        let done = try_join_all(each).await?;
        Ok(done.into_iter().fold((0, false), |(went, more), (a, b)| (went + a, more || b)))
    }

    async fn log(
        &self,
        partition: u16,
        after: Option<Position>,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        self.log_after(partition, after, limit).await
    }

    async fn news(&self, after: &[Option<Position>], limit: usize) -> Result<News<Entry>, StoreError> {
        self.news_after(after, limit).await
    }

    async fn woken(&self) {
        self.wake.woken().await;
    }

    async fn export(&self, part: Part, after: Option<&[u8]>, limit: usize) -> Result<Kept, StoreError> {
        self.export_part(part, after, limit).await
    }

    async fn fence(&self, raise: Raise, now: Option<Timestamp>) -> Result<Option<Barrier>, StoreError> {
        self.raise(raise, now).await
    }

    async fn barrier(&self) -> Result<Barrier, StoreError> {
        self.lowest_barrier().await
    }

    async fn phase(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.calls.phase().await
    }

    async fn change_phase(&self, from: Option<&[u8]>, to: &[u8]) -> Result<bool, StoreError> {
        self.calls.change_phase(from, to).await
    }

    async fn close(&self) {
        self.calls.is_closed.store(true, Ordering::Relaxed);
        self.wake.close();
        self.calls.servers.close();
    }
}

impl RedisPlace {
    /// All keys that a step may read or write.
    fn keys_of(&self, write: &Write) -> Vec<Vec<u8>> {
        let base = self.calls.keys.base(write.partition).as_bytes();
        let sessions = write.seen.iter().map(|seen| seen.id).chain(write.put.iter().map(|row| row.id));
        let sessions =
            sessions.chain(write.of_owner.iter().flat_map(|(_, all)| all.iter().map(|(id, _)| *id)));
        let cells =
            write.cells_seen.iter().map(|(key, _)| *key).chain(write.put_cells.iter().map(|cell| cell.key));
        [b"d", b"r", b"o", b"t", b"u", b"e"]
            .iter()
            .map(|name| [base, *name].concat())
            .chain(sessions.map(|id| self.calls.keys.session(write.partition, id.as_bytes())))
            .chain(cells.map(|key| [base, &pack::cell_name(key)].concat()))
            .collect()
    }

    async fn touch_in(
        &self,
        partition: u16,
        touches: Vec<&Touched>,
        now: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let own =
            touches.iter().map(|touch| self.calls.keys.session(partition, touch.id.as_bytes())).collect();
        let now = now.map_or(0, Timestamp::as_millis).to_string().into_bytes();
        let args = vec![self.calls.keys.base(partition).into(), now, pack::touches(touches.into_iter())];
        // What is not written stays with who asks, and is written where the primary is then.
        let asked = self.calls.script_at(partition, Word::Confirmed, &TOUCH, own, args).await;
        wrote(&asked.map_err(Failure::of_write)?.0).map(drop)
    }
}

/// What a script says that writes.
fn wrote(said: &Value) -> Result<Wrote, StoreError> {
    let code = if let Value::Int(code) = said { Wrote::of_code(*code) } else { None };
    code.unwrap_or_else(|| Err(odd()))
}
