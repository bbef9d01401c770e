//! A world of its own for each test: an engine, a clock, and faults between.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tempfile::TempDir;
use tenure::GuestPolicy;
use tenure::clock::TestClock;
use tenure::store::{Context, Engine, Opened, Store, StoreError};
use tenure::testing::Faults;
use tenure::{Builder, MasterKey, Memory, Policy, Sessions};
use tenure_embedded::Embedded;

/// A place for sessions that outlives the process that serves them.
pub(crate) struct World {
    pub(crate) clock: TestClock,
    pub(crate) faults: Faults,
    pub(crate) policy: Policy,
    place: Place,
}

enum Place {
    Memory(Kept),
    Embedded(TempDir),
}

/// A store in memory that stays when its process goes, like a server elsewhere.
type Kept = Arc<Mutex<Option<(Arc<dyn Store>, MasterKey)>>>;

/// The same test on each engine: `async fn name(world: World)` becomes `name::memory` and
/// `name::embedded`.
macro_rules! on_each_engine {
    ($($(#[$attribute:meta])* $name:ident;)+) => {$(
        $(#[$attribute])*
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn memory() {
                super::$name(crate::support::World::memory()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() {
                super::$name(crate::support::World::embedded()).await;
            }
        }
    )+};
}
pub(crate) use on_each_engine;

impl World {
    pub(crate) fn memory() -> Self {
        Self::at(Place::Memory(Kept::default()))
    }

    pub(crate) fn embedded() -> Self {
        Self::at(Place::Embedded(tempfile::tempdir().expect("a temporary folder")))
    }

    fn at(place: Place) -> Self {
        let guest = GuestPolicy { new_per_minute: 1_000_000, ..GuestPolicy::default() };
        Self {
            clock: TestClock::default(),
            faults: Faults::default(),
            policy: Policy { guest, ..Policy::default() },
            place,
        }
    }

    /// Starts a process on the store.
    pub(crate) async fn open(&self) -> Sessions {
        self.open_with(|builder| builder).await
    }

    /// The same with other settings.
    pub(crate) async fn open_with(&self, settings: impl FnOnce(Builder) -> Builder) -> Sessions {
        settings(self.builder())
            .open()
            .await
            .unwrap_or_else(|error| panic!("the store does not open: {error}"))
    }

    /// The same, when it may not open.
    pub(crate) async fn try_open(&self) -> Result<Sessions, tenure::Error> {
        self.builder().open().await
    }

    /// Another process on the same store, without memory of its own.
    pub(crate) async fn open_beside(&self, sessions: &Sessions) -> Sessions {
        let kept = Kept::new(Mutex::new(Some((Arc::clone(sessions.store()), master_key()))));
        let builder = Sessions::builder(KeptMemory(kept)).policy(self.policy.clone()).cache_bytes(0);
        let opened = builder.clock(self.clock.clone()).without_background().open().await;
        opened.expect("a store that is open")
    }

    fn builder(&self) -> Builder {
        let builder = match &self.place {
            Place::Memory(kept) => {
                Sessions::builder(self.faults.before(KeptMemory(Arc::clone(kept))).left_open())
            }
            Place::Embedded(folder) => Sessions::builder(self.faults.before(embedded_in(folder))),
        };
        builder.policy(self.policy.clone()).clock(self.clock.clone()).without_background()
    }

    /// Ends the process and starts the next one on what is left.
    pub(crate) async fn restart(&self, sessions: Sessions) -> Sessions {
        self.shut_down(sessions).await;
        self.open().await
    }

    /// Ends the process.
    pub(crate) async fn shut_down(&self, sessions: Sessions) {
        sessions.close().await.expect("what is buffered can be written");
        drop(sessions);
    }

    /// Where the store lies on the disk, if it does.
    pub(crate) fn folder(&self) -> Option<std::path::PathBuf> {
        match &self.place {
            Place::Memory(_) => None,
            Place::Embedded(folder) => Some(folder.path().join("store")),
        }
    }
}

/// The master key of every store on disk here.
pub(crate) fn master_key() -> MasterKey {
    MasterKey::from_hex(&"5a".repeat(32)).expect("64 digits")
}

fn embedded_in(folder: &TempDir) -> Embedded {
    Embedded::at(folder.path().join("store"))
        .master_key(master_key())
        .config_dir(folder.path().join("config"))
}

struct KeptMemory(Kept);

#[async_trait]
impl Engine for KeptMemory {
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError> {
        let kept = self.0.lock().unwrap().clone();
        if let Some((store, master_key)) = kept {
            return Ok(Opened { store, master_key });
        }
        let opened = Box::new(Memory).open(context).await?;
        let master_key = master_key();
        *self.0.lock().unwrap() = Some((Arc::clone(&opened.store), master_key.clone()));
        Ok(Opened { store: opened.store, master_key })
    }
}
