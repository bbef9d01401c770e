//! The applications by their names.

use std::path::Path;
use std::str::FromStr;

use ::tower_sessions::MemoryStore;
use axum::Router;
use tenure::Memory;
use tenure_embedded::Embedded;

use super::through::Through;
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
    /// tower-sessions over its store in memory.
    TowerSessions,
    /// tower-sessions over SQLite: a program of its own. With as many connections as SQLx takes
    /// if nothing is said.
    TowerSessionsSqlite,
    /// The same with one connection, so that nobody waits for a lock.
    TowerSessionsSqliteAlone,
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
    ("tower-sessions", App::TowerSessions),
    ("tower-sessions-sqlite", App::TowerSessionsSqlite),
    ("tower-sessions-sqlite-alone", App::TowerSessionsSqliteAlone),
];

impl App {
    pub fn name(self) -> &'static str {
        APPS.iter().find(|(_, app)| *app == self).expect("every application has a name").0
    }

    /// Whether it keeps sessions.
    pub fn has_sessions(self) -> bool {
        !matches!(self, Self::Bare | Self::Layer)
    }

    /// The application, with its files in `folder` if it has any.
    ///
    /// # Panics
    /// For tower-sessions over SQLite, which is not in this program, and when a store does not
    /// open.
    pub async fn router(self, folder: &Path) -> Router {
        match self {
            Self::Bare => bare::router(),
            Self::Layer => bare::router().layer(Through),
            Self::Minimal => minimal::router(),
            Self::Tenure => ours::router(Memory).await,
            Self::TenureEmbedded => {
                let store = Embedded::at(folder.join("store")).config_dir(folder.join("keys"));
                ours::router(store).await
            }
            Self::TowerSessions => theirs::router(MemoryStore::default()),
            Self::TowerSessionsSqlite | Self::TowerSessionsSqliteAlone => {
                panic!("tower-sessions over SQLite is in bench/sqlx")
            }
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
