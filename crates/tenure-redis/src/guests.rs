//! How many guests there are in partitions that count for themselves.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use futures_util::future::try_join_all;
use redis::Value;
use tenure::store::StoreError;

use crate::calls::Calls;
use crate::error::Failure;
use crate::place::{array, integer};

/// How old the numbers of other partitions may become.
const AGE: Duration = Duration::from_secs(2);

/// The guests of each partition, as they were a moment ago. Only servers that share a store need it:
/// no script can count on two servers at once.
#[derive(Default)]
pub(crate) struct Guests {
    known: Arc<Mutex<Option<Vec<u64>>>>,
}

impl Guests {
    /// How many guests others count than the number that `partition` counts in.
    ///
    /// # Errors
    /// As for every call.
    pub(crate) async fn elsewhere(&self, calls: &Calls, partition: u16) -> Result<u64, StoreError> {
        if calls.keys.has_one_number() {
            return Ok(0);
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let all = match known {
            Some(all) => all,
            None => self.count(calls).await?,
        };
        let others = all.iter().enumerate().filter(|(of, _)| *of != usize::from(partition));
        Ok(others.map(|(_, count)| count).sum())
    }

    async fn count(&self, calls: &Calls) -> Result<Vec<u64>, StoreError> {
        let all =
            try_join_all((0..calls.keys.partitions()).map(|partition| count_in(calls, partition))).await?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(all.clone());
        let known = Arc::clone(&self.known);
        tokio::spawn(async move {
            tokio::time::sleep(AGE).await;
            known.lock().unwrap_or_else(PoisonError::into_inner).take();
        });
        Ok(all)
    }
}

async fn count_in(calls: &Calls, partition: u16) -> Result<u64, StoreError> {
    let mut commands = redis::pipe();
    commands.cmd("HGET").arg(calls.keys.head(partition)).arg("seq");
    commands.cmd("GETEX").arg(calls.keys.guests(partition));
    let said = calls.commands(partition, commands).await.and_then(array).map_err(Failure::of_read)?;
    match said.last() {
        Some(Value::Nil) => Ok(0),
        Some(count) => integer(count).map_err(Failure::of_read),
        None => Ok(0),
    }
}
