//! Whether replicas confirm what a primary has.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, Value};
use tenure::clock::{Clock, SystemClock};
use tokio::sync::Mutex;

use crate::answer::text;
use crate::connect::{Settings, connect, field, identity};
use crate::error::{Excuse, broken, excuse};
use crate::url::Address;

/// A heartbeat, also when the server's memory is at its limit.
const BEAT: &str = "#!lua flags=allow-oom\nreturn redis.call('SET', KEYS[1], 1)";

/// Lets replicas confirm, over a connection of its own: `WAIT` keeps a connection busy.
///
/// # Why this is sound
///
/// A round writes a heartbeat and then waits until `n` replicas have acknowledged the stream of
/// changes up to it. Two things follow from that.
///
/// - The stream has one order, so a replica that has the heartbeat has all that the primary had
///   acknowledged to anybody before the round began, over whatever connection.
/// - A replica that is promoted takes nothing more from its old primary. One that acknowledged the
///   heartbeat, which did not exist before the round, had not been promoted when the round began. If
///   `n` counts all replicas that could take over, nobody had taken over when the round began; so
///   what this primary held then was the truth.
///
/// With `n` smaller than the number of replicas that could take over, another one may have been
/// promoted on the other side of a network that fell apart.
pub(crate) struct Heart {
    client: Client,
    address: Address,
    /// Of the server that is meant, and its history.
    identity: String,
    settings: Settings,
    /// The number of the last round that has begun.
    begun: AtomicU64,
    /// When the last round began that went well, in nanoseconds on the running clock.
    sure_at: AtomicU64,
    /// Whether the last round did not go well, and whether that was told.
    fails: AtomicBool,
    told: AtomicBool,
    /// One round at a time; who waits for its turn is mostly served by the round before.
    turn: Mutex<Turn>,
}

struct Turn {
    connection: Option<MultiplexedConnection>,
    /// The last round that is over, and how it went.
    over: u64,
    went: Result<(), Doubt>,
}

/// Why a primary is not believed.
#[derive(Clone, Debug)]
pub(crate) enum Doubt {
    /// It is none any more, or another one: the connection to it is of no use.
    Other(String),
    /// Replicas do not say so.
    Unconfirmed(String),
}

impl Heart {
    pub(crate) fn new(client: Client, address: Address, identity: String, settings: Settings) -> Self {
        let turn = Mutex::new(Turn { connection: None, over: 0, went: Ok(()) });
        let (begun, sure_at, fails, told) = Default::default();
        Self { client, address, identity, settings, begun, sure_at, fails, told, turn }
    }

    /// Waits until enough replicas have what the primary has now. `key` lies on the primary.
    ///
    /// # Errors
    /// Why this is not known.
    pub(crate) async fn confirmed(&self, key: &str) -> Result<(), Doubt> {
        if self.settings.replicas == 0 {
            return Ok(());
        }
        // A round that begins from now on is good for this.
        let good = self.begun.load(Ordering::SeqCst) + 1;
        let mut turn = self.turn.lock().await;
        if turn.over < good {
            let round = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let began = SystemClock.running();
            turn.went = self.round(&mut turn.connection, key).await;
            turn.over = round;
            if turn.went.is_ok() {
                self.sure_at.store(u64::try_from(began.as_nanos()).unwrap_or(0), Ordering::Release);
                self.told.store(false, Ordering::Relaxed);
            }
            self.fails.store(turn.went.is_err(), Ordering::Relaxed);
        }
        turn.went.clone()
    }

    /// Makes sure that nobody had taken the primary's place a bound ago. A node that follows the log
    /// lets replicas confirm all the time, so mostly there is nothing to wait for.
    ///
    /// # Errors
    /// Why this is not known.
    pub(crate) async fn is_sure(&self, key: &str) -> Result<(), Doubt> {
        if self.settings.replicas == 0 || self.was_sure_within(self.settings.bound) {
            return Ok(());
        }
        // While it goes wrong one waits for it, and the others need not.
        if self.fails.load(Ordering::Relaxed) && self.turn.try_lock().is_err() {
            let why = format!("replicas do not confirm that {} is still the primary", self.address);
            return Err(Doubt::Unconfirmed(why));
        }
        self.confirmed(key).await
    }

    fn was_sure_within(&self, bound: Duration) -> bool {
        let sure_at = self.sure_at.load(Ordering::Acquire);
        sure_at > 0 && SystemClock.running().saturating_sub(Duration::from_nanos(sure_at)) < bound
    }

    /// Whether it is the first time since all was well.
    pub(crate) fn is_to_be_told(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }

    async fn round(&self, kept: &mut Option<MultiplexedConnection>, key: &str) -> Result<(), Doubt> {
        // A connection that is dropped in the middle of a round is not used again.
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let mut beat = redis::pipe();
        beat.cmd("EVAL").arg(BEAT).arg(1).arg(key);
        beat.cmd("WAIT")
            .arg(self.settings.replicas)
            .arg(self.settings.replica_timeout.as_millis().max(1) as u64);
        // Asked last: a server that is the same then was it all the time, and lost nothing.
        beat.cmd("INFO").arg("replication");
        let said = connection.send_packed_commands(&beat, 0, 3).await;
        let said = said.map_err(|error| Doubt::Unconfirmed(broken(&self.address, &error)))?;
        let [beat, replicas, replication] = said.as_slice() else {
            return Err(Doubt::Unconfirmed(format!("{} takes no heartbeat", self.address)));
        };
        let run = self.identity.split(' ').next().unwrap_or_default();
        if identity(run, text(Some(replication))) != self.identity {
            return Err(Doubt::Other(format!("{} is not the primary that it was", self.address)));
        }
        let (Value::Okay, Value::Int(replicas)) = (beat, replicas) else {
            let why = format!("{} takes no heartbeat", self.address);
            return Err(match excuse(beat, &self.address) {
                Some(Excuse::NotPrimary(_) | Excuse::Moved) => Doubt::Other(why),
                _ => Doubt::Unconfirmed(why),
            });
        };
        *kept = Some(connection);
        if *replicas >= i64::from(self.settings.replicas) {
            Ok(())
        } else {
            let why = format!("{replicas} of {} replicas confirmed in time", self.settings.replicas);
            Err(Doubt::Unconfirmed(why))
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, Doubt> {
        let patience = self.settings.timeout + self.settings.replica_timeout;
        let connection = connect(&self.client, &self.address, self.settings.timeout, patience).await;
        let mut connection = connection.map_err(|error| Doubt::Unconfirmed(error.to_string()))?;
        let server = connection.send_packed_command(redis::cmd("INFO").arg("server")).await;
        let server = server.map_err(|error| Doubt::Unconfirmed(broken(&self.address, &error)))?;
        let run = self.identity.split(' ').next();
        if field(text(Some(&server)), "run_id") == run {
            Ok(connection)
        } else {
            Err(Doubt::Other(format!("{} is another server now", self.address)))
        }
    }
}
