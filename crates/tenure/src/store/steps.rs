//! The operations of a store: what each reads, lets the [`rules`] decide, and writes.
//!
//! A store brings its [`Tables`] and calls [`create`], [`mutate`], [`end_all_of`] and [`set_disabled`] with
//! them, [`end`] for what housekeeping finds dead, and [`import`] if sessions can move to it. When one of
//! these fails, nothing of the step may stay.
//!
//! Where the atomic step can run Rust, the tables are locked for it. Where it cannot, as in a database on
//! another machine, they are what was read before, and what they are told to write is kept; then the step
//! compares that all is still as it was read, and writes that. `tenure_shared::Place` is this second way,
//! for any engine that several nodes share.
//!
//! # Example: a store of two maps and a log
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::collections::BTreeMap;
//! # use tenure::store::conformance::{self, Fixture};
//! use tenure::clock::Timestamp;
//! use tenure::event::{EventBody, EventKind};
//! use tenure::record::Record;
//! use tenure::store::steps::{self, Tables};
//! use tenure::store::{EndedSessions, Mutation, Operation, Outcome, Replay, StoreError, UserRecord};
//! use tenure::{Actor, EndReason, Ending, OperationId, Realm, SessionId, UserId};
//!
//! struct Maps {
//!     now: Timestamp,
//!     sessions: BTreeMap<SessionId, Record>,
//!     users: BTreeMap<(Realm, UserId), UserRecord>,
//!     receipts: Vec<(OperationId, Replay)>,
//!     log: Vec<EventBody>,
//! }
//!
//! impl Tables for Maps {
//!     type Error = StoreError;
//!
//!     fn now(&self) -> Timestamp {
//!         self.now
//!     }
//!     fn guests(&mut self) -> Result<u64, StoreError> {
//!         Ok(self.sessions.values().filter(|record| record.user().is_none()).count() as u64)
//!     }
//!     fn exists(&mut self, id: SessionId) -> Result<bool, StoreError> {
//!         Ok(self.sessions.contains_key(&id))
//!     }
//!     fn session(&mut self, id: SessionId) -> Result<Option<Record>, StoreError> {
//!         Ok(self.sessions.get(&id).cloned())
//!     }
//!     fn of_user(&mut self, realm: &Realm, user: &UserId) -> Result<Vec<Record>, StoreError> {
//!         let theirs = |record: &&Record| record.realm == *realm && record.user() == Some(user);
//!         Ok(self.sessions.values().filter(theirs).filter(|r| r.ended().is_none()).cloned().collect())
//!     }
//!     fn readable_of_user(&mut self, realm: &Realm, user: &UserId) -> Result<Vec<Record>, StoreError> {
//!         self.of_user(realm, user) // nothing is ever damaged here
//!     }
//!     fn user(&mut self, realm: &Realm, user: &UserId) -> Result<UserRecord, StoreError> {
//!         Ok(self.users.get(&(realm.clone(), user.clone())).cloned().unwrap_or_default())
//!     }
//!     fn receipt(&mut self, id: OperationId) -> Result<Option<Replay>, StoreError> {
//!         Ok(self.receipts.iter().rev().find(|(of, _)| *of == id).map(|(_, replay)| replay.clone()))
//!     }
//!     fn put(&mut self, record: Record) -> Result<(), StoreError> {
//!         self.sessions.insert(record.id, record);
//!         Ok(())
//!     }
//!     fn put_user(&mut self, realm: &Realm, user: &UserId, known: UserRecord) -> Result<(), StoreError> {
//!         self.users.insert((realm.clone(), user.clone()), known);
//!         Ok(())
//!     }
//!     fn keep_receipt(&mut self, id: OperationId, replay: Replay) -> Result<(), StoreError> {
//!         self.receipts.push((id, replay));
//!         Ok(())
//!     }
//!     fn append(&mut self, event: EventBody) -> Result<(), StoreError> {
//!         self.log.push(event);
//!         Ok(())
//!     }
//! }
//!
//! # let fixture = Fixture::open(|| tenure::Memory).await;
//! # let (user, now) = (conformance::user("u_1"), fixture.now());
//! # let owner = conformance::owner(&user);
//! # let (new, admission) = (fixture.signed_in(&user), conformance::admission());
//! # let (first, second, third) = (fixture.operation(), fixture.operation(), fixture.operation());
//! # let (sessions, users) = Default::default();
//! let mut maps = Maps { now, sessions, users, receipts: vec![], log: vec![] };
//! let begun = steps::create(&mut maps, &first, new, &admission)?;
//! let id = begun.record.ok_or("it began")?.id;
//! let set = Mutation::Change { change: conformance::set("cart", b"1", 1) };
//! assert_eq!(steps::mutate(&mut maps, &second, id, set)?.outcome, Outcome::Applied);
//!
//! let logout = Ending::new(EndReason::Logout, Actor::user());
//! let ended = steps::end_all_of(&mut maps, &third, &owner, None, &logout)?;
//! assert_eq!(ended, EndedSessions::now(vec![id]));
//! let again = steps::end_all_of(&mut maps, &third, &owner, None, &logout)?;
//! assert_eq!(again.count, 1, "a retry is told the first answer");
//! steps::set_disabled(&mut maps, &fixture.operation(), &owner, true)?;
//! let kinds: Vec<EventKind> = maps.log.iter().map(|event| event.kind).collect();
//! assert_eq!(kinds, [EventKind::Created, EventKind::Changed, EventKind::Ended, EventKind::UserDisabled]);
//!
//! // Housekeeping ends what is past a limit.
//! # let (fourth, guest) = (fixture.operation(), fixture.guest());
//! let guest = steps::create(&mut maps, &fourth, guest, &admission)?.record.ok_or("it began")?;
//! steps::end(&mut maps, guest, Ending::new(EndReason::IdleTimeout, Actor::system()))?;
//! assert_eq!(maps.log.last().map(|event| event.kind), Some(EventKind::Ended));
//! # Ok(()) }
//! ```

use super::StoreError;
use super::movable::{Item, KnownUser};
use super::operation::{EndedSessions, Mutation, Operation, Outcome, Owner, Replay, Reply, UserRecord};
use super::recent_ends::RecentEnds;
use super::rules::{self, Step, Written};
use crate::clock::Timestamp;
use crate::event::{EventBody, EventKind};
use crate::id::{OperationId, Realm, SessionId, UserId};
use crate::reason::{EndReason, Ending};
use crate::record::{Admission, NewSession, Record, Refusal};

/// What the receipt of a user's [`RecentEnds`] names as its session.
pub const NO_SESSION: SessionId = SessionId::from_bytes([0; 16]);

/// What a store holds, locked for one atomic step. No step reads what it has written before. The
/// [module](self) shows one.
pub trait Tables {
    /// What goes wrong with reading and writing.
    type Error: From<StoreError>;

    /// The store's time in this step.
    fn now(&self) -> Timestamp;

    /// How many guests the store holds.
    ///
    /// # Errors
    /// When it cannot be read.
    fn guests(&mut self) -> Result<u64, Self::Error>;

    /// A session, also an ended one.
    ///
    /// # Errors
    /// When it cannot be read.
    fn session(&mut self, id: SessionId) -> Result<Option<Record>, Self::Error>;

    /// Whether there is a session of this id, for those who can say it without reading it.
    ///
    /// # Errors
    /// When it cannot be read.
    fn exists(&mut self, id: SessionId) -> Result<bool, Self::Error> {
        Ok(self.session(id)?.is_some())
    }

    /// The sessions of a user that have not ended, by id.
    ///
    /// # Errors
    /// When they cannot be read.
    fn of_user(&mut self, realm: &Realm, user: &UserId) -> Result<Vec<Record>, Self::Error>;

    /// The same without those that are damaged: nobody can check those either, and the others are
    /// to end all the same.
    ///
    /// # Errors
    /// When they cannot be read.
    fn readable_of_user(&mut self, realm: &Realm, user: &UserId) -> Result<Vec<Record>, Self::Error> {
        self.of_user(realm, user)
    }

    /// What is known of a user; the default for one never heard of.
    ///
    /// # Errors
    /// When it cannot be read.
    fn user(&mut self, realm: &Realm, user: &UserId) -> Result<UserRecord, Self::Error>;

    /// What an operation left for its retries.
    ///
    /// # Errors
    /// When it cannot be read.
    fn receipt(&mut self, id: OperationId) -> Result<Option<Replay>, Self::Error>;

    /// Writes a session, new or changed.
    ///
    /// # Errors
    /// When it cannot be written.
    fn put(&mut self, record: Record) -> Result<(), Self::Error>;

    /// Writes what is known of a user.
    ///
    /// # Errors
    /// When it cannot be written.
    fn put_user(&mut self, realm: &Realm, user: &UserId, known: UserRecord) -> Result<(), Self::Error>;

    /// Leaves something for the retries of an operation, in place of what it left before.
    ///
    /// # Errors
    /// When it cannot be written.
    fn keep_receipt(&mut self, id: OperationId, replay: Replay) -> Result<(), Self::Error>;

    /// Appends to the log.
    ///
    /// # Errors
    /// When it cannot be written.
    fn append(&mut self, event: EventBody) -> Result<(), Self::Error>;
}

/// Begins a session: [`Store::create`](super::Store::create).
///
/// # Errors
/// Those of the tables.
pub fn create<T: Tables>(
    tables: &mut T,
    operation: &Operation,
    new: NewSession,
    admission: &Admission,
) -> Result<Reply, T::Error> {
    let id = new.id;
    if tables.exists(id)? {
        return carry_out(tables, operation, id, Step::Replayed);
    }
    if let Some(first) = tables.receipt(operation.id)? {
        return carry_out(tables, operation, first.session, Step::Replayed);
    }
    let (others, user) = match new.state.user() {
        Some(user) => (tables.of_user(&new.realm, user)?, tables.user(&new.realm, user)?),
        None => Default::default(),
    };
    let (guests, now) = (tables.guests()?, tables.now());
    let step = rules::create(operation, new, &others, &user, guests, admission, now);
    carry_out(tables, operation, id, step)
}

/// Makes one change to one session: [`Store::mutate`](super::Store::mutate).
///
/// # Errors
/// Those of the tables.
pub fn mutate<T: Tables>(
    tables: &mut T,
    operation: &Operation,
    id: SessionId,
    mutation: Mutation,
) -> Result<Reply, T::Error> {
    let Some(record) = tables.session(id)? else {
        return Ok(Reply::refused(Refusal::Missing, None));
    };
    let (others, user) = match record.user() {
        Some(user) if rules::needs_others(&record, &mutation) => {
            (tables.of_user(&record.realm, user)?, tables.user(&record.realm, user)?)
        }
        _ => Default::default(),
    };
    let step = rules::mutate(record, operation, mutation, &others, &user, tables.now());
    carry_out(tables, operation, id, step)
}

/// Ends all sessions of a user but one: [`Store::end_all_of`](super::Store::end_all_of).
///
/// # Errors
/// Those of the tables.
pub fn end_all_of<T: Tables>(
    tables: &mut T,
    operation: &Operation,
    owner: &Owner,
    except: Option<SessionId>,
    ending: &Ending,
) -> Result<EndedSessions, T::Error> {
    let Owner { realm, user, .. } = owner;
    once(tables, operation, owner, |tables| {
        let mut known = tables.user(realm, user)?;
        known.signed_out(tables.now());
        tables.put_user(realm, user, known)?;
        end_all(tables, owner, except, ending)
    })
}

/// Disables a user and ends all sessions, or enables them again:
/// [`Store::set_disabled`](super::Store::set_disabled).
///
/// # Errors
/// Those of the tables.
pub fn set_disabled<T: Tables>(
    tables: &mut T,
    operation: &Operation,
    owner: &Owner,
    disabled: bool,
) -> Result<EndedSessions, T::Error> {
    let Owner { realm, user, .. } = owner;
    once(tables, operation, owner, |tables| {
        let (mut known, now) = (tables.user(realm, user)?, tables.now());
        if known.disabled_at.is_some() == disabled {
            return Ok(Vec::new());
        }
        if disabled {
            known.signed_out(now);
        }
        known.disabled_at = disabled.then_some(now);
        tables.put_user(realm, user, known)?;
        let kind = if disabled { EventKind::UserDisabled } else { EventKind::UserEnabled };
        let actor = operation.actor.clone();
        tables.append(EventBody::of_user(kind, realm, user, actor.clone()))?;
        if !disabled {
            return Ok(Vec::new());
        }
        end_all(tables, owner, None, &Ending::new(EndReason::UserDisabled, actor))
    })
}

/// Does `work` for a user unless this operation has been done before; then gives the first answer.
fn once<T: Tables>(
    tables: &mut T,
    operation: &Operation,
    owner: &Owner,
    work: impl FnOnce(&mut T) -> Result<Vec<SessionId>, T::Error>,
) -> Result<EndedSessions, T::Error> {
    let key = RecentEnds::key(&owner.realm, &owner.user);
    let kept = tables.receipt(key)?;
    let mut recent = kept.map(|kept| RecentEnds::read(&kept.receipt)).unwrap_or_default();
    if let Some(first) = recent.answer(operation.id) {
        return Ok(first);
    }
    let ended = EndedSessions::now(work(tables)?);
    recent.add(operation.id, &ended);
    let replay = Replay { session: NO_SESSION, receipt: recent.receipt() };
    tables.keep_receipt(key, replay)?;
    Ok(ended)
}

fn end_all<T: Tables>(
    tables: &mut T,
    owner: &Owner,
    except: Option<SessionId>,
    ending: &Ending,
) -> Result<Vec<SessionId>, T::Error> {
    let mut ended = Vec::new();
    for record in tables.readable_of_user(&owner.realm, &owner.user)? {
        if Some(record.id) != except {
            ended.push(record.id);
            end(tables, record, ending.clone())?;
        }
    }
    Ok(ended)
}

/// Ends a session that has not ended. One that had died of a limit before is told as that.
///
/// # Errors
/// Those of the tables.
pub fn end<T: Tables>(tables: &mut T, record: Record, ending: Ending) -> Result<(), T::Error> {
    let (record, event) = rules::end(record, ending, None, tables.now());
    tables.put(record)?;
    tables.append(event)
}

/// Takes items of another store as they are: [`Movable::import`](super::Movable::import). Gives how many
/// were not there yet or were different.
///
/// # Errors
/// Those of the tables.
pub fn import<'i, T: Tables>(
    tables: &mut T,
    items: impl IntoIterator<Item = &'i Item>,
) -> Result<u64, T::Error> {
    let mut changed = 0;
    for item in items {
        let is_new = match item {
            Item::Session(record) => {
                let there = tables.session(record.id)?;
                let is_new = there.is_none_or(|there| there != **record && there.revision <= record.revision);
                if is_new {
                    tables.put(Record::clone(record))?;
                }
                is_new
            }
            Item::User(known) => {
                let KnownUser { realm, user, record, recent_ends } = &**known;
                let there = tables.user(realm, user)?;
                let is_new = there != *record && there.epoch <= record.epoch;
                if is_new {
                    tables.put_user(realm, user, record.clone())?;
                }
                let recent = Replay { session: NO_SESSION, receipt: recent_ends.clone() };
                leave(tables, RecentEnds::key(realm, user), &recent)? || is_new
            }
            Item::Receipt { operation, replay } => leave(tables, *operation, replay)?,
        };
        changed += u64::from(is_new);
    }
    Ok(changed)
}

/// Leaves a receipt if there is none like it. Gives whether there was none.
fn leave<T: Tables>(tables: &mut T, operation: OperationId, replay: &Replay) -> Result<bool, T::Error> {
    let there = tables.receipt(operation)?;
    let is_new = there.map_or(!replay.receipt.is_empty(), |there| there != *replay);
    if is_new {
        tables.keep_receipt(operation, replay.clone())?;
    }
    Ok(is_new)
}

fn carry_out<T: Tables>(
    tables: &mut T,
    operation: &Operation,
    id: SessionId,
    step: Step,
) -> Result<Reply, T::Error> {
    let outcome = match step {
        Step::Apply(written) => return apply(tables, operation, *written),
        Step::Unchanged => Outcome::Unchanged,
        Step::Replayed => Outcome::Replayed,
        Step::Refused(refusal) => Outcome::Refused(refusal),
    };
    let receipt = match outcome {
        Outcome::Replayed => tables.receipt(operation.id)?.map(|replay| replay.receipt),
        _ => None,
    };
    Ok(Reply { outcome, record: tables.session(id)?, ended: Vec::new(), receipt })
}

fn apply<T: Tables>(tables: &mut T, operation: &Operation, written: Written) -> Result<Reply, T::Error> {
    let Written { record, event, pushed_out, refused } = written;
    let mut ended = Vec::new();
    for (record, event) in pushed_out {
        ended.push(record.id);
        tables.put(record)?;
        tables.append(event)?;
    }
    tables.put(record.clone())?;
    if let Some(event) = event {
        tables.append(event)?;
    }
    if let Some(receipt) = operation.receipt.clone().filter(|_| refused.is_none()) {
        tables.keep_receipt(operation.id, Replay { session: record.id, receipt })?;
    }
    let outcome = refused.map_or(Outcome::Applied, Outcome::Refused);
    Ok(Reply { outcome, record: Some(record), ended, receipt: None })
}
