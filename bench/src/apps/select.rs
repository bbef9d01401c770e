//! The applications by their names.

use std::path::Path;
use std::str::FromStr;

use ::tower_sessions::MemoryStore;
use axum::Router;
use tenure::random::SystemRandom;
use tenure::{MasterKey, Memory};
use tenure_embedded::Embedded;
use tenure_redis::Redis;

use super::through::Through;
use super::tower_sessions::Saves;
use super::{bare, minimal, tenure as ours, tower_sessions as theirs};

/// An application.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum App {
    /// Without sessions: the answers of the others, made up.
    Bare,
    /// The same inside a layer that does nothing: what being a layer costs.
    Layer,
    /// A check written by hand, as small as it can be.
    Minimal,
    /// Tenure's layer over its store in memory.
    Tenure,
    /// Tenure's layer over its durable store.
    TenureEmbedded,
    /// Tenure's layer over Redis.
    TenureRedis,
    /// tower-sessions over its store in memory.
    TowerSessions,
    /// tower-sessions over SQLite: a program of its own. With as many connections as SQLx takes
    /// if nothing is said.
    TowerSessionsSqlite,
    /// The same with one connection, so that nobody waits for a lock.
    TowerSessionsSqliteAlone,
    /// tower-sessions over Redis, with fred.
    TowerSessionsRedis,
    /// The same, saving with every request, so that sessions expire some time after the last.
    TowerSessionsRedisRolling,
    /// The same as the first, behind a cache of moka.
    TowerSessionsRedisMoka,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route {
    Read,
    Count,
}

const APPS: &[(&str, App)] = &[
    ("bare", App::Bare),
    ("layer", App::Layer),
    ("minimal", App::Minimal),
    ("tenure", App::Tenure),
    ("tenure-embedded", App::TenureEmbedded),
    ("tenure-redis", App::TenureRedis),
    ("tower-sessions", App::TowerSessions),
    ("tower-sessions-sqlite", App::TowerSessionsSqlite),
    ("tower-sessions-sqlite-alone", App::TowerSessionsSqliteAlone),
    ("tower-sessions-redis", App::TowerSessionsRedis),
    ("tower-sessions-redis-rolling", App::TowerSessionsRedisRolling),
    ("tower-sessions-redis-moka", App::TowerSessionsRedisMoka),
];

impl App {
    pub fn name(self) -> &'static str {
        APPS.iter().find(|(_, app)| *app == self).expect("every application has a name").0
    }

    /// Whether it keeps sessions.
    pub fn has_sessions(self) -> bool {
        !matches!(self, Self::Bare | Self::Layer)
    }

    /// By which name `bench/older` knows its store, if it is there and not in this package.
    pub(crate) fn older(self) -> Option<&'static str> {
        match self {
            Self::TowerSessionsSqlite => Some("sqlite"),
            Self::TowerSessionsSqliteAlone => Some("sqlite-alone"),
            Self::TowerSessionsRedis => Some("redis"),
            Self::TowerSessionsRedisRolling => Some("redis-rolling"),
            Self::TowerSessionsRedisMoka => Some("redis-moka"),
            _ => None,
        }
    }

    /// Whether its place is the URL of Redis, and not a folder.
    pub fn is_on_redis(self) -> bool {
        self == Self::TenureRedis || self.older().is_some_and(|store| store.starts_with("redis"))
    }

    /// The application, with its sessions in a folder or in Redis if it does not keep them itself.
    ///
    /// # Panics
    /// For what is in `bench/older`, and when a store does not open.
    pub async fn router(self, place: &str) -> Router {
        match self {
            Self::Bare => bare::router(),
            Self::Layer => bare::router().layer(Through),
            Self::Minimal => minimal::router(),
            Self::Tenure => ours::router(Memory).await,
            Self::TenureEmbedded => {
                let folder = Path::new(place);
                ours::router(Embedded::at(folder.join("store")).config_dir(folder.join("keys"))).await
            }
            Self::TenureRedis => {
                let key = MasterKey::generate(&SystemRandom);
                ours::router(Redis::at(place).master_key(key)).await
            }
            Self::TowerSessions => theirs::router(MemoryStore::default(), Saves::Changes),
            _ => panic!("{} is in bench/older", self.name()),
        }
    }
}

impl FromStr for App {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = APPS.iter().find(|(known, _)| *known == name);
        known.map(|(_, app)| *app).ok_or_else(|| format!("no application is called {name}"))
    }
}

impl Route {
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Count => "count",
        }
    }

    pub fn method(self) -> &'static str {
        match self {
            Self::Read => "GET",
            Self::Count => "POST",
        }
    }
}

impl FromStr for Route {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = [Self::Read, Self::Count].into_iter().find(|route| route.name() == name);
        known.ok_or_else(|| format!("no route is called {name}"))
    }
}
