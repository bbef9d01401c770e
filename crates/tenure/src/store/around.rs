//! A store before another one, which passes everything on and lets each call be seen.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

use super::call::Call;
use super::{
    EndedSessions, EventPage, Movable, Mutation, News, Operation, Owner, Page, PageRequest, Replay, Reply,
    Store, StoreError, StoreInfo, Sweep, Swept, Touch, UserRecord,
};
use crate::event::Position;
use crate::id::{OperationId, Route, SessionId};
use crate::reason::Ending;
use crate::record::{Admission, NewSession, Record};

/// What sees the calls.
pub(crate) trait Hook: Send + Sync + 'static {
    /// Lets the real store do something, or not.
    fn around<T: Send>(
        &self,
        call: Call,
        real: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// By what a change is known that the store is given.
    fn operation(&self, operation: &Operation) {
        let _ = operation;
    }

    /// A session that the store is given.
    fn new_session(&self, new: &NewSession) {
        let _ = new;
    }

    /// A change that the store is given.
    fn mutation(&self, mutation: &Mutation) {
        let _ = mutation;
    }

    /// What a change was answered.
    fn replied(&self, reply: &Reply) {
        let _ = reply;
    }

    /// What was read.
    fn read(&self, records: &[Record]) {
        let _ = records;
    }

    /// Whether the real store is closed with this one.
    fn closes(&self) -> bool {
        true
    }
}

/// Passes everything on, by a hook.
pub(crate) struct Around<H> {
    pub(crate) real: Arc<dyn Store>,
    pub(crate) hook: H,
}

#[async_trait]
impl<H: Hook> Store for Around<H> {
    fn info(&self) -> StoreInfo {
        self.real.info()
    }

    async fn create(
        &self,
        operation: &Operation,
        new: NewSession,
        admission: &Admission,
    ) -> Result<Reply, StoreError> {
        self.hook.operation(operation);
        self.hook.new_session(&new);
        let reply = self.hook.around(Call::Create, self.real.create(operation, new, admission)).await?;
        self.hook.replied(&reply);
        Ok(reply)
    }

    async fn load(&self, id: SessionId) -> Result<Option<Record>, StoreError> {
        let record = self.hook.around(Call::Load, self.real.load(id)).await?;
        self.hook.read(record.as_slice());
        Ok(record)
    }

    async fn mutate(
        &self,
        operation: &Operation,
        id: SessionId,
        mutation: Mutation,
    ) -> Result<Reply, StoreError> {
        self.hook.operation(operation);
        self.hook.mutation(&mutation);
        let call = Call::of(&mutation);
        let reply = self.hook.around(call, self.real.mutate(operation, id, mutation)).await?;
        self.hook.replied(&reply);
        Ok(reply)
    }

    async fn mutate_known(
        &self,
        operation: &Operation,
        known: &Record,
        mutation: Mutation,
    ) -> Result<Reply, StoreError> {
        self.hook.operation(operation);
        self.hook.mutation(&mutation);
        let call = Call::of(&mutation);
        let reply = self.hook.around(call, self.real.mutate_known(operation, known, mutation)).await?;
        self.hook.replied(&reply);
        Ok(reply)
    }

    async fn touch(&self, touches: &[Touch]) -> Result<(), StoreError> {
        self.hook.around(Call::Touch, self.real.touch(touches)).await
    }

    async fn replay(&self, route: Route, operation: OperationId) -> Result<Option<Replay>, StoreError> {
        self.hook.around(Call::Replay, self.real.replay(route, operation)).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Record>, StoreError> {
        let records = self.hook.around(Call::List, self.real.list(owner)).await?;
        self.hook.read(&records);
        Ok(records)
    }

    async fn end_all_of(
        &self,
        operation: &Operation,
        owner: &Owner,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Result<EndedSessions, StoreError> {
        self.hook.operation(operation);
        self.hook.around(Call::EndAllOf, self.real.end_all_of(operation, owner, except, ending)).await
    }

    async fn user(&self, owner: &Owner) -> Result<UserRecord, StoreError> {
        self.hook.around(Call::User, self.real.user(owner)).await
    }

    async fn set_disabled(
        &self,
        operation: &Operation,
        owner: &Owner,
        disabled: bool,
    ) -> Result<EndedSessions, StoreError> {
        self.hook.operation(operation);
        self.hook.around(Call::SetDisabled, self.real.set_disabled(operation, owner, disabled)).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        let page = self.hook.around(Call::Page, self.real.page(request)).await?;
        self.hook.read(&page.records);
        Ok(page)
    }

    async fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        self.hook.around(Call::Sweep, self.real.sweep(sweep)).await
    }

    async fn events(
        &self,
        partition: u16,
        after: Option<Position>,
        limit: usize,
    ) -> Result<EventPage, StoreError> {
        self.hook.around(Call::Events, self.real.events(partition, after, limit)).await
    }

    async fn news(&self, after: &[Option<Position>], limit: usize) -> Result<News, StoreError> {
        self.hook.around(Call::News, self.real.news(after, limit)).await
    }

    async fn woken(&self) {
        self.real.woken().await;
    }

    fn movable(&self) -> Option<&dyn Movable> {
        self.real.movable()
    }

    async fn close(&self) {
        if self.hook.closes() {
            self.real.close().await;
        }
    }
}
