//! Moving out of the database, and into it.

use tenure::clock::Timestamp;
use tenure::store::{Barrier, Part, StoreError};
use tenure_shared::{CellKind, Kept, Raise};
use tokio_postgres::types::ToSql;

use crate::error::{self, Sent};
use crate::place::PostgresPlace;
use crate::rows::{cell_of, row};
use crate::types::{Id, big, count, get, millis};

impl PostgresPlace {
    pub(crate) async fn export_part(
        &self,
        part: Part,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Kept, StoreError> {
        self.lowest_barrier().await?.may_read()?;
        match part {
            Part::Sessions => self.export_sessions(after, limit).await,
            Part::Users => self.export_cells(CellKind::User, after, limit).await,
            Part::Receipts => self.export_cells(CellKind::Receipt, after, limit).await,
        }
    }

    async fn export_sessions(&self, after: Option<&[u8]>, limit: usize) -> Result<Kept, StoreError> {
        let after = Id(after.and_then(|id| id.try_into().ok()).unwrap_or_default());
        let values: [&(dyn ToSql + Sync); 2] = [&after, &big(limit as u64)];
        let found = self.pool.query(Sent::Nothing, &self.sql.export_sessions, &values).await?;
        let rows = found.iter().map(|found| row(found, 0)).collect::<Result<Vec<_>, _>>()?;
        let last = rows.last().filter(|_| rows.len() == limit);
        let next = last.map(|row| row.id.as_bytes().to_vec());
        Ok(Kept { rows, next, ..Kept::default() })
    }

    /// A place among cells is the partition, and the key in it.
    async fn export_cells(
        &self,
        kind: CellKind,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Kept, StoreError> {
        let after = after.and_then(|place| place.split_first_chunk::<2>());
        let (partition, key) = after.map_or((-1, [0; 16]), |(partition, key)| {
            (i32::from(u16::from_be_bytes(*partition)), key.try_into().unwrap_or_default())
        });
        let values: [&(dyn ToSql + Sync); 4] = [&partition, &(kind as i16), &Id(key), &big(limit as u64)];
        let found = self.pool.query(Sent::Nothing, &self.sql.export_cells, &values).await?;
        let mut cells = Vec::with_capacity(found.len());
        for found in &found {
            let partition = u16::try_from(get::<i32>(found, 0)?);
            let partition = partition.map_err(|_| error::corrupt("a partition has a wrong number"))?;
            cells.push((partition, cell_of(found, [1, 2, 3, 4, 5])?));
        }
        let last = cells.last().filter(|_| cells.len() == limit);
        let next = last.map(|(partition, cell)| [&partition.to_be_bytes()[..], &cell.key.key].concat());
        Ok(Kept { cells, next, ..Kept::default() })
    }

    pub(crate) async fn raise(
        &self,
        raise: Raise,
        now: Option<Timestamp>,
    ) -> Result<Option<Barrier>, StoreError> {
        let number = |barrier: Barrier| big(barrier.as_millis());
        let values: [&(dyn ToSql + Sync); 4] =
            [&raise.to.map(number), &big(raise.for_ms), &raise.held.map(number), &now.map(millis)];
        let raised: Option<i64> = get(&self.pool.query_one(Sent::Write, &self.sql.fence, &values).await?, 0)?;
        Ok(raised.map(|until| Barrier::from_millis(count(until))))
    }

    /// All partitions have the same.
    pub(crate) async fn lowest_barrier(&self) -> Result<Barrier, StoreError> {
        let barrier: i64 = get(&self.pool.query_one(Sent::Nothing, &self.sql.barrier, &[]).await?, 0)?;
        Ok(Barrier::from_millis(count(barrier)))
    }
}
