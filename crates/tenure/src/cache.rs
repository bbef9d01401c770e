//! The near cache: checks are answered from memory, bounded by bytes.
//!
//! What keeps it honest: a load takes a [`Ticket`] first, and its result is kept only if
//! nothing happened in that shard meanwhile; a session that is being changed is in no cache
//! until the outcome is known ([`Cache::begin`]); a newer revision is never replaced by an
//! older one. Guests have a quarter of the room and push out guests only.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::id::SessionId;
use crate::metrics::Metrics;
use crate::snapshot::Snapshot;

const SHARDS: usize = 64;

/// How many sessions of unknown state a shard remembers. Beyond, it caches nothing any more.
const MAX_UNKNOWN: usize = 1_024;

pub(crate) struct Cache {
    shards: Vec<RwLock<Shard>>,
    /// Bytes a shard may hold of each class.
    users_room: usize,
    guests_room: usize,
    /// Whether there may be changes whose outcome is unknown.
    in_doubt: AtomicBool,
}

/// The right to keep what a load gives, if nothing happens meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Ticket(u64);

#[derive(Default)]
struct Shard {
    entries: HashMap<SessionId, Arc<Snapshot>, BuildHasherDefault<IdHasher>>,
    /// The sessions with changes under way.
    changing: HashMap<SessionId, UnderWay>,
    /// Those of them that are changes whose outcome nobody knows, and since when.
    unknown: VecDeque<(Duration, SessionId)>,
    /// Since when there have been too many of those: nothing is cached here.
    blind: Option<Duration>,
    /// Counts what happened, to void tickets.
    epoch: u64,
    hits: AtomicU64,
    misses: AtomicU64,
    users: Ring,
    guests: Ring,
}

/// Changes of one session that are under way.
#[derive(Default)]
struct UnderWay {
    count: u32,
    /// Something else happened to the session meanwhile: nobody knows which answer is the
    /// newest, so none of them is kept.
    disturbed: bool,
    /// The log told of this revision meanwhile: no older answer is kept.
    at_least: u64,
}

/// Second-chance order of one class.
#[derive(Default)]
struct Ring {
    order: VecDeque<SessionId>,
    bytes: usize,
}

/// Ids carry random bytes that only the server makes, so they are their own hash.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(random) = bytes.last_chunk::<8>() {
            self.0 = u64::from_le_bytes(*random);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Cache {
    pub(crate) fn new(bytes: usize) -> Self {
        let room = bytes / SHARDS;
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { shards, users_room: room - room / 4, guests_room: room / 4, in_doubt: AtomicBool::new(false) }
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<Arc<Snapshot>> {
        let shard = self.read(id);
        let Some(snapshot) = shard.entries.get(id) else {
            shard.misses.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        shard.hits.fetch_add(1, Ordering::Relaxed);
        snapshot.front().use_now();
        Some(Arc::clone(snapshot))
    }

    /// One who asked for a session that memory may not be trusted with.
    pub(crate) fn count_miss(&self, id: &SessionId) {
        self.read(id).misses.fetch_add(1, Ordering::Relaxed);
    }

    /// How often a session was found, how much there is.
    pub(crate) fn measure(&self, into: &mut Metrics) {
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            into.memory_hits += shard.hits.load(Ordering::Relaxed);
            into.memory_misses += shard.misses.load(Ordering::Relaxed);
            into.sessions_in_memory += shard.entries.len() as u64;
            into.memory_bytes += (shard.users.bytes + shard.guests.bytes) as u64;
        }
    }

    /// To be taken before a load.
    pub(crate) fn ticket(&self, id: &SessionId) -> Ticket {
        Ticket(self.read(id).epoch)
    }

    /// Keeps what a load gave, if `ticket` is still good.
    pub(crate) fn insert(&self, snapshot: &Arc<Snapshot>, ticket: Ticket) {
        let id = snapshot.id();
        let mut shard = self.write(&id);
        if shard.epoch == ticket.0 && !shard.changing.contains_key(&id) {
            self.keep(&mut shard, Arc::clone(snapshot));
        }
    }

    /// Takes a session out of the cache and keeps it out until the change is over.
    pub(crate) fn begin(self: &Arc<Self>, id: SessionId) -> Changing {
        let mut shard = self.write(&id);
        let before = shard.remove(&id);
        shard.changing.entry(id).or_default().count += 1;
        Changing { cache: Arc::clone(self), id, before, settled: false }
    }

    /// Takes out a session that was changed together with another.
    pub(crate) fn evict(&self, id: &SessionId) {
        self.write(id).remove(id);
    }

    /// Takes out a session of which the log tells this revision, unless it is known as new as that
    /// already. A change of this process's own, whose answer is still to come, tells itself.
    pub(crate) fn evict_older(&self, id: &SessionId, revision: Option<u64>) {
        let Some(revision) = revision else { return self.evict(id) };
        let mut shard = self.write(id);
        shard.epoch += 1;
        if shard.entries.get(id).is_some_and(|kept| kept.record().revision < revision) {
            shard.take(id);
        }
        if let Some(under_way) = shard.changing.get_mut(id) {
            under_way.at_least = under_way.at_least.max(revision);
        }
    }

    /// Takes out everything.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            let mut changing = std::mem::take(&mut shard.changing);
            changing.values_mut().for_each(|under_way| under_way.disturbed = true);
            let (epoch, unknown, blind) = (shard.epoch + 1, std::mem::take(&mut shard.unknown), shard.blind);
            let (hits, misses) = (std::mem::take(&mut shard.hits), std::mem::take(&mut shard.misses));
            *shard = Shard { epoch, changing, unknown, blind, hits, misses, ..Shard::default() };
        }
    }

    /// The outcome of changes that were under way at `before` is known, whatever it was: the log, by which
    /// memory goes, tells of it.
    pub(crate) fn resolve(&self, before: Duration) {
        if !self.in_doubt.load(Ordering::Acquire) {
            return;
        }
        let mut left = false;
        self.in_doubt.store(false, Ordering::Release);
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            while shard.unknown.front().is_some_and(|(since, _)| *since <= before) {
                if let Some((_, id)) = shard.unknown.pop_front() {
                    shard.release(&id);
                }
            }
            shard.blind = shard.blind.filter(|since| *since > before);
            left |= !shard.unknown.is_empty() || shard.blind.is_some();
        }
        if left {
            self.in_doubt.store(true, Ordering::Release);
        }
    }

    fn keep(&self, shard: &mut Shard, snapshot: Arc<Snapshot>) {
        if shard.blind.is_some() {
            return;
        }
        let id = snapshot.id();
        let newer = |kept: &Arc<Snapshot>| kept.record().revision > snapshot.record().revision;
        if shard.entries.get(&id).is_some_and(newer) {
            return;
        }
        shard.take(&id);
        let (guest, bytes) = (is_guest(&snapshot), snapshot.footprint());
        let ring = shard.ring(guest);
        ring.order.push_back(id);
        ring.bytes += bytes;
        shard.entries.insert(id, snapshot);
        shard.shrink(guest, if guest { self.guests_room } else { self.users_room });
    }

    fn shard(&self, id: &SessionId) -> &RwLock<Shard> {
        &self.shards[usize::from(id.as_bytes()[15]) % SHARDS]
    }

    fn read(&self, id: &SessionId) -> RwLockReadGuard<'_, Shard> {
        self.shard(id).read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, id: &SessionId) -> RwLockWriteGuard<'_, Shard> {
        self.shard(id).write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_guest(snapshot: &Snapshot) -> bool {
    snapshot.user().is_none()
}

impl Shard {
    /// Takes `id` out, voids the tickets and what changes under way will answer.
    fn remove(&mut self, id: &SessionId) -> Option<Arc<Snapshot>> {
        self.epoch += 1;
        if let Some(under_way) = self.changing.get_mut(id) {
            under_way.disturbed = true;
        }
        self.take(id)
    }

    fn take(&mut self, id: &SessionId) -> Option<Arc<Snapshot>> {
        let snapshot = self.entries.remove(id)?;
        let ring = if is_guest(&snapshot) { &mut self.guests } else { &mut self.users };
        ring.bytes -= snapshot.footprint();
        // Its place in the order is left behind and passed over later; keep that bounded.
        if ring.order.len() > 64 + 2 * self.entries.len() {
            let entries = &self.entries;
            let mut seen = std::collections::HashSet::new();
            ring.order.retain(|id| entries.contains_key(id) && seen.insert(*id));
        }
        Some(snapshot)
    }

    /// The order of a class.
    fn ring(&mut self, guest: bool) -> &mut Ring {
        if guest { &mut self.guests } else { &mut self.users }
    }

    /// Lets go of sessions of a class until it fits, those not used lately first.
    fn shrink(&mut self, guest: bool, room: usize) {
        while self.ring(guest).bytes > room {
            let Some(id) = self.ring(guest).order.pop_front() else { return };
            let Some(snapshot) = self.entries.get(&id).filter(|snapshot| is_guest(snapshot) == guest) else {
                continue;
            };
            if snapshot.front().take_used() {
                self.ring(guest).order.push_back(id);
            } else {
                self.ring(guest).bytes -= snapshot.footprint();
                self.entries.remove(&id);
            }
        }
    }
}

/// A change under way. While it lives, nobody caches the session.
pub(crate) struct Changing {
    cache: Arc<Cache>,
    id: SessionId,
    before: Option<Arc<Snapshot>>,
    settled: bool,
}

impl Changing {
    /// The session as memory had it before the change.
    pub(crate) fn before(&self) -> Option<&Snapshot> {
        self.before.as_deref()
    }

    /// The change is over, and this is the session now.
    pub(crate) fn finish(mut self, snapshot: Option<Arc<Snapshot>>) {
        self.settled = true;
        let mut shard = self.cache.write(&self.id);
        let kept_from = shard.release(&self.id);
        let newest =
            |snapshot: &Arc<Snapshot>| kept_from.is_some_and(|from| snapshot.record().revision >= from);
        if let Some(snapshot) = snapshot.filter(newest) {
            self.cache.keep(&mut shard, snapshot);
        }
    }

    /// Nobody knows at `running` whether the change happened: until that is [resolved](Cache::resolve) the
    /// session is not cached, and every check of it asks the store. Of too many such sessions not each is
    /// remembered, and then none of the shard is cached.
    pub(crate) fn unknown(mut self, running: Duration) {
        self.settled = true;
        let mut shard = self.cache.write(&self.id);
        self.cache.in_doubt.store(true, Ordering::Release);
        if shard.blind.is_some() {
            shard.blind = Some(running);
            shard.release(&self.id);
        } else if shard.unknown.len() >= MAX_UNKNOWN {
            tracing::warn!("many changes have an unknown outcome: part of memory is out of use");
            let unknown = std::mem::take(&mut shard.unknown);
            for id in unknown.iter().map(|(_, id)| id).chain([&self.id]) {
                shard.release(id);
            }
            let (epoch, changing, blind) =
                (shard.epoch + 1, std::mem::take(&mut shard.changing), Some(running));
            let (hits, misses) = (std::mem::take(&mut shard.hits), std::mem::take(&mut shard.misses));
            *shard = Shard { epoch, changing, blind, hits, misses, ..Shard::default() };
        } else {
            shard.unknown.push_back((running, self.id));
        }
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        if !self.settled {
            self.cache.write(&self.id).release(&self.id);
        }
    }
}

impl Shard {
    /// One change of `id` less; from which revision on its answer is good, if nothing else happened
    /// while it was under way.
    fn release(&mut self, id: &SessionId) -> Option<u64> {
        self.epoch += 1;
        let under_way = self.changing.get_mut(id)?;
        under_way.count -= 1;
        let from = (!under_way.disturbed).then_some(under_way.at_least);
        if under_way.count == 0 {
            self.changing.remove(id);
        }
        from
    }
}

#[cfg(test)]
mod tests;
