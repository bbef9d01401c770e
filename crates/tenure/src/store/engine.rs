//! Opening a store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Store, StoreError};
use crate::clock::{Clock, SteadyClock};
use crate::keys::MasterKey;
use crate::random::Random;

/// What an engine gets when it is opened: the one clock and the one source of randomness.
#[derive(Clone)]
pub struct Context {
    /// Time.
    pub clock: Arc<SteadyClock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

impl Context {
    /// A context of these two.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock: Arc::new(SteadyClock::new(clock)), random }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// A store that is to be opened: a place and its settings.
#[async_trait]
pub trait Engine: Send + 'static {
    /// Opens it.
    ///
    /// # Errors
    /// A [`StoreError`] that says what to do.
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError>;
}

/// An open store and the master key that belongs to it.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The key, from wherever the engine keeps or finds it; never from the store itself.
    pub master_key: MasterKey,
}
