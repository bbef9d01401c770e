//! Calls of two kinds that take turns, and what each took.

use std::time::Duration;

use serde_json::{Value, json};
use tenure_bench::drive::{Call, drive};
use tenure_bench::processor::Processes;
use tenure_bench::rounds::{jumping, median, time};
use tokio::runtime::Runtime;

/// Something done, and the bare statement beside it.
pub(crate) struct Pair {
    pub(crate) engine: &'static str,
    pub(crate) what: &'static str,
    pub(crate) ours: Call,
    pub(crate) bare: Option<Call>,
    /// How many things a call can be about.
    pub(crate) among: usize,
}

/// What one turn took for each call, in microseconds.
#[derive(Clone, Copy)]
struct Took {
    passed: f64,
    client: f64,
    server: f64,
}

/// How many turns fit into a round, and how long each is.
const CALLS: usize = 4_000;

impl Pair {
    /// A turn of both that is not measured: afterwards all connections are there.
    pub(crate) fn warm_up(&self, runtime: &Runtime, at_once: usize) {
        for call in [Some(&self.ours), self.bare.as_ref()].into_iter().flatten() {
            runtime.block_on(drive(call, jumping(0, CALLS / 4, self.among).collect(), at_once));
        }
    }

    /// Lets both take turns, so many calls at once.
    pub(crate) fn measure(
        &self,
        runtime: &Runtime,
        server: &Processes,
        at_once: usize,
        rounds: usize,
    ) -> Value {
        let own = Processes::own();
        // One after the other they take longer.
        let calls = if at_once == 1 { CALLS / 4 } else { CALLS };
        let mut took: [Vec<Took>; 2] = Default::default();
        for round in 1..=rounds {
            for turn in 0..2 {
                let at = (round + turn) % 2;
                let Some(call) = (if at == 0 { Some(&self.ours) } else { self.bare.as_ref() }) else {
                    continue;
                };
                let about = jumping(round, calls, self.among).collect();
                let before = [own.taken(), server.taken()];
                let (passed, ()) = time(|| runtime.block_on(drive(call, about, at_once)));
                let [client, server] = [own.taken() - before[0], server.taken() - before[1]];
                let each = |took: Duration| took.as_secs_f64() * 1e6 / calls as f64;
                took[at].push(Took { passed: each(passed), client: each(client), server: each(server) });
            }
        }
        let typical = |of: &[Took], which: fn(&Took) -> f64| {
            (!of.is_empty()).then(|| median(of.iter().map(which).collect()))
        };
        let ratio = |which: fn(&Took) -> f64| {
            let ratios: Vec<f64> =
                took[0].iter().zip(&took[1]).map(|(ours, bare)| which(ours) / which(bare)).collect();
            (!ratios.is_empty()).then(|| median(ratios))
        };
        let line = json!({
            "engine": self.engine,
            "what": self.what,
            "at_once": at_once,
            "us": typical(&took[0], |took| took.passed),
            "client_us": typical(&took[0], |took| took.client),
            "server_us": typical(&took[0], |took| took.server),
            "bare_us": typical(&took[1], |took| took.passed),
            "bare_client_us": typical(&took[1], |took| took.client),
            "bare_server_us": typical(&took[1], |took| took.server),
            "times": ratio(|took| took.passed),
            "times_processor": ratio(|took| took.client + took.server),
        });
        eprintln!("    {line}");
        line
    }
}
