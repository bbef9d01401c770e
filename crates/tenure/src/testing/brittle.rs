//! A store that does as told: fails, waits, counts and tells.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

use super::faults::{Call, Faults, Passing, Trouble};
use crate::event::Position;
use crate::id::{OperationId, Route, SessionId};
use crate::reason::Ending;
use crate::record::{Admission, NewSession, Record};
use crate::store::{
    Context, EndedSessions, Engine, EventPage, Movable, Mutation, News, Opened, Operation, Owner, Page,
    PageRequest, Replay, Reply, Store, StoreError, StoreInfo, Sweep, Swept, Touch, UserRecord,
};

/// An engine before whose store faults are put. [`Faults::before`] makes it.
///
/// # Example: a store that outlives who serves it
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use tenure::testing::{Brittle, Faults};
/// use tenure::store::conformance::owner;
/// use tenure::{Memory, Sessions, SignIn, UserId};
///
/// let engine: Brittle<Memory> = Faults::default().before(Memory).left_open();
/// let sessions = Sessions::open(engine).await?;
/// let user = UserId::new("alice")?;
/// sessions.sign_in(None, SignIn::password(user.clone())).await?;
/// let store = Arc::clone(sessions.store());
/// sessions.close().await?;
/// assert_eq!(store.list(&owner(&user)).await?.len(), 1);
/// # Ok(()) }
/// ```
pub struct Brittle<E> {
    engine: E,
    faults: Faults,
    left_open: bool,
}

impl<E> Brittle<E> {
    pub(super) fn new(engine: E, faults: Faults) -> Self {
        Self { engine, faults, left_open: false }
    }

    /// The store stays open when the sessions are closed, like one on another machine when one of
    /// its processes stops.
    #[must_use]
    pub fn left_open(mut self) -> Self {
        self.left_open = true;
        self
    }
}

impl<E: fmt::Debug> fmt::Debug for Brittle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Brittle").field(&self.engine).finish()
    }
}

#[async_trait]
impl<E: Engine> Engine for Brittle<E> {
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError> {
        let Opened { store: real, master_key } = Box::new(self.engine).open(context).await?;
        let store = Arc::new(BrittleStore { real, faults: self.faults, left_open: self.left_open });
        Ok(Opened { store, master_key })
    }
}

struct BrittleStore {
    real: Arc<dyn Store>,
    faults: Faults,
    left_open: bool,
}

impl BrittleStore {
    async fn ask<T>(
        &self,
        call: Call,
        real: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let trouble = self.faults.meet(call);
        match &trouble {
            Some(Trouble::Before(error)) => return Err(error.clone()),
            Some(Trouble::HeldBefore(gate) | Trouble::Held(gate, _)) => gate.pass().await,
            _ => {}
        }
        let answer = real.await;
        match trouble {
            Some(Trouble::After(error)) => Err(error),
            Some(Trouble::Panic) => panic!("a fault in the store"),
            Some(Trouble::HeldAfter(gate) | Trouble::Held(_, gate)) => {
                gate.pass().await;
                answer
            }
            _ => answer,
        }
    }

    fn were_read<'a>(&self, records: impl IntoIterator<Item = &'a Record>) {
        records.into_iter().for_each(|record| self.faults.passes(Passing::Record(record)));
    }
}

#[async_trait]
impl Store for BrittleStore {
    fn info(&self) -> StoreInfo {
        self.real.info()
    }

    async fn create(
        &self,
        operation: &Operation,
        new: NewSession,
        admission: &Admission,
    ) -> Result<Reply, StoreError> {
        self.faults.passes(Passing::Operation(operation));
        self.faults.passes(Passing::New(&new));
        let reply = self.ask(Call::Create, self.real.create(operation, new, admission)).await?;
        self.faults.passes(Passing::Reply(&reply));
        Ok(reply)
    }

    async fn load(&self, id: SessionId) -> Result<Option<Record>, StoreError> {
        let record = self.ask(Call::Load, self.real.load(id)).await?;
        self.were_read(&record);
        Ok(record)
    }

    async fn mutate(
        &self,
        operation: &Operation,
        id: SessionId,
        mutation: Mutation,
    ) -> Result<Reply, StoreError> {
        self.faults.passes(Passing::Operation(operation));
        self.faults.passes(Passing::Mutation(&mutation));
        let call = Call::of(&mutation);
        let reply = self.ask(call, self.real.mutate(operation, id, mutation)).await?;
        self.faults.passes(Passing::Reply(&reply));
        Ok(reply)
    }

    async fn mutate_known(
        &self,
        operation: &Operation,
        known: &Record,
        mutation: Mutation,
    ) -> Result<Reply, StoreError> {
        self.faults.passes(Passing::Operation(operation));
        self.faults.passes(Passing::Mutation(&mutation));
        let call = Call::of(&mutation);
        let reply = self.ask(call, self.real.mutate_known(operation, known, mutation)).await?;
        self.faults.passes(Passing::Reply(&reply));
        Ok(reply)
    }

    async fn touch(&self, touches: &[Touch]) -> Result<(), StoreError> {
        self.ask(Call::Touch, self.real.touch(touches)).await
    }

    async fn replay(&self, route: Route, operation: OperationId) -> Result<Option<Replay>, StoreError> {
        self.ask(Call::Replay, self.real.replay(route, operation)).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Record>, StoreError> {
        let records = self.ask(Call::List, self.real.list(owner)).await?;
        self.were_read(&records);
        Ok(records)
    }

    async fn end_all_of(
        &self,
        operation: &Operation,
        owner: &Owner,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Result<EndedSessions, StoreError> {
        self.faults.passes(Passing::Operation(operation));
        let real = self.real.end_all_of(operation, owner, except, ending);
        self.ask(Call::EndAllOf, real).await
    }

    async fn user(&self, owner: &Owner) -> Result<UserRecord, StoreError> {
        self.ask(Call::User, self.real.user(owner)).await
    }

    async fn set_disabled(
        &self,
        operation: &Operation,
        owner: &Owner,
        disabled: bool,
    ) -> Result<EndedSessions, StoreError> {
        self.faults.passes(Passing::Operation(operation));
        let real = self.real.set_disabled(operation, owner, disabled);
        self.ask(Call::SetDisabled, real).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        let page = self.ask(Call::Page, self.real.page(request)).await?;
        self.were_read(&page.records);
        Ok(page)
    }

    async fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        self.ask(Call::Sweep, self.real.sweep(sweep)).await
    }

    async fn events(
        &self,
        partition: u16,
        after: Option<Position>,
        limit: usize,
    ) -> Result<EventPage, StoreError> {
        self.ask(Call::Events, self.real.events(partition, after, limit)).await
    }

    async fn news(&self, after: &[Option<Position>], limit: usize) -> Result<News, StoreError> {
        self.ask(Call::News, self.real.news(after, limit)).await
    }

    async fn woken(&self) {
        self.real.woken().await;
    }

    fn movable(&self) -> Option<&dyn Movable> {
        self.real.movable()
    }

    async fn close(&self) {
        if !self.left_open {
            self.real.close().await;
        }
    }
}
