//! How often the store is asked while many browse.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenure::metrics::Metrics;
use tenure::{Changes, Check, Sessions};
use tenure_bench::engines::{Engines, Kind};
use tenure_bench::people::{Tokens, data};
use tenure_bench::rounds::jumping;
use tokio::runtime::Runtime;

use crate::{AT_ONCE, ROOM, SESSIONS};

/// Each of them asks for something every ten seconds.
const EVERY: Duration = Duration::from_secs(10);

/// How long one watches: longer than activity waits to be recorded anew.
const WATCHED: Duration = Duration::from_secs(120);

/// Of how many requests one changes something; 0 for none.
const ONE_CHANGES: [usize; 2] = [0, 100];

pub(crate) fn measure(runtime: &Runtime, engines: &Engines, kinds: &[Kind]) -> Vec<Value> {
    let mut lines = Vec::new();
    for kind in kinds.iter().copied().filter(|kind| *kind != Kind::Embedded) {
        let sessions = runtime.block_on(engines.open(kind, ROOM));
        let tokens = runtime.block_on(Tokens::of(&sessions, SESSIONS, AT_ONCE));
        // Everybody is in memory, and has been for a while.
        runtime.block_on(browse(&sessions, &tokens, 0, EVERY));
        for one_in in ONE_CHANGES {
            let (before, engine) = (sessions.metrics(), asked(engines, kind));
            let requests = runtime.block_on(browse(&sessions, &tokens, one_in, WATCHED));
            let engine = (asked(engines, kind) - engine) / requests as f64;
            let line = told(kind, one_in, requests, &before, &sessions.metrics(), engine);
            eprintln!("    {line}");
            lines.push(line);
        }
        runtime.block_on(sessions.close()).expect("it closes");
    }
    lines
}

/// Requests that come evenly, in no order, for so long. Gives how many.
async fn browse(sessions: &Sessions, tokens: &Tokens, one_in: usize, long: Duration) -> usize {
    let each = EVERY / SESSIONS as u32;
    let requests = (long.as_nanos() / each.as_nanos()) as usize;
    let began = Instant::now();
    for (n, who) in jumping(one_in, requests, tokens.count()).enumerate() {
        let due = began + each * n as u32;
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            tokio::time::sleep(early).await;
        }
        let active = sessions.check(tokens.get(who), &Check::signed_in()).await.expect("an answer");
        let active = active.into_active().expect("it is alive");
        if one_in > 0 && n.is_multiple_of(one_in) {
            let changes = Changes::default().set("cart", data(n));
            sessions.change(&active, changes).await.expect("it is changed");
        }
    }
    requests
}

/// How often the engine was asked for something so far: transactions, or commands outside of scripts
/// and in them.
fn asked(engines: &Engines, kind: Kind) -> f64 {
    let count = match kind {
        Kind::Redis => {
            let info = engines.redis.cli("INFO stats");
            let count = info.lines().find_map(|line| line.trim().strip_prefix("total_commands_processed:"));
            count.expect("it counts").to_owned()
        }
        _ => engines
            .postgres
            .sql("SELECT pg_sleep(1.5); SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database"),
    };
    count.trim().parse().expect("a number")
}

fn told(kind: Kind, one_in: usize, requests: usize, before: &Metrics, after: &Metrics, engine: f64) -> Value {
    let mut all = 0;
    let mut kinds = serde_json::Map::new();
    for (before, after) in before.store_calls.iter().zip(&after.store_calls) {
        let count = after.count - before.count;
        assert_eq!(after.failed, before.failed, "nothing is wrong with the store");
        all += count;
        if count > 0 {
            kinds.insert(after.call.to_owned(), (count as f64 / requests as f64).into());
        }
    }
    json!({
        "engine": kind.name(),
        "one_changes_in": one_in,
        "requests": requests,
        "calls_each": all as f64 / requests as f64,
        "by_kind": kinds,
        "engine_each": engine,
        "missed": (after.memory_misses - before.memory_misses) as f64 / requests as f64,
    })
}
