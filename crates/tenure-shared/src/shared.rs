//! A store over a [`Place`], and the time that it goes by.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tenure::Route;
use tenure::clock::{BELIEVED_CORRECTION, SteadyClock, Timestamp};
use tenure::random::Random;
use tenure::store::{Barrier, Context, StoreError};

use crate::keeper::Keeper;
use crate::place::{Place, View};

/// Among how many turns those who want different things are spread.
pub(crate) const TURNS: usize = 64;

/// A store whose sessions lie in a [`Place`].
pub struct SharedStore<P> {
    pub(crate) place: P,
    pub(crate) clock: Arc<SteadyClock>,
    pub(crate) random: Arc<dyn Random>,
    /// Whether the place lives by the clock of this process, as in tests that move time.
    pub(crate) own_time: bool,
    /// Whose turn it is, of the steps of this process that want the same.
    pub(crate) turns: [tokio::sync::Mutex<()>; TURNS],
    /// What keeps the mark, if there is one.
    pub(crate) keeper: Option<Keeper>,
    partitions: u16,
    /// What is in the place has moved to another store, as the last news said.
    shut: AtomicBool,
}

impl<P> fmt::Debug for SharedStore<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore").field("partitions", &self.partitions).finish_non_exhaustive()
    }
}

impl<P: Place> SharedStore<P> {
    /// A store over this place.
    pub fn new(place: P, context: &Context) -> Self {
        let (clock, random) = (Arc::clone(&context.clock), Arc::clone(&context.random));
        let partitions = place.info().partitions;
        let turns = std::array::from_fn(|_| tokio::sync::Mutex::default());
        let (keeper, shut) = (None, AtomicBool::new(false));
        Self { place, clock, random, own_time: false, turns, keeper, partitions, shut }
    }

    /// Decides by the clock of this process instead of the place's, for tests that move time. Only
    /// for places that one process uses alone.
    #[must_use]
    pub fn by_own_clock(self) -> Self {
        Self { own_time: true, ..self }
    }

    /// Takes what the news said.
    pub(crate) fn set_shut(&self, shut: bool) {
        self.shut.store(shut, Ordering::Relaxed);
    }

    /// Refuses what no partition is asked for, and that would tell of what has moved.
    pub(crate) fn must_not_be_shut(&self) -> Result<(), StoreError> {
        if self.shut.load(Ordering::Relaxed) { Err(Barrier::shut()) } else { Ok(()) }
    }

    pub(crate) fn partition(&self, route: Route) -> u16 {
        route.partition(self.partitions)
    }

    /// The time of a step: the place's, or in tests the one that the test moves.
    pub(crate) fn time(&self, view: &View) -> Result<Timestamp, StoreError> {
        let here = self.clock.now();
        if self.own_time {
            return Ok(here);
        }
        let ahead = view.now.since(here);
        if ahead > BELIEVED_CORRECTION {
            let ahead = ahead.as_secs();
            return Err(StoreError::Unavailable(format!(
                "its clock jumped ahead by {ahead} s; set it right, or restart the nodes if it is right now"
            )));
        }
        Ok(view.now)
    }
}
