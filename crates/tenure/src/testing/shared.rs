//! Several nodes in one process.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::keys::MasterKey;
use crate::random::SystemRandom;
use crate::store::memory::Inner;
use crate::store::{Context, Engine, MemoryStore, Opened, StoreError};

/// An engine whose clones open one and the same store in memory, as the nodes of a site do: for tests
/// of what happens between nodes. The store lives by the clock of whoever opens it first, and goes on
/// when one of them closes it if faults are put before it that [leave it
/// open](super::Brittle::left_open).
///
/// # Example: what one node ends, the other refuses
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tenure::Error> {
/// use tenure::testing::SharedMemory;
/// use tenure::{Actor, Check, EndReason, Ending, Sessions, SignIn, UserId};
///
/// let store = SharedMemory::default();
/// let one = Sessions::builder(store.clone()).without_background().open().await?;
/// let other = Sessions::builder(store).without_background().open().await?;
///
/// let user = UserId::new("alice")?;
/// let issued = one.sign_in(None, SignIn::password(user.clone())).await?;
/// let token = issued.token.expose().as_bytes();
/// assert!(other.check(token, &Check::signed_in()).await?.active().is_some());
/// one.end_all_of(&user, None, Ending::new(EndReason::Logout, Actor::user())).await?;
/// other.maintain().await?; // reads what happened elsewhere; otherwise in the background
/// assert!(other.check(token, &Check::signed_in()).await?.active().is_none());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SharedMemory {
    store: Arc<Mutex<Option<Arc<MemoryStore>>>>,
    key: MasterKey,
}

/// What a [replica](SharedMemory::replica) has.
pub struct Replica(Inner);

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica").finish_non_exhaustive()
    }
}

impl SharedMemory {
    /// Another store, empty and apart, with the same master key. [`Move`](crate::Move) shows it.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { store: Arc::default(), key: self.key.clone() }
    }

    /// What a replica has that has heard of all until now; of a store that nobody has opened, nothing.
    pub fn replica(&self) -> Option<Replica> {
        self.opened().as_ref().map(|store| Replica(store.replica()))
    }

    /// A failover: the replica takes over, and what it has not heard of is gone.
    ///
    /// # Example: an end that was acknowledged and is lost
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tenure::Error> {
    /// use tenure::testing::{Replica, SharedMemory};
    /// use tenure::{Actor, EndReason, Ending, Sessions, SignIn, UserId};
    ///
    /// let (store, user) = (SharedMemory::default(), UserId::new("alice")?);
    /// let sessions = Sessions::builder(store.clone()).without_background().open().await?;
    /// sessions.sign_in(None, SignIn::password(user.clone())).await?;
    /// let behind: Option<Replica> = store.replica();
    /// sessions.end_all_of(&user, None, Ending::new(EndReason::Logout, Actor::user())).await?;
    /// sessions.maintain().await?;
    /// store.promote(behind);
    /// assert_eq!(sessions.list(&user).await?.len(), 1, "the new server does not know");
    /// sessions.maintain().await?; // this node does, and says so
    /// assert_eq!(sessions.list(&user).await?.len(), 0);
    /// # Ok(()) }
    /// ```
    pub fn promote(&self, replica: Option<Replica>) {
        if let (Some(store), Some(Replica(replica))) = (self.opened().as_ref(), replica) {
            store.promote(replica);
        }
    }

    fn opened(&self) -> MutexGuard<'_, Option<Arc<MemoryStore>>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SharedMemory {
    fn default() -> Self {
        Self { store: Arc::default(), key: MasterKey::generate(&SystemRandom) }
    }
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory").finish_non_exhaustive()
    }
}

#[async_trait]
impl Engine for SharedMemory {
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError> {
        let mut opened = self.opened();
        let store = opened.get_or_insert_with(|| Arc::new(MemoryStore::shared(&context)));
        Ok(Opened { store: Arc::clone(store) as Arc<_>, master_key: self.key.clone() })
    }
}
