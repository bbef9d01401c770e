//! A step under way: what was viewed, what it writes, and what that depends on.

use tenure::clock::Timestamp;
use tenure::event::EventBody;
use tenure::record::Record;
use tenure::store::steps::Tables;
use tenure::store::{Replay, StoreError, UserRecord};
use tenure::{OperationId, Realm, SessionId, UserId};

use crate::place::{Cell, CellKey, Class, Row, Seen, View, Want, Write};
use crate::row::{
    event_bytes, owner_key, receipt_cell, receipt_key, replay_of, user_cell, user_key, user_of,
};

/// What a step reads of a view and writes. What it read, the write depends on. A step that wants to
/// know more than was viewed breaks off and says what.
pub(crate) struct Draft<'v> {
    view: &'v View,
    now: Timestamp,
    /// A session as it was read before, in place of what the view has of it: then the view is not of now, and
    /// activity may be otherwise than the step sees it.
    known: Option<&'v Record>,
    wanted: &'v Want,
    lacks: Option<Want>,
    write: Write,
}

impl<'v> Draft<'v> {
    /// A step at `now` over what the place has of what was `wanted`.
    pub(crate) fn over(view: &'v View, wanted: &'v Want, now: Timestamp) -> Self {
        let holder = wanted.hold.map(|hold| hold.holder);
        let write = Write { partition: wanted.partition, now, holder, ..Write::default() };
        Self { view, now, known: None, wanted, lacks: None, write }
    }

    /// A step over what was read before of one session. The view has its row, without the body.
    pub(crate) fn over_known(view: &'v View, known: &'v Record, wanted: &'v Want, now: Timestamp) -> Self {
        Self { known: Some(known), ..Self::over(view, wanted, now) }
    }

    /// What to write, if anything.
    ///
    /// # Errors
    /// What to view instead, if the step wanted to know more.
    pub(crate) fn finish(mut self) -> Result<Option<Write>, Want> {
        if let Some(lacks) = self.lacks {
            return Err(lacks);
        }
        let guests = |class: Option<Class>| i64::from(class == Some(Class::Guest));
        let before = |id: SessionId| guests(self.row(id).map(|row| row.class));
        let changed = |row: &Row| guests(Some(row.class)) - before(row.id);
        let put: i64 = self.write.put.iter().map(changed).sum();
        let removed: i64 = self.write.remove.iter().map(|id| before(*id)).sum();
        self.write.guests = put - removed;
        let write = self.write;
        let nothing = write.put.is_empty()
            && write.put_cells.is_empty()
            && write.reschedule.is_empty()
            && write.remove.is_empty()
            && write.events.is_empty();
        Ok((!nothing).then_some(write))
    }

    /// Writes only when to look at a session again.
    pub(crate) fn reschedule(&mut self, row: &Row, due: Timestamp) {
        self.depend(row.id, Some(row));
        self.write.reschedule.push((row.id, due));
    }

    /// Removes a session.
    pub(crate) fn remove(&mut self, row: &Row) {
        self.depend(row.id, Some(row));
        self.write.remove.push(row.id);
    }

    fn row(&self, id: SessionId) -> Option<&'v Row> {
        let view = self.view;
        view.sessions.iter().chain(&view.of_owner).find(|row| row.id == id)
    }

    fn depend(&mut self, id: SessionId, row: Option<&Row>) {
        if self.write.seen.iter().all(|seen| seen.id != id) {
            let seen = row.filter(|_| self.known.is_none()).map(|row| row.seen);
            self.write.seen.push(Seen { id, revision: row.map_or(0, |row| row.revision), seen });
        }
    }

    fn cell(&mut self, key: CellKey) -> Result<Option<&'v Cell>, StoreError> {
        if !self.wanted.cells.contains(&key) {
            self.lack().cells.push(key);
            return Err(broken_off());
        }
        let cell = self.view.cells.iter().find(|cell| cell.key == key);
        if self.write.cells_seen.iter().all(|(seen, _)| *seen != key) {
            self.write.cells_seen.push((key, cell.map_or(0, |cell| cell.version)));
        }
        Ok(cell)
    }

    /// The version that a cell has after this step.
    fn next_version(&mut self, key: CellKey) -> Result<u64, StoreError> {
        let version = self.cell(key)?.map_or(0, |cell| cell.version);
        self.write.put_cells.retain(|cell| cell.key != key);
        Ok(version + 1)
    }

    /// The sessions of a user that have not ended, each with what is wrong about it.
    fn rows_of(
        &mut self,
        realm: &Realm,
        user: &UserId,
    ) -> Result<Vec<Result<Record, StoreError>>, StoreError> {
        let owner = owner_key(realm, user);
        if self.wanted.owner != Some(owner) {
            self.lack().owner = Some(owner);
            return Err(broken_off());
        }
        let rows = &self.view.of_owner;
        self.write.of_owner = Some((owner, rows.iter().map(|row| (row.id, row.revision)).collect()));
        Ok(rows.iter().map(Row::record).collect())
    }

    fn lack(&mut self) -> &mut Want {
        self.lacks.get_or_insert_with(|| self.wanted.clone())
    }
}

/// Ends a step that is begun anew with more in view.
fn broken_off() -> StoreError {
    StoreError::Unavailable("a step wants to know more".into())
}

impl Tables for Draft<'_> {
    type Error = StoreError;

    fn now(&self) -> Timestamp {
        self.now
    }

    fn guests(&mut self) -> Result<u64, StoreError> {
        // The place itself refuses one too many, when it writes.
        Ok(self.view.guests)
    }

    fn session(&mut self, id: SessionId) -> Result<Option<Record>, StoreError> {
        if !self.wanted.sessions.contains(&id) {
            self.lack().sessions.push(id);
            return Err(broken_off());
        }
        let row = self.row(id);
        self.depend(id, row);
        if let Some(known) = self.known.filter(|known| known.id == id) {
            return Ok(Some(known.clone()));
        }
        row.map(Row::record).transpose()
    }

    fn of_user(&mut self, realm: &Realm, user: &UserId) -> Result<Vec<Record>, StoreError> {
        self.rows_of(realm, user)?.into_iter().collect()
    }

    fn readable_of_user(&mut self, realm: &Realm, user: &UserId) -> Result<Vec<Record>, StoreError> {
        let readable = |record: Result<Record, StoreError>| match record {
            Err(error) => {
                tracing::error!(%error, "a session of a user cannot be read");
                None
            }
            Ok(record) => Some(record),
        };
        Ok(self.rows_of(realm, user)?.into_iter().filter_map(readable).collect())
    }

    fn user(&mut self, realm: &Realm, user: &UserId) -> Result<UserRecord, StoreError> {
        self.cell(user_key(realm, user))?.map_or(Ok(UserRecord::default()), user_of)
    }

    fn receipt(&mut self, id: OperationId) -> Result<Option<Replay>, StoreError> {
        self.cell(receipt_key(id))?.map(replay_of).transpose()
    }

    fn put(&mut self, record: Record) -> Result<(), StoreError> {
        let row = self.row(record.id);
        self.depend(record.id, row);
        self.write.put.push(Row::of(&record));
        Ok(())
    }

    fn put_user(&mut self, realm: &Realm, user: &UserId, known: UserRecord) -> Result<(), StoreError> {
        let key = user_key(realm, user);
        let version = self.next_version(key)?;
        self.write.put_cells.push(user_cell(key, version, self.now, (realm, user, &known)));
        Ok(())
    }

    fn keep_receipt(&mut self, id: OperationId, replay: Replay) -> Result<(), StoreError> {
        let key = receipt_key(id);
        let version = self.next_version(key)?;
        self.write.put_cells.push(receipt_cell(key, version, self.now, &replay));
        Ok(())
    }

    fn append(&mut self, event: EventBody) -> Result<(), StoreError> {
        self.write.events.push(event_bytes(&event));
        Ok(())
    }
}
