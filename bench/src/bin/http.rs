//! `http SUITE ROUNDS MS`: applications over sockets, in rounds in which each has its slice of time.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tenure_bench::apps::{App, Route};
use tenure_bench::load::{Load, Slice};
use tenure_bench::rounds::median;
use tenure_bench::serve::pin;
use tenure_servers::Redis;

const CONNECTIONS: usize = 32;

/// What is measured together.
struct Suite {
    route: Route,
    apps: &'static [App],
    /// The server on the first core, the load on the second; otherwise both wherever they like.
    pinned: bool,
    visitors_each: usize,
}

const READ: Suite = Suite {
    route: Route::Read,
    apps: &[
        App::Bare,
        App::Layer,
        App::Minimal,
        App::Tenure,
        App::TenureEmbedded,
        App::TowerSessions,
        App::TowerSessionsSqlite,
    ],
    pinned: true,
    visitors_each: 32,
};

const COUNT: Suite = Suite {
    route: Route::Count,
    apps: &[App::Bare, App::Minimal, App::Tenure, App::TowerSessions],
    pinned: true,
    visitors_each: 32,
};

const DURABLE: Suite = Suite {
    route: Route::Count,
    apps: &[App::TenureEmbedded, App::TowerSessionsSqlite, App::TowerSessionsSqliteAlone],
    pinned: false,
    visitors_each: 1,
};

const REDIS: Suite = Suite {
    route: Route::Read,
    apps: &[
        App::Bare,
        App::TenureEmbedded,
        App::TenureRedis,
        App::TowerSessionsRedis,
        App::TowerSessionsRedisRolling,
        App::TowerSessionsRedisMoka,
    ],
    pinned: true,
    visitors_each: 32,
};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [suite, rounds, ms] = args.as_slice() else { panic!("http SUITE ROUNDS MS") };
    let suite = match suite.as_str() {
        "read" => READ,
        "count" => COUNT,
        "durable" => DURABLE,
        "redis" => REDIS,
        other => panic!("no suite is called {other}"),
    };
    let rounds = rounds.parse().expect("a number");
    let slice = Duration::from_millis(ms.parse().expect("milliseconds"));
    if suite.pinned {
        pin(1);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let measured = runtime.block_on(measure(&suite, rounds, slice));
    for (at, app) in suite.apps.iter().enumerate() {
        println!("{}", line(&suite, *app, &measured[at], &measured));
    }
}

/// The slices of each application.
async fn measure(suite: &Suite, rounds: usize, slice: Duration) -> Vec<Vec<Slice>> {
    // It shares the core of the load, if there is one for it.
    let redis = suite.apps.iter().any(|app| app.is_on_redis()).then(Redis::start);
    let mut loads = Vec::new();
    for app in suite.apps {
        let core = suite.pinned.then_some(0);
        let mut load =
            Load::start(*app, suite.route, core, redis.as_ref(), CONNECTIONS, suite.visitors_each).await;
        // What is slower the first time is not measured.
        load.slice(slice).await;
        loads.push(load);
    }
    let mut measured: Vec<Vec<Slice>> = loads.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for turn in 0..loads.len() {
            // Every other round backwards: nobody always comes after the same one.
            let at = if round % 2 == 0 { turn } else { loads.len() - 1 - turn };
            measured[at].push(loads[at].slice(slice).await);
        }
    }
    measured
}

fn line(suite: &Suite, app: App, own: &[Slice], all: &[Vec<Slice>]) -> Value {
    let to = |other: &[Slice]| {
        let ratios = own.iter().zip(other).map(|(own, other)| own.per_second / other.per_second);
        median(ratios.collect())
    };
    let ratios = suite.apps.iter().zip(all).map(|(app, other)| (app.name().to_owned(), to(other).into()));
    let typical = |of: fn(&Slice) -> f64| median(own.iter().map(of).collect());
    json!({
        "app": app.name(),
        "per_second": typical(|slice| slice.per_second),
        "processor_us": typical(|slice| slice.processor_us),
        "busy": typical(|slice| slice.busy),
        "times": ratios.collect::<Map<String, Value>>(),
    })
}
