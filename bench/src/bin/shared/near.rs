//! Checks from memory: the same whatever engine lies behind.

use std::hint::black_box;

use serde_json::{Value, json};
use tenure::{Check, Sessions, Verdict};
use tenure_bench::engines::{Engines, Kind};
use tenure_bench::people::Tokens;
use tenure_bench::rounds::{jumping, median, time};
use tokio::runtime::Runtime;

use crate::{AT_ONCE, ROOM, SESSIONS};

/// How many checks a turn has.
const CHECKS: usize = 200_000;

pub(crate) fn measure(runtime: &Runtime, engines: &Engines, kinds: &[Kind], rounds: usize) -> Vec<Value> {
    let open: Vec<(Sessions, Tokens)> =
        kinds.iter().map(|kind| runtime.block_on(filled(engines, *kind))).collect();
    let mut took: Vec<Vec<f64>> = vec![Vec::new(); open.len()];
    let misses =
        || -> Vec<u64> { open.iter().map(|(sessions, _)| sessions.metrics().memory_misses).collect() };
    let before = misses();
    for round in 0..=rounds {
        for at in 0..open.len() {
            let at = if round % 2 == 0 { at } else { open.len() - 1 - at };
            let (sessions, tokens) = &open[at];
            let (each, ()) = time(|| runtime.block_on(check_all(sessions, tokens, round)));
            // The first fills caches.
            if round > 0 {
                took[at].push(each.as_nanos() as f64 / CHECKS as f64);
            }
        }
    }
    let missed: Vec<u64> = misses().iter().zip(before).map(|(after, before)| after - before).collect();
    let all = (CHECKS * (rounds + 1)) as f64;
    let line = |at: usize| {
        let ratios = took[at].iter().zip(&took[0]).map(|(own, embedded)| own / embedded);
        json!({
            "engine": kinds[at].name(),
            "check_ns": median(took[at].clone()),
            "times_embedded": median(ratios.collect()),
            "missed": missed[at] as f64 / all,
        })
    };
    let lines = (0..open.len()).map(line).collect();
    open.iter().for_each(|(sessions, _)| runtime.block_on(sessions.close()).expect("it closes"));
    lines
}

/// Sessions that are all in memory.
async fn filled(engines: &Engines, kind: Kind) -> (Sessions, Tokens) {
    let sessions = engines.open(kind, ROOM).await;
    let tokens = Tokens::of(&sessions, SESSIONS, AT_ONCE).await;
    for n in 0..tokens.count() {
        let verdict = sessions.check(tokens.get(n), &Check::signed_in()).await;
        assert!(matches!(verdict, Ok(Verdict::Ok(_))), "it has just begun");
    }
    (sessions, tokens)
}

async fn check_all(sessions: &Sessions, tokens: &Tokens, round: usize) {
    let check = Check::signed_in().touch(true);
    for at in jumping(round, CHECKS, tokens.count()) {
        let verdict = sessions.check(tokens.get(at), &check).await;
        assert!(matches!(black_box(verdict), Ok(Verdict::Ok(_))), "a session that is alive");
    }
}
