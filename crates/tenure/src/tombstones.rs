//! The ends of the last while, as this node has heard of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::id::SessionId;
use crate::reason::Ending;

/// For how long an end is remembered: much longer than a server that takes over can lag behind.
const KEPT: Duration = Duration::from_secs(600);

/// How many are remembered at the most.
const MOST: usize = 65_536;

/// Sessions that were told to have ended: whatever a store says of them later, they are over. A
/// server that took over for another may not have heard of it.
#[derive(Default)]
pub(crate) struct Tombstones(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    endings: HashMap<SessionId, Ending>,
    order: VecDeque<(Duration, SessionId)>,
}

impl Tombstones {
    /// Remembers an end that was told at `running`.
    pub(crate) fn remember(&self, id: SessionId, ending: Ending, running: Duration) {
        let mut inner = self.lock();
        inner.forget(running);
        if inner.endings.insert(id, ending).is_none() {
            inner.order.push_back((running, id));
        }
    }

    /// How a session ended.
    pub(crate) fn of(&self, id: &SessionId) -> Option<Ending> {
        self.lock().endings.get(id).cloned()
    }

    /// All that are remembered, oldest first.
    pub(crate) fn recent(&self, running: Duration) -> Vec<(SessionId, Ending)> {
        let mut inner = self.lock();
        inner.forget(running);
        inner.order.iter().filter_map(|(_, id)| Some((*id, inner.endings.get(id)?.clone()))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, running: Duration) {
        while self.order.len() >= MOST
            || self.order.front().is_some_and(|(at, _)| running.saturating_sub(*at) > KEPT)
        {
            let Some((_, id)) = self.order.pop_front() else { return };
            self.endings.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::{Actor, EndReason};

    fn id(number: u32) -> SessionId {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        SessionId::from_bytes(bytes)
    }

    fn logout() -> Ending {
        Ending::new(EndReason::Logout, Actor::user())
    }

    #[test]
    fn an_end_is_remembered_for_a_while_and_as_it_was_told_first_in_order() {
        let ends = Tombstones::default();
        ends.remember(id(1), logout(), Duration::ZERO);
        ends.remember(id(2), logout(), Duration::from_secs(1));
        ends.remember(id(1), logout(), Duration::from_secs(2));
        let recent: Vec<SessionId> = ends.recent(KEPT).into_iter().map(|(id, _)| id).collect();
        assert_eq!(recent, [id(1), id(2)]);
        assert_eq!(ends.recent(KEPT + Duration::from_secs(1)).len(), 1);
        assert_eq!((ends.of(&id(1)), ends.of(&id(2))), (None, Some(logout())));
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let ends = Tombstones::default();
        for number in 0..u32::try_from(MOST).unwrap() + 10 {
            ends.remember(id(number), logout(), Duration::ZERO);
        }
        assert_eq!(ends.recent(Duration::ZERO).len(), MOST - 1);
        assert!(ends.of(&id(0)).is_none());
    }
}
