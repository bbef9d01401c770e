//! A fresh store for one case, with the time and the chance that it lives by.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, TestClock, Timestamp};
use crate::random::SeededRandom;
use crate::store::{Context, Engine, Store};

/// What a case gets: an empty store of its own, a clock that stands still until the case
/// moves it, and randomness that is the same at every run.
///
/// Clones share the store, so that tasks of a case can each hold one.
///
/// # Panics
/// What asks the store panics, and so fails the case, when the store gives an error or does not do
/// what was to happen.
#[derive(Clone)]
pub struct Fixture {
    place: Arc<dyn Fn() -> Box<dyn Engine> + Send + Sync>,
    store: Arc<dyn Store>,
    clock: TestClock,
    random: Arc<SeededRandom>,
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture")
            .field("store", &self.store.info())
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

impl Fixture {
    /// Opens a store at `place`, which must be empty.
    ///
    /// `place` is asked again by the cases that close a durable store and open it anew, and
    /// must then give the same place. What it captures lives as long as the case: let it own
    /// the temporary folder.
    ///
    /// # Panics
    /// When the engine cannot open the store.
    pub async fn open<E: Engine>(place: impl Fn() -> E + Send + Sync + 'static) -> Self {
        let place: Arc<dyn Fn() -> Box<dyn Engine> + Send + Sync> = Arc::new(move || Box::new(place()));
        Self::at(place, TestClock::default(), Arc::new(SeededRandom::new(1))).await
    }

    /// Closes the store and opens it again, as after a restart of the process: the steady
    /// clock starts anew from the wall clock.
    ///
    /// # Panics
    /// When the engine cannot open the store.
    pub async fn reopened(self) -> Self {
        self.store.close().await;
        let Self { place, store, clock, random } = self;
        drop(store);
        Self::at(place, clock, random).await
    }

    async fn at(
        place: Arc<dyn Fn() -> Box<dyn Engine> + Send + Sync>,
        clock: TestClock,
        random: Arc<SeededRandom>,
    ) -> Self {
        let context = Context::new(Arc::new(clock.clone()), Arc::clone(&random) as Arc<_>);
        let opened = place().open(context).await.expect("the store opens");
        Self { place, store: opened.store, clock, random }
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The clock that the store lives by.
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// Lets `by` pass.
    pub fn wait(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    /// Randomness that is the same at every run.
    pub fn random(&self) -> &SeededRandom {
        &self.random
    }
}
