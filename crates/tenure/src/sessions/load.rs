//! Reading a session from the store into memory, and the small writes that checks cause.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use crate::error::Error;
use crate::id::SessionId;
use crate::reason::Actor;
use crate::snapshot::Snapshot;
use crate::store::{Mutation, Reply, StoreError};

/// How long a check waits for the store.
const PATIENCE: Duration = Duration::from_secs(5);

impl Core {
    /// The session from memory, as one who asks at `running` may still rely on it, and for how long.
    pub(super) fn cached(&self, id: &SessionId, running: Duration) -> Option<(Arc<Snapshot>, Duration)> {
        let Some(left) = self.freshness.left(id.route(), running) else {
            self.cache.count_miss(id);
            return None;
        };
        Some((self.cache.get(id)?, left))
    }

    /// The session, from the store.
    pub(super) async fn load(
        &self,
        id: SessionId,
        ip: Option<IpAddr>,
    ) -> Result<Option<Arc<Snapshot>>, Error> {
        if self.is_gone(&id) {
            return Ok(None);
        }
        let history = self.history();
        let found = self.look_up(id, ip).await?;
        if found.is_none() {
            self.count_miss(ip);
            self.remember_gone(id, history);
        }
        Ok(found)
    }

    /// The session that a cookie from elsewhere leads to, from memory if it is there. An id without
    /// a session is not remembered and does not count as a miss: it is about to begin.
    pub(super) async fn load_adopted(
        &self,
        id: SessionId,
        ip: Option<IpAddr>,
    ) -> Result<Option<Arc<Snapshot>>, Error> {
        match self.cached(&id, self.clock.running()) {
            Some((session, _)) => Ok(Some(session)),
            None => self.look_up(id, ip).await,
        }
    }

    /// Asks the store, unless the network had too many misses. What is over is one.
    async fn look_up(&self, id: SessionId, ip: Option<IpAddr>) -> Result<Option<Arc<Snapshot>>, Error> {
        let running = self.clock.running();
        self.misses.look(ip, running).map_err(|retry_after| Error::Throttled { retry_after })?;
        let ticket = self.cache.ticket(&id);
        let loading = tokio::time::timeout(PATIENCE, self.find(id));
        let slow = || StoreError::Unavailable(format!("no answer within {} s", PATIENCE.as_secs()));
        let mut found = loading.await.map_err(|_| slow())??;
        if let Some(ending) =
            self.ends.of(&id).filter(|_| found.as_ref().is_some_and(|s| s.end_reason().is_none()))
        {
            // The store has lost an end that was acknowledged.
            self.end_as_before(id, ending).await?;
            found = self.find(id).await?;
        }
        if let Some(session) = &found {
            if session.end_reason().is_some() {
                self.count_miss(ip);
            }
            self.cache.insert(session, ticket);
        }
        Ok(found)
    }

    fn count_miss(&self, ip: Option<IpAddr>) {
        self.misses.take(ip, self.clock.running()).ok();
    }

    /// The session, from memory when it is alive or told to be over there; what only looks dead
    /// is for the store to say.
    pub(super) async fn known(&self, id: SessionId) -> Result<Option<Arc<Snapshot>>, Error> {
        let now = self.clock.now();
        let sure = |session: &Snapshot| session.end_reason().is_some() || session.dead(now).is_none();
        match self.cached(&id, self.clock.running()).filter(|(session, _)| sure(session)) {
            Some((session, _)) => Ok(Some(session)),
            None => self.load(id, None).await,
        }
    }

    /// A change that Tenure makes by itself.
    pub(super) async fn automatic(
        self: &Arc<Self>,
        id: SessionId,
        mutation: Mutation,
    ) -> Result<Reply, Error> {
        let operation = self.operation(Actor::system());
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
}
