//! Durable changes by many writers, beside a bare loop.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tenure::random::SystemRandom;
use tenure::record::Change;
use tenure::store::{Mutation, Operation, Outcome, Store};
use tenure::{Actor, OperationId, SEAL_OVERHEAD, SessionId};
use tenure_bench::people::data;
use tenure_bench::rounds::{median, time};
use tokio::runtime::Runtime;

use crate::bare::{Bare, Tape};
use crate::fill::Filled;
use crate::home::Home;

/// How many writers there are, and changes in a group of the bare loop.
pub(crate) const WRITERS: usize = 64;
const ROUNDS: usize = 15;
const EACH_ROUND: usize = 8_192;

pub(crate) fn measure(runtime: &Runtime, home: &Home, copy: &Path, filled: &Filled) -> Value {
    let open = runtime.block_on(home.open());
    let mut bare = Bare::open(copy);
    let mut tape = Tape::of(&home.database());
    let (mut ours, mut floors, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let commits = home.commits();
    for round in 0..=ROUNDS {
        let ids = sample(filled, round);
        let count = ids.len() as f64;
        let (took, ()) = time(|| runtime.block_on(make(&open.store, ids.clone())));
        let our = count / took.as_secs_f64();
        let changes = tape.recorded(&ids);
        let (took, ()) = time(|| bare.replay(&changes));
        let floor = count / took.as_secs_f64();
        // The first fills caches.
        if round > 0 {
            ours.push(our);
            floors.push(floor);
            ratios.push(our / floor);
        }
    }
    let commits = home.commits() - commits;
    runtime.block_on(open.store.close());
    let count = ((ROUNDS + 1) * sample(filled, 0).len()) as f64;
    let result = json!({
        "per_second": median(ours),
        "bare_per_second": median(floors),
        "ratio": median(ratios),
        "in_a_commit": count / commits as f64,
    });
    eprintln!("    changes: {result}");
    result
}

/// Sessions of one round, each once, spread over the whole store.
fn sample(filled: &Filled, round: usize) -> Vec<SessionId> {
    let count = EACH_ROUND.min(filled.ids.len());
    let step = filled.ids.len() / count;
    let mut ids: Vec<SessionId> = (0..count).map(|n| filled.ids[n * step + round % step]).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(round as u64 + 1);
    for n in (1..ids.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ids.swap(n, (state % (n as u64 + 1)) as usize);
    }
    ids
}

/// Changes the data of each session, by [`WRITERS`] at the same time.
pub(crate) async fn make(store: &Arc<dyn Store>, ids: Vec<SessionId>) {
    let (ids, next) = (Arc::new(ids), Arc::new(AtomicUsize::new(0)));
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let (store, ids, next) = (Arc::clone(store), Arc::clone(&ids), Arc::clone(&next));
        writers.spawn(async move {
            while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                change(&*store, *id).await;
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.expect("no panic");
    }
}

async fn change(store: &dyn Store, id: SessionId) {
    let operation =
        Operation { id: OperationId::random(&SystemRandom), actor: Actor::application(), receipt: None };
    // As long as what is there, and other bytes.
    let sealed = vec![operation.id.as_bytes()[0]; data(0).to_string().len() + SEAL_OVERHEAD];
    let set = BTreeMap::from([("cart".to_owned(), sealed.into())]);
    let change = Mutation::Change { change: Change { set, ..Change::default() } };
    let reply = store.mutate(&operation, id, change).await.expect("the store answers");
    assert_eq!(reply.outcome, Outcome::Applied);
}
