//! A store in Redis, before it is opened: the servers and the settings.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tenure::MasterKey;
use tenure::store::{Context, Engine, Opened, StoreError};
use tenure_shared::{AfterRestore, KeySource, Marks, SharedStore};

use crate::link::MAX_PARTITIONS;
use crate::open::{self, New};
use crate::options::Options;
use crate::url::Target;

/// Sessions in Redis or Valkey, shared by all nodes that are given the same servers, the same prefix
/// and the same master key.
///
/// | URL | servers |
/// |---|---|
/// | `redis://user:password@host:6379/0` | one |
/// | `redis-sentinel://h1,h2,h3/service` | the primary that sentinels know by this name |
/// | `redis-cluster://h1,h2,h3` | a cluster, of which these are some servers |
///
/// With `rediss` instead of `redis` in them, TLS is spoken, also with sentinels. Redis 7.0 or newer,
/// or Valkey. Nothing is ever read from a replica.
///
/// The master key lies outside of Redis. It is taken from the first of these that is there:
/// [`master_key`](Self::master_key), the variable `TENURE_MASTER_KEY`, the file named by
/// [`master_key_file`](Self::master_key_file). It is never made: all nodes need the same.
///
/// # What is kept
///
/// Redis keeps what its own settings say. The store is called durable when `appendonly` is on; a crash
/// of the machine may still cost the last second, unless `appendfsync` is `always`. Without a file, a
/// restart of the server is the end of all sessions. `maxmemory-policy` is to be `noeviction`: any
/// other lets Redis throw sessions away. Opening the store warns of both.
///
/// A replica that takes over lacks what had not reached it: without [`replicas`](Self::replicas) that
/// may be the last moments before the failover, **ends of sessions among them**. With it, an end is
/// acknowledged only when so many replicas have it, and a primary is believed only while so many
/// replicas say that they follow it.
///
/// # Example: three sentinels, and ends that survive a failover
/// ```
/// use std::time::Duration;
/// use tenure_redis::Redis;
///
/// let engine = Redis::at("redis-sentinel://h1.example,h2.example,h3.example/shop")
///     .master_key_file("/etc/shop/tenure.key") // of mode 0600
///     .prefix("shop")
///     .replicas(1)
///     .replica_timeout(Duration::from_millis(500));
/// # drop(engine);
/// ```
///
/// # Example: a cluster with an authority and passwords of its own
/// ```
/// use std::time::Duration;
/// use tenure_redis::Redis;
///
/// # fn example(password: &str) -> Redis {
/// Redis::at(format!("rediss-cluster://shop:{password}@h1.example,h2.example"))
///     .authority_file("/etc/shop/redis-ca.pem")
///     .partitions(192) // for six primaries
///     .timeout(Duration::from_secs(2))
///     .sentinel_login("watcher:secret") // where sentinels have passwords of their own
/// # }
/// # drop(example("secret"));
/// ```
///
/// # Example: two nodes
/// ```
/// use tenure::{Check, MasterKey, Sessions, SignIn};
/// use tenure_redis::Redis;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = tenure_servers::Redis::start();
/// # let (url, secret) = (server.url(), MasterKey::generate(&tenure::random::SystemRandom).to_hex());
/// let engine = || Ok::<_, tenure::InvalidMasterKey>(Redis::at(&url).master_key(MasterKey::from_hex(&secret)?));
/// let (here, there) = (Sessions::open(engine()?).await?, Sessions::open(engine()?).await?);
///
/// let token = here.sign_in(None, SignIn::password("u_1".parse()?)).await?.token;
/// assert_eq!(there.check(token.expose().as_bytes(), &Check::signed_in()).await?.as_str(), "ok");
/// # here.close().await?;
/// # there.close().await?;
/// # Ok(()) }
/// ```
///
/// # Example: a node that recognises an older copy of the store
/// ```
/// # use tenure::{MasterKey, Sessions};
/// use tenure_redis::{AfterRestore, Redis};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = tenure_servers::Redis::start();
/// # let (url, secret) = (server.url(), MasterKey::generate(&tenure::random::SystemRandom).to_hex());
/// # let (folder, restored) = (tempfile::tempdir()?, true);
/// # let dir = folder.path();
/// // For one start, after a backup was put back.
/// let decision = if restored { AfterRestore::EndAllSessions } else { AfterRestore::Refuse };
/// let engine = Redis::at(&url).mark_dir(dir).after_restore(decision);
/// # let engine = engine.master_key(MasterKey::from_hex(&secret)?);
/// # let sessions = Sessions::open(engine).await?;
/// # assert_eq!(std::fs::read_dir(dir)?.count(), 1);
/// # sessions.close().await?;
/// # Ok(()) }
/// ```
pub struct Redis {
    url: String,
    options: Options,
    key: KeySource,
    marks: Marks,
    by_own_clock: bool,
}

impl fmt::Debug for Redis {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.options.prefix).finish_non_exhaustive()
    }
}

impl Redis {
    /// The store at this URL. Its query may say what the methods below say, which come before it, under
    /// these names: `prefix`, `partitions`, `replicas`, `replica_timeout_ms`, `timeout_ms`, `sslrootcert`
    /// (the file with the authority), `sentinel_login`.
    pub fn at(url: impl Into<String>) -> Self {
        let (options, key, marks) = Default::default();
        Self { url: url.into(), options, key, marks, by_own_clock: false }
    }

    /// How all keys begin, so that several stores and other applications can share a server: letters,
    /// digits, `_`, `-`, `.` and `:`. The default is `tenure`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = Some(prefix.into());
        self
    }

    /// In how many parts a new store is divided: a part lies on one server. At least 1, at most 1,024.
    /// The default is 32 for each primary that there is. A store that exists keeps its number, so give
    /// 32 for each primary that there may be some day.
    #[must_use]
    pub fn partitions(mut self, number: u16) -> Self {
        self.options.partitions = Some(number);
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

    /// The file with the certificates of the authority that the servers' certificates are from, in PEM.
    /// The default is what the system trusts.
    #[must_use]
    pub fn authority_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.authority_file = Some(path.into());
        self
    }

    /// The user and the password at the sentinels, as `user:password`, as they would stand in a URL.
    /// The default is none: those in the URL are for the servers.
    #[must_use]
    pub fn sentinel_login(mut self, login: impl Into<String>) -> Self {
        self.options.sentinel_login = Some(login.into());
        self
    }

    /// How long to wait for an answer. The default is 5 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// How many replicas are to have an end of a session before it is acknowledged. With fewer, ending
    /// is answered with an error that can be retried, though the session has ended where the primary
    /// is. The default is 0.
    ///
    /// It is also how many replicas are to have confirmed, within the
    /// [bound](tenure::Builder::bound), that they follow the primary, before anything else is asked of
    /// it or changed there: one that is cut off from them, or stood still, may have been replaced. With
    /// fewer, all such calls are answered with an error that can be retried, and so are checks.
    ///
    /// Give the number of all replicas that may take over, and no end is lost, but the loss of one
    /// replica is an outage. To go on without one, give one less (1 of 2, 2 of 3): then an end is lost
    /// with the primary only if all those that have it are lost too. With less than half of them, a
    /// primary that is cut off and the one that took its place could both be confirmed.
    #[must_use]
    pub fn replicas(mut self, number: u32) -> Self {
        self.options.replicas = Some(number);
        self
    }

    /// How long to wait for replicas. The default is one second.
    #[must_use]
    pub fn replica_timeout(mut self, timeout: Duration) -> Self {
        self.options.replica_timeout = Some(timeout);
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
impl Engine for Redis {
    /// Opens the store, and makes it if it is not there.
    ///
    /// # Errors
    /// Configuration when the key is missing or another one, the servers are too old, do not let us in
    /// or belong to another release; Blocked when the store is older than the node's
    /// [mark](Redis::mark_dir); Unavailable when no primary answers.
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError> {
        let (url, said) = Options::split(&self.url)?;
        let target = Target::parse(url)?;
        if target.tells_its_password() {
            tracing::warn!(
                "the password of Redis on another machine is sent without TLS: say `rediss` instead of `redis`"
            );
        }
        let options = self.options.clone().or(said);
        let prefix = options.prefix.as_deref().unwrap_or("tenure");
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(fits) {
            return Err(StoreError::Configuration(
                "a prefix has 1 to 64 letters, digits and characters of `_-.:`".into(),
            ));
        }
        let master_key = self.key.find()?;
        let settings = options.settings(context.bound)?;
        if target.has_tls() && rustls::crypto::CryptoProvider::get_default().is_none() {
            // Somebody else may do it at the same moment: then that one holds.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        let partitions = options.partitions.map(|number| number.clamp(1, MAX_PARTITIONS));
        let address = format!("{} {prefix}", target.place());
        let marks = self.marks.at(&address, format!("the store at prefix `{prefix}`"));
        let new = New { prefix, partitions, key: &master_key, marks: &marks };
        let (place, judged) = open::open(target, settings, new, &context).await?;
        let store = SharedStore::new(place, &context);
        let store = if self.by_own_clock { store.by_own_clock() } else { store };
        Ok(Opened { store: Arc::new(store.marked(judged).await?), master_key })
    }
}
