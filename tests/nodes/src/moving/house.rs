//! Stores to move between, all with one master key.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use tempfile::TempDir;
use tenure::store::{Context, Engine, Item, Opened, Part, StoreError};
use tenure::testing::SharedMemory;
use tenure::{MasterKey, Sessions};
use tenure_embedded::Embedded;
use tenure_postgres::Postgres;
use tenure_redis::Redis;

/// A place for a store, empty at first.
pub(crate) enum House {
    Memory(SharedMemory),
    Embedded(TempDir),
    Postgres(String),
    Redis(String, String),
}

/// An engine of any kind, with the key of all.
pub(crate) struct Any(Box<dyn Engine>);

#[async_trait]
impl Engine for Any {
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError> {
        Ok(Opened { master_key: key(), ..self.0.open(context).await? })
    }
}

fn key() -> MasterKey {
    MasterKey::from_hex(&"7c".repeat(32)).unwrap()
}

fn name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("house_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl House {
    pub(crate) fn memory() -> Self {
        Self::Memory(SharedMemory::default())
    }

    pub(crate) fn embedded() -> Self {
        Self::Embedded(tempfile::tempdir().unwrap())
    }

    pub(crate) fn postgres() -> Self {
        Self::Postgres(name())
    }

    pub(crate) fn redis() -> Self {
        Self::Redis(tenure_servers::Redis::shared().url(), name())
    }

    pub(crate) fn cluster() -> Self {
        Self::Redis(tenure_servers::RedisCluster::shared().url(), name())
    }

    /// Whether what is in it outlives those who have it open.
    pub(crate) fn stays(&self) -> bool {
        !matches!(self, Self::Memory(_))
    }

    pub(crate) fn engine(&self) -> Any {
        Any(match self {
            Self::Memory(memory) => Box::new(memory.clone()),
            Self::Embedded(folder) => Box::new(
                Embedded::at(folder.path().join("store"))
                    .config_dir(folder.path().join("config"))
                    .master_key(key()),
            ),
            Self::Postgres(schema) => {
                let url = tenure_servers::Postgres::shared().url();
                Box::new(Postgres::at(url).schema(schema).partitions(64).master_key(key()))
            }
            Self::Redis(url, prefix) => Box::new(Redis::at(url).prefix(prefix).master_key(key())),
        })
    }

    pub(crate) async fn sessions(&self) -> Sessions {
        Sessions::open(self.engine()).await.unwrap()
    }
}

/// All that a store has, in one order.
pub(crate) async fn everything(sessions: &Sessions) -> Vec<String> {
    let store = Arc::clone(sessions.store());
    let mut all = Vec::new();
    for part in Part::ALL {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = store.movable().unwrap().export(part, after.as_deref(), 100).await.unwrap();
            all.extend(page.items.iter().map(shown));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    all.sort();
    all
}

/// `Debug` leaves out what is personal, and that has to be compared too.
fn shown(item: &Item) -> String {
    match item {
        Item::Session(record) => format!("{record:?} {:?}", record.encode()),
        other => format!("{other:?}"),
    }
}
