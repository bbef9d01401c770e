//! Bare statements of PostgreSQL, with rows as long as those of sessions, through the client and the
//! pool that the store uses.

use std::sync::Arc;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod};
use tenure_bench::drive::Call;
use tenure_bench::engines::Engines;
use tokio_postgres::NoTls;

use crate::SESSIONS;

/// As many as the store has.
const CONNECTIONS: usize = 16;

/// What the store asks for too that helps a bare statement.
const BEGIN: &str = "SET plan_cache_mode = 'force_generic_plan'; SET jit = off";

const SELECT: &str = "SELECT id, body FROM bare WHERE id = $1";
const UPDATE: &str = "UPDATE bare SET body = $2 WHERE id = $1";

/// Reading a row, and writing one.
pub(crate) async fn bare(engines: &Engines) -> [Call; 2] {
    let server = &engines.postgres;
    let long = server.sql("SELECT avg(pg_column_size(s.*))::integer - 24 - 8 - 4 FROM tenure.sessions s");
    server.sql(&format!(
        "CREATE TABLE bare (id bigint PRIMARY KEY, body bytea NOT NULL) WITH (fillfactor = 75);
         ALTER TABLE bare ALTER COLUMN body SET STORAGE EXTERNAL;
         INSERT INTO bare SELECT n, decode(repeat('ab', {long}), 'hex') FROM generate_series(0, {SESSIONS} - 1) n;"
    ));
    server.sql("VACUUM ANALYZE");
    let config = server.url().parse().expect("a URL");
    let how = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let begin = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
        Box::pin(async move { client.batch_execute(BEGIN).await.map_err(HookError::Backend) })
    });
    let pool = Pool::builder(Manager::from_config(config, NoTls, how));
    let pool = pool.max_size(CONNECTIONS).post_create(begin).build().expect("a pool");
    let body: Arc<Vec<u8>> = Arc::new(vec![7; long.parse().expect("a number")]);
    let read = pool.clone();
    [
        Arc::new(move |n| {
            let pool = read.clone();
            Box::pin(async move {
                let client = pool.get().await.expect("a connection");
                let statement = client.prepare_cached(SELECT).await.expect("a statement");
                let rows = client.query(&statement, &[&(n as i64)]).await.expect("an answer");
                assert!(!rows[0].get::<_, &[u8]>(1).is_empty());
            })
        }),
        Arc::new(move |n| {
            let (pool, body) = (pool.clone(), Arc::clone(&body));
            Box::pin(async move {
                let client = pool.get().await.expect("a connection");
                let statement = client.prepare_cached(UPDATE).await.expect("a statement");
                let changed = client.execute(&statement, &[&(n as i64), &&body[..]]).await;
                assert_eq!(changed.expect("an answer"), 1);
            })
        }),
    ]
}
