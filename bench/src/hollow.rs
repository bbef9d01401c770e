//! A store that keeps only the session that was begun last: room for millions in memory, where
//! what is measured is the near cache alone.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tenure::event::Position;
use tenure::record::Admission;
use tenure::record::{NewSession, Record};
use tenure::store::rules::{self, Step};
use tenure::store::{
    Context, EndedSessions, Engine, EventPage, Mutation, Opened, Operation, Outcome, Owner, Page,
    PageRequest, Replay, Reply, Store, StoreError, StoreInfo, Sweep, Swept, Touch, UserRecord,
};
use tenure::{Ending, MasterKey, OperationId, Route, SessionId};

/// Opens a [`Hollow`] store.
pub struct HollowEngine;

struct Hollow {
    context: Context,
    last: Mutex<Option<Record>>,
}

#[async_trait]
impl Engine for HollowEngine {
    async fn open(self: Box<Self>, context: Context) -> Result<Opened, StoreError> {
        let master_key = MasterKey::generate(&*context.random);
        Ok(Opened { store: Arc::new(Hollow { context, last: Mutex::default() }), master_key })
    }
}

fn not_here<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("a hollow store keeps the last session only".into()))
}

#[async_trait]
impl Store for Hollow {
    fn info(&self) -> StoreInfo {
        StoreInfo { engine: "hollow", partitions: 1, durable: false, shared: false }
    }

    async fn create(
        &self,
        operation: &Operation,
        new: NewSession,
        admission: &Admission,
    ) -> Result<Reply, StoreError> {
        let now = self.context.clock.now();
        let Step::Apply(written) =
            rules::create(operation, new, &[], &UserRecord::default(), 0, admission, now)
        else {
            return not_here();
        };
        *self.last.lock().unwrap() = Some(written.record.clone());
        Ok(Reply {
            outcome: Outcome::Applied,
            record: Some(written.record),
            ended: Vec::new(),
            receipt: None,
        })
    }

    async fn load(&self, id: SessionId) -> Result<Option<Record>, StoreError> {
        let last = self.last.lock().unwrap().clone();
        last.filter(|record| record.id == id).map_or_else(not_here, |record| Ok(Some(record)))
    }

    async fn mutate(&self, _: &Operation, _: SessionId, _: Mutation) -> Result<Reply, StoreError> {
        not_here()
    }

    async fn touch(&self, _: &[Touch]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn replay(&self, _: Route, _: OperationId) -> Result<Option<Replay>, StoreError> {
        Ok(None)
    }

    async fn list(&self, _: &Owner) -> Result<Vec<Record>, StoreError> {
        not_here()
    }

    async fn end_all_of(
        &self,
        _: &Operation,
        _: &Owner,
        _: Option<SessionId>,
        _: Ending,
    ) -> Result<EndedSessions, StoreError> {
        not_here()
    }

    async fn user(&self, _: &Owner) -> Result<UserRecord, StoreError> {
        Ok(UserRecord::default())
    }

    async fn set_disabled(&self, _: &Operation, _: &Owner, _: bool) -> Result<EndedSessions, StoreError> {
        not_here()
    }

    async fn page(&self, _: &PageRequest) -> Result<Page, StoreError> {
        not_here()
    }

    async fn sweep(&self, _: &Sweep) -> Result<Swept, StoreError> {
        Ok(Swept::default())
    }

    async fn events(&self, _: u16, _: Option<Position>, _: usize) -> Result<EventPage, StoreError> {
        not_here()
    }

    async fn close(&self) {}
}
