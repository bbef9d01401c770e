//! A case, and how it is run.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::fixture::Fixture;
use crate::store::StoreInfo;

/// The future of a running case.
pub type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The group whose cases close the store and open it again.
const NEEDS_DURABLE: &str = "restart";

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
    /// Whether it can be asked of such a store: what survives a restart is only asked of
    /// durable ones.
    pub fn applies_to(&self, info: &StoreInfo) -> bool {
        info.durable || self.group != NEEDS_DURABLE
    }

    /// Tries the store of `fixture`, unless the case does not apply to it. Wants a runtime
    /// with several threads.
    ///
    /// # Panics
    /// When the store breaks the promise.
    pub async fn run(&self, fixture: Fixture) {
        if self.applies_to(&fixture.store().info()) {
            (self.run)(fixture).await;
        }
    }
}
