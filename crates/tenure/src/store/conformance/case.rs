//! A case, and how it is run.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::fixture::Fixture;
use crate::store::Store;

/// The future of a running case.
pub type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The group whose cases close the store and open it again.
const NEEDS_DURABLE: &str = "restart";

/// The group whose cases move sessions.
const NEEDS_MOVABLE: &str = "moving";

/// One promise, and how to try a store on it.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it is about: the name of its module.
    pub group: &'static str,
    /// The promise, as the name of the test.
    pub name: &'static str,
    pub(super) run: fn(Fixture) -> Run,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.group, self.name)
    }
}

impl Case {
    /// Whether it can be asked of this store: what survives a restart is only asked of durable
    /// ones, and what moves only of those that can [move](crate::store::Movable).
    pub fn applies_to(&self, store: &dyn Store) -> bool {
        match self.group {
            NEEDS_DURABLE => store.info().durable,
            NEEDS_MOVABLE => store.movable().is_some(),
            _ => true,
        }
    }

    /// Tries the store of `fixture`, unless the case does not apply to it. Wants a runtime
    /// with several threads.
    ///
    /// # Panics
    /// When the store breaks the promise.
    pub async fn run(&self, fixture: Fixture) {
        if self.applies_to(fixture.store()) {
            (self.run)(fixture).await;
        }
    }
}
