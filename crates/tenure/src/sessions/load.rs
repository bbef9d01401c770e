//! Reading a session from the store into memory, and the small writes that checks cause.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::core::{Core, MAX_TOUCHES};
use crate::cache::Entry;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{OperationId, SessionId};
use crate::reason::Actor;
use crate::record::Record;
use crate::store::{Mutation, Operation, Reply, StoreError};

/// How long a check waits for the store.
const PATIENCE: Duration = Duration::from_secs(5);

impl Core {
    /// The session, from the store.
    pub(super) async fn load(&self, id: SessionId, ip: Option<IpAddr>) -> Result<Option<Arc<Entry>>, Error> {
        if self.is_gone(&id) {
            return Ok(None);
        }
        let running = self.clock.running();
        self.misses.look(ip, running).map_err(|retry_after| Error::Throttled { retry_after })?;
        let ticket = self.cache.ticket(&id);
        let loading = tokio::time::timeout(PATIENCE, self.store.load(id));
        let slow = || StoreError::Unavailable(format!("no answer within {} s", PATIENCE.as_secs()));
        let record = loading.await.map_err(|_| slow())??;
        if record.as_ref().is_none_or(|record| record.ended().is_some()) {
            self.misses.take(ip, running).ok();
        }
        match record {
            Some(record) => Ok(Some(self.cache.insert(self.snapshot(record)?, ticket))),
            None => {
                self.remember_gone(id);
                Ok(None)
            }
        }
    }

    /// A change that Tenure makes by itself.
    pub(super) async fn automatic(
        self: &Arc<Self>,
        id: SessionId,
        mutation: Mutation,
    ) -> Result<Reply, Error> {
        let operation =
            Operation { id: OperationId::random(&*self.random), actor: Actor::system(), receipt: None };
        self.mutate(operation, id, mutation).await
    }

    pub(super) fn end_if_due_soon(self: &Arc<Self>, id: SessionId) {
        let core = Arc::clone(self);
        tokio::spawn(async move {
            // What is buffered counts.
            let written = core.flush_touches().await.is_ok();
            let ended = written && core.automatic(id, Mutation::EndIfDue).await.is_ok();
            if !ended {
                tracing::debug!(session = %id, "the end of a session past its limit is left to the sweep");
            }
        });
    }

    pub(super) fn touch(self: &Arc<Self>, session: &Record, at: Timestamp) {
        let mut touches = self.touches.lock().unwrap_or_else(PoisonError::into_inner);
        if touches.len() >= 2 * MAX_TOUCHES && !touches.contains_key(&session.id) {
            return;
        }
        let moments = touches.entry(session.id).or_default();
        let before = moments.iter().rev().nth(1).copied().unwrap_or(session.last_seen_at);
        if moments.last().is_none_or(|last| *last < at) {
            if at.since(before) < Duration::from_millis(session.idle_ms) {
                moments.pop();
            }
            moments.push(at);
        }
        if touches.len() == MAX_TOUCHES {
            let core = Arc::clone(self);
            tokio::spawn(async move { core.flush_touches().await.ok() });
        }
    }
}
