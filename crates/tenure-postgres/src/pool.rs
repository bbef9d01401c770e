//! Connections, each call bounded in time.

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tenure::store::StoreError;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{self, Sent};

/// How long a call may take, with waiting for a connection and making one.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// What every connection begins with. The server gives up before we do, so that what it gave up is
/// known not to have happened. Its isolation and durability are what the functions count on,
/// whatever the database's defaults are. Plans are made once, perhaps of tables that are still empty,
/// and are to be good for full ones: every statement has an index, and goes through it row by row.
const BEGIN: &str = "
    SET statement_timeout = '4s';
    SET default_transaction_isolation = 'read committed';
    SET plan_cache_mode = 'force_generic_plan';
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
    SET jit = off;
    SET client_min_messages = 'warning';
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') IN ('off', 'local')";

/// The connections to a server.
#[derive(Clone)]
pub(crate) struct Connections(Pool);

impl Connections {
    /// At most `size` of them, made when they are needed.
    pub(crate) fn new(config: Config, tls: MakeRustlsConnect, size: usize) -> Self {
        let how = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let begin = Hook::async_fn(|client, _| {
            Box::pin(async move { client.batch_execute(BEGIN).await.map_err(HookError::Backend) })
        });
        let pool = Pool::builder(Manager::from_config(config, tls, how))
            .max_size(size.max(1))
            .runtime(Runtime::Tokio1)
            .post_create(begin)
            .build();
        // A runtime is all that the builder could lack.
        Self(pool.expect("a pool with a runtime"))
    }

    /// Sends one statement, in a transaction of its own.
    pub(crate) async fn query(
        &self,
        sent: Sent,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let (mut held, mut stage) = (None, Sent::Nothing);
        let work = async {
            let client = &*held.insert(self.0.get().await.map_err(|e| error::of_pool(&e))?);
            let statement = client.prepare_cached(sql).await.map_err(|e| error::of(&e, Sent::Nothing))?;
            stage = sent;
            client.query(&statement, values).await.map_err(|e| error::of(&e, sent))
        };
        let done = timeout(PATIENCE, work).await;
        let answer = done.unwrap_or_else(|_| Err(error::no_answer(stage)));
        if answer.is_err() {
            // What is wrong with it may be wrong for the next one too.
            held.map(Object::take);
        }
        answer
    }

    /// The same for what gives one row.
    pub(crate) async fn query_one(
        &self,
        sent: Sent,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, StoreError> {
        let rows = self.query(sent, sql, values).await?;
        rows.into_iter().next().ok_or_else(|| error::corrupt("a row that must be there is missing"))
    }

    /// Closes all connections; those in use when they are given back.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}

/// A connection of its own, apart from the pool, to be driven by the caller.
pub(crate) async fn begin(client: &Client) -> Result<(), Error> {
    client.batch_execute(BEGIN).await
}
