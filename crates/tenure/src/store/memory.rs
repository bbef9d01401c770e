//! The store in memory: for tests and sites that may forget everyone at a restart.

mod moving;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::movable::{Barrier, Movable, Phase};
use super::news::News;
use super::operation::{
    EndedSessions, EventPage, Mutation, Operation, Owner, Page, PageRequest, Replay, Reply, StoreInfo, Sweep,
    Swept, Touch, UserRecord,
};
use super::rules;
use super::steps::{self, Tables};
use super::{Context, Engine, Opened, Store, StoreError};
use crate::clock::{SteadyClock, Timestamp};
use crate::event::{Event, EventBody, Position};
use crate::id::{OperationId, Realm, Route, SessionId, UserId};
use crate::keys::MasterKey;
use crate::random;
use crate::reason::{Actor, Ending};
use crate::record::{Admission, NewSession, Record, State};

/// How many events are kept at the most.
const EVENTS: usize = 100_000;

/// Opens a [`MemoryStore`] with a master key of its own.
///
/// # Example: sessions that last as long as the process
/// ```
/// # async fn example() -> Result<(), tenure::Error> {
/// let sessions = tenure::Sessions::open(tenure::Memory).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory;

#[async_trait]
impl Engine for Memory {
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError> {
        let master_key = MasterKey::generate(&*context.random);
        Ok(Opened { store: Arc::new(MemoryStore::new(&context)), master_key })
    }
}

/// Sessions in memory, one partition, everything under one lock.
///
/// # Example: a store that a test holds itself
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use tenure::clock::TestClock;
/// use tenure::random::SeededRandom;
/// use tenure::store::{Context, MemoryStore, Store};
///
/// let context = Context::new(Arc::new(TestClock::default()), Arc::new(SeededRandom::new(1)));
/// let store = MemoryStore::new(&context);
/// assert_eq!((store.info().engine, store.info().partitions), ("memory", 1));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<SteadyClock>,
    shared: bool,
    inner: Mutex<Inner>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Inner {
    sessions: BTreeMap<SessionId, Record>,
    by_user: HashMap<(Realm, UserId), BTreeSet<SessionId>>,
    users: HashMap<(Realm, UserId), UserRecord>,
    guests: u64,
    /// When to look at a session again: its limit, or the time to forget it.
    due: BTreeSet<(Timestamp, SessionId)>,
    due_of: HashMap<SessionId, Timestamp>,
    receipts: HashMap<OperationId, (Timestamp, Replay)>,
    events: VecDeque<Event>,
    epoch: u64,
    sequence: u64,
    /// Counts the servers that took over.
    server: u64,
    barrier: Barrier,
    phase: Phase,
    closed: bool,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(context: &Context) -> Self {
        let epoch = u64::from_be_bytes(random::bytes(&*context.random));
        let inner = Mutex::new(Inner { epoch, ..Inner::default() });
        Self { clock: Arc::clone(&context.clock), shared: false, inner }
    }

    /// The same for several users, as tests have them that stand for nodes.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn shared(context: &Context) -> Self {
        Self { shared: true, ..Self::new(context) }
    }

    /// What a replica has that has heard of all until now.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn replica(&self) -> Inner {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The replica takes over: what it has not heard of is gone.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn promote(&self, replica: Inner) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        *inner = Inner { server: inner.server + 1, ..replica };
    }

    fn lock(&self) -> Result<(MutexGuard<'_, Inner>, Timestamp), StoreError> {
        // The rules are pure and writing cannot fail half-way, so a panic leaves no half step.
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.closed {
            return Err(StoreError::Unavailable("it was closed".into()));
        }
        Ok((inner, self.clock.now()))
    }

    /// For whoever reads.
    fn read(&self) -> Result<(MutexGuard<'_, Inner>, Timestamp), StoreError> {
        let (inner, now) = self.lock()?;
        inner.barrier.may_read()?;
        Ok((inner, now))
    }

    /// For whoever writes.
    fn write(&self) -> Result<(MutexGuard<'_, Inner>, Timestamp), StoreError> {
        let (inner, now) = self.lock()?;
        inner.barrier.may_write(now)?;
        Ok((inner, now))
    }
}

impl Inner {
    fn put(&mut self, record: Record) {
        let id = record.id;
        let before = self.sessions.get(&id).map(|r| &r.state);
        self.guests -= u64::from(before.is_some_and(is_guest));
        self.guests += u64::from(is_guest(&record.state));
        if let Some(user) = record.user() {
            let key = (record.realm.clone(), user.clone());
            let of_user = self.by_user.entry(key.clone()).or_default();
            if record.ended().is_none() {
                of_user.insert(id);
            } else {
                of_user.remove(&id);
            }
            if of_user.is_empty() {
                self.by_user.remove(&key);
            }
        }
        let due = record.ended().map_or_else(|| record.due_at(), |ended| ended.at);
        self.reschedule(id, due);
        self.sessions.insert(id, record);
    }

    fn reschedule(&mut self, id: SessionId, due: Timestamp) {
        if let Some(before) = self.due_of.insert(id, due) {
            self.due.remove(&(before, id));
        }
        self.due.insert((due, id));
    }

    fn append(&mut self, body: EventBody, at: Timestamp) {
        self.sequence += 1;
        let position = Position { epoch: self.epoch, sequence: self.sequence };
        self.events.push_back(Event { position, at, body });
        if self.events.len() > EVENTS {
            self.events.pop_front();
        }
    }

    fn of_user(&self, realm: &Realm, user: &UserId) -> Vec<Record> {
        let ids = self.by_user.get(&(realm.clone(), user.clone()));
        ids.into_iter().flatten().filter_map(|id| self.sessions.get(id).cloned()).collect()
    }

    fn user(&self, realm: &Realm, user: &UserId) -> UserRecord {
        self.users.get(&(realm.clone(), user.clone())).cloned().unwrap_or_default()
    }
}

/// The store while it is locked for one step.
struct Locked<'a> {
    inner: &'a mut Inner,
    now: Timestamp,
}

impl Tables for Locked<'_> {
    type Error = StoreError;

    fn now(&self) -> Timestamp {
        self.now
    }

    fn guests(&mut self) -> Result<u64, StoreError> {
        Ok(self.inner.guests)
    }

    fn session(&mut self, id: SessionId) -> Result<Option<Record>, StoreError> {
        Ok(self.inner.sessions.get(&id).cloned())
    }

    fn exists(&mut self, id: SessionId) -> Result<bool, StoreError> {
        Ok(self.inner.sessions.contains_key(&id))
    }

    fn of_user(&mut self, realm: &Realm, user: &UserId) -> Result<Vec<Record>, StoreError> {
        Ok(self.inner.of_user(realm, user))
    }

    fn user(&mut self, realm: &Realm, user: &UserId) -> Result<UserRecord, StoreError> {
        Ok(self.inner.user(realm, user))
    }

    fn receipt(&mut self, id: OperationId) -> Result<Option<Replay>, StoreError> {
        Ok(self.inner.receipts.get(&id).map(|(_, replay)| replay.clone()))
    }

    fn put(&mut self, record: Record) -> Result<(), StoreError> {
        self.inner.put(record);
        Ok(())
    }

    fn put_user(&mut self, realm: &Realm, user: &UserId, known: UserRecord) -> Result<(), StoreError> {
        self.inner.users.insert((realm.clone(), user.clone()), known);
        Ok(())
    }

    fn keep_receipt(&mut self, id: OperationId, replay: Replay) -> Result<(), StoreError> {
        self.inner.receipts.insert(id, (self.now, replay));
        Ok(())
    }

    fn append(&mut self, event: EventBody) -> Result<(), StoreError> {
        self.inner.append(event, self.now);
        Ok(())
    }
}

fn is_guest(state: &State) -> bool {
    matches!(state, State::Guest | State::Claimed(_))
}

#[async_trait]
impl Store for MemoryStore {
    fn info(&self) -> StoreInfo {
        StoreInfo { engine: "memory", partitions: 1, durable: false, shared: self.shared }
    }

    async fn create(
        &self,
        operation: &Operation,
        new: NewSession,
        admission: &Admission,
    ) -> Result<Reply, StoreError> {
        let (mut inner, now) = self.write()?;
        steps::create(&mut Locked { inner: &mut inner, now }, operation, new, admission)
    }

    async fn load(&self, id: SessionId) -> Result<Option<Record>, StoreError> {
        Ok(self.read()?.0.sessions.get(&id).cloned())
    }

    async fn mutate(
        &self,
        operation: &Operation,
        id: SessionId,
        mutation: Mutation,
    ) -> Result<Reply, StoreError> {
        let (mut inner, now) = self.write()?;
        steps::mutate(&mut Locked { inner: &mut inner, now }, operation, id, mutation)
    }

    async fn touch(&self, touches: &[Touch]) -> Result<(), StoreError> {
        let (mut inner, now) = self.write()?;
        for touch in touches {
            let Some(record) = inner.sessions.get_mut(&touch.id) else {
                continue;
            };
            if let Some(at) = rules::touched(record, touch, now) {
                record.last_seen_at = at;
            }
        }
        Ok(())
    }

    async fn replay(&self, _: Route, operation: OperationId) -> Result<Option<Replay>, StoreError> {
        let (inner, _) = self.read()?;
        Ok(inner.receipts.get(&operation).map(|(_, replay)| replay.clone()))
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Record>, StoreError> {
        Ok(self.read()?.0.of_user(&owner.realm, &owner.user))
    }

    async fn end_all_of(
        &self,
        operation: &Operation,
        owner: &Owner,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Result<EndedSessions, StoreError> {
        let (mut inner, now) = self.write()?;
        steps::end_all_of(&mut Locked { inner: &mut inner, now }, operation, owner, except, &ending)
    }

    async fn user(&self, owner: &Owner) -> Result<UserRecord, StoreError> {
        Ok(self.read()?.0.user(&owner.realm, &owner.user))
    }

    async fn set_disabled(
        &self,
        operation: &Operation,
        owner: &Owner,
        disabled: bool,
    ) -> Result<EndedSessions, StoreError> {
        let (mut inner, now) = self.write()?;
        steps::set_disabled(&mut Locked { inner: &mut inner, now }, operation, owner, disabled)
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        let (inner, _) = self.read()?;
        let after = request.after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let in_realm = |r: &&Record| r.realm == request.realm && r.ended().is_none();
        let mut found =
            inner.sessions.range((after, std::ops::Bound::Unbounded)).map(|(_, r)| r).filter(in_realm);
        let records: Vec<Record> = found.by_ref().take(request.limit).cloned().collect();
        let next = found.next().and_then(|_| records.last().map(|r| r.id));
        Ok(Page { records, next })
    }

    async fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        let (mut inner, now) = self.write()?;
        let mut swept = Swept::default();
        let judged = sweep.as_of.min(now);
        let due: Vec<SessionId> = inner
            .due
            .iter()
            .take_while(|(at, _)| *at <= judged)
            .take(sweep.limit)
            .map(|(_, id)| *id)
            .collect();
        swept.more = due.len() == sweep.limit;
        for id in due {
            let Some(record) = inner.sessions.get(&id).cloned() else {
                continue;
            };
            match (record.ended().map(|ended| ended.at), record.dead(judged)) {
                (Some(at), _) => {
                    let until = rules::kept_until(&record, at, sweep.keep_ended_ms);
                    if now < until {
                        inner.reschedule(id, until);
                    } else {
                        inner.sessions.remove(&id);
                        if let Some(due) = inner.due_of.remove(&id) {
                            inner.due.remove(&(due, id));
                        }
                        swept.removed += 1;
                    }
                }
                (None, Some(reason)) => {
                    let ending = Ending::new(reason, Actor::system());
                    steps::end(&mut Locked { inner: &mut inner, now }, record, ending)?;
                    swept.ended.push(id);
                }
                (None, None) => inner.reschedule(id, record.due_at()),
            }
        }
        let keep_receipts = Duration::from_millis(sweep.keep_receipts_ms);
        let receipts = inner.receipts.len();
        inner.receipts.retain(|_, (at, _)| now.since(*at) < keep_receipts);
        swept.removed += (receipts - inner.receipts.len()) as u64;
        let keep_events = Duration::from_millis(sweep.keep_events_ms);
        let kept = usize::try_from(sweep.max_events).unwrap_or(usize::MAX);
        while inner.events.len() > kept
            || inner.events.front().is_some_and(|event| now.since(event.at) >= keep_events)
        {
            inner.events.pop_front();
            swept.removed += 1;
        }
        Ok(swept)
    }

    async fn events(
        &self,
        _partition: u16,
        after: Option<Position>,
        limit: usize,
    ) -> Result<EventPage, StoreError> {
        let (inner, _) = self.read()?;
        let kept_from = inner.sequence - inner.events.len() as u64;
        let oldest = Position { epoch: inner.epoch, sequence: kept_from };
        let after = after.unwrap_or(oldest);
        if after.epoch != inner.epoch || after.sequence < kept_from || after.sequence > inner.sequence {
            return Ok(EventPage::Truncated { oldest });
        }
        let skip = usize::try_from(after.sequence - kept_from).unwrap_or(usize::MAX);
        Ok(EventPage::Events(inner.events.iter().skip(skip).take(limit).cloned().collect()))
    }

    async fn news(&self, after: &[Option<Position>], limit: usize) -> Result<News, StoreError> {
        let (now, server, end) = {
            let (inner, now) = self.read()?;
            (now, inner.server, Position { epoch: inner.epoch, sequence: inner.sequence })
        };
        let from = after.first().copied().flatten().unwrap_or(end);
        let page = self.events(0, Some(from), limit).await?;
        Ok(News::of_one_log(now, server, from, end, page))
    }

    fn movable(&self) -> Option<&dyn Movable> {
        Some(self)
    }

    async fn close(&self) {
        if let Ok((mut inner, _)) = self.lock() {
            *inner = Inner { closed: true, ..Inner::default() };
        }
    }
}
