//! Opening a store: finding it or making it, and saying what is unwise about its servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use futures_util::future::try_join_all;
use redis::Value;
use tenure::MasterKey;
use tenure::clock::Timestamp;
use tenure::store::{Context, StoreError};
use tenure_shared::key_check;

use crate::answer::{array, text};
use crate::calls::Calls;
use crate::connect::{Settings, field};
use crate::error::Failure;
use crate::guests::Guests;
use crate::keys::Keys;
use crate::link::{Link, MAX_PARTITIONS};
use crate::meta::Meta;
use crate::place::RedisPlace;
use crate::script::RIGHTS;
use crate::servers::Servers;
use crate::url::Target;
use crate::wake::Wake;

/// In how many parts a new store is divided, for each primary.
const PARTITIONS: u16 = 32;

/// What a new store is made of.
pub(crate) struct New<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) partitions: Option<u16>,
    pub(crate) key: &'a MasterKey,
}

/// Opens the store that these servers have.
///
/// # Errors
/// As [`Redis`](crate::Redis) says.
pub(crate) async fn open(
    target: Target,
    settings: Settings,
    new: New<'_>,
    context: &Context,
) -> Result<RedisPlace, StoreError> {
    let servers = Servers::new(target, settings);
    servers.look(&servers.routes()).await?;
    let primaries = u16::try_from(servers.routes().nodes.len()).unwrap_or(u16::MAX);
    let check = key_check(new.key);
    let partitions =
        new.partitions.unwrap_or_else(|| primaries.saturating_mul(PARTITIONS).min(MAX_PARTITIONS));
    let meta = Meta::new(check, partitions, !servers.is_cluster(), &*context.random);
    let mut calls = Calls {
        servers,
        keys: Keys::unknown(new.prefix),
        meta,
        random: Arc::clone(&context.random),
        is_open: AtomicBool::new(false),
        is_closed: AtomicBool::new(false),
    };
    let found = calls.read_meta(Some(&calls.meta)).await?;
    let found = found.ok_or_else(|| StoreError::Unavailable("Redis does not keep what is written".into()))?;
    if found.key_check != check {
        return Err(StoreError::Configuration(format!(
            "the master key is not the one that the store at prefix `{}` was made with; give that key, or \
             another prefix to begin a new store",
            new.prefix
        )));
    }
    if found.partitions == 0 || found.partitions > MAX_PARTITIONS {
        return Err(crate::error::odd());
    }
    if found.one_number && calls.servers.is_cluster() {
        return Err(StoreError::Configuration(
            "the store was made on one server and counts its guests there: a cluster needs a new store"
                .into(),
        ));
    }
    calls.keys = Keys::of(new.prefix, found.partitions, found.one_number);
    calls.meta = found;
    // Makes the partitions that are not there.
    let servers = calls.by_server().await?;
    let heads = try_join_all(servers.iter().map(|(link, partitions)| calls.latest(link, partitions))).await?;
    context.clock.not_before(heads.into_iter().max().unwrap_or_default());
    calls.try_rights(&servers).await?;
    let durable = calls.look_at_settings().await?;
    calls.is_open.store(true, Ordering::Relaxed);
    let calls = Arc::new(calls);
    let wake = Wake::start(&calls);
    let (guests, turn, shut) = (Guests::default(), AtomicU16::new(0), AtomicBool::new(false));
    Ok(RedisPlace { calls, guests, wake, durable, turn, shut })
}

impl Calls {
    /// The last time of these partitions.
    async fn latest(&self, link: &Link, partitions: &[u16]) -> Result<Timestamp, StoreError> {
        Ok(self.heads(link, partitions).await?.iter().map(|head| head.latest).max().unwrap_or_default())
    }

    /// Makes sure that the user may do all that scripts do.
    ///
    /// # Errors
    /// Configuration that names what it may not.
    async fn try_rights(&self, servers: &[(Arc<Link>, Vec<u16>)]) -> Result<(), StoreError> {
        for (link, partitions) in servers {
            let Some(partition) = partitions.first() else { continue };
            let base = self.keys.base(*partition).as_bytes().to_vec();
            let own = vec![[&base[..], b"?"].concat()];
            let said = self.script(*partition, &RIGHTS, own, vec![base]).await.map_err(Failure::of_read)?;
            let refused = text(Some(&said));
            if !refused.is_empty() {
                return Err(StoreError::Configuration(format!(
                    "the user at {} has no right to {refused}, which Tenure needs: the book lists all of them",
                    link.address
                )));
            }
        }
        Ok(())
    }

    /// Warns of what would lose sessions. Gives whether the servers keep them in a file that follows
    /// each change.
    ///
    /// # Errors
    /// Configuration when a server is too old.
    async fn look_at_settings(&self) -> Result<bool, StoreError> {
        let mut durable = true;
        for (link, partitions) in self.by_server().await? {
            let Some(partition) = partitions.first() else { continue };
            let mut commands = redis::pipe();
            commands.cmd("HGET").arg(self.keys.head(*partition)).arg("seq");
            commands.cmd("INFO");
            let said = self.commands(*partition, commands).await.and_then(array).map_err(Failure::of_read)?;
            let info = text(said.last());
            let is = |name: &str, value: &str| field(info, name) == Some(value);
            let version = field(info, "redis_version").unwrap_or_default();
            let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
            if major < 7 {
                return Err(StoreError::Configuration(format!(
                    "{} is Redis {version}; 7.0 or newer is needed",
                    link.address
                )));
            }
            let server = &link.address;
            if !is("maxmemory", "0") && !is("maxmemory_policy", "noeviction") {
                tracing::warn!(%server, "Redis throws sessions away when its memory is full: set `maxmemory-policy noeviction`");
            }
            if is("aof_enabled", "1") {
                continue;
            }
            durable = false;
            let saves = self.commands(*partition, {
                let mut commands = redis::pipe();
                commands.cmd("HGET").arg(self.keys.head(*partition)).arg("seq");
                commands.cmd("CONFIG").arg("GET").arg("save");
                commands
            });
            // It may be that we may not ask.
            if let Ok(Value::Array(said)) = saves.await
                && let Some(Value::Array(pair)) = said.last()
                && text(pair.get(1)).is_empty()
            {
                tracing::warn!(%server, "Redis keeps nothing on its disk: a restart ends all sessions; set `appendonly yes`");
            } else {
                tracing::warn!(%server, "Redis keeps a snapshot now and then: a restart brings ended sessions back; set `appendonly yes`");
            }
        }
        Ok(durable)
    }
}
