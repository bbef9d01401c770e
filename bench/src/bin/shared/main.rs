//! The engines that several nodes share, beside the embedded one and beside bare statements through
//! the same clients.
//!
//! `shared PART ROUNDS FOLDER [ENGINE [WHAT]]`: real servers are started for it, and stopped afterwards; what is on
//! disk lies inside FOLDER or the system's folder for what is temporary.

mod beside;
mod calls;
mod near;
mod postgres;
mod redis;
mod turns;

use std::path::Path;

use tenure_bench::engines::{Engines, Kind};
use tokio::runtime::Runtime;

/// How many sessions there are.
const SESSIONS: usize = 10_000;

/// How many sign in at the same time.
const AT_ONCE: usize = 64;

/// Room in memory for all of them.
const ROOM: usize = 256 << 20;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [part, rounds, folder, only @ ..] = args.as_slice() else {
        panic!("shared PART ROUNDS FOLDER [ENGINE [WHAT]]")
    };
    let rounds: usize = rounds.parse().expect("a number of rounds");
    let (engine, what) = (only.first(), only.get(1));
    let is_asked = |kind: &Kind| engine.is_none_or(|engine| engine == kind.name());
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(is_asked).collect();
    let engines = Engines::start(Path::new(folder));
    let runtime: Runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let found = match part.as_str() {
        "near" => near::measure(&runtime, &engines, &kinds, rounds),
        "beside" => beside::measure(&runtime, &engines, &kinds, what, rounds),
        "calls" => calls::measure(&runtime, &engines, &kinds),
        other => panic!("no part is called {other}"),
    };
    found.iter().for_each(|line| println!("{line}"));
}
