//! Telling those who hold something open that its session is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::id::SessionId;

/// Who waits for the end of which session, on this node.
#[derive(Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<HashMap<SessionId, Arc<Notify>>>>);

/// One who waits. Leaves when dropped.
pub(super) struct Watch {
    watchers: Watchers,
    id: SessionId,
    notify: Arc<Notify>,
}

impl Watchers {
    pub(super) fn watch(&self, id: SessionId) -> Watch {
        let notify = Arc::clone(self.lock().entry(id).or_default());
        Watch { watchers: self.clone(), id, notify }
    }

    pub(super) fn wake(&self, id: &SessionId) {
        if let Some(notify) = self.lock().get(id) {
            notify.notify_waiters();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Resolves when the session's end is told, also if that happens before anybody waits.
    pub(super) fn told(&self) -> Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watchers = self.watchers.lock();
        // Two owners: the map and this one.
        if Arc::strong_count(&self.notify) <= 2 {
            watchers.remove(&self.id);
        }
    }
}
