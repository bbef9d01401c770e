//! The store that sessions are kept in.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use rusqlite::Connection;
use tenure::Ending;
use tenure::event::Position;
use tenure::record::Admission;
use tenure::record::{NewSession, Record};
use tenure::store::{
    Barrier, EndedSessions, EventPage, Movable, Mutation, News, Operation, Owner, Page, PageRequest, Replay,
    Reply, Store, StoreError, StoreInfo, Sweep, Swept, Touch, UserRecord, steps,
};
use tenure::{OperationId, Route, SessionId};
use tokio::sync::oneshot;

use crate::error::{self, Result};
use crate::job::Need;
use crate::meta::{self, Head};
use crate::reader::Readers;
use crate::writer::Writer;
use crate::{log, operations, rows, sweep};

/// An open store. Dropping the last handle closes it, and blocks for that long.
pub(crate) struct EmbeddedStore {
    inner: std::sync::Arc<Inner>,
}

/// What outlives a handle while it is being closed.
struct Inner {
    writer: Writer,
    readers: Readers,
    epoch: u64,
    /// Its sessions have moved to another store.
    shut: AtomicBool,
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.inner.stop();
    }
}

impl Inner {
    fn stop(&self) {
        // Readers first, so that the writer is the last to let go of the files.
        self.readers.stop();
        self.writer.stop();
    }
}

impl EmbeddedStore {
    pub(crate) fn new(writer: Writer, readers: Readers, epoch: u64, barrier: Barrier) -> Self {
        let inner = Inner { writer, readers, epoch, shut: AtomicBool::new(barrier == Barrier::SHUT) };
        Self { inner: std::sync::Arc::new(inner) }
    }

    pub(crate) async fn write<T, F>(&self, need: Need, work: F) -> std::result::Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut crate::txn::Txn<'_>) -> Result<T> + Send + 'static,
    {
        let guarded = move |txn: &mut crate::txn::Txn<'_>| {
            txn.head.barrier.may_write(txn.now)?;
            work(txn)
        };
        self.write_always(need, guarded).await
    }

    /// The same for a move, which nothing keeps from writing.
    pub(crate) async fn write_always<T, F>(&self, need: Need, work: F) -> std::result::Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut crate::txn::Txn<'_>) -> Result<T> + Send + 'static,
    {
        self.inner.writer.run(need, work).await
    }

    pub(crate) async fn read<T, F>(&self, find: F) -> std::result::Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        if self.inner.shut.load(Ordering::Acquire) {
            Barrier::SHUT.may_read()?;
        }
        self.look(find).await
    }

    /// The same for a move, which nothing keeps from reading.
    pub(crate) async fn look<T, F>(&self, find: F) -> std::result::Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.inner.readers.run(find).await
    }

    pub(crate) fn set_shut(&self, shut: bool) {
        self.inner.shut.store(shut, Ordering::Release);
    }

    async fn sweep_in_steps(
        &self,
        sweep: &Sweep,
        step: fn(&mut crate::txn::Txn<'_>, &Sweep) -> Result<Swept>,
        total: &mut Swept,
    ) -> std::result::Result<(), StoreError> {
        let mut left = sweep.limit;
        while left > 0 {
            let part = Sweep { limit: left.min(sweep::STEP), ..*sweep };
            let swept = self.write(Need::Essential, move |txn| step(txn, &part)).await?;
            total.ended.extend(swept.ended);
            total.removed += swept.removed;
            left -= part.limit;
            if !swept.more {
                return Ok(());
            }
        }
        total.more = true;
        Ok(())
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    fn info(&self) -> StoreInfo {
        StoreInfo { engine: "embedded", partitions: 1, durable: true, shared: false }
    }

    async fn create(
        &self,
        operation: &Operation,
        new: NewSession,
        admission: &Admission,
    ) -> std::result::Result<Reply, StoreError> {
        let (operation, admission) = (operation.clone(), admission.clone());
        self.write(Need::Ordinary, move |txn| steps::create(txn, &operation, new.clone(), &admission)).await
    }

    async fn load(&self, id: SessionId) -> std::result::Result<Option<Record>, StoreError> {
        let find = move |conn: &Connection| Ok(rows::find(conn, id)?.map(|stored| stored.record));
        self.read(find).await
    }

    async fn mutate(
        &self,
        operation: &Operation,
        id: SessionId,
        mutation: Mutation,
    ) -> std::result::Result<Reply, StoreError> {
        let need = match mutation {
            Mutation::End { .. } | Mutation::EndIfDue => Need::Essential,
            _ => Need::Ordinary,
        };
        let operation = operation.clone();
        self.write(need, move |txn| steps::mutate(txn, &operation, id, mutation.clone())).await
    }

    async fn touch(&self, touches: &[Touch]) -> std::result::Result<(), StoreError> {
        for part in touches.chunks(sweep::STEP) {
            let part = part.to_vec();
            // It rewrites in place, and without it the sweep, which makes room, does not run.
            self.write(Need::Essential, move |txn| operations::touch(txn, &part)).await?;
        }
        Ok(())
    }

    async fn replay(
        &self,
        _: Route,
        operation: OperationId,
    ) -> std::result::Result<Option<Replay>, StoreError> {
        let find = move |conn: &Connection| log::receipt(conn, operation);
        self.read(find).await
    }

    async fn list(&self, owner: &Owner) -> std::result::Result<Vec<Record>, StoreError> {
        let owner = owner.clone();
        let find = move |conn: &Connection| rows::of_user(conn, &owner.realm, &owner.user);
        self.read(find).await
    }

    async fn end_all_of(
        &self,
        operation: &Operation,
        owner: &Owner,
        except: Option<SessionId>,
        ending: Ending,
    ) -> std::result::Result<EndedSessions, StoreError> {
        let (operation, owner) = (operation.clone(), owner.clone());
        self.write(Need::Essential, move |txn| steps::end_all_of(txn, &operation, &owner, except, &ending))
            .await
    }

    async fn user(&self, owner: &Owner) -> std::result::Result<UserRecord, StoreError> {
        let owner = owner.clone();
        let find = move |conn: &Connection| log::user(conn, &owner.realm, &owner.user);
        self.read(find).await
    }

    async fn set_disabled(
        &self,
        operation: &Operation,
        owner: &Owner,
        disabled: bool,
    ) -> std::result::Result<EndedSessions, StoreError> {
        let (operation, owner) = (operation.clone(), owner.clone());
        self.write(Need::Essential, move |txn| steps::set_disabled(txn, &operation, &owner, disabled)).await
    }

    async fn page(&self, request: &PageRequest) -> std::result::Result<Page, StoreError> {
        let request = request.clone();
        let find = move |conn: &Connection| {
            let wanted = request.limit.saturating_add(1);
            let mut records = rows::of_realm(conn, &request.realm, request.after, wanted)?;
            let more = records.len() > request.limit;
            records.truncate(request.limit);
            let next = records.last().map(|record| record.id).filter(|_| more);
            Ok(Page { records, next })
        };
        self.read(find).await
    }

    async fn sweep(&self, sweep: &Sweep) -> std::result::Result<Swept, StoreError> {
        let mut total = Swept::default();
        self.sweep_in_steps(sweep, sweep::sessions, &mut total).await?;
        self.sweep_in_steps(sweep, sweep::logs, &mut total).await?;
        Ok(total)
    }

    async fn events(
        &self,
        _: u16,
        after: Option<Position>,
        limit: usize,
    ) -> std::result::Result<EventPage, StoreError> {
        let epoch = self.inner.epoch;
        let find = move |conn: &Connection| events(conn, epoch, after, limit);
        self.read(find).await
    }

    async fn news(&self, after: &[Option<Position>], limit: usize) -> std::result::Result<News, StoreError> {
        let (epoch, from) = (self.inner.epoch, after.first().copied().flatten());
        let find = move |conn: &Connection| {
            let head = Head::read(conn)?;
            let end = Position { epoch, sequence: meta::sequence(head.sequence)? };
            let from = from.unwrap_or(end);
            Ok(News::of_one_log(head.latest, 0, from, end, events(conn, epoch, Some(from), limit)?))
        };
        self.read(find).await
    }

    fn movable(&self) -> Option<&dyn Movable> {
        Some(self)
    }

    async fn close(&self) {
        let inner = std::sync::Arc::clone(&self.inner);
        let (done, closed) = oneshot::channel();
        let stop = move || {
            inner.stop();
            // Whoever waits may be gone.
            let _ = done.send(());
        };
        match std::thread::Builder::new().name("tenure-close".into()).spawn(stop) {
            Ok(_) => closed.await.unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%error, "no thread to close with; closing here");
                self.inner.stop();
            }
        }
    }
}

fn events(conn: &Connection, epoch: u64, after: Option<Position>, limit: usize) -> Result<EventPage> {
    let snapshot = conn.unchecked_transaction()?;
    let head = Head::read(&snapshot)?;
    let oldest = Position { epoch, sequence: meta::sequence(head.kept_from)? };
    let after = after.unwrap_or(oldest);
    let last = meta::sequence(head.sequence)?;
    if after.epoch != epoch || after.sequence < oldest.sequence || after.sequence > last {
        return Ok(EventPage::Truncated { oldest });
    }
    let sequence = i64::try_from(after.sequence).unwrap_or(i64::MAX);
    let events = log::after(&snapshot, epoch, sequence, limit)?;
    if events.is_empty() && limit > 0 && after.sequence < last {
        return Err(error::damaged("the end of the event log is missing").into());
    }
    Ok(EventPage::Events(events))
}
