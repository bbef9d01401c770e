//! Where a store lives, and the ways to open it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OpenFlags};
use tenure::clock::{Clock, SystemClock, Timestamp};
use tenure::random::SystemRandom;
use tenure::store::{Context, Engine, Opened, Store, StoreError};
use tenure::{Limits, MasterKey, Policy, Sessions};
use tenure_embedded::Embedded;

/// A folder for a store and one for its key, and the clock it lives by.
pub(crate) struct Home {
    folder: PathBuf,
    pub(crate) clock: Shifted,
}

/// An open store.
pub(crate) struct Open {
    pub(crate) store: Arc<dyn Store>,
    key: MasterKey,
    clock: Shifted,
}

impl Home {
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), clock: Shifted::default() }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("store/tenure.db")
    }

    /// A file beside the store.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// How many durable commits the store has made in its life.
    pub(crate) fn commits(&self) -> u64 {
        let reader = Connection::open_with_flags(self.database(), OpenFlags::SQLITE_OPEN_READ_ONLY);
        let reader = reader.expect("the database opens");
        let commits = reader.query_row("SELECT commits FROM head", [], |row| row.get::<_, i64>(0));
        commits.expect("the store counts its commits") as u64
    }

    pub(crate) async fn open(&self) -> Open {
        let engine = Embedded::at(self.folder.join("store")).config_dir(self.folder.join("config"));
        let context = Context::new(Arc::new(self.clock.clone()), Arc::new(SystemRandom));
        let Opened { store, master_key: key } =
            Box::new(engine).open(context).await.expect("the store opens");
        Open { store, key, clock: self.clock.clone() }
    }
}

impl Open {
    /// Sessions over it, with so much room in memory, that do no housekeeping by themselves.
    pub(crate) async fn sessions(&self, cache_bytes: usize) -> Sessions {
        let kept = Kept(Arc::clone(&self.store), self.key.clone());
        // Limits that outlive all hours that the clock is set ahead.
        let session = Limits { idle_seconds: 7 * 86_400, absolute_seconds: 30 * 86_400 };
        let builder = Sessions::builder(kept)
            .policy(Policy { session, ..Policy::default() })
            .clock(self.clock.clone())
            .cache_bytes(cache_bytes);
        builder.without_background().open().await.expect("sessions over an open store")
    }
}

/// A store that is open already.
struct Kept(Arc<dyn Store>, MasterKey);

#[async_trait]
impl Engine for Kept {
    async fn open(self: Box<Self>, _: Context) -> Result<Opened, StoreError> {
        Ok(Opened { store: self.0, master_key: self.1 })
    }
}

/// The machine's clock, set ahead. Clones share the same time.
#[derive(Clone, Default)]
pub(crate) struct Shifted(Arc<AtomicU64>);

impl Shifted {
    /// Lets so much more time have passed.
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }

    fn by(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl Clock for Shifted {
    fn wall(&self) -> Timestamp {
        SystemClock.wall().plus(self.by())
    }

    fn running(&self) -> Duration {
        SystemClock.running() + self.by()
    }
}
