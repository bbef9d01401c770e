//! Opening the full store beside opening an empty one.

use serde_json::{Value, json};
use tenure_bench::rounds::{median, time};
use tokio::runtime::Runtime;

use crate::home::Home;

const ROUNDS: usize = 15;

pub(crate) fn measure(runtime: &Runtime, full: &Home, empty: &Home) -> Value {
    let open = |home: &Home| {
        let (took, open) = time(|| runtime.block_on(home.open()));
        runtime.block_on(open.store.close());
        took.as_secs_f64() * 1_000.0
    };
    open(empty);
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        if round % 2 == 0 {
            floors.push(open(empty));
            ours.push(open(full));
        } else {
            ours.push(open(full));
            floors.push(open(empty));
        }
    }
    let ratios = ours.iter().zip(&floors).map(|(ours, floor)| ours / floor).collect();
    let result = json!({ "full_ms": median(ours), "empty_ms": median(floors), "ratio": median(ratios) });
    eprintln!("    opening: {result}");
    result
}
