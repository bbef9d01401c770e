//! A store in PostgreSQL, before it is opened: the place and the settings.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;

use async_trait::async_trait;
use tenure::MasterKey;
use tenure::store::{Context, Engine, Opened, StoreError};
use tenure_shared::{AfterRestore, KeySource, Marks, SharedStore};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

use crate::changes::Changes;
use crate::error::{self, Sent};
use crate::heartbeat::Heartbeat;
use crate::listen::Listener;
use crate::place::PostgresPlace;
use crate::pool::{Connections, PATIENCE, Servers, begin};
use crate::schema::{self, Meta, New};
use crate::server::Server;
use crate::statements::Sql;

/// In how many parts a new store is divided.
const PARTITIONS: u16 = 1_024;

/// How many connections a node uses for what it is asked.
const CONNECTIONS: usize = 16;

/// Sessions in a schema of a PostgreSQL database, shared by all nodes that are given the same URL
/// and the same master key.
///
/// The tables are made when they are not there; for that the role needs to own the schema, or be
/// allowed to make it (`CREATE SCHEMA tenure AUTHORIZATION …`). PostgreSQL 15 or newer.
///
/// The URL is that of libpq, with several hosts if there are standbys to be promoted; whichever takes
/// writes is used. A server on another machine is spoken to with TLS, and its certificate is verified
/// with the host's name, by those of the system or of the file in `sslrootcert`, unless the URL says
/// `sslmode=disable`. Connect directly or through a pool that keeps sessions: a connection listens.
///
/// The master key lives outside the database. It is taken from the first of these that is there:
/// [`master_key`](Self::master_key), the variable `TENURE_MASTER_KEY`, the file named by
/// [`master_key_file`](Self::master_key_file). It is never made: all nodes need the same.
///
/// What was acknowledged is on the server's disk, and with synchronous replication on that of a
/// standby. Without it, a standby that is promoted may lack what was acknowledged last.
///
/// # Example: one of several nodes
/// ```
/// use tenure_postgres::Postgres;
///
/// let engine = Postgres::at("postgres://tenure@db1.example,db2.example/shop?sslrootcert=/etc/shop/ca.pem")
///     .master_key_file("/etc/shop/tenure.key") // of mode 0600
///     .schema("sessions")
///     .partitions(256)
///     .connections(8);
/// # drop(engine);
/// ```
///
/// # Example: a key from a secret store
/// ```
/// use tenure::{Check, MasterKey, Sessions, SignIn};
/// use tenure_postgres::Postgres;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let url = tenure_servers::Postgres::shared().url();
/// # let secret = MasterKey::generate(&tenure::random::SystemRandom).to_hex();
/// let engine = || Ok::<_, tenure::InvalidMasterKey>(Postgres::at(&url).master_key(MasterKey::from_hex(&secret)?));
/// let (here, there) = (Sessions::open(engine()?).await?, Sessions::open(engine()?).await?);
///
/// let token = here.sign_in(None, SignIn::password("u_1".parse()?)).await?.token;
/// assert_eq!(there.check(token.expose().as_bytes(), &Check::signed_in()).await?.as_str(), "ok");
/// # here.close().await?;
/// # there.close().await?;
/// # Ok(()) }
/// ```
///
/// # Example: a node that recognises an older copy of the database
/// ```
/// # use tenure::{MasterKey, Sessions};
/// use tenure_postgres::{AfterRestore, Postgres};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let url = format!("{}?schema=marked", tenure_servers::Postgres::shared().url());
/// # let secret = MasterKey::generate(&tenure::random::SystemRandom).to_hex();
/// # let (folder, restored) = (tempfile::tempdir()?, true);
/// # let dir = folder.path();
/// // For one start, after a backup was put back.
/// let decision = if restored { AfterRestore::EndAllSessions } else { AfterRestore::Refuse };
/// let engine = Postgres::at(&url).mark_dir(dir).after_restore(decision);
/// # let engine = engine.master_key(MasterKey::from_hex(&secret)?);
/// # let sessions = Sessions::open(engine).await?;
/// # assert_eq!(std::fs::read_dir(dir)?.count(), 1);
/// # sessions.close().await?;
/// # Ok(()) }
/// ```
pub struct Postgres {
    url: String,
    schema: Option<String>,
    partitions: u16,
    connections: usize,
    key: KeySource,
    marks: Marks,
    by_own_clock: bool,
}

impl fmt::Debug for Postgres {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Postgres {
    /// The store at this URL: `postgres://user:password@host/database?schema=tenure`.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            schema: None,
            partitions: PARTITIONS,
            connections: CONNECTIONS,
            key: KeySource::default(),
            marks: Marks::default(),
            by_own_clock: false,
        }
    }

    /// The schema that holds the tables: lower-case letters, digits and `_`. The default is that of
    /// the URL, or `tenure`.
    #[must_use]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = Some(name.into());
        self
    }

    /// In how many parts a new store is divided: changes in one part happen one after the other. At
    /// least 1, at most 1,024, which is the default. A store that exists keeps its number.
    #[must_use]
    pub fn partitions(mut self, number: u16) -> Self {
        self.partitions = number.clamp(1, PARTITIONS);
        self
    }

    /// How many connections this node uses at the most, beside the three with which it follows the
    /// others; a quarter of them only for what reads. At least 2; the default is 16.
    #[must_use]
    pub fn connections(mut self, number: usize) -> Self {
        self.connections = number.max(2);
        self
    }

    /// The master key itself.
    #[must_use]
    pub fn master_key(mut self, key: MasterKey) -> Self {
        self.key = self.key.with_key(key);
        self
    }

    /// The file with the master key: 64 hexadecimal digits, readable by its owner only.
    #[must_use]
    pub fn master_key_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.key = self.key.with_file(path.into());
        self
    }

    /// The folder for this node's marks, on its own disk: how far the store had come when the node last
    /// knew of it, written at the start, at the end, and every few seconds while it changes. With it, a
    /// store that lacks more than ten minutes of what the node knew does not open until its operator
    /// decides, nor does an empty or another one in its place: see [`after_restore`](Self::after_restore).
    /// Without it, which is the default, nothing is asked.
    ///
    /// Only opening looks at it. To put a backup back, stop all nodes first.
    #[must_use]
    pub fn mark_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.marks = self.marks.with_dir(path.into());
        self
    }

    /// What to do with a store that is older than this node's [mark](Self::mark_dir) says: a decision of
    /// the operator, for one start. Let one node carry it out before others start.
    #[must_use]
    pub fn after_restore(mut self, decision: AfterRestore) -> Self {
        self.marks = self.marks.with_decision(decision);
        self
    }

    /// Lives by the clock of this process, for tests that move time.
    #[doc(hidden)]
    #[must_use]
    pub fn by_own_clock(mut self) -> Self {
        self.by_own_clock = true;
        self
    }
}

#[async_trait]
impl Engine for Postgres {
    /// Opens the store, and makes its tables if they are not there.
    ///
    /// # Errors
    /// Configuration when the key is missing or another one, the store is of a newer release, or
    /// the role may not do what it has to; Blocked when it is older than the node's
    /// [mark](Postgres::mark_dir); Unavailable when no server that takes writes answers.
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError> {
        let server = Server::parse(&self.url)?;
        if server.may_go_without_tls() {
            tracing::warn!(
                "PostgreSQL on another machine may be spoken to without TLS, password and all: say `sslmode=verify-full`"
            );
        }
        let schema = self.schema.clone().or_else(|| server.schema.clone()).unwrap_or_else(|| "tenure".into());
        schema::check_name(&schema)?;
        let master_key = self.key.find()?;
        let tls = server.tls()?;
        let marks = self.marks.at(&server.place(&schema), format!("the store in schema {schema}"));
        let new = New { partitions: self.partitions, random: &*context.random, marks: &marks };
        let meta = prepare(&server, &tls, &schema, &master_key, new).await?;
        let judged = marks.judge(&meta.store, meta.latest)?;
        context.clock.not_before(meta.latest);
        let channel: String = meta.store.iter().map(|byte| format!("{byte:02x}")).collect();
        let servers: Servers = Arc::new(watch::Sender::new(0));
        let connect = |size, for_reading| {
            Connections::new(server.config.clone(), tls.clone(), size, for_reading, &servers)
        };
        let pool = connect(self.connections, (self.connections / 4).max(1));
        let (near, beats) = (connect(1, 1), connect(1, 0));
        let sql = Sql::of(&schema);
        let place = PostgresPlace {
            changes: Changes::start(pool.clone(), &sql),
            pool,
            near,
            listener: Listener::start(server.config, tls, format!("tenure_{channel}")),
            heartbeat: Heartbeat::new(Arc::clone(&context.clock), beats, &schema),
            servers,
            sql,
            partitions: meta.partitions,
            turn: AtomicU16::new(0),
            lines: std::array::from_fn(|_| Mutex::new(())),
        };
        let store = SharedStore::new(place, &context);
        let store = if self.by_own_clock { store.by_own_clock() } else { store };
        Ok(Opened { store: Arc::new(store.marked(judged).await?), master_key })
    }
}

/// Makes and checks the tables, on a connection of its own.
async fn prepare(
    server: &Server,
    tls: &tokio_postgres_rustls::MakeRustlsConnect,
    schema: &str,
    key: &MasterKey,
    new: New<'_>,
) -> Result<Meta, StoreError> {
    let failed = |e: tokio_postgres::Error| error::of(&e, Sent::Nothing);
    let connected = timeout(PATIENCE, server.config.connect(tls.clone())).await;
    let (mut client, connection) = connected.map_err(|_| error::no_answer(Sent::Nothing))?.map_err(failed)?;
    let driver = tokio::spawn(connection);
    let work = async {
        begin(&client).await.map_err(failed)?;
        // Others may be making the tables.
        client.batch_execute("SET statement_timeout = '60s'").await.map_err(failed)?;
        schema::open(&mut client, schema, key, new).await
    };
    let done = timeout(PATIENCE * 13, work).await;
    driver.abort();
    done.unwrap_or_else(|_| Err(error::no_answer(Sent::Nothing)))
}
