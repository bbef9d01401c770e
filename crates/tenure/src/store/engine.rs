//! Opening a store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Store, StoreError};
use crate::clock::{Clock, SteadyClock};
use crate::keys::MasterKey;
use crate::random::Random;

/// The bound unless another is set.
pub(crate) const BOUND: Duration = Duration::from_secs(1);

/// What an [`Engine`] gets when it is opened: the one clock, the one source of randomness, the bound.
#[derive(Clone)]
pub struct Context {
    /// Time.
    pub clock: Arc<SteadyClock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// For how long a node may rely on what it once made sure of: see
    /// [`Builder::bound`](crate::Builder::bound).
    pub bound: Duration,
}

impl Context {
    /// A context of these two, with the usual bound; [`MemoryStore`](super::MemoryStore) shows it.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock: Arc::new(SteadyClock::new(clock)), random, bound: BOUND }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// A store that is to be opened: a place and its settings.
///
/// # Example: the engine that is built in
/// ```
/// # async fn example() -> Result<(), tenure::Error> {
/// let sessions = tenure::Sessions::open(tenure::Memory).await?;
/// # Ok(()) }
/// ```
///
/// # Example: an engine around another one
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::store::{Context, Engine, Opened, StoreError};
/// use tenure::{MasterKey, Memory, Sessions};
///
/// /// Sessions in memory, under a master key of the application's.
/// struct WithKey(MasterKey);
///
/// #[async_trait::async_trait]
/// impl Engine for WithKey {
///     async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError> {
///         let opened = Box::new(Memory).open(context).await?;
///         Ok(Opened { store: opened.store, master_key: self.0 })
///     }
/// }
///
/// # let key = MasterKey::generate(&tenure::random::SystemRandom);
/// let sessions = Sessions::open(WithKey(key)).await?;
/// # Ok(()) }
/// ```
///
/// A path alone is none, and the compiler says what is:
/// ```compile_fail,E0277
/// # async fn example() -> Result<(), tenure::Error> {
/// let sessions = tenure::Sessions::open("./data").await?;
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no engine that could keep sessions",
    label = "not an engine",
    note = "pass `tenure::Memory`, `tenure_embedded::Embedded::at(\"./data\")`, or the engine of a store of your own"
)]
#[async_trait]
pub trait Engine: Send + 'static {
    /// Opens it.
    ///
    /// # Errors
    /// A [`StoreError`] that says what to do.
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError>;
}

/// For those who choose the engine at run time.
///
/// # Example: by what an operator said
/// ```
/// use tenure::store::Engine;
/// use tenure::testing::SharedMemory;
/// use tenure::{Memory, Sessions};
///
/// # async fn example(alone: bool) -> Result<(), tenure::Error> {
/// let engine: Box<dyn Engine> = if alone { Box::new(Memory) } else { Box::new(SharedMemory::default()) };
/// let sessions = Sessions::open(engine).await?;
/// # Ok(()) }
/// ```
#[async_trait]
impl Engine for Box<dyn Engine> {
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError> {
        (*self).open(context).await
    }
}

/// An open store and the master key that belongs to it, as an [`Engine`] gives them.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The key, from wherever the engine keeps or finds it; never from the store itself.
    pub master_key: MasterKey,
}
