//! The embedded store with many sessions.

use anyhow::{Context, Result};
use clap::Args;
use serde::Deserialize;

use super::section::{Allowed, Bound, Plot, Section, Table};
use super::setting::Setting;
use crate::plot::Bar;

#[derive(Args)]
#[group(skip)]
pub(crate) struct Options {
    /// store: how many sessions it holds, at least 10000
    #[arg(long, default_value_t = 5_000_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    stored: u64,
}

/// What there is to say of a store with so many sessions.
#[derive(Deserialize)]
struct Measured {
    sessions: u64,
    filled_per_second: f64,
    size: Size,
    opening: Opening,
    memory: Memory,
    changes: Changes,
    checks: Checks,
}

/// Bytes on disk for each session.
#[derive(Deserialize)]
struct Size {
    file: f64,
    rows: f64,
    indexes: f64,
    events: f64,
}

#[derive(Deserialize)]
struct Opening {
    full_ms: f64,
    empty_ms: f64,
    ratio: f64,
}

/// Bytes that a process holds.
#[derive(Deserialize)]
struct Memory {
    before: f64,
    opened: f64,
    changed: f64,
}

#[derive(Deserialize)]
struct Changes {
    per_second: f64,
    bare_per_second: f64,
    ratio: f64,
    in_a_commit: f64,
}

#[derive(Deserialize)]
struct Checks {
    swept: u64,
    swept_per_second: f64,
    kept: Latency,
    read: Latency,
}

/// How long checks take, alone and beside a sweep.
#[derive(Deserialize)]
struct Latency {
    p50_ns: f64,
    p99_ns: f64,
    p50_beside_ns: f64,
    p99_beside_ns: f64,
    ratio: f64,
}

pub(crate) fn measure(setting: &Setting, options: &Options) -> Result<Vec<Section>> {
    let args = [options.stored.to_string(), setting.folder()];
    let found =
        setting.lines_of_long::<Measured>("store", &args)?.pop().context("the store tells nothing")?;
    Ok(vec![Section {
        title: "The embedded store with many sessions",
        text: text(&found),
        table: table(&found),
        bounds: bounds(&found),
        plot: Some(Plot {
            name: "store",
            title: "Durable changes a second, 64 writers",
            bars: vec![
                Bar {
                    label: "a bare loop in groups of 64".into(),
                    value: found.changes.bare_per_second,
                    ours: false,
                },
                Bar { label: "the embedded store".into(), value: found.changes.per_second, ours: true },
            ],
        }),
    }])
}

fn text(found: &Measured) -> String {
    format!(
        "{sessions} sessions, each of a user of its own, with a device and 300 bytes of data. They were \
         made by signing in, {filled:.0} a second.\n\n\
         **Changes**: 64 writers set a value through the store's interface, each in a session of its own, \
         spread over the whole file. The bare loop is one thread and one connection of rusqlite with the \
         same settings. It reads, writes and appends the very rows that the store has just written to a \
         copy of its file, without savepoints, in groups of 64. The store had {in_a_commit:.0} changes in a \
         commit.\n\n\
         **Checks**: one after the other, of sessions in random order, by `Sessions::check`, while \
         {swept} sessions expire in twenty parts and are swept by the housekeeping of `Sessions`, \
         {swept_per_second:.0} a second, and between these parts. From memory: 5000 sessions that stay in \
         the near cache. From the store: without a cache, so that each check reads the store.\n\n\
         **Opening**: until the store serves, beside an empty one. **On disk**: rows and indexes of the \
         sessions; the events of their beginnings, of which a store keeps at most five million, take \
         {events:.0} bytes each besides. **Memory**: what a process holds before it opens the store, after \
         that, and after 20000 changes.",
        sessions = found.sessions,
        filled = found.filled_per_second,
        in_a_commit = found.changes.in_a_commit,
        swept = found.checks.swept,
        swept_per_second = found.checks.swept_per_second,
        events = found.size.events,
    )
}

fn table(found: &Measured) -> Table {
    let Measured { size, opening, memory, changes, checks, .. } = found;
    let micros = |nanos: f64| format!("{:.1} µs", nanos / 1_000.0);
    let mega = |bytes: f64| format!("{:.1} MB", bytes / 1e6);
    let latency = |what: &str, of: &Latency| {
        [("median", of.p50_ns, of.p50_beside_ns), ("p99", of.p99_ns, of.p99_beside_ns)].map(
            |(which, alone, beside)| {
                let ratio = format!("{:.2}", beside / alone);
                [format!("check from {what} during a sweep, {which}"), micros(beside), micros(alone), ratio]
            },
        )
    };
    let mut rows = vec![[
        "durable changes a second, 64 writers".into(),
        format!("{:.0}", changes.per_second),
        format!("{:.0}", changes.bare_per_second),
        format!("{:.2}", changes.ratio),
    ]];
    rows.extend(latency("memory", &checks.kept));
    rows.extend(latency("the store", &checks.read));
    rows.push([
        "opening".into(),
        format!("{:.1} ms", opening.full_ms),
        format!("{:.1} ms", opening.empty_ms),
        format!("{:.2}", opening.ratio),
    ]);
    let on_disk = format!("{:.0} bytes", size.rows + size.indexes);
    rows.push(["a session on disk".into(), on_disk, String::new(), String::new()]);
    let in_all = format!("{:.0} bytes", size.file);
    rows.push(["the file, for each session".into(), in_all, String::new(), String::new()]);
    rows.push(["resident memory, opened".into(), mega(memory.opened), mega(memory.before), String::new()]);
    rows.push([
        "resident memory, after changes".into(),
        mega(memory.changed),
        mega(memory.before),
        String::new(),
    ]);
    let head = ["", "with so many sessions", "beside it", "ratio"];
    Table { head: head.map(Into::into).into(), rows: rows.into_iter().map(Vec::from).collect() }
}

fn bounds(found: &Measured) -> Vec<Bound> {
    let bound = |what: &str, measured, allowed| Bound { what: what.into(), measured, allowed };
    let (at_most, at_least) = (Allowed::AtMost, Allowed::AtLeast);
    vec![
        bound("changes a second, times those of the bare loop", found.changes.ratio, at_least(0.7)),
        bound(
            "p99 of checks from memory during a sweep, times that without",
            found.checks.kept.ratio,
            at_most(2.0),
        ),
        bound(
            "p99 of checks from the store during a sweep, times that without",
            found.checks.read.ratio,
            at_most(2.0),
        ),
        bound("opening, times opening an empty store", found.opening.ratio, at_most(2.0)),
        bound("bytes of a session on disk", found.size.rows + found.size.indexes, at_most(700.0)),
    ]
}
