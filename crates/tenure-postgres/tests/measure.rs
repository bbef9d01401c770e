//! What a view and a write cost beside bare statements through the same client:
//! `cargo test --release -p tenure-postgres --test measure -- --ignored --nocapture`.

#![allow(clippy::print_stdout, reason = "it measures")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, Pool, tokio_postgres};
use tenure::clock::{Clock, SystemClock};
use tenure::random::SystemRandom;
use tenure::record::Change;
use tenure::store::{Mutation, Operation, Outcome, Store};
use tenure::{Actor, OperationId, SessionId, SignIn, UserId};
use tenure_servers::Postgres as Server;

use support::{open, schema};

/// How many calls are measured each time.
const CALLS: usize = 4_000;

/// Runs `call` by so many tasks at once. Gives the median and the time for each call of all.
async fn measured<F>(tasks: usize, call: impl Fn(usize) -> F) -> (Duration, Duration)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (all, mut each) = (SystemClock.running(), Vec::new());
    let work = (0..tasks).map(|task| {
        let calls: Vec<F> = (0..CALLS / tasks).map(|_| call(task)).collect();
        tokio::spawn(async move {
            let mut times = Vec::new();
            for call in calls {
                let start = SystemClock.running();
                call.await;
                times.push(SystemClock.running() - start);
            }
            times
        })
    });
    for times in futures_util::future::join_all(work).await {
        each.extend(times.unwrap());
    }
    let took = SystemClock.running() - all;
    each.sort_unstable();
    (each[each.len() / 2], took / u32::try_from(each.len()).unwrap())
}

async fn load(store: Arc<dyn Store>, id: SessionId) {
    assert!(store.load(id).await.unwrap().is_some());
}

async fn change(store: Arc<dyn Store>, id: SessionId) {
    let record = store.load(id).await.unwrap().unwrap();
    change_known(store, record).await;
}

async fn change_known(store: Arc<dyn Store>, record: tenure::record::Record) {
    let change = Change { remove: vec!["cart".into()], ..Change::default() };
    let operation =
        Operation { id: OperationId::random(&SystemRandom), actor: Actor::application(), receipt: None };
    let reply = store.mutate_known(&operation, &record, Mutation::Change { change }).await.unwrap();
    assert_eq!(reply.outcome, Outcome::Applied);
}

async fn bare(pool: Pool, sql: &'static str, id: i32) {
    let client = pool.get().await.unwrap();
    let statement = client.prepare_cached(sql).await.unwrap();
    assert!(client.query(&statement, &[&id]).await.unwrap().len() < 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures"]
async fn latency_beside_bare_statements() {
    let (schema, server) = (schema(), Server::shared());
    let sessions = open(&schema).await;
    let mut ids = Vec::new();
    for n in 0..32 {
        let user = UserId::new(format!("u_{n}")).unwrap();
        ids.push(sessions.sign_in(None, SignIn::password(user)).await.unwrap().session.id());
    }
    server.sql("CREATE TABLE bare (id integer PRIMARY KEY, body bytea) WITH (fillfactor = 75)");
    server.sql("INSERT INTO bare SELECT n, decode(repeat('ab', 400), 'hex') FROM generate_series(0, 31) n");
    let config: tokio_postgres::Config = server.url().parse().unwrap();
    let pool = Pool::builder(Manager::new(config, tokio_postgres::NoTls)).max_size(16).build().unwrap();
    let store = sessions.store();
    const SELECT: &str = "SELECT id, body FROM bare WHERE id = $1";
    const UPDATE: &str = "UPDATE bare SET body = body WHERE id = $1";
    let number = |task: usize| i32::try_from(task).unwrap();
    for round in 0..3 {
        for tasks in [1, 32] {
            let select = measured(tasks, |task| bare(pool.clone(), SELECT, number(task))).await;
            let view = measured(tasks, |task| load(Arc::clone(store), ids[task])).await;
            let update = measured(tasks, |task| bare(pool.clone(), UPDATE, number(task))).await;
            let view_and_write = measured(tasks, |task| change(Arc::clone(store), ids[task])).await;
            println!(
                "round {round}, {tasks} at once (median, each of all): bare SELECT {select:?}, view {view:?}; \
                 bare UPDATE {update:?}, view and write {view_and_write:?}"
            );
        }
    }
}
