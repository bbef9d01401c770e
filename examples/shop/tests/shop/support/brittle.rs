//! A store that stops answering when it is told to, and loses nothing by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tenure_tower::tenure::clock::TestClock;
use tenure_tower::tenure::event::Position;
use tenure_tower::tenure::record::{Admission, NewSession, Record};
use tenure_tower::tenure::store::{
    Context, EndedSessions, Engine, EventPage, Mutation, Opened, Operation, Page, PageRequest, Replay, Reply,
    Store, StoreError, StoreInfo, Sweep, Swept, Touch, UserRecord,
};
use tenure_tower::tenure::{Ending, Memory, OperationId, Realm, Route};
use tenure_tower::{SessionId, Sessions, UserId};

/// The switch, and the engine of a memory store behind it.
#[derive(Clone, Default)]
pub(crate) struct Brittle {
    down: Arc<AtomicBool>,
}

impl Brittle {
    /// Sessions that keep nothing in memory: each check asks the store.
    pub(crate) async fn sessions(&self) -> Sessions {
        let builder =
            Sessions::builder(self.clone()).clock(TestClock::default()).cache_bytes(0).without_background();
        builder.open().await.unwrap()
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }
}

#[async_trait]
impl Engine for Brittle {
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError> {
        let Opened { store, master_key } = Box::new(Memory).open(context).await?;
        let store = Arc::new(BrittleStore { store, down: self.down });
        Ok(Opened { store, master_key })
    }
}

struct BrittleStore {
    store: Arc<dyn Store>,
    down: Arc<AtomicBool>,
}

impl BrittleStore {
    fn up(&self) -> Result<&dyn Store, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the test pulled the plug".into()));
        }
        Ok(&*self.store)
    }
}

#[async_trait]
impl Store for BrittleStore {
    fn info(&self) -> StoreInfo {
        self.store.info()
    }

    async fn create(
        &self,
        operation: &Operation,
        new: NewSession,
        admission: &Admission,
    ) -> Result<Reply, StoreError> {
        self.up()?.create(operation, new, admission).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<Record>, StoreError> {
        self.up()?.load(id).await
    }

    async fn mutate(
        &self,
        operation: &Operation,
        id: SessionId,
        mutation: Mutation,
    ) -> Result<Reply, StoreError> {
        self.up()?.mutate(operation, id, mutation).await
    }

    async fn touch(&self, touches: &[Touch]) -> Result<(), StoreError> {
        self.up()?.touch(touches).await
    }

    async fn replay(&self, route: Route, operation: OperationId) -> Result<Option<Replay>, StoreError> {
        self.up()?.replay(route, operation).await
    }

    async fn sessions_of(&self, realm: &Realm, user: &UserId) -> Result<Vec<Record>, StoreError> {
        self.up()?.sessions_of(realm, user).await
    }

    async fn end_sessions_of(
        &self,
        operation: &Operation,
        realm: &Realm,
        user: &UserId,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Result<EndedSessions, StoreError> {
        self.up()?.end_sessions_of(operation, realm, user, except, ending).await
    }

    async fn user(&self, realm: &Realm, user: &UserId) -> Result<UserRecord, StoreError> {
        self.up()?.user(realm, user).await
    }

    async fn set_disabled(
        &self,
        operation: &Operation,
        realm: &Realm,
        user: &UserId,
        disabled: bool,
    ) -> Result<EndedSessions, StoreError> {
        self.up()?.set_disabled(operation, realm, user, disabled).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.up()?.page(request).await
    }

    async fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        self.up()?.sweep(sweep).await
    }

    async fn events(
        &self,
        partition: u16,
        after: Option<Position>,
        limit: usize,
    ) -> Result<EventPage, StoreError> {
        self.up()?.events(partition, after, limit).await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
