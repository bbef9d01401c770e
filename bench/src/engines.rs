//! The engines that hold sessions, each with real servers of its own.

use std::path::Path;
use std::sync::Arc;

use tenure::clock::SystemClock;
use tenure::random::SystemRandom;
use tenure::store::{Context, Engine, Opened};
use tenure::{MasterKey, Sessions};
use tenure_embedded::Embedded;
use tenure_postgres::Postgres;
use tenure_redis::Redis;

use crate::place::Place;

/// An engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Embedded,
    Postgres,
    Redis,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Embedded, Self::Postgres, Self::Redis];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }
}

/// Servers that run until this is dropped, and a folder on disk.
pub struct Engines {
    place: Place,
    key: MasterKey,
    pub postgres: tenure_servers::Postgres,
    pub redis: tenure_servers::Redis,
}

impl Engines {
    /// Starts them, with a folder inside `parent`, which should lie on a real disk.
    pub fn start(parent: &Path) -> Self {
        Self {
            place: Place::in_folder(parent),
            key: MasterKey::generate(&SystemRandom),
            postgres: tenure_servers::Postgres::start(),
            redis: tenure_servers::Redis::start(),
        }
    }

    /// The folder of the embedded store.
    pub fn folder(&self) -> std::path::PathBuf {
        self.place.join("store")
    }

    /// A port of loopback at which a shared engine is spoken to; none for the one without.
    pub fn port(&self, kind: Kind) -> Option<u16> {
        match kind {
            Kind::Embedded => None,
            Kind::Postgres => Some(self.postgres.port()),
            Kind::Redis => Some(self.redis.port()),
        }
    }

    /// Sessions in one of them, with so much room in memory.
    pub async fn open(&self, kind: Kind, cache_bytes: usize) -> Sessions {
        self.open_at(kind, self.port(kind).unwrap_or_default(), cache_bytes).await
    }

    /// The same, by way of another port.
    pub async fn open_at(&self, kind: Kind, port: u16, cache_bytes: usize) -> Sessions {
        open(self.engine(kind, port), cache_bytes).await
    }

    /// A store itself, by way of a port.
    pub async fn store_at(&self, kind: Kind, port: u16) -> Opened {
        let context = Context::new(Arc::new(SystemClock), Arc::new(SystemRandom));
        self.engine(kind, port).open(context).await.expect("the store opens")
    }

    /// The master key of the shared stores, for nodes in processes of their own.
    pub fn key(&self) -> &MasterKey {
        &self.key
    }

    fn engine(&self, kind: Kind, port: u16) -> Box<dyn Engine> {
        match kind {
            Kind::Embedded => Box::new(Embedded::at(self.folder()).config_dir(self.place.join("config"))),
            Kind::Postgres => Box::new(postgres(port).master_key(self.key.clone())),
            Kind::Redis => Box::new(redis(port).master_key(self.key.clone())),
        }
    }
}

/// Sessions in a shared store at a port of loopback, in a process that has the master key in its
/// environment.
///
/// # Panics
/// Of an engine that one process has for itself.
pub async fn open_elsewhere(kind: Kind, port: u16, cache_bytes: usize) -> Sessions {
    match kind {
        Kind::Embedded => panic!("the embedded store is one process's own"),
        Kind::Postgres => open(postgres(port), cache_bytes).await,
        Kind::Redis => open(redis(port), cache_bytes).await,
    }
}

fn postgres(port: u16) -> Postgres {
    Postgres::at(format!("postgres://postgres@127.0.0.1:{port}/postgres"))
}

fn redis(port: u16) -> Redis {
    Redis::at(format!("redis://127.0.0.1:{port}"))
}

async fn open(engine: impl Engine, cache_bytes: usize) -> Sessions {
    Sessions::builder(engine).cache_bytes(cache_bytes).open().await.expect("the store opens")
}
