//! How many guests there are in partitions that count for themselves.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use futures_util::future::try_join_all;
use redis::Value;
use tenure::store::StoreError;

use crate::answer::{array, integer};
use crate::calls::Calls;
use crate::error::Failure;

/// How old the numbers of other partitions may become.
const AGE: Duration = Duration::from_secs(2);

/// How many guests nodes may begin in that time without counting one after the other: this many, or
/// the eighth part of all that there may be.
const MARGIN: u64 = 1_000;

/// How long the turn of a node lasts that does not give it back.
const TURN_MS: u64 = 2_000;

/// How long to wait before asking for a turn again.
const PAUSE: Duration = Duration::from_millis(2);

/// The guests of each partition, as they were a moment ago. Only servers that share a store need it:
/// no script can count on two servers at once.
///
/// Far from the limit, old numbers are good enough. Near it, whoever begins a guest takes a turn that
/// only one has in the whole store, and counts anew. A node that begins more guests than the margin
/// within the age of its numbers, or holds its turn for too long, may pass the limit by a few.
#[derive(Default)]
pub(crate) struct Guests {
    known: Arc<Mutex<Option<Vec<u64>>>>,
}

/// Leave to begin guests.
pub(crate) struct Leave {
    /// How many guests there are elsewhere.
    pub(crate) elsewhere: u64,
    /// The turn to give back.
    turn: Option<[u8; 8]>,
}

impl Guests {
    /// How many guests others count than the number that `partition` counts in, exactly when there
    /// are nearly `max`.
    ///
    /// # Errors
    /// As for every call; Unavailable when others hold the turn for too long.
    pub(crate) async fn ask(&self, calls: &Calls, partition: u16, max: u64) -> Result<Leave, StoreError> {
        if calls.keys.has_one_number() {
            return Ok(Leave { elsewhere: 0, turn: None });
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let all = match known {
            Some(all) => all,
            None => self.count(calls).await?,
        };
        let margin = MARGIN.max(max / 8);
        if all.iter().sum::<u64>().saturating_add(margin) <= max {
            return Ok(Leave { elsewhere: elsewhere(&all, partition), turn: None });
        }
        let turn = calls.number();
        let patience = calls.servers.settings.timeout;
        let taken = tokio::time::timeout(patience, async {
            while !calls.take_turn(&turn, TURN_MS).await? {
                tokio::time::sleep(PAUSE).await;
            }
            Ok::<_, StoreError>(())
        });
        match taken.await {
            Ok(taken) => taken?,
            Err(_) => return Err(StoreError::Unavailable("too many guests begin at once".into())),
        }
        let all = self.count(calls).await?;
        Ok(Leave { elsewhere: elsewhere(&all, partition), turn: Some(turn) })
    }

    /// Ends it. A turn that cannot be given back ends by itself.
    pub(crate) async fn done(&self, calls: &Calls, leave: Leave) {
        if let Some(turn) = leave.turn
            && let Err(error) = calls.give_turn(&turn).await
        {
            tracing::debug!(%error, "a turn ends by itself");
        }
    }

    async fn count(&self, calls: &Calls) -> Result<Vec<u64>, StoreError> {
        let all =
            try_join_all((0..calls.keys.partitions()).map(|partition| count_in(calls, partition))).await?;
        let before = self.known.lock().unwrap_or_else(PoisonError::into_inner).replace(all.clone());
        if before.is_none() {
            let known = Arc::clone(&self.known);
            tokio::spawn(async move {
                tokio::time::sleep(AGE).await;
                known.lock().unwrap_or_else(PoisonError::into_inner).take();
            });
        }
        Ok(all)
    }
}

fn elsewhere(all: &[u64], partition: u16) -> u64 {
    all.iter().enumerate().filter(|(of, _)| *of != usize::from(partition)).map(|(_, count)| count).sum()
}

async fn count_in(calls: &Calls, partition: u16) -> Result<u64, StoreError> {
    let mut commands = redis::pipe();
    commands.cmd("HGET").arg(calls.keys.head(partition)).arg("seq");
    commands.cmd("GETEX").arg(calls.keys.guests(partition));
    let said = calls.commands(partition, commands).await.and_then(array).map_err(Failure::of_read)?;
    match said.last() {
        Some(Value::Nil) | None => Ok(0),
        Some(count) => integer(count).map_err(Failure::of_read),
    }
}
