//! What nodes cost that follow what others do, and do nothing themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenure_bench::drive::Call;
use tenure_bench::engines::{Engines, Kind};
use tenure_bench::people::Tokens;
use tenure_bench::proxy::Proxy;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::counters::Counters;
use crate::home::Home;
use crate::node::Nodes;
use crate::operations::{Sample, actives, change};

/// How many nodes follow: what one costs the server is little beside what it takes to write.
const NODES: usize = 6;

/// How many events there are a second.
const RATES: [u32; 3] = [0, 300, 3_000];

/// For how long each is watched.
const WATCHED: Duration = Duration::from_secs(12);

/// How many changes are under way at once.
const AT_ONCE: usize = 128;

pub(crate) fn measure(
    runtime: &Runtime,
    engines: &Engines,
    kind: Kind,
    home: &Home,
    tokens: &Tokens,
) -> Vec<Value> {
    let sample = Sample { part: 0, size: 4_000, at_once: AT_ONCE };
    let active = runtime.block_on(actives(home, tokens, sample.of(sample.part, tokens.count())));
    let made = Arc::<AtomicU64>::default();
    let change = change(home, &active, Arc::clone(&made));
    let watch = |rate: u32| {
        let server = Counters::of(engines, kind);
        let (began, before, changes) = (Instant::now(), server.read(), made.load(Ordering::Relaxed));
        runtime.block_on(steadily(&change, active.len(), rate));
        let seconds = began.elapsed().as_secs_f64();
        let went = server.since(&before);
        let events = (made.load(Ordering::Relaxed) - changes) as f64;
        Watched { seconds, server: went.server.as_secs_f64() * 1e6 / seconds, events: events / seconds }
    };
    // Those who write, alone.
    let alone: Vec<Watched> = RATES.into_iter().map(watch).collect();
    let proxy = Proxy::before(engines.port(kind).expect("an engine that nodes share"));
    let mut nodes = Nodes::start(engines, kind, proxy.port(), NODES);
    // What they do once, they have done.
    std::thread::sleep(Duration::from_secs(2));
    let with = RATES.into_iter().zip(alone).map(|(rate, alone)| {
        let (before, through) = (nodes.ask("tell"), proxy.passed());
        let watched = watch(rate);
        let (after, through) = (nodes.ask("tell"), proxy.passed().since(through));
        let each = watched.seconds * NODES as f64;
        let grew = |name: &str| {
            let number = |of: &Value| of[name].as_f64().expect("a number");
            (number(&after) - number(&before)) / each
        };
        // As much as was written alone would have taken, had it been as much.
        let writing =
            if alone.events > 0.0 { alone.server * watched.events / alone.events } else { alone.server };
        json!({
            "what": "follow",
            "engine": kind.name(),
            "events": watched.events,
            "polls": grew("polls"),
            "server_us": (watched.server - writing) / NODES as f64,
            "node_us": grew("micros"),
            "sent": through.sent as f64 / each,
            "received": through.received as f64 / each,
        })
    });
    with.collect()
}

/// What a second of a time had.
struct Watched {
    seconds: f64,
    server: f64,
    events: f64,
}

/// Calls that come evenly, so many a second, whether or not those before are done.
async fn steadily(call: &Call, among: usize, rate: u32) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let began = Instant::now();
    for n in 0..rate * WATCHED.as_secs() as u32 {
        let due = WATCHED * n / (rate * WATCHED.as_secs() as u32);
        if let Some(early) = due.checked_sub(began.elapsed()) {
            tokio::time::sleep(early).await;
        }
        if began.elapsed() > WATCHED {
            break;
        }
        let free = Arc::clone(&room).acquire_owned().await.expect("it stays open");
        let calling = call(n as usize % among);
        tokio::spawn(async move {
            calling.await;
            drop(free);
        });
    }
    if let Some(early) = WATCHED.checked_sub(began.elapsed()) {
        tokio::time::sleep(early).await;
    }
    let _all = room.acquire_many(AT_ONCE as u32).await.expect("it stays open");
}
