//! Requests a second of an axum application with sessions, beside the same without, with a
//! hand-written check, and with tower-sessions.

use std::collections::HashMap;

use anyhow::{Context, Result};
use clap::Args;
use serde::Deserialize;

use super::section::{Allowed, Bound, Plot, Section, Table};
use super::setting::Setting;
use crate::plot::Bar;

#[derive(Args)]
#[group(skip)]
pub(crate) struct Options {
    /// http, durable, redis: in how many rounds all applications take their turn
    #[arg(long, default_value_t = 41)]
    rounds: u32,
    /// http, durable, redis: how long a turn is, in milliseconds
    #[arg(long, default_value_t = 500)]
    turn_ms: u32,
}

/// An application under load: medians over the rounds.
#[derive(Deserialize)]
struct Loaded {
    app: String,
    per_second: f64,
    processor_us: f64,
    busy: f64,
    /// Its requests a second, times those of the others in the same round.
    times: HashMap<String, f64>,
}

/// With SQLx's usual pool, and with one connection.
const SQLITE: [&str; 2] = ["tower-sessions-sqlite", "tower-sessions-sqlite-alone"];
/// A hand-written check is hardly quicker.
const BESIDE_MINIMAL: Allowed = Allowed::AtLeast(0.97);
const BESIDE_MEMORY: Allowed = Allowed::AtLeast(1.2);
const BESIDE_SQLITE: Allowed = Allowed::AtLeast(3.0);
const BESIDE_REDIS: [(&str, Allowed); 3] = [
    ("tower-sessions-redis", Allowed::AtLeast(2.2)),
    ("tower-sessions-redis-rolling", Allowed::AtLeast(4.0)),
    ("tower-sessions-redis-moka", Allowed::AtLeast(1.1)),
];

/// Reading and counting in memory.
pub(crate) fn measure(setting: &Setting, options: &Options) -> Result<Vec<Section>> {
    setting.build("bench/older")?;
    let load = "One server on one core, the load from the other: 32 connections that stay open, one request \
        at a time on each, 1,024 visitors who are signed in and take turns.";
    let read = load_of(setting, options, "read")?;
    let count = load_of(setting, options, "count")?;
    Ok(vec![
        Section {
            title: "Reading who is signed in, over HTTP",
            text: format!(
                "An axum application that answers who is signed in: bare (it makes the answer up), bare in a layer that does nothing, with a \
                 minimal check written by hand (cookie, base64url, SHA-256, a map in 64 locked parts), with \
                 Tenure's layer over its stores in memory and on disk, with tower-sessions {} over its store \
                 in memory and {} over its store on SQLite. {load}",
                setting.version("bench", "tower-sessions")?,
                setting.version("bench/older", "tower-sessions")?,
            ),
            table: table(&read, &["bare", "minimal", "tower-sessions"]),
            bounds: vec![
                bound(&read, "tenure", "minimal", BESIDE_MINIMAL)?,
                bound(&read, "tenure", "tower-sessions", BESIDE_MEMORY)?,
            ],
            plot: Some(plot("read", "Reading who is signed in, in requests a second", &read)),
        },
        Section {
            title: "Counting in memory, over HTTP",
            text: format!(
                "The same applications count requests in the session of the visitor. The minimal one adds \
                 to a number. {load}"
            ),
            table: table(&count, &["bare", "minimal", "tower-sessions"]),
            bounds: vec![bound(&count, "tenure", "minimal", BESIDE_MINIMAL)?],
            plot: Some(plot("count", "Counting in memory, in requests a second", &count)),
        },
    ])
}

/// Counting on disk.
pub(crate) fn measure_durable(setting: &Setting, options: &Options) -> Result<Vec<Section>> {
    setting.build("bench/older")?;
    let durable = load_of(setting, options, "durable")?;
    Ok(vec![Section {
        title: "Counting durably, over HTTP",
        text: format!(
            "Tenure over its store on disk and tower-sessions {} over its store on SQLite, both with a \
             write-ahead log and `synchronous=FULL`: what is answered is on the disk. SQLx has its usual pool of \
             ten connections to the database, or one alone, where nobody waits for a lock. 32 connections, each \
             with the one visitor it counts for; every answer is checked to be the next number. Server and \
             load share all cores.",
            setting.version("bench/older", "tower-sessions")?,
        ),
        table: table(&durable, &SQLITE),
        bounds: SQLITE
            .into_iter()
            .map(|other| bound(&durable, "tenure-embedded", other, BESIDE_SQLITE))
            .collect::<Result<_>>()?,
        plot: Some(plot("durable", "Counting durably, in requests a second", &durable)),
    }])
}

/// Reading with sessions in Redis.
pub(crate) fn measure_redis(setting: &Setting, options: &Options) -> Result<Vec<Section>> {
    setting.build("bench/older")?;
    let loaded = load_of(setting, options, "redis")?;
    let others = BESIDE_REDIS.map(|(other, _)| other);
    Ok(vec![Section {
        title: "Reading who is signed in, with sessions in Redis",
        text: format!(
            "Tenure over Redis and tower-sessions {} over its store in Redis, with six connections of fred as its documentation has it; `rolling` saves with every request, so that a session expires an hour after the last one, as Tenure's do; `moka` has all sessions in a cache besides, which no other node can correct. One server on one core, the load and Redis on the other: 32 connections that stay open, 1,024 visitors who are signed in and take turns. More than the bare application no library can answer, so where that is not so many times the other, the bound cannot be met.",
            setting.version("bench/older", "tower-sessions")?,
        ),
        table: table(&loaded, &others),
        bounds: BESIDE_REDIS
            .into_iter()
            .map(|(other, allowed)| bound(&loaded, "tenure-redis", other, allowed))
            .collect::<Result<_>>()?,
        plot: Some(plot("redis", "Reading with sessions in Redis, in requests a second", &loaded)),
    }])
}

fn load_of(setting: &Setting, options: &Options, suite: &str) -> Result<Vec<Loaded>> {
    println!("  {suite}");
    let args = [suite.to_owned(), options.rounds.to_string(), options.turn_ms.to_string()];
    setting.lines("http", &args)
}

fn table(loaded: &[Loaded], beside: &[&str]) -> Table {
    let mut head = vec!["application".to_owned(), "requests/s".into()];
    head.extend(beside.iter().map(|other| format!("times {other}")));
    head.extend(["server's processor time a request".into(), "server at work".into()]);
    let row = |found: &Loaded| {
        let mut row = vec![found.app.clone(), format!("{:.0}", found.per_second)];
        row.extend(beside.iter().map(|other| format!("{:.2}", found.times.get(*other).unwrap_or(&f64::NAN))));
        row.extend([format!("{:.1} µs", found.processor_us), format!("{:.0} %", found.busy * 100.0)]);
        row
    };
    Table { head, rows: loaded.iter().map(row).collect() }
}

fn bound(loaded: &[Loaded], ours: &str, other: &str, allowed: Allowed) -> Result<Bound> {
    let found = loaded.iter().find(|found| found.app == ours);
    let measured = found.and_then(|found| found.times.get(other));
    let measured = *measured.with_context(|| format!("{ours} was not measured beside {other}"))?;
    Ok(Bound { what: format!("requests/s of {ours}, times {other}"), measured, allowed })
}

fn plot(name: &'static str, title: &'static str, loaded: &[Loaded]) -> Plot {
    let bar = |found: &Loaded| Bar {
        label: found.app.clone(),
        value: found.per_second,
        ours: found.app.starts_with("tenure"),
    };
    Plot { name, title, bars: loaded.iter().map(bar).collect() }
}
