//! The transaction as the steps of the core see it, and activity, which is no step.

use tenure::clock::Timestamp;
use tenure::event::EventBody;
use tenure::record::Record;
use tenure::store::steps::Tables;
use tenure::store::{Replay, Touch, UserRecord, rules};
use tenure::{OperationId, Realm, SessionId, UserId};

use crate::error::{Failure, Result};
use crate::txn::Txn;
use crate::{log, rows};

impl Tables for Txn<'_> {
    type Error = Failure;

    fn now(&self) -> Timestamp {
        self.now
    }

    fn guests(&mut self) -> Result<u64> {
        Ok(self.head.guests())
    }

    fn session(&mut self, id: SessionId) -> Result<Option<Record>> {
        Ok(rows::find(self.conn, id)?.map(|stored| stored.record))
    }

    fn exists(&mut self, id: SessionId) -> Result<bool> {
        Ok(rows::columns(self.conn, id)?.is_some())
    }

    fn of_user(&mut self, realm: &Realm, user: &UserId) -> Result<Vec<Record>> {
        rows::of_user(self.conn, realm, user)
    }

    fn readable_of_user(&mut self, realm: &Realm, user: &UserId) -> Result<Vec<Record>> {
        rows::readable_of_user(self.conn, realm, user)
    }

    fn user(&mut self, realm: &Realm, user: &UserId) -> Result<UserRecord> {
        log::user(self.conn, realm, user)
    }

    fn receipt(&mut self, id: OperationId) -> Result<Option<Replay>> {
        log::receipt(self.conn, id)
    }

    fn put(&mut self, mut record: Record) -> Result<()> {
        self.write(&mut record)
    }

    fn put_user(&mut self, realm: &Realm, user: &UserId, known: UserRecord) -> Result<()> {
        self.wrote();
        log::put_user(self.conn, realm, user, &known)
    }

    fn keep_receipt(&mut self, id: OperationId, replay: Replay) -> Result<()> {
        self.wrote();
        log::keep_receipt(self.conn, id, self.now, &replay)
    }

    fn append(&mut self, event: EventBody) -> Result<()> {
        self.tell(&event)
    }
}

/// Records activity. A session that cannot be read is passed over: the others are not to
/// suffer for it, and its own user meets the damage at the next check.
pub(crate) fn touch(txn: &mut Txn<'_>, touches: &[Touch]) -> Result<()> {
    for touch in touches {
        let mut stored = match rows::find(txn.conn, touch.id) {
            Ok(Some(stored)) => stored,
            Ok(None) => continue,
            Err(failure) if failure.is_damage() => {
                tracing::error!(session = %touch.id, error = %failure.0, "activity was not recorded");
                continue;
            }
            Err(failure) => return Err(failure),
        };
        if let Some(at) = rules::touched(&stored.record, touch, txn.now) {
            rows::touch(txn.conn, &mut stored, at)?;
            txn.wrote();
        }
    }
    Ok(())
}
