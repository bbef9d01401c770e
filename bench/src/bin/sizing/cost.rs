//! What each thing costs that is done with a session: first processor time and disk, then the network by
//! way of a proxy, so that the work of the proxy is in no figure of the first.

use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};
use tenure_bench::drive::drive;
use tenure_bench::engines::{Engines, Kind};
use tenure_bench::people::Tokens;
use tenure_bench::proxy::Proxy;
use tokio::runtime::Runtime;

use crate::counters::{Counters, disk};
use crate::home::Home;
use crate::operations::{self, Operation, PARTS, Sample, actives, change};

/// How many sessions are used for what goes over the network, one after the other.
const ON_THE_WIRE: Sample = Sample { part: 2, size: 400, at_once: 1 };

/// How many for what follows a checkpoint: few, so that nearly each meets a page that was not written
/// since then.
const AFTER_CHECKPOINT: Sample = Sample { part: 4, size: 800, at_once: 8 };

/// How many changes come between the checkpoint and those, so that the rows of partitions, which all
/// have in common, are written already.
const PARTITIONS_FIRST: usize = 3_000;

pub(crate) fn measure(
    runtime: &Runtime,
    engines: &Engines,
    kind: Kind,
    home: &Home,
    tokens: &Tokens,
) -> Vec<Value> {
    if kind == Kind::Redis {
        // It would write its file anew, shorter.
        engines.redis.cli("CONFIG SET auto-aof-rewrite-percentage 0");
    }
    let sample = Sample { part: 0, size: tokens.count() / PARTS, at_once: 32 };
    let mut lines: Vec<Map<String, Value>> = Vec::new();
    for operation in runtime.block_on(operations::all(home, tokens, sample)) {
        lines.push(processor(runtime, engines, kind, &operation));
    }
    if let Some(port) = engines.port(kind) {
        let proxy = Proxy::before(port);
        let through = runtime.block_on(Home::open(engines, kind, proxy.port()));
        let all = runtime.block_on(operations::all(&through, tokens, ON_THE_WIRE));
        for (operation, line) in all.into_iter().zip(&mut lines) {
            network(runtime, &proxy, &operation, line);
        }
        runtime.block_on(through.sessions.close()).expect("it closes");
    }
    if kind == Kind::Postgres {
        after_checkpoint(runtime, engines, home, tokens, &mut lines);
    }
    lines.into_iter().map(Value::Object).collect()
}

/// How many things calls have done.
fn made(runtime: &Runtime, operation: &Operation, about: &[usize]) -> f64 {
    let before = operation.done.load(Ordering::Relaxed);
    runtime.block_on(drive(&operation.call, about.to_vec(), operation.at_once));
    let done = operation.done.load(Ordering::Relaxed) - before;
    assert!(done > 0, "{}: nothing was done", operation.what);
    done as f64
}

fn processor(runtime: &Runtime, engines: &Engines, kind: Kind, operation: &Operation) -> Map<String, Value> {
    // With the first all connections are there.
    let (first, rest) = operation.about.split_at(operation.about.len().div_ceil(10));
    made(runtime, operation, first);
    let counters = Counters::of(engines, kind);
    let before = counters.read();
    let done = made(runtime, operation, rest);
    let went = counters.since(&before);
    let micros = |took: std::time::Duration| took.as_secs_f64() * 1e6 / done;
    let line = json!({
        "what": "cost",
        "engine": kind.name(),
        "of": operation.what,
        "per_second": done / went.passed.as_secs_f64(),
        "server_us": micros(went.server),
        "client_us": micros(went.client),
        "disk": went.disk as f64 / done,
        "commands": (kind == Kind::Redis).then_some(went.commands as f64 / done),
    });
    let Value::Object(line) = line else { unreachable!("it is written as an object") };
    line
}

fn network(runtime: &Runtime, proxy: &Proxy, operation: &Operation, line: &mut Map<String, Value>) {
    // Of housekeeping there may be one call only, and then all connections are there.
    let warm_up = if operation.is_housekeeping { 0 } else { operation.about.len() / 4 };
    let (first, rest) = operation.about.split_at(warm_up);
    runtime.block_on(drive(&operation.call, first.to_vec(), operation.at_once));
    let before = proxy.passed();
    let done = made(runtime, operation, rest);
    let passed = proxy.passed().since(before);
    for (name, count) in [("sent", passed.sent), ("received", passed.received), ("trips", passed.trips)] {
        line.insert(name.into(), (count as f64 / done).into());
    }
}

/// The first change of a page after a checkpoint writes all of the page to the log.
fn after_checkpoint(
    runtime: &Runtime,
    engines: &Engines,
    home: &Home,
    tokens: &Tokens,
    lines: &mut [Map<String, Value>],
) {
    let count = tokens.count();
    // What it writes is not what is measured.
    engines.postgres.set("autovacuum", "off");
    // The last of them lie in pages of their own.
    let last = (count - count / 20..count).take(PARTITIONS_FIRST).collect();
    let elsewhere = runtime.block_on(actives(home, tokens, last));
    let partitions = change(home, &elsewhere, Default::default());
    let all = runtime.block_on(operations::all(home, tokens, AFTER_CHECKPOINT));
    // A check writes nothing.
    for (operation, line) in all.iter().zip(lines).filter(|(operation, _)| operation.what != "check") {
        engines.postgres.sql("CHECKPOINT");
        runtime.block_on(drive(&partitions, (0..elsewhere.len()).collect(), 32));
        let before = disk(engines, Kind::Postgres);
        let done = made(runtime, operation, &operation.about);
        let wrote = disk(engines, Kind::Postgres) - before;
        line.insert("disk_first".into(), (wrote as f64 / done).into());
    }
    engines.postgres.set("autovacuum", "on");
}
