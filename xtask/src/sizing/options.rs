//! What a plan is for: sessions, how they are used, and what the servers are.

use clap::{Args, ValueEnum};

/// What options are about, in `--help`.
const SESSIONS: &str = "The sessions";
const NODES: &str = "The nodes";
const SERVERS: &str = "The engine's servers";
const MACHINES: &str = "Every machine";

/// The sessions, those who use them, and the servers.
#[derive(Args, Clone)]
pub(crate) struct Wanted {
    /// One of those that are asked for.
    #[arg(skip)]
    pub(crate) sessions: f64,
    /// The share of them that is active at the busiest hour, 0.1 for a tenth
    #[arg(long, default_value_t = 0.1, value_parser = share, value_name = "SHARE", help_heading = SESSIONS)]
    pub(crate) active: f64,
    /// Seconds between two requests of an active session
    #[arg(long, default_value_t = 10.0, value_parser = positive, value_name = "SECONDS", help_heading = SESSIONS)]
    pub(crate) every: f64,
    /// The share of requests that change the session's data, 0.01 for one in a hundred
    #[arg(long, default_value_t = 0.01, value_parser = share, value_name = "SHARE", help_heading = SESSIONS)]
    pub(crate) changes: f64,
    /// Days from a sign-in to the end of its session
    #[arg(long, default_value_t = 7.0, value_parser = positive, value_name = "DAYS", help_heading = SESSIONS)]
    pub(crate) life: f64,
    /// Minutes for which somebody who came stays
    #[arg(long, default_value_t = 10.0, value_parser = positive, value_name = "MINUTES", help_heading = SESSIONS)]
    pub(crate) visit: f64,

    /// Which node a request goes to
    #[arg(long, value_enum, default_value_t = Routing::Any, help_heading = NODES)]
    pub(crate) routing: Routing,
    /// Cores of a node
    #[arg(long, default_value_t = 8.0, value_parser = positive, value_name = "CORES", help_heading = NODES)]
    pub(crate) node_cores: f64,
    /// GiB of memory of a node
    #[arg(long, default_value_t = 32.0, value_parser = positive, value_name = "GIB", help_heading = NODES)]
    pub(crate) node_memory: f64,
    /// Checks a second that a node is to do, if its cores have other work too [default: what a `tenure`
    /// server was measured to take, over HTTP, at `--load`]
    #[arg(long, value_parser = positive, value_name = "CHECKS", help_heading = NODES)]
    pub(crate) node_checks: Option<f64>,

    /// GiB of memory of a server of the engine
    #[arg(long, default_value_t = 64.0, value_parser = positive, value_name = "GIB", help_heading = SERVERS)]
    pub(crate) memory: f64,
    /// Cores of PostgreSQL's server. A Redis uses one for commands, whatever there is
    #[arg(long, default_value_t = 16.0, value_parser = positive, value_name = "CORES", help_heading = SERVERS)]
    pub(crate) cores: f64,
    /// MB a second that a server's disk takes
    #[arg(long, default_value_t = 500.0, value_parser = positive, value_name = "MB", help_heading = SERVERS)]
    pub(crate) disk: f64,
    /// Replicas, or standbys, of each server that takes writes
    #[arg(long, default_value_t = 1.0, value_parser = whole, value_name = "NUMBER", help_heading = SERVERS)]
    pub(crate) replicas: f64,

    /// Gbit a second of every machine's network
    #[arg(long, default_value_t = 10.0, value_parser = positive, value_name = "GBIT", help_heading = MACHINES)]
    pub(crate) network: f64,
    /// The share of cores, network and disks that is used at the busiest hour
    #[arg(long, default_value_t = 0.5, value_parser = share, value_name = "SHARE", help_heading = MACHINES)]
    pub(crate) load: f64,
    /// The share of memory that is filled: the rest is for copies while a file is written anew, for
    /// connections and for growth
    #[arg(long, default_value_t = 0.6, value_parser = share, value_name = "SHARE", help_heading = MACHINES)]
    pub(crate) fill: f64,
}

/// Which node a request goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Routing {
    /// Any: each node has all that are active in memory
    Any,
    /// The proxy sends a session to the same node by a hash of its cookie: each has its share
    Session,
}

impl Routing {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Session => "session",
        }
    }
}

impl Wanted {
    /// Bytes a second of a machine's network that are to be used.
    pub(crate) fn wire(&self) -> f64 {
        self.network * 1e9 / 8.0 * self.load
    }

    /// Microseconds of processor time in a second of so many cores.
    pub(crate) fn time(&self, cores: f64) -> f64 {
        cores * 1e6 * self.load
    }

    /// Bytes of so many GiB that are to be filled.
    pub(crate) fn room(&self, gib: f64) -> f64 {
        gib * GIB * self.fill
    }
}

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

fn number(text: &str) -> Result<f64, String> {
    let number: f64 = text.replace('_', "").parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() { Ok(number) } else { Err("not a number".into()) }
}

pub(crate) fn positive(text: &str) -> Result<f64, String> {
    number(text).and_then(|number| if number > 0.0 { Ok(number) } else { Err("more than 0".into()) })
}

fn share(text: &str) -> Result<f64, String> {
    let fits = |number: &f64| (0.0..=1.0).contains(number);
    number(text).and_then(|number| if fits(&number) { Ok(number) } else { Err("from 0 to 1".into()) })
}

fn whole(text: &str) -> Result<f64, String> {
    let fits = |number: &f64| *number >= 0.0 && number.fract() == 0.0;
    number(text).and_then(|number| if fits(&number) { Ok(number) } else { Err("a whole number".into()) })
}
