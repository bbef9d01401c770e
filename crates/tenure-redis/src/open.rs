//! Opening a store: finding it or making it.

use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::try_join_all;
use tenure::MasterKey;
use tenure::clock::Timestamp;
use tenure::store::{Context, StoreError};
use tenure_shared::{Judged, MarksAt, key_check};

use crate::calls::Calls;
use crate::connect::Settings;
use crate::guests::Guests;
use crate::keys::Keys;
use crate::link::{Link, MAX_PARTITIONS};
use crate::meta::Meta;
use crate::place::RedisPlace;
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
    pub(crate) marks: &'a MarksAt<'a>,
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
) -> Result<(RedisPlace, Judged), StoreError> {
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
        told: Mutex::default(),
    };
    if calls.read_meta(None).await?.is_none() {
        new.marks.may_be_made()?;
    }
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
    let latest = heads.into_iter().max().unwrap_or_default();
    let judged = new.marks.judge(&calls.meta.store, latest)?;
    context.clock.not_before(latest);
    let durable = servers.iter().all(|(link, _)| link.durable.get() == Some(&true));
    calls.is_open.store(true, Ordering::Relaxed);
    let calls = Arc::new(calls);
    let wake = Wake::start(&calls);
    let place = RedisPlace { calls, guests: Guests::default(), wake, durable, turn: AtomicU16::new(0) };
    Ok((place, judged))
}

impl Calls {
    /// The last time of these partitions.
    async fn latest(&self, link: &Link, partitions: &[u16]) -> Result<Timestamp, StoreError> {
        Ok(self.heads(link, partitions).await?.iter().map(|head| head.latest).max().unwrap_or_default())
    }
}
