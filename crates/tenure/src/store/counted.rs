//! A store that counts what it is asked.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

use super::{
    EndedSessions, EventPage, Movable, Mutation, News, Operation, Owner, Page, PageRequest, Replay, Reply,
    Store, StoreError, StoreInfo, Sweep, Swept, Touch, UserRecord,
};
use crate::clock::SteadyClock;
use crate::event::Position;
use crate::id::{OperationId, Route, SessionId};
use crate::metrics::{CallCounter, StoreCalls};
use crate::reason::Ending;
use crate::record::{Admission, NewSession, Record};

/// The calls that are counted, in the order of the trait.
#[derive(Clone, Copy)]
enum Call {
    Create,
    Load,
    Mutate,
    Touch,
    Replay,
    List,
    EndAllOf,
    User,
    SetDisabled,
    Page,
    Sweep,
    Events,
    News,
}

const NAMES: [&str; 13] = [
    "create",
    "load",
    "mutate",
    "touch",
    "replay",
    "list",
    "end_all_of",
    "user",
    "set_disabled",
    "page",
    "sweep",
    "events",
    "news",
];

/// Passes everything on, and counts it.
pub(crate) struct Counted {
    store: Arc<dyn Store>,
    clock: Arc<SteadyClock>,
    calls: [CallCounter; NAMES.len()],
}

impl Counted {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<SteadyClock>) -> Self {
        Self { store, clock, calls: Default::default() }
    }

    pub(crate) fn calls(&self) -> Vec<StoreCalls> {
        NAMES.iter().zip(&self.calls).map(|(name, counter)| counter.read(name)).collect()
    }

    async fn count<T>(
        &self,
        call: Call,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = self.clock.running();
        let answer = work.await;
        self.calls[call as usize].add(answer.is_err(), self.clock.running().saturating_sub(began));
        answer
    }
}

#[async_trait]
impl Store for Counted {
    fn info(&self) -> StoreInfo {
        self.store.info()
    }

    async fn create(
        &self,
        operation: &Operation,
        new: NewSession,
        admission: &Admission,
    ) -> Result<Reply, StoreError> {
        self.count(Call::Create, self.store.create(operation, new, admission)).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<Record>, StoreError> {
        self.count(Call::Load, self.store.load(id)).await
    }

    async fn mutate(
        &self,
        operation: &Operation,
        id: SessionId,
        mutation: Mutation,
    ) -> Result<Reply, StoreError> {
        self.count(Call::Mutate, self.store.mutate(operation, id, mutation)).await
    }

    async fn mutate_known(
        &self,
        operation: &Operation,
        known: &Record,
        mutation: Mutation,
    ) -> Result<Reply, StoreError> {
        self.count(Call::Mutate, self.store.mutate_known(operation, known, mutation)).await
    }

    async fn touch(&self, touches: &[Touch]) -> Result<(), StoreError> {
        self.count(Call::Touch, self.store.touch(touches)).await
    }

    async fn replay(&self, route: Route, operation: OperationId) -> Result<Option<Replay>, StoreError> {
        self.count(Call::Replay, self.store.replay(route, operation)).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Record>, StoreError> {
        self.count(Call::List, self.store.list(owner)).await
    }

    async fn end_all_of(
        &self,
        operation: &Operation,
        owner: &Owner,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Result<EndedSessions, StoreError> {
        self.count(Call::EndAllOf, self.store.end_all_of(operation, owner, except, ending)).await
    }

    async fn user(&self, owner: &Owner) -> Result<UserRecord, StoreError> {
        self.count(Call::User, self.store.user(owner)).await
    }

    async fn set_disabled(
        &self,
        operation: &Operation,
        owner: &Owner,
        disabled: bool,
    ) -> Result<EndedSessions, StoreError> {
        self.count(Call::SetDisabled, self.store.set_disabled(operation, owner, disabled)).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.count(Call::Page, self.store.page(request)).await
    }

    async fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        self.count(Call::Sweep, self.store.sweep(sweep)).await
    }

    async fn events(
        &self,
        partition: u16,
        after: Option<Position>,
        limit: usize,
    ) -> Result<EventPage, StoreError> {
        self.count(Call::Events, self.store.events(partition, after, limit)).await
    }

    async fn news(&self, after: &[Option<Position>], limit: usize) -> Result<News, StoreError> {
        self.count(Call::News, self.store.news(after, limit)).await
    }

    async fn woken(&self) {
        self.store.woken().await;
    }

    fn movable(&self) -> Option<&dyn Movable> {
        self.store.movable()
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
