//! The engines that hold sessions, each with real servers of its own.

use std::path::Path;

use tenure::random::SystemRandom;
use tenure::store::Engine;
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
        match kind {
            Kind::Embedded => {
                let engine = Embedded::at(self.folder()).config_dir(self.place.join("config"));
                open(engine, cache_bytes).await
            }
            Kind::Postgres => {
                let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
                open(Postgres::at(url).master_key(self.key.clone()), cache_bytes).await
            }
            Kind::Redis => {
                let url = format!("redis://127.0.0.1:{port}");
                open(Redis::at(url).master_key(self.key.clone()), cache_bytes).await
            }
        }
    }
}

async fn open(engine: impl Engine, cache_bytes: usize) -> Sessions {
    Sessions::builder(engine).cache_bytes(cache_bytes).open().await.expect("the store opens")
}
