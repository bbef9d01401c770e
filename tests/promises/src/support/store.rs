//! A store that does as told: fails, waits, counts and tells.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use tenure::event::Position;
use tenure::record::Admission;
use tenure::record::{NewSession, Record};
use tenure::store::{
    Context, EndedSessions, Engine, EventPage, Mutation, Opened, Operation, Page, PageRequest, Replay, Reply,
    Store, StoreError, StoreInfo, Sweep, Swept, Touch, UserRecord,
};
use tenure::{Ending, OperationId, Realm, Route, SessionId, UserId};

use super::faults::{Call, Faults, Trouble};

/// Opens another engine and stands before its store.
pub(super) struct Faulty<E> {
    pub(super) engine: E,
    pub(super) faults: Arc<Faults>,
}

/// A store before which faults are put. One in memory is never closed: the next process
/// finds it as it was.
struct FaultyStore {
    real: Arc<dyn Store>,
    faults: Arc<Faults>,
}

#[async_trait]
impl<E: Engine> Engine for Faulty<E> {
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError> {
        let opened = Box::new(self.engine).open(context).await?;
        Ok(Opened {
            store: Arc::new(FaultyStore { real: opened.store, faults: self.faults }),
            master_key: opened.master_key,
        })
    }
}

impl FaultyStore {
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

    fn see_operation(&self, operation: &Operation) {
        if let Some(receipt) = &operation.receipt {
            self.faults.see(|| receipt.clone());
        }
        self.faults.see(|| format!("{operation:?}").into_bytes());
    }

    fn see_record(&self, record: &Record) {
        self.faults.see(|| record.encode());
    }

    fn see_reply(&self, reply: &Reply) {
        if let Some(record) = &reply.record {
            self.see_record(record);
        }
        if let Some(receipt) = &reply.receipt {
            self.faults.see(|| receipt.clone());
        }
    }

    fn see_mutation(&self, mutation: &Mutation) {
        match mutation {
            Mutation::Change { change, .. } => self.faults.see(|| packed(change)),
            Mutation::Prepare { successor, .. } => self.faults.see(|| packed(successor)),
            Mutation::Claim { claim, .. } => self.faults.see(|| packed(claim)),
            Mutation::Authenticate(authentication) => {
                self.faults.see(|| packed(&authentication.identity));
                self.faults.see(|| authentication.hash.as_bytes().to_vec());
            }
            other => self.faults.see(|| format!("{other:?}").into_bytes()),
        }
    }
}

fn packed<T: serde::Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("what a store gets can be packed")
}

#[async_trait]
impl Store for FaultyStore {
    fn info(&self) -> StoreInfo {
        self.real.info()
    }

    async fn create(
        &self,
        operation: &Operation,
        new: NewSession,
        admission: &Admission,
    ) -> Result<Reply, StoreError> {
        self.see_operation(operation);
        self.faults.see(|| packed(&new));
        let reply = self.ask(Call::Create, self.real.create(operation, new, admission)).await?;
        self.see_reply(&reply);
        Ok(reply)
    }

    async fn load(&self, id: SessionId) -> Result<Option<Record>, StoreError> {
        let record = self.ask(Call::Load, self.real.load(id)).await?;
        record.iter().for_each(|record| self.see_record(record));
        Ok(record)
    }

    async fn mutate(
        &self,
        operation: &Operation,
        id: SessionId,
        mutation: Mutation,
    ) -> Result<Reply, StoreError> {
        self.see_operation(operation);
        self.see_mutation(&mutation);
        let call = Call::of(&mutation);
        let reply = self.ask(call, self.real.mutate(operation, id, mutation)).await?;
        self.see_reply(&reply);
        Ok(reply)
    }

    async fn touch(&self, touches: &[Touch]) -> Result<(), StoreError> {
        self.ask(Call::Touch, self.real.touch(touches)).await
    }

    async fn replay(&self, route: Route, operation: OperationId) -> Result<Option<Replay>, StoreError> {
        self.ask(Call::Replay, self.real.replay(route, operation)).await
    }

    async fn sessions_of(&self, realm: &Realm, user: &UserId) -> Result<Vec<Record>, StoreError> {
        self.ask(Call::SessionsOf, self.real.sessions_of(realm, user)).await
    }

    async fn end_sessions_of(
        &self,
        operation: &Operation,
        realm: &Realm,
        user: &UserId,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Result<EndedSessions, StoreError> {
        let real = self.real.end_sessions_of(operation, realm, user, except, ending);
        self.ask(Call::EndSessionsOf, real).await
    }

    async fn user(&self, realm: &Realm, user: &UserId) -> Result<UserRecord, StoreError> {
        self.ask(Call::User, self.real.user(realm, user)).await
    }

    async fn set_disabled(
        &self,
        operation: &Operation,
        realm: &Realm,
        user: &UserId,
        disabled: bool,
    ) -> Result<EndedSessions, StoreError> {
        let real = self.real.set_disabled(operation, realm, user, disabled);
        self.ask(Call::SetDisabled, real).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.ask(Call::Page, self.real.page(request)).await
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

    async fn close(&self) {
        if self.info().durable {
            self.real.close().await;
        }
    }
}
