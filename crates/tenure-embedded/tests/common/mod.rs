//! What the tests of this crate share: a place for a store, and sessions to put there.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use tenure::clock::TestClock;
use tenure::event::{Event, EventKind};
use tenure::random::SystemRandom;
use tenure::record::{Change, NewSession, NewState, Record};
use tenure::store::conformance::{admission, identity, logout, sealed};
use tenure::store::{Context, Engine, EventPage, Mutation, Operation, Outcome, Reply, Store, StoreError};
use tenure::{Actor, SecretHash};
use tenure::{OperationId, Realm, SessionId, UserId};
use tenure_embedded::Embedded;

/// A folder for a store and one for its key, and the clock it lives by.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) clock: TestClock,
}

impl Default for Place {
    fn default() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: TestClock::default() }
    }
}

impl Place {
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.store().join("tenure.db")
    }

    pub(crate) fn engine(&self) -> Embedded {
        Embedded::at(self.store()).config_dir(self.config())
    }

    pub(crate) async fn try_open(&self, engine: Embedded) -> Result<Arc<dyn Store>, StoreError> {
        let context = Context::new(Arc::new(self.clock.clone()), Arc::new(SystemRandom));
        Box::new(engine).open(context).await.map(|opened| opened.store)
    }

    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        self.try_open(self.engine()).await.unwrap()
    }

    /// How many durable commits the store has made in its life.
    pub(crate) fn commits(&self) -> u64 {
        let reader = Connection::open_with_flags(self.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let commits: i64 = reader.query_row("SELECT commits FROM head", [], |row| row.get(0)).unwrap();
        u64::try_from(commits).unwrap()
    }

    /// Why it does not open.
    pub(crate) async fn refusal(&self, engine: Embedded) -> StoreError {
        self.try_open(engine).await.err().expect("it does not open")
    }
}

/// Ids in order, all different.
pub(crate) fn new_id() -> SessionId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut id = [0; 16];
    id[..6].copy_from_slice(&1_767_225_600_000_u64.to_be_bytes()[2..]);
    id[8..].copy_from_slice(&NEXT.fetch_add(1, Ordering::SeqCst).to_be_bytes());
    SessionId::from_bytes(id)
}

pub(crate) fn operation() -> Operation {
    Operation { id: OperationId::random(&SystemRandom), actor: Actor::application(), receipt: None }
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// A session with this much data.
pub(crate) fn session(state: NewState, data: usize) -> NewSession {
    let mut values = BTreeMap::new();
    if data > 0 {
        values.insert("cart".to_owned(), sealed(&vec![7; data - 4]).into());
    }
    NewSession {
        id: new_id(),
        realm: Realm::default(),
        state,
        previous: None,
        idle_ms: 1_800_000,
        absolute_ms: 43_200_000,
        persistent: false,
        hash: SecretHash::from_bytes([7; 32]),
        device: vec![9; 60],
        data: values,
        adopted_until: None,
    }
}

pub(crate) fn signed_in(name: &str) -> NewSession {
    session(NewState::SignedIn(identity(&user(name))), 300)
}

pub(crate) async fn begin(store: &dyn Store, new: NewSession) -> Result<Record, StoreError> {
    let reply = store.create(&operation(), new, &admission()).await?;
    assert_eq!(reply.outcome, Outcome::Applied);
    Ok(reply.record.unwrap())
}

pub(crate) async fn end(store: &dyn Store, id: SessionId) -> Result<Reply, StoreError> {
    store.mutate(&operation(), id, logout()).await
}

pub(crate) async fn put(
    store: &dyn Store,
    id: SessionId,
    key: &str,
    value: &[u8],
) -> Result<Reply, StoreError> {
    let change =
        Change { set: BTreeMap::from([(key.to_owned(), sealed(value).into())]), ..Change::default() };
    store.mutate(&operation(), id, Mutation::Change { change }).await
}

pub(crate) async fn events(store: &dyn Store) -> Vec<Event> {
    match store.events(0, None, 1_000_000).await.unwrap() {
        EventPage::Events(events) => events,
        other => panic!("{other:?}"),
    }
}

/// How often the log tells the end of a session.
pub(crate) async fn ends_told(store: &dyn Store, id: SessionId) -> usize {
    let is_end = |event: &&Event| event.body.kind == EventKind::Ended && event.body.session == Some(id);
    events(store).await.iter().filter(is_end).count()
}
