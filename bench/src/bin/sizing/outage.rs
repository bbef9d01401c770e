//! For how long nothing can be begun when the server is lost that takes writes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenure::random::SystemRandom;
use tenure::store::Engine;
use tenure::{MasterKey, Sessions};
use tenure_bench::people;
use tenure_bench::rounds::median;
use tenure_postgres::Postgres;
use tenure_redis::Redis;
use tenure_servers::{RedisCluster, RedisSentinel, Signal};
use tokio::runtime::Runtime;

/// How often each is tried.
const ROUNDS: usize = 5;

/// So many in a row that go well are the end of it.
const WELL: usize = 300;

/// It lasts no longer than this, or does not end.
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) fn measure(runtime: &Runtime) -> Vec<Value> {
    let key = MasterKey::generate(&SystemRandom);
    let mut lines = Vec::new();
    let mut told = |servers: &str, noticed: Option<f64>, one: &dyn Fn() -> f64| {
        let took: Vec<f64> = (0..ROUNDS).map(|_| one()).collect();
        let most = took.iter().copied().fold(0.0, f64::max);
        lines.push(json!({
            "what": "outage", "servers": servers, "noticed": noticed, "median": median(took), "most": most,
        }));
    };
    told("postgres", None, &|| {
        let primary = tenure_servers::Postgres::start();
        let standby = primary.standby();
        let hosts = format!("127.0.0.1:{},127.0.0.1:{}", primary.port(), standby.port());
        let engine = Postgres::at(format!("postgres://postgres@{hosts}/postgres")).master_key(key.clone());
        runtime.block_on(outage(engine, || {
            primary.signal(Signal::Kill);
            standby.promote();
        }))
    });
    told("sentinels", Some(0.7), &|| {
        let servers = RedisSentinel::start(1);
        let engine = Redis::at(servers.url()).master_key(key.clone());
        runtime.block_on(outage(engine, || servers.primary().signal(Signal::Kill)))
    });
    told("cluster", Some(1.5), &|| {
        let servers = RedisCluster::start();
        let engine = Redis::at(servers.url()).master_key(key.clone());
        runtime.block_on(outage(engine, || servers.primaries()[0].signal(Signal::Kill)))
    });
    lines
}

/// Signs in one after the other when `lose` has happened: the time from its beginning until the last that
/// was refused.
async fn outage(engine: impl Engine, lose: impl FnOnce()) -> f64 {
    let sessions = Sessions::open(engine).await.expect("the store opens");
    for n in 0..WELL {
        sessions.sign_in(None, people::sign_in(n)).await.expect("nothing is lost yet");
    }
    let began = Instant::now();
    lose();
    let (mut last, mut well, mut n) = (began.elapsed(), 0, WELL);
    while well < WELL {
        assert!(began.elapsed() < LONGEST, "it does not end");
        n += 1;
        match sessions.sign_in(None, people::sign_in(n)).await {
            Ok(_) => well += 1,
            Err(_) => {
                well = 0;
                last = began.elapsed();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    sessions.close().await.ok();
    last.as_secs_f64()
}
