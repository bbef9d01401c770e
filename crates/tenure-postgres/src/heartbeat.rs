//! Whether those that could take over a server's place still follow it.
//!
//! A primary that was cut off and replaced answers as before, and does not know what its successor
//! has acknowledged. What it cannot do is to commit: with synchronous replication a commit is
//! acknowledged when a standby has it, and one that was promoted takes nothing from its old primary.
//! So a commit that began after a question was asked, and was acknowledged, proves that when the
//! question was asked no standby that confirmed it had been promoted, and so the answer misses
//! nothing that was acknowledged before. A commit that began earlier proves it for that earlier
//! moment only: it is not taken for an answer to this question, however recent it is.
//!
//! That holds if each standby that may be promoted has to confirm: `FIRST n` or `ANY n` in
//! `synchronous_standby_names` with n as many as there are. If one of two is enough, the other may
//! have been promoted.
//!
//! The commit runs beside the question, on a connection of its own. An answer waits for it a moment,
//! as a write would; not if an earlier commit has had no answer, and not if the last was a moment
//! ago: such an answer is not confirmed, and whoever asked relies on an earlier one. There is one such
//! connection, so none begins while the server is not done with an earlier one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tenure::clock::SteadyClock;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::Sent;
use crate::identity::{SERVER, server_of};
use crate::pool::Connections;

/// How far apart commits are at the least.
const APART: Duration = Duration::from_millis(100);

/// How long an answer waits for its commit.
const WAIT: Duration = Duration::from_millis(50);

/// The commits that prove that a server is still the primary.
pub(crate) struct Heartbeat {
    clock: Arc<SteadyClock>,
    pool: Connections,
    sql: String,
    is_needed: AtomicBool,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    under_way: bool,
    began: Option<Duration>,
}

/// A commit that began after it was asked for. Gives the server that made it, if one confirmed.
pub(crate) struct Beat(Option<oneshot::Receiver<u64>>);

impl Heartbeat {
    pub(crate) fn new(clock: Arc<SteadyClock>, pool: Connections, schema: &str) -> Self {
        let sql = format!(
            "SELECT {SERVER}, m.epoch, pg_logical_emit_message(true, 'tenure', '')::text FROM {schema}.meta m"
        );
        Self { clock, pool, sql, is_needed: AtomicBool::new(false), state: Arc::default() }
    }

    /// Says whether the server replicates synchronously, as the last answer told.
    pub(crate) fn is_needed(&self, needed: bool) {
        self.is_needed.store(needed, Ordering::Relaxed);
    }

    /// Lets go of the connection.
    pub(crate) fn close(&self) {
        self.pool.close();
    }

    /// Begins a commit, if it is time.
    pub(crate) fn begin(&self) -> Beat {
        if !self.is_needed.load(Ordering::Relaxed) {
            return Beat(None);
        }
        let now = self.clock.running();
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.under_way || state.began.is_some_and(|began| now.saturating_sub(began) < APART) {
                return Beat(None);
            }
            *state = State { under_way: true, began: Some(now) };
        }
        let (tell, told) = oneshot::channel();
        let (pool, sql, state) = (self.pool.clone(), self.sql.clone(), Arc::clone(&self.state));
        tokio::spawn(async move {
            let row = pool.query_one(Sent::Again, &sql, &[]).await;
            state.lock().unwrap_or_else(PoisonError::into_inner).under_way = false;
            match row.and_then(|row| server_of(&row)) {
                // Who waited may be gone.
                Ok(server) => _ = tell.send(server),
                Err(error) => tracing::debug!(%error, "no standby confirms that the server is the primary"),
            }
        });
        Beat(Some(told))
    }
}

impl Beat {
    /// Whether this server committed.
    pub(crate) async fn confirms(self, server: u64) -> bool {
        let Some(told) = self.0 else { return false };
        matches!(timeout(WAIT, told).await, Ok(Ok(of)) if of == server)
    }
}
