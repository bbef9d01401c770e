//! The engines that several nodes share: checks from memory and from the store, changes, and how
//! often the store is asked.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use clap::Args;
use serde::Deserialize;

use super::section::{Allowed, Bound, Plot, Section, Table};
use super::setting::Setting;
use crate::plot::Bar;

#[derive(Args)]
#[group(skip)]
pub(crate) struct Options {
    /// shared: in how many rounds all sides take their turn
    #[arg(long, default_value_t = 31, value_parser = clap::value_parser!(u32).range(1..))]
    turns: u32,
}

/// A check from memory.
#[derive(Deserialize)]
struct Near {
    engine: String,
    check_ns: f64,
    times_embedded: f64,
    missed: f64,
}

/// Calls of the store beside bare statements: microseconds for each.
#[derive(Deserialize)]
struct Turns {
    engine: String,
    what: String,
    at_once: u32,
    us: f64,
    client_us: f64,
    server_us: f64,
    bare_us: Option<f64>,
    bare_client_us: Option<f64>,
    bare_server_us: Option<f64>,
    times: Option<f64>,
    times_processor: Option<f64>,
}

/// How often the store is asked for each request.
#[derive(Deserialize)]
struct Calls {
    engine: String,
    one_changes_in: u32,
    requests: u32,
    calls_each: f64,
    by_kind: BTreeMap<String, f64>,
    engine_each: f64,
    missed: f64,
}

const NEAR: Allowed = Allowed::AtMost(1.2);
const CHECK: Allowed = Allowed::AtMost(1.3);
const CHANGE: Allowed = Allowed::AtMost(1.5);
const CALLS: Allowed = Allowed::AtMost(0.05);

pub(crate) fn measure(setting: &Setting, options: &Options) -> Result<Vec<Section>> {
    let lines = |part: &str| [part.to_owned(), options.turns.to_string(), setting.folder()];
    println!("  from memory");
    let near = setting.lines_of_long::<Near>("shared", &lines("near"))?;
    println!("  beside bare statements");
    let turns = setting.lines_of_long::<Turns>("shared", &lines("beside"))?;
    println!("  calls for each request");
    let calls = setting.lines_of_long::<Calls>("shared", &lines("calls"))?;
    Ok(vec![from_memory(&near)?, beside(&turns), asked(&calls)])
}

fn from_memory(near: &[Near]) -> Result<Section> {
    let missed = near.iter().map(|it| it.missed).fold(0.0, f64::max);
    let bar = |it: &Near| Bar { label: it.engine.clone(), value: it.check_ns, ours: true };
    let bound = |engine: &str| {
        let found = near.iter().find(|it| it.engine == engine);
        let found = found.with_context(|| format!("{engine} was not measured"))?;
        let what = format!("a check from memory over {engine}, times that over the embedded store");
        Ok(Bound { what, measured: found.times_embedded, allowed: NEAR })
    };
    Ok(Section {
        title: "A check from memory, by the engine behind it",
        text: format!(
            "`Sessions::check` of 10,000 sessions in random order, all in the near cache, by one task, while \
             the node follows the log of the engine. At most {missed:.6} of the checks asked the store.",
        ),
        table: Table {
            head: ["engine", "check", "times embedded"].map(Into::into).into(),
            rows: near
                .iter()
                .map(|it| {
                    vec![it.engine.clone(), format!("{:.0} ns", it.check_ns), ratio(Some(it.times_embedded))]
                })
                .collect(),
        },
        bounds: ["postgres", "redis"].into_iter().map(bound).collect::<Result<_>>()?,
        plot: Some(Plot {
            name: "near",
            title: "A check from memory, in nanoseconds",
            bars: near.iter().map(bar).collect(),
        }),
    })
}

fn beside(turns: &[Turns]) -> Section {
    let head = [
        "engine",
        "what",
        "at once",
        "each",
        "bare",
        "ratio",
        "processor time, client + server",
        "bare, client + server",
        "ratio",
    ];
    let bars = turns.iter().filter(|it| it.at_once > 1).flat_map(|it| {
        let label = |of: &str| format!("{} {}{of}", it.engine, it.what);
        let bare = it.bare_us.map(|us| Bar { label: label(", bare"), value: us, ours: false });
        bare.into_iter().chain([Bar { label: label(""), value: it.us, ours: true }])
    });
    Section {
        title: "Asking the store",
        text: "Among 10,000 sessions, each of a user of its own, with a device and 300 bytes of data, over real \
            servers on this machine with the settings that they come with (`fsync` on; `appendonly` with \
            `everysec`). **check**: `Sessions::check` without memory, so that each asks the store; beside it one \
            `GET` or one prepared `SELECT` by key of a value or row of the same size through the same client. \
            **change**: `Sessions::change` sets a value of 300 bytes, while the node follows the log; beside it one \
            `SET` or one autocommit `UPDATE` by key. **each**: the time that passed, divided by the calls. \
            Processor time is that of this process and of all of the server's. What a check takes beside the bare \
            statement is its own work at the node: it proves the token, reads the record and opens what is sealed in \
            it, two pieces. By a profile (`perf`, Redis, 32 at once) a fifth of the node's own time is opening \
            what is sealed, a fifth allocating and copying, a twentieth hashing, and of the rest, the client's \
            library, timers and decoding, nothing is above a fiftieth. Bare `GET`s at once share packets and take \
            less than that work alone. A change in Redis is a script that compares, writes, and appends to the \
            log; `SET` does none of that."
            .into(),
        table: Table { head: head.map(Into::into).into(), rows: turns.iter().map(row).collect() },
        bounds: turns.iter().filter_map(bound).collect(),
        plot: Some(Plot {
            name: "shared",
            title: "32 calls at once: microseconds for each",
            bars: bars.collect(),
        }),
    }
}

fn row(it: &Turns) -> Vec<String> {
    let micros = |us: f64| format!("{us:.1} µs");
    let both = |client: f64, server: f64| format!("{client:.1} + {server:.1} µs");
    let bare = it.bare_client_us.zip(it.bare_server_us);
    vec![
        it.engine.clone(),
        it.what.clone(),
        it.at_once.to_string(),
        micros(it.us),
        it.bare_us.map(micros).unwrap_or_default(),
        ratio(it.times),
        both(it.client_us, it.server_us),
        bare.map(|(client, server)| both(client, server)).unwrap_or_default(),
        ratio(it.times_processor),
    ]
}

fn bound(it: &Turns) -> Option<Bound> {
    let (beside, allowed) = match (it.engine.as_str(), it.what.as_str()) {
        ("redis", "check") => ("one GET", CHECK),
        ("postgres", "check") => ("one SELECT", CHECK),
        ("postgres", "change") => ("one UPDATE", CHANGE),
        _ => return None,
    };
    let what = format!("a {} that asks {}, {} at once, times {beside}", it.what, it.engine, it.at_once);
    Some(Bound { what, measured: it.times?, allowed })
}

fn asked(calls: &[Calls]) -> Section {
    let what = |it: &Calls| match it.one_changes_in {
        0 => "reading".to_owned(),
        in_so_many => format!("reading, one in {in_so_many} changes data"),
    };
    let row = |it: &Calls| {
        let kinds: Vec<String> =
            it.by_kind.iter().map(|(kind, count)| format!("{kind} {count:.4}")).collect();
        vec![
            it.engine.clone(),
            what(it),
            it.requests.to_string(),
            format!("{:.4}", it.calls_each),
            kinds.join(", "),
            format!("{:.3}", it.engine_each),
            format!("{:.6}", it.missed),
        ]
    };
    let head = [
        "engine",
        "requests",
        "how many",
        "store calls a request",
        "by kind",
        "transactions or commands a request",
        "not from memory",
    ];
    Section {
        title: "How often the store is asked",
        text: "10,000 sessions in memory, each of which is checked every ten seconds, a thousand requests a second \
            in all, for two minutes: polls of the log, batches of activity and housekeeping included, as \
            `Sessions::metrics` counts them. One such call is a transaction in PostgreSQL, and some commands \
            in Redis, those in scripts included: these are what the server itself counted."
            .into(),
        table: Table { head: head.map(Into::into).into(), rows: calls.iter().map(row).collect() },
        bounds: calls
            .iter()
            .map(|it| Bound {
                what: format!("store calls a request over {}, {}", it.engine, what(it)),
                measured: it.calls_each,
                allowed: CALLS,
            })
            .collect(),
        plot: None,
    }
}

fn ratio(of: Option<f64>) -> String {
    of.map(|of| format!("{of:.2}")).unwrap_or_default()
}
