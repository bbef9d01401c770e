//! How long a check that asks the store takes beside one `GET`, and a change beside one `SET`, through
//! the same client: `cargo test --release -p tenure-redis --test measure -- --ignored --nocapture`.
#![allow(clippy::disallowed_methods, reason = "measures how long things take")]
#![allow(clippy::print_stdout, reason = "tells figures")]

mod support;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tenure::SignIn;
use tenure_servers::Redis as Server;

use support::{change, engine, open, operation, user};

/// How often each is asked.
const TIMES: usize = 4_000;

/// The median and the mean over `at_once` workers, in microseconds.
async fn median(at_once: usize, ask: impl AsyncFn(usize)) -> (u128, u128) {
    let begun = Instant::now();
    let ask = &ask;
    let each = (0..at_once).map(|worker| async move {
        let mut took = Vec::new();
        for _ in 0..TIMES / at_once {
            let begun = Instant::now();
            ask(worker).await;
            took.push(begun.elapsed());
        }
        took
    });
    let mut all: Vec<Duration> = join_all(each).await.into_iter().flatten().collect();
    all.sort_unstable();
    (all[all.len() / 2].as_micros(), begun.elapsed().as_micros() / all.len() as u128)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: run it alone"]
async fn views_and_writes_beside_get_and_set() {
    let server = Server::start();
    let sessions = open(engine(&server.url(), "t")).await;
    let store = sessions.store();
    let mut known = Vec::new();
    for worker in 0..32 {
        let name = user(&format!("u{worker}"));
        let id = sessions.sign_in(None, SignIn::password(name)).await.unwrap().session.id();
        known.push(store.load(id).await.unwrap().unwrap());
    }
    let client = redis::Client::open(server.url()).unwrap();
    let raw = client.get_multiplexed_async_connection().await.unwrap();
    let value = vec![7_u8; 400];
    redis::cmd("SET").arg("raw").arg(&value).exec_async(&mut raw.clone()).await.unwrap();
    for at_once in [1, 32] {
        let get = median(at_once, async |_| {
            let mut raw = raw.clone();
            let got: Vec<u8> = redis::cmd("GET").arg("raw").query_async(&mut raw).await.unwrap();
            assert_eq!(got.len(), 400);
        });
        let get = get.await;
        let load = median(at_once, async |worker| {
            assert!(store.load(known[worker].id).await.unwrap().is_some());
        });
        let load = load.await;
        let set = median(at_once, async |_| {
            redis::cmd("SET").arg("raw").arg(&value).exec_async(&mut raw.clone()).await.unwrap();
        });
        let set = set.await;
        let mutate = median(at_once, async |worker| {
            store.mutate(&operation(), known[worker].id, change()).await.unwrap();
        });
        let mutate = mutate.await;
        println!(
            "at once {at_once}: (median, time each) in µs: GET {get:?}, load {load:?}, SET {set:?}, change {mutate:?}"
        );
    }
}
