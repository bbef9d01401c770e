//! Checks that ask the store, and changes of data, beside bare statements through the same client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tenure::{Changes, Check, Sessions};
use tenure_bench::drive::Call;
use tenure_bench::engines::{Engines, Kind};
use tenure_bench::people::{Tokens, data};
use tenure_bench::processor::Processes;
use tokio::runtime::Runtime;

use crate::turns::Pair;
use crate::{AT_ONCE, ROOM, SESSIONS, postgres, redis};

/// How many calls there are at once.
const CONCURRENCY: [usize; 2] = [1, 32];

pub(crate) fn measure(
    runtime: &Runtime,
    engines: &Engines,
    kinds: &[Kind],
    only: Option<&String>,
    rounds: usize,
) -> Vec<Value> {
    let mut lines = Vec::new();
    for kind in kinds.iter().copied() {
        let tokens = runtime.block_on(filled(engines, kind));
        let [read, write] = runtime.block_on(async {
            match kind {
                Kind::Embedded => [None, None],
                Kind::Postgres => postgres::bare(engines).await.map(Some),
                Kind::Redis => redis::bare(engines).await.map(Some),
            }
        });
        // What has no processes of its own is in this one.
        let server = || match kind {
            Kind::Embedded => Processes::new([]),
            Kind::Postgres => Processes::of_postgres(&engines.postgres),
            Kind::Redis => Processes::of_redis(&engines.redis),
        };
        let mut turns = |what, ours, bare| {
            if only.is_some_and(|only| only != what) {
                return;
            }
            let pair = Pair { engine: kind.name(), what, ours, bare, among: SESSIONS };
            for at_once in CONCURRENCY {
                pair.warm_up(runtime, at_once);
                lines.push(pair.measure(runtime, &server(), at_once, rounds));
            }
        };
        let sessions = runtime.block_on(engines.open(kind, 0));
        turns("check", check(&sessions, &tokens), read);
        runtime.block_on(sessions.close()).expect("it closes");
        let sessions = runtime.block_on(engines.open(kind, ROOM));
        turns("change", runtime.block_on(change(&sessions, &tokens)), write);
        runtime.block_on(sessions.close()).expect("it closes");
    }
    lines
}

async fn filled(engines: &Engines, kind: Kind) -> Tokens {
    let sessions = engines.open(kind, ROOM).await;
    let tokens = Tokens::of(&sessions, SESSIONS, AT_ONCE).await;
    sessions.close().await.expect("it closes");
    tokens
}

/// Checks by sessions that keep nothing in memory.
fn check(sessions: &Sessions, tokens: &Tokens) -> Call {
    let (sessions, tokens) = (sessions.clone(), tokens.clone());
    Arc::new(move |n| {
        let (sessions, tokens) = (sessions.clone(), tokens.clone());
        Box::pin(async move {
            let verdict = sessions.check(tokens.get(n), &Check::signed_in().touch(false)).await;
            verdict.expect("an answer").into_active().expect("it is alive");
        })
    })
}

/// Changes of what was checked before. What is set is as long as what was there, and another each
/// time.
async fn change(sessions: &Sessions, tokens: &Tokens) -> Call {
    let mut active = Vec::new();
    for n in 0..tokens.count() {
        let verdict = sessions.check(tokens.get(n), &Check::signed_in()).await.expect("an answer");
        active.push(verdict.into_active().expect("it is alive"));
    }
    let (sessions, active, count) = (sessions.clone(), Arc::new(active), Arc::new(AtomicUsize::new(0)));
    Arc::new(move |n| {
        let (sessions, active) = (sessions.clone(), Arc::clone(&active));
        let changes = Changes::default().set("cart", data(count.fetch_add(1, Ordering::Relaxed)));
        Box::pin(async move {
            sessions.change(&active[n], changes).await.expect("it is changed");
        })
    })
}
