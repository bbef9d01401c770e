//! What each server says at once about all its partitions.

use std::sync::Arc;

use redis::Value;
use tenure::clock::Timestamp;
use tenure::event::Position;
use tenure::store::StoreError;

use crate::answer::text;
use crate::answer::{array, integer, is_shut};
use crate::calls::Calls;
use crate::connect::{field, identity};
use crate::error::{Excuse, Failure, excuse, odd};
use crate::heart::Doubt;
use crate::link::{Link, Request};
use crate::script::Script;

/// Where the log of a partition ends.
pub(crate) struct Head {
    pub(crate) partition: u16,
    pub(crate) end: Position,
    /// The server's time.
    pub(crate) now: Timestamp,
    /// The last time of the partition.
    pub(crate) latest: Timestamp,
    /// Which server says so, and of which history.
    pub(crate) server: String,
    /// What it had has moved to another store.
    pub(crate) shut: bool,
}

/// The keys and the arguments of a script.
pub(crate) type Given = (Vec<Vec<u8>>, Vec<Vec<u8>>);

impl Calls {
    /// The connections to all primaries, each with its partitions.
    ///
    /// # Errors
    /// Unavailable when one is missing.
    pub(crate) async fn by_server(&self) -> Result<Vec<(Arc<Link>, Vec<u16>)>, StoreError> {
        let mut servers: Vec<(Arc<Link>, Vec<u16>)> = Vec::new();
        for partition in 0..self.keys.partitions() {
            let link = self.link_of(partition).await?;
            match servers.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &link)) {
                Some((_, partitions)) => partitions.push(partition),
                None => servers.push((link, vec![partition])),
            }
        }
        Ok(servers)
    }

    /// Where the logs of these partitions end, in one round.
    ///
    /// # Errors
    /// Unavailable when the server is not their primary any more; the next call finds the one that is.
    pub(crate) async fn heads(&self, link: &Link, partitions: &[u16]) -> Result<Vec<Head>, StoreError> {
        let mut commands = redis::pipe();
        for partition in partitions {
            let head = commands.cmd("HMGET").arg(self.keys.head(*partition));
            head.arg("epoch").arg("seq").arg("latest").arg("barrier");
        }
        commands.cmd("TIME").cmd("INFO").arg("replication");
        let said = link.ask(&Request::Commands(commands), false, false).await.map_err(Failure::of_read)?;
        if let Some(excuse) = excuse(&said, &link.address) {
            return Err(self.lost(excuse).await);
        }
        let said = array(said).map_err(Failure::of_read)?;
        let [heads @ .., time, replication] = said.as_slice() else { return Err(odd()) };
        // Asked last: a server that is still the same then was it all the time.
        let run = link.identity.split(' ').next().unwrap_or_default();
        let replication = text(Some(replication));
        if field(replication, "role") != Some("master") || identity(run, replication) != link.identity {
            link.give_up();
            self.look_again().await;
            return Err(StoreError::Unavailable(format!("{} is not the primary that it was", link.address)));
        }
        let Value::Array(time) = time else { return Err(odd()) };
        let [seconds, micros] = time.as_slice() else { return Err(odd()) };
        let number = |value: &Value| integer(value).map_err(Failure::of_read);
        let clock = number(seconds)? * 1_000 + number(micros)? / 1_000;
        let each = partitions.iter().zip(heads).map(|(partition, head)| {
            let Value::Array(head) = head else { return Err(odd()) };
            match head.as_slice() {
                [Value::BulkString(epoch), sequence, latest, barrier] => Ok(Head {
                    partition: *partition,
                    end: Position {
                        epoch: u64::from_be_bytes(epoch.as_slice().try_into().map_err(|_| odd())?),
                        sequence: number(sequence)?,
                    },
                    latest: Timestamp::from_millis(number(latest)?),
                    now: Timestamp::from_millis(clock.max(number(latest)?)),
                    server: link.identity.clone(),
                    shut: is_shut(barrier),
                }),
                _ => {
                    // The next call begins it anew.
                    link.set_begun(*partition, false);
                    Err(StoreError::Unavailable(format!("{} has lost a partition", link.address)))
                }
            }
        });
        each.collect()
    }

    /// Runs a script on partitions of one server in one round, with these keys and arguments. Gives what
    /// is said of each, which may be an error.
    ///
    /// # Errors
    /// Unavailable.
    pub(crate) async fn scripts(
        &self,
        link: &Link,
        script: &Script,
        each: Vec<Given>,
    ) -> Result<Vec<Value>, StoreError> {
        if each.is_empty() {
            return Ok(Vec::new());
        }
        for is_known in [true, false] {
            let mut commands = redis::pipe();
            for (place, (keys, args)) in each.iter().enumerate() {
                // The server knows it once it was told.
                commands.add_command(script.command(keys, args, place == 0 && !is_known));
            }
            let said =
                link.ask(&Request::Commands(commands), false, false).await.map_err(Failure::of_read)?;
            let said = array(said).map_err(Failure::of_read)?;
            let unknown = |one: &Value| matches!(excuse(one, &link.address), Some(Excuse::NoScript));
            if !(is_known && said.iter().any(unknown)) {
                return Ok(said);
            }
        }
        Err(odd())
    }

    /// Whether replicas confirm that this server is the primary.
    pub(crate) async fn is_confirmed(&self, link: &Link, partitions: &[u16]) -> bool {
        let Some(partition) = partitions.first() else { return true };
        match link.heart.confirmed(&self.heartbeat(*partition)).await {
            Ok(()) => true,
            Err(doubt) => {
                let why = doubted(link, doubt);
                if link.heart.is_to_be_told() {
                    tracing::warn!(server = %link.address, why, "replicas do not confirm the primary: it is not believed");
                }
                false
            }
        }
    }

    /// Waits until replicas have what a partition has at this server.
    ///
    /// # Errors
    /// Unknown when they do not say so: it is written where the primary is now.
    pub(crate) async fn confirm_at(&self, link: &Link, partition: u16) -> Result<(), StoreError> {
        if self.servers.settings.replicas == 0 {
            return Ok(());
        }
        let confirmed = link.heart.confirmed(&self.heartbeat(partition)).await;
        confirmed.map_err(|doubt| {
            StoreError::Unknown(format!("written on {}, but {}", link.address, doubted(link, doubt)))
        })
    }

    /// The same for what was seen at the server of this number.
    ///
    /// # Errors
    /// Unknown also when another server has taken its place: it may not have what was seen.
    pub(crate) async fn confirm(&self, partition: u16, server: u64) -> Result<(), StoreError> {
        if self.servers.settings.replicas == 0 {
            return Ok(());
        }
        let link = self.link_of(partition).await.map_err(|error| StoreError::Unknown(error.to_string()))?;
        if link.number != server {
            return Err(StoreError::Unknown("another server has taken over meanwhile".into()));
        }
        self.confirm_at(&link, partition).await
    }

    /// The key of the heartbeat that replicas confirm.
    pub(crate) fn heartbeat(&self, partition: u16) -> String {
        format!("{}b", self.keys.base(partition))
    }

    async fn lost(&self, excuse: Excuse) -> StoreError {
        self.look_again().await;
        match excuse {
            Excuse::Refused(error) => error,
            Excuse::Failed(said) | Excuse::Later(said) | Excuse::NotPrimary(said) => {
                StoreError::Unavailable(said)
            }
            Excuse::Moved | Excuse::Ask(_) | Excuse::NoScript => {
                StoreError::Unavailable("the cluster is moving slots".into())
            }
        }
    }
}

/// Why a primary is not believed. A connection that is of no use is given up.
fn doubted(link: &Link, doubt: Doubt) -> String {
    match doubt {
        Doubt::Other(why) => {
            link.give_up();
            why
        }
        Doubt::Unconfirmed(why) => why,
    }
}
