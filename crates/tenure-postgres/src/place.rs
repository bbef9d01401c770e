//! PostgreSQL as a place for sessions.

use std::sync::atomic::AtomicU16;

use async_trait::async_trait;
use tenure::SessionId;
use tenure::clock::Timestamp;
use tenure::event::Position;
use tenure::store::{Barrier, News, PageRequest, Part, StoreError, StoreInfo};
use tenure_shared::{
    Body, Entry, Kept, LogPage, Place, Prune, Raise, Row, Touched, View, Want, Write, Wrote, realm_hash,
};

use tokio::sync::Mutex;
use tokio_postgres::types::ToSql;

use crate::changes::Changes;
use crate::error::Sent;
use crate::heartbeat::Heartbeat;
use crate::listen::Listener;
use crate::pool::{Connections, Servers};
use crate::statements::Sql;
use crate::types::get;

/// An open database.
pub(crate) struct PostgresPlace {
    pub(crate) pool: Connections,
    /// For polls: they never wait behind the others.
    pub(crate) near: Connections,
    /// Which one answered the last poll; its number is the epoch of positions too.
    pub(crate) servers: Servers,
    pub(crate) changes: Changes,
    pub(crate) listener: Listener,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) sql: Sql,
    pub(crate) partitions: u16,
    pub(crate) turn: AtomicU16,
    /// Where those of this node wait who want to hold a partition.
    pub(crate) lines: [Mutex<()>; 32],
}

#[async_trait]
impl Place for PostgresPlace {
    fn info(&self) -> StoreInfo {
        StoreInfo { engine: "postgres", partitions: self.partitions, durable: true, shared: true }
    }

    async fn view(&self, want: &Want) -> Result<View, StoreError> {
        self.view_of(want).await
    }

    async fn session(&self, partition: u16, id: SessionId) -> Result<Option<Body>, StoreError> {
        self.session_of(partition, id).await
    }

    async fn write(&self, write: &Write) -> Result<Wrote, StoreError> {
        self.write_once(write).await
    }

    async fn release(&self, partition: u16, holder: u64) {
        let values: [&(dyn ToSql + Sync); 3] = [&i32::from(partition), &holder.cast_signed(), &0_i64];
        let held = self.pool.query_one(Sent::Again, &self.sql.hold, &values).await;
        if let Err(error) = held {
            tracing::debug!(%error, "a hold ends by itself");
        }
    }

    async fn touch(&self, touches: &[Touched], now: Option<Timestamp>) -> Result<(), StoreError> {
        self.touch_all(touches, now).await
    }

    async fn due(&self, until: Timestamp, limit: usize) -> Result<Vec<Row>, StoreError> {
        self.due_until(crate::types::millis(until), limit).await
    }

    async fn page(&self, request: &PageRequest, limit: usize) -> Result<Vec<Row>, StoreError> {
        self.page_of(realm_hash(&request.realm), request.after, limit).await
    }

    async fn prune(&self, prune: &Prune) -> Result<(u64, bool), StoreError> {
        self.prune_once(prune).await
    }

    async fn log(
        &self,
        partition: u16,
        after: Option<Position>,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        self.log_of(partition, after, limit).await
    }

    async fn news(&self, after: &[Option<Position>], limit: usize) -> Result<News<Entry>, StoreError> {
        self.news_after(after, limit).await
    }

    async fn woken(&self) {
        self.listener.woken().await;
    }

    async fn export(&self, part: Part, after: Option<&[u8]>, limit: usize) -> Result<Kept, StoreError> {
        self.export_part(part, after, limit).await
    }

    async fn fence(&self, raise: Raise, now: Option<Timestamp>) -> Result<Option<Barrier>, StoreError> {
        self.raise(raise, now).await
    }

    async fn barrier(&self) -> Result<Barrier, StoreError> {
        self.lowest_barrier().await
    }

    async fn phase(&self) -> Result<Option<Vec<u8>>, StoreError> {
        get(&self.pool.query_one(Sent::Nothing, &self.sql.phase, &[]).await?, 0)
    }

    async fn change_phase(&self, from: Option<&[u8]>, to: &[u8]) -> Result<bool, StoreError> {
        let changed = self.pool.query(Sent::Write, &self.sql.change_phase, &[&from, &to]).await?;
        Ok(!changed.is_empty())
    }

    async fn close(&self) {
        self.pool.close();
        self.near.close();
        self.heartbeat.close();
        self.listener.stop();
    }
}
