//! Checks while a sweep ends sessions, beside checks without one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenure::{Check, Sessions, Verdict};
use tenure_bench::rounds::median;
use tokio::runtime::Runtime;

use crate::fill::{APART, Filled, GROUPS};
use crate::home::Home;

/// How often the sweep and the time without it take turns, for each kind of check.
const ROUNDS: usize = GROUPS / 2;

/// So many sessions are checked again and again from memory, which has room for them.
const KEPT: usize = 5_000;
const CACHE: usize = 64 << 20;

/// How long checks go on without a sweep.
const ALONE: Duration = Duration::from_secs(2);

/// How often there is housekeeping.
const EVERY: Duration = Duration::from_secs(1);

/// What checks of one kind took, in nanoseconds: the middle one and the 99th of 100.
#[derive(Default)]
struct Found {
    alone: Vec<[f64; 2]>,
    beside: Vec<[f64; 2]>,
}

pub(crate) fn measure(runtime: &Runtime, home: &Home, filled: &Filled) -> Value {
    let open = runtime.block_on(home.open());
    let (cached, uncached) = (runtime.block_on(open.sessions(CACHE)), runtime.block_on(open.sessions(0)));
    runtime.block_on(cached.maintain()).expect("housekeeping");
    let all = filled.tokens();
    let (mut kept, mut read, mut swept, mut sweeping) =
        (Found::default(), Found::default(), 0, Duration::ZERO);
    for round in 0..=ROUNDS {
        for (found, sessions, among) in [(&mut kept, &cached, KEPT.min(all)), (&mut read, &uncached, all)] {
            let checker = Checker { sessions, filled, among, seed: round as u64 };
            let (alone, ..) = checker.run(runtime, |_, began: Instant| began.elapsed() >= ALONE);
            // The first fills caches, and shows no sweep.
            if round == 0 {
                continue;
            }
            home.clock.advance(APART);
            let (beside, ended, took) = checker.run(runtime, |ended, _| ended > 0);
            found.alone.push(alone);
            found.beside.push(beside);
            swept += ended;
            sweeping += took;
        }
    }
    runtime.block_on(open.store.close());
    assert_eq!(swept, filled.expiring as u64, "each expired session ends once");
    let result = json!({
        "swept": swept,
        "swept_per_second": swept as f64 / sweeping.as_secs_f64(),
        "kept": kept.told(),
        "read": read.told(),
    });
    eprintln!("    checks: {result}");
    result
}

impl Found {
    fn told(&self) -> Value {
        let each = |of: &[[f64; 2]], which: usize| median(of.iter().map(|both| both[which]).collect());
        let ratios = self.alone.iter().zip(&self.beside).map(|(alone, beside)| beside[1] / alone[1]);
        json!({
            "p50_ns": each(&self.alone, 0),
            "p99_ns": each(&self.alone, 1),
            "p50_beside_ns": each(&self.beside, 0),
            "p99_beside_ns": each(&self.beside, 1),
            "ratio": median(ratios.collect()),
        })
    }
}

/// Checks one token after the other.
struct Checker<'a> {
    sessions: &'a Sessions,
    filled: &'a Filled,
    among: usize,
    seed: u64,
}

impl Checker<'_> {
    /// Checks while housekeeping goes on as always, until enough has been ended or time has passed.
    fn run(
        &self,
        runtime: &Runtime,
        enough: impl Fn(u64, Instant) -> bool + Send + 'static,
    ) -> ([f64; 2], u64, Duration) {
        let stop = Arc::new(AtomicBool::new(false));
        let housekeeping = {
            let (sessions, stop) = (self.sessions.clone(), Arc::clone(&stop));
            runtime.spawn(async move {
                let (began, mut ended) = (Instant::now(), 0);
                loop {
                    ended += sessions.maintain().await.expect("housekeeping").ended;
                    if enough(ended, began) {
                        break;
                    }
                    tokio::time::sleep(EVERY).await;
                }
                stop.store(true, Ordering::Relaxed);
                (ended, began.elapsed())
            })
        };
        let took = runtime.block_on(self.check_until(&stop));
        let (ended, sweeping) = runtime.block_on(housekeeping).expect("no panic");
        (percentiles(took), ended, sweeping)
    }

    async fn check_until(&self, stop: &AtomicBool) -> Vec<u32> {
        let mut took = Vec::with_capacity(4 << 20);
        // The sweep is all that the store is to write.
        let check = Check::signed_in().touch(false);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(self.seed + 1);
        while !stop.load(Ordering::Relaxed) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let token = self.filled.token((state % self.among as u64) as usize);
            let began = Instant::now();
            let verdict = self.sessions.check(token, &check).await;
            took.push(u32::try_from(began.elapsed().as_nanos()).unwrap_or(u32::MAX));
            assert!(matches!(verdict, Ok(Verdict::Ok(_))), "a session that is alive");
        }
        took
    }
}

/// The middle one and the 99th of 100.
fn percentiles(mut took: Vec<u32>) -> [f64; 2] {
    [50, 99].map(|percent| {
        let at = (took.len() * percent / 100).min(took.len() - 1);
        f64::from(*took.select_nth_unstable(at).1)
    })
}
