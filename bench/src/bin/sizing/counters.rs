//! What a measurement is read from: processor time, bytes on disk, commands.

use std::fs;
use std::time::{Duration, Instant};

use tenure_bench::engines::{Engines, Kind};
use tenure_bench::processor::Processes;

/// The counters of an engine and of this process.
pub(crate) struct Counters<'a> {
    engines: &'a Engines,
    kind: Kind,
    server: Processes,
    own: Processes,
}

/// How far they were at a moment.
pub(crate) struct Reading {
    at: Instant,
    client: Duration,
    server: Duration,
    disk: u64,
    commands: u64,
}

/// What went by between two moments.
pub(crate) struct Went {
    pub(crate) passed: Duration,
    pub(crate) client: Duration,
    pub(crate) server: Duration,
    pub(crate) disk: u64,
    pub(crate) commands: u64,
}

impl<'a> Counters<'a> {
    /// Of the server's processes that there are now.
    pub(crate) fn of(engines: &'a Engines, kind: Kind) -> Self {
        let server = match kind {
            // It is in this process.
            Kind::Embedded => Processes::new([]),
            Kind::Postgres => Processes::of_postgres(&engines.postgres),
            Kind::Redis => Processes::of_redis(&engines.redis),
        };
        Self { engines, kind, server, own: Processes::own() }
    }

    pub(crate) fn read(&self) -> Reading {
        let (disk, commands) = (disk(self.engines, self.kind), commands(self.engines, self.kind));
        Reading { disk, commands, client: self.own.taken(), server: self.server.taken(), at: Instant::now() }
    }

    pub(crate) fn since(&self, before: &Reading) -> Went {
        let (passed, client, server) =
            (before.at.elapsed(), self.own.taken() - before.client, self.server.taken() - before.server);
        let disk = disk(self.engines, self.kind) - before.disk;
        let commands = commands(self.engines, self.kind) - before.commands;
        Went { passed, client, server, disk, commands }
    }
}

/// The write-ahead log of PostgreSQL, the file of Redis that commands are appended to, what this
/// process has written to disks.
pub(crate) fn disk(engines: &Engines, kind: Kind) -> u64 {
    let text = match kind {
        Kind::Embedded => fs::read_to_string("/proc/self/io").expect("Linux counts"),
        Kind::Postgres => {
            return number(&engines.postgres.sql("SELECT pg_current_wal_insert_lsn() - '0/0'"));
        }
        Kind::Redis => engines.redis.cli("INFO persistence"),
    };
    field(&text, if kind == Kind::Embedded { "write_bytes:" } else { "aof_current_size:" })
}

/// Commands of Redis, those in scripts included; for others there is no such number.
fn commands(engines: &Engines, kind: Kind) -> u64 {
    if kind == Kind::Redis { field(&engines.redis.cli("INFO stats"), "total_commands_processed:") } else { 0 }
}

/// A number that follows a name at the beginning of a line.
pub(crate) fn field(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.trim().strip_prefix(name));
    number(value.unwrap_or_else(|| panic!("no {name} in {text}")))
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or_else(|e| panic!("{text} is no number: {e}"))
}
