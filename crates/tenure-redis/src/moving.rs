//! Moving out of Redis, and into it.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use redis::Value;
use tenure::clock::Timestamp;
use tenure::store::{Barrier, Part, StoreError};
use tenure_shared::{CellKey, CellKind, Kept, Raise, Want};

use crate::answer::{array, integer};
use crate::calls::{Calls, Word};
use crate::error::{Failure, odd};
use crate::place::RedisPlace;
use crate::scan::{IN_DUE, score_of};
use crate::script::FENCE;

/// How many names are read at once: a server does nothing else meanwhile.
const AT_ONCE: usize = 500;

/// For how long one tries to open again what could not be shut everywhere: longer than it may be frozen,
/// since a server that stood still may shut its part for as long as that.
const OPENED_WITHIN: Duration = Duration::from_secs(40);

/// How long to wait before the next try.
const PAUSE: Duration = Duration::from_millis(200);

/// Where an export goes on: in an index of a partition, after so many members of this score.
#[derive(Clone, Copy, Default)]
struct Spot {
    partition: u16,
    score: u64,
    past: u64,
}

impl Spot {
    fn read(bytes: Option<&[u8]>) -> Self {
        let read = |bytes: &[u8]| {
            let (partition, rest) = bytes.split_first_chunk::<2>()?;
            let (score, past) = rest.split_first_chunk::<8>()?;
            Some(Self {
                partition: u16::from_be_bytes(*partition),
                score: u64::from_be_bytes(*score),
                past: u64::from_be_bytes(past.try_into().ok()?),
            })
        };
        bytes.and_then(read).unwrap_or_default()
    }

    fn write(self) -> Vec<u8> {
        [&self.partition.to_be_bytes()[..], &self.score.to_be_bytes(), &self.past.to_be_bytes()].concat()
    }
}

impl RedisPlace {
    pub(crate) async fn export_part(
        &self,
        part: Part,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Kept, StoreError> {
        let spot = Spot::read(after);
        self.barrier_in(spot.partition, Word::Any).await?.may_read()?;
        let (names, next) = self.names(part, spot, limit.min(AT_ONCE)).await?;
        let next = next.map(Spot::write);
        if part == Part::Sessions {
            let members = names.into_iter().map(|name| (spot.partition, name)).collect();
            return Ok(Kept { rows: self.rows(members, "d", IN_DUE, false).await?, next, ..Kept::default() });
        }
        let kind = if part == Part::Users { CellKind::User } else { CellKind::Receipt };
        let key = |name: &Vec<u8>| {
            let key = name.get(1..).and_then(|key| key.try_into().ok()).ok_or_else(odd)?;
            Ok::<_, StoreError>(CellKey { kind, key })
        };
        let cells = names.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        let want = Want { partition: spot.partition, cells, ..Want::default() };
        let cells = self.view_all(&want).await?.cells;
        Ok(Kept {
            cells: cells.into_iter().map(|cell| (spot.partition, cell)).collect(),
            next,
            ..Kept::default()
        })
    }

    /// The next members of an index, and the spot after them.
    async fn names(
        &self,
        part: Part,
        spot: Spot,
        limit: usize,
    ) -> Result<(Vec<Vec<u8>>, Option<Spot>), StoreError> {
        let index = match part {
            Part::Sessions => 'd',
            Part::Users => 'u',
            Part::Receipts => 't',
        };
        let mut commands = self.asking(spot.partition);
        let index = format!("{}{index}", self.calls.keys.base(spot.partition));
        commands.cmd("ZRANGEBYSCORE").arg(index).arg(spot.score).arg("+inf");
        commands.arg("WITHSCORES").arg("LIMIT").arg(spot.past).arg(limit);
        let found = self.members(spot.partition, Word::Confirmed, commands).await?;
        let (mut names, mut after) = (Vec::with_capacity(found.len() / 2), spot);
        for pair in found.chunks_exact(2) {
            let [Value::BulkString(name), score] = pair else { return Err(odd()) };
            let score = score_of(score)?;
            let past = if score == after.score { after.past + 1 } else { 1 };
            after = Spot { score, past, ..after };
            names.push(name.clone());
        }
        if names.len() == limit {
            return Ok((names, Some(after)));
        }
        let partition = spot.partition + 1;
        let next = (partition < self.calls.keys.partitions()).then(|| Spot { partition, ..Spot::default() });
        Ok((names, next))
    }

    /// Raises or lifts the barrier of each partition. The first says until when, so that all have the
    /// same.
    pub(crate) async fn raise(
        &self,
        raise: Raise,
        now: Option<Timestamp>,
    ) -> Result<Option<Barrier>, StoreError> {
        if let (Some(Barrier::SHUT), Some(held)) = (raise.to, raise.held) {
            return self.shut(held, now).await;
        }
        let Some(barrier) = self.calls.raise_in(0, Word::Confirmed, raise, now).await? else {
            return Ok(None);
        };
        let to = Raise { to: Some(barrier), ..raise };
        let others = (1..self.calls.keys.partitions())
            .map(|partition| self.calls.raise_in(partition, Word::Confirmed, to, now));
        let all = try_join_all(others).await?.into_iter().all(|raised| raised.is_some());
        Ok(all.then_some(barrier))
    }

    /// Shuts all partitions or none: nothing else ends what is shut, and a store of which a part is shut
    /// is of no use to anybody.
    async fn shut(&self, held: Barrier, now: Option<Timestamp>) -> Result<Option<Barrier>, StoreError> {
        if held == Barrier::SHUT {
            return Ok((self.lowest_barrier().await? == Barrier::SHUT).then_some(Barrier::SHUT));
        }
        let raise = Raise { to: Some(Barrier::SHUT), held: Some(held), for_ms: 0 };
        let each = self.partitions().map(|partition| async move {
            (partition, self.calls.raise_in(partition, Word::Confirmed, raise, now).await)
        });
        // All to their end: what is under way must not come after it was opened again.
        let done = join_all(each).await;
        let (mut touched, mut failed, mut refused) = (Vec::new(), None, false);
        for (partition, shut) in done {
            match shut {
                // There it is not our freeze any more, so others may have written.
                Ok(None) => refused = true,
                Ok(Some(_)) => touched.push(partition),
                Err(error) => {
                    touched.push(partition);
                    failed = Some(error);
                }
            }
        }
        if failed.is_none() && !refused {
            return Ok(Some(Barrier::SHUT));
        }
        if tokio::time::timeout(OPENED_WITHIN, self.open_again(touched, held, now)).await.is_err() {
            tracing::error!("a part of the old store may stay shut: move it once more, or call the move off");
        }
        failed.map_or(Ok(None), Err)
    }

    /// Opens partitions in which somebody tried to shut what was frozen until `held`. A server that
    /// answers again may have been told to shut them just before.
    async fn open_again(&self, partitions: Vec<u16>, held: Barrier, now: Option<Timestamp>) {
        let each = partitions.into_iter().map(|partition| async move {
            while let Err(error) = self.calls.open_again(partition, held, now).await {
                tracing::debug!(partition, %error, "not opened again yet");
                tokio::time::sleep(PAUSE).await;
            }
        });
        join_all(each).await;
    }

    pub(crate) async fn lowest_barrier(&self) -> Result<Barrier, StoreError> {
        let each = self.partitions().map(|partition| self.barrier_in(partition, Word::Confirmed));
        let lowest = try_join_all(each).await?.into_iter().min_by_key(|barrier| barrier.as_millis());
        Ok(lowest.unwrap_or_default())
    }

    async fn barrier_in(&self, partition: u16, word: Word) -> Result<Barrier, StoreError> {
        let mut commands = self.asking(partition);
        commands.cmd("HGET").arg(self.calls.keys.head(partition)).arg("barrier");
        let asked = self.calls.commands_at(partition, word, commands).await;
        let said = asked.and_then(|(said, _)| array(said)).map_err(Failure::of_read)?;
        match said.last() {
            Some(Value::Nil) | None => Ok(Barrier::default()),
            Some(until) => integer(until).map(Barrier::from_millis).map_err(Failure::of_read),
        }
    }
}

impl Calls {
    async fn raise_in(
        &self,
        partition: u16,
        word: Word,
        raise: Raise,
        now: Option<Timestamp>,
    ) -> Result<Option<Barrier>, StoreError> {
        let number = |barrier: Option<Barrier>| {
            barrier.map(|barrier| barrier.as_millis().to_string()).unwrap_or_default()
        };
        let now = now.map_or(0, Timestamp::as_millis).to_string();
        let args = [number(raise.to), raise.for_ms.to_string(), number(raise.held), now];
        let args = args.map(String::into_bytes).to_vec();
        let asked = self.script_at(partition, word, &FENCE, Vec::new(), args).await;
        let (said, link) = asked.map_err(Failure::of_write)?;
        if said == Value::Int(-1) {
            return Ok(None);
        }
        let until = integer(&said).map_err(Failure::of_write)?;
        if word == Word::Confirmed {
            // A replica that takes over is to keep everybody away too.
            self.confirm_at(&link, partition).await?;
        }
        Ok(Some(Barrier::from_millis(until)))
    }

    /// Opens a partition that is frozen until `held`, or was and is shut. In this order: if it is shut
    /// in between, the second finds it so.
    async fn open_again(
        &self,
        partition: u16,
        held: Barrier,
        now: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        for held in [held, Barrier::SHUT] {
            let open = Raise { to: Some(Barrier::default()), held: Some(held), for_ms: 0 };
            if self.raise_in(partition, Word::Any, open, now).await?.is_some() {
                break;
            }
        }
        Ok(())
    }

    pub(crate) async fn phase(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let mut commands = redis::pipe();
        commands.cmd("GETEX").arg(self.keys.phase());
        match array(self.meta_commands(commands).await.map_err(Failure::of_read)?)
            .map_err(Failure::of_read)?
            .pop()
        {
            Some(Value::BulkString(phase)) => Ok(Some(phase)),
            Some(Value::Nil) => Ok(None),
            _ => Err(odd()),
        }
    }

    pub(crate) async fn change_phase(&self, from: Option<&[u8]>, to: &[u8]) -> Result<bool, StoreError> {
        let mut commands = redis::pipe();
        commands.cmd("EVAL").arg(include_str!("lua/phase.lua")).arg(1).arg(self.keys.phase());
        commands.arg(from.unwrap_or_default()).arg(to);
        let said = self.meta_commands(commands).await.and_then(array).map_err(Failure::of_write)?;
        match said.as_slice() {
            [changed] => Ok(integer(changed).map_err(Failure::of_write)? == 1),
            _ => Err(odd()),
        }
    }
}
