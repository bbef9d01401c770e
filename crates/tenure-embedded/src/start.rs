//! Opening a store without holding up whoever asks.

use std::sync::Arc;

use async_trait::async_trait;
use tenure::MasterKey;
use tenure::store::{Context, Engine, Opened, StoreError};
use tokio::sync::oneshot;

use crate::engine::Embedded;
use crate::open;
use crate::store::EmbeddedStore;

impl Embedded {
    /// Opens the store as what it is, for what only this engine can do, such as
    /// [`EmbeddedStore::backup`].
    ///
    /// # Example: copies beside the sessions
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    /// use tenure::clock::SystemClock;
    /// use tenure::random::SystemRandom;
    /// use tenure::store::{Context, Store};
    /// use tenure_embedded::{Embedded, EmbeddedStore};
    ///
    /// # let (folder, config) = (tempfile::tempdir()?, tempfile::tempdir()?);
    /// # let engine = Embedded::at(folder.path().join("data")).config_dir(config.path());
    /// # let copy = folder.path().join("copy.db");
    /// let context = Context::new(Arc::new(SystemClock), Arc::new(SystemRandom));
    /// let (store, master_key): (Arc<EmbeddedStore>, _) = engine.start(context).await?;
    /// // An `Engine` of one's own gives both to `Sessions::open`, and keeps the store for this:
    /// store.backup(&copy).await?;
    /// assert!(copy.exists());
    /// println!("{} commits", store.commits());
    /// # drop(master_key);
    /// store.close().await;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Configuration when it is open elsewhere, the key is missing, misplaced or another
    /// one, or the store is of a newer release; Corrupt when it is damaged or gone; Blocked
    /// when the operator has to decide. Each says what to do.
    pub async fn start(self, context: Context) -> Result<(Arc<EmbeddedStore>, MasterKey), StoreError> {
        let (reply, answer) = oneshot::channel();
        std::thread::Builder::new()
            .name("tenure-open".into())
            .spawn(move || {
                // Whoever asked may be gone; then the store is closed again.
                let _ = reply.send(open::open(self, context));
            })
            .map_err(|e| StoreError::Unavailable(format!("no thread to open with: {e}")))?;
        let broke_off = |_| Err(StoreError::Unavailable("opening broke off".into()));
        let opened = answer.await.unwrap_or_else(broke_off)?;
        Ok((Arc::new(opened.0), opened.1))
    }
}

#[async_trait]
impl Engine for Embedded {
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError> {
        let (store, master_key) = self.start(context).await?;
        Ok(Opened { store, master_key })
    }
}
