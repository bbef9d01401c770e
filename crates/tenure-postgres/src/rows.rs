//! Sessions and cells as rows, and what a step wants to see of them.

use std::time::Duration;

use tenure::SessionId;
use tenure::store::{Barrier, StoreError};
use tenure_shared::{Body, Cell, CellKey, CellKind, Class, Hold, Row, View, Want};
use tokio::time::{sleep, timeout};
use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::ToSql;

use crate::error::{self, Sent};
use crate::place::PostgresPlace;
use crate::statements::SHUT;
use crate::types::{Id, big, count, get, moment};

/// How often one tries to hold a partition that another holds.
const HOLD_TRIED: Duration = Duration::from_millis(1);

/// What a row of a view tells.
const PARTITION: i32 = 0;
const SESSION: i32 = 1;
const OF_OWNER: i32 = 2;
const CELL: i32 = 3;

impl PostgresPlace {
    /// What a step depends on: one statement, and so of one moment.
    pub(crate) async fn view_of(&self, want: &Want) -> Result<View, StoreError> {
        let partition = i32::from(want.partition);
        if let Some(hold) = want.hold {
            self.hold(partition, hold).await?;
        }
        let ids: Vec<Id> = want.sessions.iter().map(|id| Id::from(*id)).collect();
        if want.owner.is_none() && want.cells.is_empty() {
            return seen(self.pool.query(Sent::Nothing, &self.sql.view_sessions, &[&partition, &ids]).await?);
        }
        let owner = want.owner.map(Id);
        let kinds: Vec<i16> = want.cells.iter().map(|cell| cell.kind as i16).collect();
        let keys: Vec<Id> = want.cells.iter().map(|cell| Id(cell.key)).collect();
        let values: [&(dyn ToSql + Sync); 5] = [&partition, &ids, &owner, &kinds, &keys];
        seen(self.pool.query(Sent::Nothing, &self.sql.view, &values).await?)
    }

    /// One session, by its key and nothing else.
    pub(crate) async fn session_of(&self, partition: u16, id: SessionId) -> Result<Option<Body>, StoreError> {
        let rows = self.pool.query(Sent::Nothing, &self.sql.session, &[&Id::from(id)]).await?;
        if let Some(found) = rows.first() {
            if count(get(found, 2)?) == SHUT {
                return Err(Barrier::shut());
            }
            return Ok(Some(Body { seen: moment(get(found, 0)?), bytes: get(found, 1)? }));
        }
        // It may be that the partition is gone too, and with it sessions that nobody has ended.
        let want = Want { partition, sessions: vec![id], ..Want::default() };
        Ok(self.view_of(&want).await?.sessions.pop().map(Body::from))
    }

    /// Keeps the partition. If another does, waits for its turn, but not for ever: to look at what is
    /// about to change would be in vain. Of one node only one asks at a time.
    async fn hold(&self, partition: i32, hold: Hold) -> Result<(), StoreError> {
        let (holder, for_ms) = (hold.holder.cast_signed(), big(hold.for_ms));
        let values: [&(dyn ToSql + Sync); 3] = [&partition, &holder, &for_ms];
        let line = &self.lines[usize::from(partition.unsigned_abs() as u16) % self.lines.len()];
        let held = async {
            let _turn = line.lock().await;
            while !get::<bool>(&self.pool.query_one(Sent::Again, &self.sql.hold, &values).await?, 0)? {
                sleep(HOLD_TRIED).await;
            }
            Ok(())
        };
        timeout(Duration::from_millis(hold.for_ms), held).await.unwrap_or(Ok(()))
    }

    /// The rows to look at.
    pub(crate) async fn due_until(&self, until: i64, limit: usize) -> Result<Vec<Row>, StoreError> {
        let limit = big(limit as u64);
        let rows = self.pool.query(Sent::Nothing, &self.sql.due, &[&until, &limit]).await?;
        rows.iter().map(|found| row(found, 0)).collect()
    }

    /// A page of a realm.
    pub(crate) async fn page_of(
        &self,
        realm: i64,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let (after, limit) = (after.map_or(Id([0; 16]), Id::from), big(limit as u64));
        let rows = self.pool.query(Sent::Nothing, &self.sql.page, &[&realm, &after, &limit]).await?;
        rows.iter().map(|found| row(found, 0)).collect()
    }
}

fn seen(rows: Vec<SqlRow>) -> Result<View, StoreError> {
    let mut view = View::default();
    if rows.is_empty() {
        return Err(error::corrupt("a partition is missing"));
    }
    for found in &rows {
        let what: i32 = get(found, 0)?;
        match what {
            SESSION => view.sessions.push(row(found, 1)?),
            OF_OWNER => view.of_owner.push(row(found, 1)?),
            CELL => view.cells.push(cell(found)?),
            PARTITION => {}
            _ => return Err(error::corrupt("a row of an unknown kind")),
        }
        if let Some(now) = get::<Option<i64>>(found, 11)? {
            // How many guests there are is counted where one is written.
            view.now = moment(now);
            if get(found, 12)? {
                return Err(Barrier::shut());
            }
        }
    }
    view.of_owner.sort_unstable_by_key(|row| row.id);
    Ok(view)
}

/// Reads a session from the columns from `first` on.
pub(crate) fn row(found: &SqlRow, first: usize) -> Result<Row, StoreError> {
    let class = match get::<i16>(found, first + 1)? {
        0 => Class::Guest,
        1 => Class::User,
        2 => Class::Ended,
        _ => return Err(error::corrupt("a session of an unknown kind")),
    };
    Ok(Row {
        id: get::<Id>(found, first)?.into(),
        class,
        realm: get(found, first + 2)?,
        owner: get::<Option<Id>>(found, first + 3)?.map(|owner| owner.0),
        due: moment(get(found, first + 4)?),
        seen: moment(get(found, first + 5)?),
        idle_ms: count(get(found, first + 6)?),
        deadline: moment(get(found, first + 7)?),
        revision: count(get(found, first + 8)?),
        body: get(found, first + 9)?,
    })
}

fn cell(found: &SqlRow) -> Result<Cell, StoreError> {
    cell_of(found, [1, 2, 5, 9, 10])
}

/// Reads a cell from these columns: key, kind, time, version, body.
pub(crate) fn cell_of(found: &SqlRow, columns: [usize; 5]) -> Result<Cell, StoreError> {
    let [key, kind, at, version, body] = columns;
    let kind = match get::<i16>(found, kind)? {
        0 => CellKind::User,
        1 => CellKind::Receipt,
        _ => return Err(error::corrupt("a cell of an unknown kind")),
    };
    Ok(Cell {
        key: CellKey { kind, key: get::<Id>(found, key)?.0 },
        version: count(get(found, version)?),
        at: moment(get(found, at)?),
        body: get(found, body)?,
    })
}
