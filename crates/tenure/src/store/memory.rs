//! The store in memory: for tests and sites that may forget everyone at a restart.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::operation::{
    EndedSessions, EventPage, Mutation, Operation, Outcome, Page, PageRequest, Replay, Reply, StoreInfo,
    Sweep, Swept, Touch, UserRecord,
};
use super::recent_ends::RecentEnds;
use super::rules::{self, Step, Written};
use super::{Context, Engine, Opened, Store, StoreError};
use crate::clock::{SteadyClock, Timestamp};
use crate::event::{Event, EventBody, EventKind, Position};
use crate::id::{OperationId, Realm, Route, SessionId, UserId};
use crate::keys::MasterKey;
use crate::random;
use crate::reason::{Actor, EndReason, Ending};
use crate::record::{Admission, NewSession, Record, Refusal, State};

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
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
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
    closed: bool,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(context: &Context) -> Self {
        let epoch = u64::from_be_bytes(random::bytes(&*context.random));
        Self { clock: Arc::clone(&context.clock), inner: Mutex::new(Inner { epoch, ..Inner::default() }) }
    }

    fn lock(&self) -> Result<(MutexGuard<'_, Inner>, Timestamp), StoreError> {
        // The rules are pure and writing cannot fail half-way, so a panic leaves no half step.
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.closed {
            return Err(StoreError::Unavailable("it was closed".into()));
        }
        Ok((inner, self.clock.now()))
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

    fn carry_out(&mut self, operation: &Operation, id: SessionId, step: Step, now: Timestamp) -> Reply {
        let mut ended = Vec::new();
        let outcome = match step {
            Step::Apply(written) => {
                let Written { record, event, pushed_out, refused } = *written;
                for (record, event) in pushed_out {
                    ended.push(record.id);
                    self.put(record);
                    self.append(event, now);
                }
                self.put(record);
                if let Some(event) = event {
                    self.append(event, now);
                }
                if let Some(receipt) = operation.receipt.clone().filter(|_| refused.is_none()) {
                    self.receipts.insert(operation.id, (now, Replay { session: id, receipt }));
                }
                refused.map_or(Outcome::Applied, Outcome::Refused)
            }
            Step::Unchanged => Outcome::Unchanged,
            Step::Replayed => Outcome::Replayed,
            Step::Refused(refusal) => Outcome::Refused(refusal),
        };
        let receipt = self.receipts.get(&operation.id).map(|(_, replay)| replay.receipt.clone());
        let receipt = receipt.filter(|_| outcome == Outcome::Replayed);
        Reply { outcome, record: self.sessions.get(&id).cloned(), ended, receipt }
    }

    /// Does `work` for a user unless this operation has been done before; then gives the first
    /// answer.
    fn once(
        &mut self,
        operation: &Operation,
        (realm, user): (&Realm, &UserId),
        now: Timestamp,
        work: impl FnOnce(&mut Self) -> Vec<SessionId>,
    ) -> EndedSessions {
        let key = RecentEnds::key(realm, user);
        let kept = self.receipts.get(&key);
        let mut recent = kept.map(|(_, replay)| RecentEnds::read(&replay.receipt)).unwrap_or_default();
        if let Some(first) = recent.answer(operation.id) {
            return first;
        }
        let ended = EndedSessions::now(work(self));
        recent.add(operation.id, &ended);
        let replay = Replay { session: SessionId::from_bytes([0; 16]), receipt: recent.receipt() };
        self.receipts.insert(key, (now, replay));
        ended
    }

    fn end_all(
        &mut self,
        realm: &Realm,
        user: &UserId,
        except: Option<SessionId>,
        ending: &Ending,
        now: Timestamp,
    ) -> Vec<SessionId> {
        let mut ended = Vec::new();
        for record in self.of_user(realm, user) {
            if Some(record.id) == except {
                continue;
            }
            ended.push(record.id);
            let (record, event) = rules::end(record, ending.clone(), None, now);
            self.put(record);
            self.append(event, now);
        }
        ended
    }
}

fn is_guest(state: &State) -> bool {
    matches!(state, State::Guest | State::Claimed(_))
}

#[async_trait]
impl Store for MemoryStore {
    fn info(&self) -> StoreInfo {
        StoreInfo { engine: "memory", partitions: 1, durable: false }
    }

    async fn create(
        &self,
        operation: &Operation,
        new: NewSession,
        admission: &Admission,
    ) -> Result<Reply, StoreError> {
        let (mut inner, now) = self.lock()?;
        let id = new.id;
        if inner.sessions.contains_key(&id) {
            return Ok(inner.carry_out(operation, id, Step::Replayed, now));
        }
        if let Some((_, replay)) = inner.receipts.get(&operation.id) {
            let first = replay.session;
            return Ok(inner.carry_out(operation, first, Step::Replayed, now));
        }
        let (others, user) = match new.state.user() {
            Some(user) => (inner.of_user(&new.realm, user), inner.user(&new.realm, user)),
            None => Default::default(),
        };
        let step = rules::create(operation, new, &others, &user, inner.guests, admission, now);
        Ok(inner.carry_out(operation, id, step, now))
    }

    async fn load(&self, id: SessionId) -> Result<Option<Record>, StoreError> {
        Ok(self.lock()?.0.sessions.get(&id).cloned())
    }

    async fn mutate(
        &self,
        operation: &Operation,
        id: SessionId,
        mutation: Mutation,
    ) -> Result<Reply, StoreError> {
        let (mut inner, now) = self.lock()?;
        let Some(record) = inner.sessions.get(&id).cloned() else {
            return Ok(Reply::refused(Refusal::Missing, None));
        };
        let (others, user) = match record.user() {
            Some(user) if rules::needs_others(&record, &mutation) => {
                (inner.of_user(&record.realm, user), inner.user(&record.realm, user))
            }
            _ => Default::default(),
        };
        let step = rules::mutate(record, operation, mutation, &others, &user, now);
        Ok(inner.carry_out(operation, id, step, now))
    }

    async fn touch(&self, touches: &[Touch]) -> Result<(), StoreError> {
        let (mut inner, now) = self.lock()?;
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
        let (inner, _) = self.lock()?;
        Ok(inner.receipts.get(&operation).map(|(_, replay)| replay.clone()))
    }

    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<Record>, StoreError> {
        Ok(self.lock()?.0.of_user(realm, user))
    }

    async fn end_all_of(
        &self,
        operation: &Operation,
        realm: &Realm,
        user: &UserId,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Result<EndedSessions, StoreError> {
        let (mut inner, now) = self.lock()?;
        Ok(inner.once(operation, (realm, user), now, |inner| {
            inner.users.entry((realm.clone(), user.clone())).or_default().signed_out(now);
            inner.end_all(realm, user, except, &ending, now)
        }))
    }

    async fn user(&self, realm: &Realm, user: &UserId) -> Result<UserRecord, StoreError> {
        Ok(self.lock()?.0.user(realm, user))
    }

    async fn set_disabled(
        &self,
        operation: &Operation,
        realm: &Realm,
        user: &UserId,
        disabled: bool,
    ) -> Result<EndedSessions, StoreError> {
        let (mut inner, now) = self.lock()?;
        Ok(inner.once(operation, (realm, user), now, |inner| {
            let record = inner.users.entry((realm.clone(), user.clone())).or_default();
            if record.disabled_at.is_some() == disabled {
                return Vec::new();
            }
            if disabled {
                record.signed_out(now);
            }
            record.disabled_at = disabled.then_some(now);
            let kind = if disabled { EventKind::UserDisabled } else { EventKind::UserEnabled };
            let actor = operation.actor.clone();
            inner.append(EventBody::of_user(kind, realm, user, actor.clone()), now);
            if !disabled {
                return Vec::new();
            }
            inner.end_all(realm, user, None, &Ending::new(EndReason::UserDisabled, actor), now)
        }))
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        let (inner, _) = self.lock()?;
        let after = request.after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let in_realm = |r: &&Record| r.realm == request.realm && r.ended().is_none();
        let mut found =
            inner.sessions.range((after, std::ops::Bound::Unbounded)).map(|(_, r)| r).filter(in_realm);
        let records: Vec<Record> = found.by_ref().take(request.limit).cloned().collect();
        let next = found.next().and_then(|_| records.last().map(|r| r.id));
        Ok(Page { records, next })
    }

    async fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        let (mut inner, now) = self.lock()?;
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
                    let (record, event) = rules::end(record, ending, None, now);
                    inner.put(record);
                    inner.append(event, now);
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
        let (inner, _) = self.lock()?;
        let kept_from = inner.sequence - inner.events.len() as u64;
        let oldest = Position { epoch: inner.epoch, sequence: kept_from };
        let after = after.unwrap_or(oldest);
        if after.epoch != inner.epoch || after.sequence < kept_from || after.sequence > inner.sequence {
            return Ok(EventPage::Truncated { oldest });
        }
        let skip = usize::try_from(after.sequence - kept_from).unwrap_or(usize::MAX);
        Ok(EventPage::Events(inner.events.iter().skip(skip).take(limit).cloned().collect()))
    }

    async fn close(&self) {
        if let Ok((mut inner, _)) = self.lock() {
            *inner = Inner { closed: true, ..Inner::default() };
        }
    }
}
