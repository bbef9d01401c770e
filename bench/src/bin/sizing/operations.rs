//! What is done with sessions, as calls that can be made many times.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tenure::store::{Sweep, Touch};
use tenure::{Active, Changes, Check};
use tenure_bench::drive::Call;
use tenure_bench::people::{self, Tokens, data};
use tenure_bench::rounds::jumping;

use crate::home::{Home, id_in};

/// Into how many parts of equal size the sessions are divided, each spread over all of them. Those of
/// one part are used for one thing only.
pub(crate) const PARTS: usize = 12;

/// How many sessions' activity is written at once, and how many housekeeping looks at.
const TOGETHER: usize = 500;

/// How far apart sessions are that two calls write, so that they lie in pages of their own.
const APART: usize = 97;

/// How many calls of housekeeping forget events: some first, so that there is enough for the others; and so
/// many that all partitions have their turn, whichever had one before.
const PRUNES: [usize; 2] = [4, 16];

/// A sample smaller than this is not the first.
const SMALL: usize = 1_000;

const FOR_EVER: u64 = u64::MAX >> 16;

/// Something that is done many times.
pub(crate) struct Operation {
    pub(crate) what: &'static str,
    pub(crate) call: Call,
    /// What it is done with, one call for each.
    pub(crate) about: Vec<usize>,
    /// How many calls there are at once.
    pub(crate) at_once: usize,
    /// Whether it takes what is there, whatever it is called with.
    pub(crate) is_housekeeping: bool,
    /// How many things have been done: a call may do several.
    pub(crate) done: Arc<AtomicU64>,
}

/// The sessions that a measurement uses, and how many.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// From two parts: this and the next.
    pub(crate) part: usize,
    pub(crate) size: usize,
    pub(crate) at_once: usize,
}

impl Sample {
    /// The sessions of one part, spread over the first nineteen twentieths of all.
    pub(crate) fn of(self, part: usize, count: usize) -> Vec<usize> {
        let there = count / 20 * 19 / PARTS;
        let size = self.size.min(there);
        (0..size).map(|n| n * there / size * PARTS + part).collect()
    }
}

/// Everything, in an order in which each finds what it needs.
pub(crate) async fn all(home: &Home, tokens: &Tokens, sample: Sample) -> Vec<Operation> {
    let count = tokens.count();
    let changed = actives(home, tokens, sample.of(sample.part, count)).await;
    let ended = actives(home, tokens, sample.of(sample.part + 1, count)).await;
    let operation = |what, at_once, about: Vec<usize>, make: &dyn Fn(Arc<AtomicU64>) -> Call| {
        let done = Arc::<AtomicU64>::default();
        let is_housekeeping = matches!(what, "forget" | "prune");
        Operation { what, call: make(Arc::clone(&done)), about, at_once, is_housekeeping, done }
    };
    let each = |of: &Arc<Vec<Active>>| (0..of.len()).collect::<Vec<usize>>();
    let checked = jumping(sample.part, sample.size, count).collect();
    let touches = (0..sample.size.div_ceil(TOGETHER).max(2).min(count / TOGETHER)).collect();
    let prunes = PRUNES[usize::from(sample.size < SMALL)];
    let sweeps = vec![0; ended.len().div_ceil(TOGETHER)];
    vec![
        operation("check", sample.at_once, checked, &|done| check(home, tokens, done)),
        operation("touch", 1, touches, &|done| touch(home, tokens, done)),
        operation("change", sample.at_once, each(&changed), &|done| change(home, &changed, done)),
        operation("sign_in", sample.at_once, each(&changed), &|done| sign_in(home, done)),
        operation("end", sample.at_once, each(&ended), &|done| end(home, &ended, done)),
        operation("forget", 1, sweeps, &|done| sweep(home, 0, FOR_EVER, done)),
        operation("prune", 1, vec![0; prunes], &|done| sweep(home, FOR_EVER, 0, done)),
    ]
}

/// What checks of these sessions show.
pub(crate) async fn actives(home: &Home, tokens: &Tokens, of: Vec<usize>) -> Arc<Vec<Active>> {
    let mut found = Vec::with_capacity(of.len());
    for n in of {
        found.push(home.active(tokens.get(n)).await);
    }
    Arc::new(found)
}

/// A check that asks the store.
fn check(home: &Home, tokens: &Tokens, done: Arc<AtomicU64>) -> Call {
    let (sessions, tokens) = (home.asking.clone(), tokens.clone());
    Arc::new(move |n| {
        let (sessions, tokens, done) = (sessions.clone(), tokens.clone(), Arc::clone(&done));
        Box::pin(async move {
            // One that has ended is read like another.
            let verdict = sessions.check(tokens.get(n), &Check::signed_in().touch(false)).await;
            verdict.expect("an answer");
            done.fetch_add(1, Ordering::Relaxed);
        })
    })
}

/// Activity of many sessions at once, as a node writes it once a second.
fn touch(home: &Home, tokens: &Tokens, done: Arc<AtomicU64>) -> Call {
    let (store, sessions, tokens) = (Arc::clone(&home.store), home.sessions.clone(), tokens.clone());
    Arc::new(move |n| {
        let (store, at) = (Arc::clone(&store), sessions.now());
        let apart = tokens.count() / TOGETHER;
        let ids = (0..TOGETHER).map(|k| id_in(tokens.get(k * apart + n * APART % apart)));
        let touches: Vec<Touch> = ids.map(|id| Touch { id, at }).collect();
        let done = Arc::clone(&done);
        Box::pin(async move {
            store.touch(&touches).await.expect("activity is written");
            done.fetch_add(touches.len() as u64, Ordering::Relaxed);
        })
    })
}

/// A change of data of a session that is in memory: as long as what was there, and another each time.
pub(crate) fn change(home: &Home, actives: &Arc<Vec<Active>>, done: Arc<AtomicU64>) -> Call {
    let (sessions, actives, count) =
        (home.sessions.clone(), Arc::clone(actives), Arc::new(AtomicUsize::new(0)));
    Arc::new(move |n| {
        let (sessions, actives, done) = (sessions.clone(), Arc::clone(&actives), Arc::clone(&done));
        let changes = Changes::default().set("cart", data(count.fetch_add(1, Ordering::Relaxed)));
        Box::pin(async move {
            sessions.change(&actives[n], changes).await.expect("it is changed");
            done.fetch_add(1, Ordering::Relaxed);
        })
    })
}

/// Somebody new signs in.
fn sign_in(home: &Home, done: Arc<AtomicU64>) -> Call {
    static NEXT: AtomicUsize = AtomicUsize::new(1_000_000_000);
    let sessions = home.sessions.clone();
    Arc::new(move |_| {
        let (sessions, done) = (sessions.clone(), Arc::clone(&done));
        let who = people::sign_in(NEXT.fetch_add(1, Ordering::Relaxed));
        Box::pin(async move {
            sessions.sign_in(None, who).await.expect("signed in");
            done.fetch_add(1, Ordering::Relaxed);
        })
    })
}

/// Somebody signs out whose session is in memory.
fn end(home: &Home, actives: &Arc<Vec<Active>>, done: Arc<AtomicU64>) -> Call {
    let (sessions, actives) = (home.sessions.clone(), Arc::clone(actives));
    Arc::new(move |n| {
        let (sessions, actives, done) = (sessions.clone(), Arc::clone(&actives), Arc::clone(&done));
        Box::pin(async move {
            sessions.sign_out(&actives[n]).await.expect("it has ended");
            done.fetch_add(1, Ordering::Relaxed);
        })
    })
}

/// Housekeeping that keeps what has ended, and events, for so long.
fn sweep(home: &Home, keep_ended_ms: u64, keep_events_ms: u64, done: Arc<AtomicU64>) -> Call {
    let (store, sessions) = (Arc::clone(&home.store), home.sessions.clone());
    Arc::new(move |_| {
        let sweep = Sweep {
            limit: TOGETHER,
            keep_ended_ms,
            keep_receipts_ms: FOR_EVER,
            keep_events_ms,
            max_events: u64::MAX,
            as_of: sessions.now(),
        };
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        Box::pin(async move {
            let swept = store.sweep(&sweep).await.expect("it is swept");
            assert!(swept.ended.is_empty(), "no session is as old as that");
            done.fetch_add(swept.removed, Ordering::Relaxed);
        })
    })
}
