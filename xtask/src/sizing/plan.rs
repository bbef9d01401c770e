//! What so many sessions take of an engine.

use super::limit::{Limit, all_fit};
use super::load::Load;
use super::nodes::Nodes;

/// An engine, as it is called in what was measured and on the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Engine {
    Embedded,
    Postgres,
    Redis,
}

impl Engine {
    pub(crate) const ALL: [Self; 3] = [Self::Embedded, Self::Postgres, Self::Redis];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Embedded => "The embedded store",
            Self::Postgres => "PostgreSQL",
            Self::Redis => "Redis",
        }
    }
}

/// A figure of a plan: what it is, and how it is said.
pub(crate) type Row = (&'static str, String);

/// A deployment, or one of several that are alike.
pub(crate) struct Plan {
    /// How many independent stores there are, each with nodes of its own. What follows is of one of them.
    pub(crate) stores: f64,
    pub(crate) load: Load,
    pub(crate) nodes: Nodes,
    pub(crate) rows: Vec<Row>,
    pub(crate) losing: Vec<Row>,
    /// Servers of the engine, replicas included.
    pub(crate) servers: f64,
    /// Calls of the store in a second.
    pub(crate) calls: f64,
    pub(crate) limits: Vec<Limit>,
    /// What would be short with one store less.
    pub(crate) less: &'static str,
}

impl Plan {
    pub(crate) fn fits(&self) -> bool {
        all_fit(&self.limits)
    }
}
