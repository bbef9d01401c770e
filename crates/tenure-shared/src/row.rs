//! Records, users and receipts as the bytes of rows and cells, each with a checksum.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tenure::clock::Timestamp;
use tenure::event::{Event, EventBody};
use tenure::record::{Record, State};
use tenure::store::{Replay, StoreError, UserRecord};
use tenure::{OperationId, Realm, SessionId, UserId};

use crate::place::{Body, Cell, CellKey, CellKind, Class, Entry, Row};

/// The version of the layout of an event and of a cell: the byte after the checksum.
const FORMAT: u8 = 1;

/// Room for most events and cells.
const ROOM: usize = 256;

/// What to do about damage.
const REMEDY: &str = "restore a backup of the store, or remove what is damaged";

impl Row {
    /// The row of a record.
    pub fn of(record: &Record) -> Self {
        // Activity is written without the record.
        let body = Record { last_seen_at: Timestamp::default(), ..record.clone() }.encode();
        let mut row = Self::without_body(record);
        row.body = [row.sum(&body).to_be_bytes().as_slice(), &body].concat();
        row
    }

    /// The same, but for the bytes of the record.
    pub(crate) fn without_body(record: &Record) -> Self {
        let class = match record.state {
            State::Guest | State::Claimed(_) => Class::Guest,
            State::Pending(_) | State::SignedIn(_) => Class::User,
            State::Ended(_) => Class::Ended,
        };
        let owner = record.user().filter(|_| class == Class::User).map(|user| owner_key(&record.realm, user));
        Self {
            id: record.id,
            class,
            realm: realm_hash(&record.realm),
            owner,
            due: record.ended().map_or_else(|| record.due_at(), |ended| ended.at),
            seen: record.last_seen_at,
            idle_ms: record.idle_ms,
            deadline: record.deadline,
            revision: record.revision,
            body: Vec::new(),
        }
    }

    /// The record.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the row is not what was written.
    pub fn record(&self) -> Result<Record, StoreError> {
        let (sum, body) = self.body.split_first_chunk::<4>().ok_or_else(|| damaged(self.id))?;
        if u32::from_be_bytes(*sum) != self.sum(body) {
            return Err(damaged(self.id));
        }
        let mut record = Record::decode(body).map_err(|_| damaged(self.id))?;
        record.last_seen_at = self.seen;
        Ok(record)
    }

    /// Over all but what changes without the record: the time to look at it, and activity.
    fn sum(&self, body: &[u8]) -> u32 {
        let mut sum = crc32fast::Hasher::new();
        sum.update(self.id.as_bytes());
        sum.update(&[self.class as u8]);
        sum.update(&self.realm.to_be_bytes());
        sum.update(&self.owner.unwrap_or_default());
        sum.update(&self.idle_ms.to_be_bytes());
        sum.update(&self.deadline.as_millis().to_be_bytes());
        sum.update(&self.revision.to_be_bytes());
        sum.update(body);
        sum.finalize()
    }
}

impl Body {
    /// The record of the session of this id.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the bytes are not what was written for it.
    pub fn record(&self, id: SessionId) -> Result<Record, StoreError> {
        let (sum, body) = self.bytes.split_first_chunk::<4>().ok_or_else(|| damaged(id))?;
        let mut record = Record::decode(body).map_err(|_| damaged(id))?;
        if record.id != id || u32::from_be_bytes(*sum) != Row::without_body(&record).sum(body) {
            return Err(damaged(id));
        }
        record.last_seen_at = self.seen;
        Ok(record)
    }
}

fn damaged(id: SessionId) -> StoreError {
    StoreError::Corrupt(format!("session {id} is not as it was written; {REMEDY}"))
}

/// Eight bytes of a hash that stand for a realm in rows.
pub fn realm_hash(realm: &Realm) -> i64 {
    let mut half = [0; 8];
    half.copy_from_slice(&Sha256::digest(realm.as_str())[..8]);
    i64::from_be_bytes(half)
}

/// Sixteen bytes of a hash that stand for a user of a realm in rows and cells.
pub fn owner_key(realm: &Realm, user: &UserId) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in [realm.as_str(), user.as_str()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut key = [0; 16];
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

pub(crate) fn user_key(realm: &Realm, user: &UserId) -> CellKey {
    CellKey { kind: CellKind::User, key: owner_key(realm, user) }
}

pub(crate) fn receipt_key(operation: OperationId) -> CellKey {
    CellKey { kind: CellKind::Receipt, key: *operation.as_bytes() }
}

/// With the user's name, which the key does not tell.
pub(crate) fn user_cell(
    key: CellKey,
    version: u64,
    at: Timestamp,
    (realm, user, known): (&Realm, &UserId, &UserRecord),
) -> Cell {
    Cell { key, version, at, body: sealed(&key.key, &(realm, user, known)) }
}

pub(crate) fn receipt_cell(key: CellKey, version: u64, at: Timestamp, replay: &Replay) -> Cell {
    let body = sealed(&key.key, &(replay.session, serde_bytes::Bytes::new(&replay.receipt)));
    Cell { key, version, at, body }
}

pub(crate) fn user_of(cell: &Cell) -> Result<UserRecord, StoreError> {
    known_user(cell).map(|(_, _, known)| known)
}

pub(crate) fn known_user(cell: &Cell) -> Result<(Realm, UserId, UserRecord), StoreError> {
    opened(&cell.key.key, &cell.body, "what is known of a user")
}

pub(crate) fn replay_of(cell: &Cell) -> Result<Replay, StoreError> {
    let (session, receipt): (SessionId, serde_bytes::ByteBuf) =
        opened(&cell.key.key, &cell.body, "a receipt")?;
    Ok(Replay { session, receipt: receipt.into_vec() })
}

pub(crate) fn event_bytes(body: &EventBody) -> Vec<u8> {
    sealed(&[], body)
}

pub(crate) fn event_of(entry: Entry) -> Result<Event, StoreError> {
    let body = opened(&[], &entry.body, "an event")?;
    Ok(Event { position: entry.position, at: entry.at, body })
}

fn sealed(key: &[u8], value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ROOM);
    bytes.extend([0, 0, 0, 0, FORMAT]);
    rmp_serde::encode::write(&mut bytes, value).expect("nothing here that MessagePack cannot hold");
    let sum = sum(key, &bytes[4..]);
    bytes[..4].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn opened<T: DeserializeOwned>(key: &[u8], bytes: &[u8], what: &str) -> Result<T, StoreError> {
    let opened = bytes.split_first_chunk::<4>().and_then(|(found, body)| match body {
        [FORMAT, packed @ ..] if u32::from_be_bytes(*found) == sum(key, body) => {
            rmp_serde::from_slice(packed).ok()
        }
        _ => None,
    });
    opened.ok_or_else(|| StoreError::Corrupt(format!("{what} is not as it was written; {REMEDY}")))
}

fn sum(key: &[u8], body: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(key);
    sum.update(body);
    sum.finalize()
}
