//! Connections, each call bounded in time.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tenure::store::StoreError;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
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
pub(crate) struct Connections {
    pool: Pool,
    /// How many may be busy with what writes.
    writing: Arc<Semaphore>,
    servers: Servers,
}

/// The server that answered last, as a number: another one has taken its place when that changes.
pub(crate) type Servers = Arc<watch::Sender<u64>>;

impl Connections {
    /// At most `size` of them, made when they are needed, of which so many are kept for what only reads.
    pub(crate) fn new(
        config: Config,
        tls: MakeRustlsConnect,
        size: usize,
        for_reading: usize,
        servers: &Servers,
    ) -> Self {
        let how = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let begin = Hook::async_fn(|client, _| {
            Box::pin(async move { client.batch_execute(BEGIN).await.map_err(HookError::Backend) })
        });
        let pool = Pool::builder(Manager::from_config(config, tls, how))
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .post_create(begin)
            .build();
        let writing = Arc::new(Semaphore::new(size.saturating_sub(for_reading)));
        // A runtime is all that the builder could lack.
        Self { pool: pool.expect("a pool with a runtime"), writing, servers: Arc::clone(servers) }
    }

    /// Sends one statement, in a transaction of its own.
    pub(crate) async fn query(
        &self,
        sent: Sent,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let mut held =
            Held { client: None, writing: None, state: State::UnderWay, servers: self.servers.subscribe() };
        let mut stage = Sent::Nothing;
        let work = async {
            if sent != Sent::Nothing {
                let permit = Arc::clone(&self.writing).acquire_owned().await;
                held.writing = Some(permit.map_err(|_| error::closed())?);
            }
            let client = held.client.insert(self.pool.get().await.map_err(|e| error::of_pool(&e))?);
            let statement = client.prepare_cached(sql).await.map_err(|e| error::of(&e, Sent::Nothing))?;
            stage = sent;
            client.query(&statement, values).await.map_err(|e| error::of(&e, sent))
        };
        let done = timeout(PATIENCE, work).await;
        match &done {
            Ok(Ok(_)) => held.state = State::Answered,
            Ok(Err(_)) => held.state = State::Failed,
            Err(_) if held.client.is_none() => return Err(error::none_free()),
            Err(_) => {}
        }
        done.unwrap_or_else(|_| Err(error::no_answer(stage)))
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
        self.pool.close();
        // Nobody waits for what is under way any more.
        self.servers.send_modify(|_| ());
    }
}

/// A connection in use, and what becomes of it when nobody waits for the answer any more.
struct Held {
    client: Option<Object>,
    writing: Option<OwnedSemaphorePermit>,
    state: State,
    servers: watch::Receiver<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    UnderWay,
    Answered,
    /// What is wrong with it may be wrong for the next one too.
    Failed,
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        match (self.state, self.writing.take()) {
            (State::Answered, _) => {}
            (State::UnderWay, Some(permit)) => {
                let waits = until_it_ends(client, permit, self.servers.clone());
                if let Ok(runtime) = Handle::try_current() {
                    runtime.spawn(waits);
                }
            }
            // What only reads, the server itself breaks off in time.
            _ => drop(Object::take(client)),
        }
    }
}

/// Keeps the place of a connection on which something is written until the server is done with it. A
/// commit that waits for a standby is broken off by nobody, and a server on which each that was given
/// up is followed by another has no connections left before long. If another server takes its place,
/// the connection is of no use.
async fn until_it_ends(client: Object, _writing: OwnedSemaphorePermit, mut servers: watch::Receiver<u64>) {
    let is_over = tokio::select! {
        // Answered in its turn.
        answered = client.batch_execute("") => answered.is_ok(),
        _ = servers.changed() => false,
    };
    if !is_over {
        drop(Object::take(client));
    }
}

/// A connection of its own, apart from the pool, to be driven by the caller.
pub(crate) async fn begin(client: &Client) -> Result<(), Error> {
    client.batch_execute(BEGIN).await
}
