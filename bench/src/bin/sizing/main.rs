//! What sessions cost each engine: room, processor time, network, disk; what a node costs that
//! follows; how long nothing is answered when a server is lost.
//!
//! `sizing SESSIONS FOLDER [ENGINE]`: real servers are started for it, and stopped afterwards; what is on
//! disk lies inside FOLDER or the system's folder for what is temporary. It starts itself with other
//! arguments for nodes in a process of their own.

mod cost;
mod counters;
mod following;
mod home;
mod node;
mod operations;
mod outage;
mod size;

use std::path::Path;

use serde_json::{Value, json};
use tenure_bench::engines::{Engines, Kind};
use tenure_bench::people::Tokens;
use tokio::runtime::Runtime;

use crate::home::Home;

/// How many sign in at the same time.
const AT_ONCE: usize = 64;

/// The fewest sessions of which anything can be said.
const FEWEST: usize = 20_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["node", engine, port, nodes] => {
            let kind = Kind::named(engine).expect("an engine");
            node::serve(&runtime, kind, port.parse().expect("a port"), nodes.parse().expect("a number"));
        }
        [sessions, folder, only @ ..] => {
            let sessions: usize = sessions.parse().expect("a number of sessions");
            assert!(sessions >= FEWEST, "fewer than {FEWEST} sessions tell nothing");
            let engines = Engines::start(Path::new(folder));
            tell(versions(&engines));
            for kind in Kind::ALL.into_iter().filter(|kind| only.is_empty() || only.contains(&kind.name())) {
                measure(&runtime, &engines, kind, sessions).into_iter().for_each(tell);
            }
            if only.is_empty() || only.contains(&"outage") {
                outage::measure(&runtime).into_iter().for_each(tell);
            }
        }
        _ => panic!("sizing SESSIONS FOLDER [ENGINE]"),
    }
}

/// As soon as it is known: what comes later may fail.
fn tell(line: Value) {
    eprintln!("    {line}");
    println!("{line}");
}

fn versions(engines: &Engines) -> Value {
    let redis = engines.redis.cli("INFO server");
    let redis = redis.lines().find_map(|line| line.trim().strip_prefix("redis_version:").map(str::to_owned));
    json!({ "what": "versions", "postgres": engines.postgres.sql("SHOW server_version"), "redis": redis })
}

fn measure(runtime: &Runtime, engines: &Engines, kind: Kind, count: usize) -> Vec<Value> {
    let home = runtime.block_on(Home::open(engines, kind, engines.port(kind).unwrap_or_default()));
    let empty = size::Room::of(runtime, engines, kind);
    let tokens = runtime.block_on(Tokens::of(&home.asking, count, AT_ONCE));
    let full = size::Room::of(runtime, engines, kind);
    let mut lines = vec![size::each(kind, &empty, &full, count)];
    if kind == Kind::Redis {
        lines.push(node::memory(engines, kind, &tokens));
    }
    lines.extend(cost::measure(runtime, engines, kind, &home, &tokens));
    if kind != Kind::Embedded {
        lines.extend(following::measure(runtime, engines, kind, &home, &tokens));
    }
    runtime.block_on(home.sessions.close()).expect("it closes");
    lines
}
