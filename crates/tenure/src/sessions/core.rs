//! What all realms share: store, keys, cache, and the way every change takes.

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::activity::Activity;
use super::follow::Follower;
use super::watch::Watchers;
use crate::cache::Cache;
use crate::clock::SteadyClock;
use crate::error::Error;
use crate::freshness::Freshness;
use crate::id::{OperationId, SessionId};
use crate::keys::Keys;
use crate::limiter::Limiter;
use crate::metrics::{DataSizes, Metrics};
use crate::random::Random;
use crate::reason::{Actor, EndReason, Ending};
use crate::record::{NewSession, Value};
use crate::snapshot::Snapshot;
use crate::store::counted::Counted;
use crate::store::{
    Admission, Context, Mutation, Opened, Operation, Outcome, Refusal, Reply, Store, StoreError,
};
use crate::tombstones::Tombstones;

/// How often a change whose outcome is unknown is repeated, under the same operation id.
const TRIES: u32 = 3;

/// How many ids that are surely gone are remembered.
const MAX_GONE: usize = 65_536;

/// How many checks of unknown or dead sessions one network may cause a minute before its
/// tokens have to wait for the store.
const MISSES_PER_MINUTE: u32 = 600;

pub(super) struct Core {
    pub(super) store: Arc<dyn Store>,
    counted: Arc<Counted>,
    pub(super) data_sizes: DataSizes,
    pub(super) keys: Keys,
    pub(super) clock: Arc<SteadyClock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) cache: Arc<Cache>,
    pub(super) activity: Activity,
    pub(super) misses: Limiter,
    pub(super) watchers: Watchers,
    pub(super) closed: AtomicBool,
    /// How far memory may be trusted.
    pub(super) freshness: Freshness,
    /// For how long after it was right an answer may be relied upon.
    pub(super) bound: Duration,
    pub(super) follower: tokio::sync::Mutex<Follower>,
    pub(super) ends: Tombstones,
    gone: Mutex<Gone>,
}

/// Ids of sessions that are surely gone.
#[derive(Default)]
struct Gone {
    ids: HashSet<SessionId>,
    /// Counts how often the store turned out to be another.
    history: u64,
}

impl Core {
    pub(super) fn new(opened: Opened, context: Context, cache_bytes: usize, bound: Duration) -> Self {
        let counted = Arc::new(Counted::new(opened.store, Arc::clone(&context.clock)));
        let info = counted.info();
        let running = context.clock.running();
        Self {
            store: Arc::clone(&counted) as Arc<dyn Store>,
            counted,
            data_sizes: DataSizes::default(),
            keys: Keys::derive(&opened.master_key),
            clock: context.clock,
            random: context.random,
            cache: Arc::new(Cache::new(cache_bytes)),
            activity: Activity::default(),
            misses: Limiter::per_minute(MISSES_PER_MINUTE),
            watchers: Watchers::default(),
            closed: AtomicBool::new(false),
            freshness: Freshness::of(&info, running),
            bound,
            follower: tokio::sync::Mutex::new(Follower::new(info.partitions)),
            ends: Tombstones::default(),
            gone: Mutex::default(),
        }
    }

    /// What happened since the sessions were opened.
    pub(super) fn metrics(&self) -> Metrics {
        let mut metrics = Metrics {
            waiting_activity: self.activity.waiting().len() as u64,
            store_calls: self.counted.calls(),
            following: self.freshness.following(self.clock.running()),
            ..Metrics::default()
        };
        self.cache.measure(&mut metrics);
        self.data_sizes.read(&mut metrics);
        metrics
    }

    /// An attempt of `actor` at something whose answer holds no secret.
    pub(super) fn operation(&self, actor: Actor) -> Operation {
        Operation { id: OperationId::random(&*self.random), actor, receipt: None }
    }

    /// Changes one session, to the end, whatever becomes of the caller.
    pub(super) async fn mutate(
        self: &Arc<Self>,
        operation: Operation,
        id: SessionId,
        mutation: Mutation,
    ) -> Result<Reply, Error> {
        Ok(self.mutate_and_read(operation, id, mutation, BTreeMap::new()).await?.0)
    }

    /// The same, with the session as it is then, if that can be read. `plain` are the texts of the
    /// values that the mutation sets.
    pub(super) async fn mutate_and_read(
        self: &Arc<Self>,
        operation: Operation,
        id: SessionId,
        mutation: Mutation,
        plain: BTreeMap<String, Vec<u8>>,
    ) -> Result<(Reply, Result<Option<Arc<Snapshot>>, Error>), Error> {
        let core = Arc::clone(self);
        detached(async move {
            core.catch_up().await;
            if let Some(ending) = core.ends.of(&id) {
                // The store may have lost it, and then nothing else must come first.
                core.end_as_before(id, ending).await?;
            }
            let changing = core.cache.begin(id);
            let store = Arc::clone(&core.store);
            let known = changing.before().map(Snapshot::record);
            let mutate = || async {
                let once = || async {
                    match known {
                        Some(known) => store.mutate_known(&operation, known, mutation.clone()).await,
                        None => store.mutate(&operation, id, mutation.clone()).await,
                    }
                };
                let repeated = core.repeated(once).await;
                repeated.and_then(|(reply, doubtful)| if doubtful { surely(reply) } else { Ok(reply) })
            };
            let writes = core.activity.writes();
            let mut reply = mutate().await;
            if reply.as_ref().is_ok_and(|reply| core.is_late(id, reply, writes)) {
                reply = match core.flush_touches().await {
                    Ok(_) => mutate().await,
                    Err(Error::Store(error)) => Err(error),
                    Err(_) => reply,
                };
            }
            match reply {
                Ok(reply) => {
                    let made = |key: &str, value: &Value| match &mutation {
                        Mutation::Change { change } if change.is_made_here(key, value) => {
                            plain.get(key).cloned()
                        }
                        _ => None,
                    };
                    let open = |record| core.snapshot_after(changing.before(), record, made);
                    let opened = reply.record.clone().map(open).transpose();
                    changing.finish(opened.as_ref().ok().cloned().flatten());
                    core.settle(&reply);
                    Ok((reply, opened))
                }
                Err(error) => {
                    if matches!(error, StoreError::Unknown(_)) {
                        changing.unknown(core.clock.running());
                    }
                    Err(error.into())
                }
            }
        })
        .await
    }

    /// Whether the store took a session for idle whose activity it had not been told yet; since
    /// then it was `writes` times.
    fn is_late(&self, id: SessionId, reply: &Reply, writes: u64) -> bool {
        let is_idle = reply.outcome == Outcome::Refused(Refusal::Ended(EndReason::IdleTimeout));
        let is_alive = reply.record.as_ref().is_some_and(|record| record.ended().is_none());
        is_idle && is_alive && (self.activity.last(&id).is_some() || self.activity.writes() != writes)
    }

    /// Begins a session, to the end, whatever becomes of the caller.
    pub(super) async fn create(
        self: &Arc<Self>,
        operation: Operation,
        new: NewSession,
        admission: Admission,
    ) -> Result<Reply, Error> {
        let core = Arc::clone(self);
        detached(async move {
            core.catch_up().await;
            let (reply, _) = core.repeated(|| core.store.create(&operation, new.clone(), &admission)).await?;
            core.settle(&reply);
            Ok(reply)
        })
        .await
    }

    /// Repeats an operation whose outcome is unknown. It carries its id, so it happens once.
    /// Which other sessions it ended may have been in the answer that was lost, so memory
    /// forgets all. Also says whether an earlier try had an unknown outcome.
    pub(super) async fn repeated<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        operation: impl Fn() -> F,
    ) -> Result<(T, bool), StoreError> {
        let mut tries = 1;
        let answer = loop {
            match operation().await {
                Err(StoreError::Unknown(_)) if tries < TRIES => tries += 1,
                // An earlier try may have been the one that did it.
                Err(error) if tries > 1 => break Err(StoreError::Unknown(error.to_string())),
                answer => break answer,
            }
        };
        if tries > 1 {
            self.cache.clear();
        }
        answer.map(|answer| (answer, tries > 1))
    }

    /// Forgets sessions that were ended, remembers how, and tells those who wait for it.
    pub(super) fn settle_ended(&self, ended: &[SessionId], ending: &Ending) {
        for id in ended {
            self.remember_end(*id, ending.clone());
            self.cache.evict(id);
            self.watchers.wake(id);
        }
    }

    fn settle(&self, reply: &Reply) {
        // Those that had to make room.
        self.settle_ended(&reply.ended, &Ending::new(EndReason::SessionLimit, Actor::system()));
        if let Some((record, ended)) =
            reply.record.as_ref().and_then(|record| Some((record, record.ended()?)))
        {
            self.watchers.wake(&record.id);
            self.remember_end(record.id, ended.ending.clone());
        }
    }

    /// Remembers the end of a session of a store that another may take the place of. Not of a guest who
    /// signed in: if the session that took its place is gone too, the guest's goes on.
    pub(super) fn remember_end(&self, id: SessionId, ending: Ending) {
        if self.freshness.is_shared() && ending.reason != EndReason::SignedIn {
            self.ends.remember(id, ending, self.clock.running());
        }
    }

    /// Whether the store said before that there is no such session. Ids are made by the server and
    /// never come again, so that stays true. That of an adopted session is the same whenever its old
    /// cookie comes: it is loaded [another way](Self::load_adopted) until it has begun, and is gone
    /// only when it begins no more.
    pub(super) fn is_gone(&self, id: &SessionId) -> bool {
        self.gone().ids.contains(id)
    }

    /// To be read before the store is asked for a session that may be gone.
    pub(super) fn history(&self) -> u64 {
        self.gone().history
    }

    /// Remembers that the store, as it was in this history, has no such session.
    pub(super) fn remember_gone(&self, id: SessionId, history: u64) {
        let mut gone = self.gone();
        if gone.history == history {
            if gone.ids.len() >= MAX_GONE {
                gone.ids.clear();
            }
            gone.ids.insert(id);
        }
    }

    /// Forgets all that is known of the store: it may be another now.
    pub(super) fn forget_all(&self) {
        self.cache.clear();
        let mut gone = self.gone();
        gone.history += 1;
        gone.ids.clear();
    }

    fn gone(&self) -> MutexGuard<'_, Gone> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer to a retry, unless it is a refusal that may come from what the lost try has done:
/// a record that was changed often in between has forgotten the operation.
fn surely(reply: Reply) -> Result<Reply, StoreError> {
    match &reply.outcome {
        Outcome::Refused(Refusal::Missing | Refusal::Ended(_)) => Ok(reply),
        Outcome::Refused(_) => {
            Err(StoreError::Unknown("a try got lost, and the session went on since".into()))
        }
        _ => Ok(reply),
    }
}

/// Runs on its own, so that dropping the caller's future loses the answer and nothing else.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(work).await.unwrap_or(Err(Error::Bug("a change broke off; see the log for the panic")))
}
