//! What each operation does to a record: pure functions for stores that can run them
//! inside their atomic step, and the reference for those that cannot.
//!
//! # Example: a mutation in a store that can run them
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::collections::BTreeMap;
//! # use tenure::store::conformance::{self, Fixture};
//! use tenure::clock::Timestamp;
//! use tenure::event::{EventBody, EventKind};
//! use tenure::record::Record;
//! use tenure::store::rules::{self, Step, Written};
//! use tenure::store::{Mutation, Operation, Touch, UserRecord};
//! use tenure::{EndReason, Refusal, SessionId};
//!
//! /// The tables of a store, locked for one step.
//! #[derive(Default)]
//! struct Tables {
//!     sessions: BTreeMap<SessionId, Record>,
//!     log: Vec<EventBody>,
//! }
//!
//! impl Tables {
//!     fn others(&self, record: &Record) -> Vec<Record> {
//!         let of_user = self.sessions.values().filter(|other| other.user() == record.user());
//!         of_user.filter(|other| other.id != record.id && other.ended().is_none()).cloned().collect()
//!     }
//!
//!     fn write(&mut self, step: Step) -> Result<bool, Refusal> {
//!         let Written { record, event, pushed_out, refused } = match step {
//!             Step::Apply(written) => *written,
//!             Step::Unchanged | Step::Replayed => return Ok(false),
//!             Step::Refused(refusal) => return Err(refusal),
//!         };
//!         for (record, event) in pushed_out {
//!             self.sessions.insert(record.id, record);
//!             self.log.push(event);
//!         }
//!         self.sessions.insert(record.id, record);
//!         self.log.extend(event);
//!         refused.map_or(Ok(true), Err)
//!     }
//!
//!     fn mutate(&mut self, by: &Operation, id: SessionId, what: Mutation, now: Timestamp) -> Result<bool, Refusal> {
//!         let record = self.sessions.get(&id).cloned().ok_or(Refusal::Missing)?;
//!         let others = if rules::needs_others(&record, &what) { self.others(&record) } else { vec![] };
//!         self.write(rules::mutate(record, by, what, &others, &UserRecord::default(), now))
//!     }
//! }
//!
//! # let fixture = Fixture::open(|| tenure::Memory).await;
//! # let (user, now, mut tables) = (conformance::user("u_1"), fixture.now(), Tables::default());
//! # let (new, admission, operation) = (fixture.signed_in(&user), conformance::admission(), fixture.operation());
//! # let id = new.id;
//! let step = rules::create(&operation, new, &[], &UserRecord::default(), 0, &admission, now);
//! assert_eq!(tables.write(step), Ok(true));
//!
//! // Activity is no mutation and is not told.
//! assert_eq!(rules::touched(&tables.sessions[&id], &Touch { id, at: now }, now), None, "nothing newer");
//!
//! // The sweep ends what is past a limit, and forgets it a day later.
//! let due = tables.sessions[&id].due_at();
//! assert_eq!(tables.mutate(&fixture.operation(), id, Mutation::EndIfDue, due), Ok(true));
//! let ended = tables.sessions[&id].ended().ok_or("it ended")?;
//! assert_eq!(ended.ending.reason, EndReason::IdleTimeout);
//! let kept = rules::kept_until(&tables.sessions[&id], ended.at, 86_400_000);
//! assert_eq!(kept.since(ended.at).as_secs(), 86_400);
//! assert_eq!(tables.log.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::Created, EventKind::Ended]);
//! # Ok(()) }
//! ```

use std::time::Duration;

use super::operation::{Authentication, Mutation, Operation, Proof, Touch, UserRecord};
use crate::clock::Timestamp;
use crate::event::{EventBody, EventKind};
use crate::id::SessionId;
use crate::reason::{Actor, EndReason, Ending};
use crate::record::{
    Admission, AtLimit, Claim, Identity, MAX_SESSIONS, NewSession, NewState, Record, Refusal, State,
};

/// How long a claimed guest can still move, in milliseconds. Much shorter than the time for
/// which ended sessions are kept: what has begun and ended in between must not begin again.
pub const CLAIM_LIFETIME_MS: u64 = 3_600_000;

/// How many operations a record remembers.
pub const REMEMBERED: usize = 16;

/// What a mutation comes to. Write the records and append the events in one atomic step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write this.
    Apply(Box<Written>),
    /// It is so already: nothing to write.
    Unchanged,
    /// The operation is known: nothing to write.
    Replayed,
    /// Refused: nothing to write.
    Refused(Refusal),
}

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The session's record.
    pub record: Record,
    /// What happened to it; none for a session that was refused before it began.
    pub event: Option<EventBody>,
    /// Other sessions of the user that it pushed out, with their ends.
    pub pushed_out: Vec<(Record, EventBody)>,
    /// Why the session was refused, when its id was only used up.
    pub refused: Option<Refusal>,
}

/// Begins a session. `others` are the user's records that have not ended (none are needed
/// for a guest), `guests` the number of guests in the store. Whether the id exists already
/// is for the store to see first.
pub fn create(
    operation: &Operation,
    new: NewSession,
    others: &[Record],
    user: &UserRecord,
    guests: u64,
    admission: &Admission,
    now: Timestamp,
) -> Step {
    let admitted = match &new.state {
        NewState::Guest if guests >= admission.max_guests => {
            Err(Refusal::GuestLimit { allowed: admission.max_guests })
        }
        NewState::Guest => Ok(Vec::new()),
        NewState::Pending(_) => {
            may_begin(user, admission).and_then(|()| admit_pending(others, admission, now))
        }
        NewState::SignedIn(_) => may_begin(user, admission).and_then(|()| admit(others, admission, now)),
    };
    let from_claim = new.previous.is_some() && admission.burn;
    if from_claim && now.since(new.id.made_at()) > Duration::from_millis(CLAIM_LIFETIME_MS) {
        return Step::Refused(Refusal::SignedOut);
    }
    // Until then its end is known: see `kept_until`.
    if new.adopted_until.is_some_and(|until| now >= until) {
        return Step::Refused(Refusal::Ended(EndReason::AbsoluteTimeout));
    }
    let record = match new.record(now) {
        Ok(record) => remember(record, operation),
        Err(refusal) => return Step::Refused(refusal),
    };
    match admitted {
        Ok(pushed_out) => {
            let event = Some(EventBody::of(EventKind::Created, &record, operation.actor.clone()));
            Step::Apply(Box::new(Written { record, event, pushed_out, refused: None }))
        }
        Err(refusal) if from_claim => {
            let record = record.burnt(EndReason::Revoked, now);
            Step::Apply(Box::new(Written {
                record,
                event: None,
                pushed_out: Vec::new(),
                refused: Some(refusal),
            }))
        }
        Err(refusal) => Step::Refused(refusal),
    }
}

fn may_begin(user: &UserRecord, admission: &Admission) -> Result<(), Refusal> {
    if user.disabled_at.is_some() {
        return Err(Refusal::UserDisabled);
    }
    if admission.epoch.is_some_and(|epoch| epoch != user.epoch) {
        return Err(Refusal::SignedOut);
    }
    Ok(())
}

fn admit_pending(
    others: &[Record],
    admission: &Admission,
    now: Timestamp,
) -> Result<Vec<(Record, EventBody)>, Refusal> {
    let pending =
        others.iter().filter(|r| matches!(r.state, State::Pending(_)) && r.dead(now).is_none()).count();
    if pending >= admission.max_pending as usize {
        Err(Refusal::PendingLimit { allowed: admission.max_pending })
    } else {
        Ok(Vec::new())
    }
}

/// Makes room for one more signed-in session among `others`.
fn admit(
    others: &[Record],
    admission: &Admission,
    now: Timestamp,
) -> Result<Vec<(Record, EventBody)>, Refusal> {
    let mut live: Vec<&Record> = others.iter().filter(|r| r.is_live_of_user(now)).collect();
    let limit = admission.max_sessions.min(MAX_SESSIONS);
    let allowed = limit as usize;
    if live.len() < allowed {
        return Ok(Vec::new());
    }
    match admission.at_limit {
        AtLimit::Refuse => return Err(Refusal::SessionLimit { allowed: limit }),
        AtLimit::EndOldest => live.sort_by_key(|r| (r.created_at, r.id)),
        AtLimit::EndLongestIdle => live.sort_by_key(|r| (r.last_seen_at, r.id)),
    }
    let too_many = live.len() + 1 - allowed.max(1);
    let ending = Ending::new(EndReason::SessionLimit, Actor::system());
    Ok(live.into_iter().take(too_many).map(|r| end(r.clone(), ending.clone(), None, now)).collect())
}

/// Changes a session. `others` are the user's other records that have not ended; only
/// [`needs_others`] mutations look at them.
pub fn mutate(
    record: Record,
    operation: &Operation,
    mutation: Mutation,
    others: &[Record],
    user: &UserRecord,
    now: Timestamp,
) -> Step {
    if record.recent.contains(&operation.id.short()) {
        return Step::Replayed;
    }
    let actor = operation.actor.clone();
    let mut pushed_out = Vec::new();
    let changed = match mutation {
        Mutation::Change { change } => record
            .admits(change.generation, now)
            .and_then(|()| record.changed(&change))
            .map(|record| (record, EventKind::Changed)),
        Mutation::Prepare { generation, successor, grace } => {
            match record.prepared(generation, successor, grace, now) {
                Ok(Some(record)) => Ok((record, EventKind::RotationPrepared)),
                Ok(None) => return Step::Unchanged,
                Err(refusal) => Err(refusal),
            }
        }
        Mutation::Confirm { generation } => match record.confirmed(generation, now) {
            Ok(Some(record)) => Ok((record, EventKind::Rotated)),
            Ok(None) => return Step::Unchanged,
            Err(refusal) => Err(refusal),
        },
        Mutation::Authenticate(authentication) => {
            let room = if matches!(record.state, State::Pending(_)) && record.dead(now).is_none() {
                may_begin(user, &authentication.admission).and_then(|()| match authentication.pending {
                    true => Ok(Vec::new()),
                    false => admit(others, &authentication.admission, now),
                })
            } else {
                Ok(Vec::new())
            };
            room.and_then(|out| {
                pushed_out = out;
                record.authenticated(*authentication, now)
            })
            .map(|record| (record, EventKind::Authenticated))
        }
        Mutation::SetRoles(roles) => record
            .admits(None, now)
            .and_then(|()| record.with_roles(roles))
            .map(|record| (record, EventKind::RolesChanged)),
        Mutation::Claim { generation, claim } => record
            .admits(Some(generation), now)
            .and_then(|()| record.claimed(claim))
            .map(|record| (record, EventKind::Claimed)),
        Mutation::Release { attempt } => match (&record.state, record.dead(now)) {
            (_, Some(reason)) => Err(Refusal::Ended(reason)),
            (State::Claimed(claim), None) if claim.attempt == attempt => {
                let mut record = Record { state: State::Guest, ..record };
                // The attempt may come again, now that it was refused.
                record.recent.retain(|known| *known != attempt.short());
                Ok((record, EventKind::Released))
            }
            _ => return Step::Unchanged,
        },
        Mutation::End { ending, next } => {
            if record.ended().is_some() {
                return Step::Unchanged;
            }
            let (record, event) = end(record, ending, next, now);
            return written(remember(record, operation), event, Vec::new());
        }
        Mutation::EndIfDue => match record.dead(now) {
            Some(reason) if record.ended().is_none() => {
                let (record, event) = end(record, Ending::new(reason, Actor::system()), None, now);
                return written(remember(record, operation), event, Vec::new());
            }
            _ => return Step::Unchanged,
        },
    };
    match changed {
        Ok((record, kind)) => {
            let record = remember(Record { revision: record.revision + 1, ..record }, operation);
            let event = EventBody::of(kind, &record, actor);
            written(record, event, pushed_out)
        }
        Err(refusal) => Step::Refused(refusal),
    }
}

/// Whether [`mutate`] wants to see the user's other sessions for this.
pub fn needs_others(record: &Record, mutation: &Mutation) -> bool {
    matches!((&record.state, mutation), (State::Pending(_), Mutation::Authenticate(_)))
}

/// Ends a record that has not ended, and says so: [`Claim`] shows it. One that had died of a limit before is told
/// as that.
pub fn end(record: Record, ending: Ending, next: Option<SessionId>, now: Timestamp) -> (Record, EventBody) {
    let ending = match record.dead(now) {
        Some(limit) => Ending::new(limit, Actor::system()),
        None => ending,
    };
    let ended = record.end(ending.clone(), next, now);
    let ended = Record { revision: ended.revision + 1, ..ended };
    let event = EventBody::ended(&ended, ending);
    (ended, event)
}

/// Until when the record of a session that ended at `ended_at` is kept. One that was adopted is
/// kept for as long as a cookie from elsewhere could begin it, whatever became of its own limits.
pub fn kept_until(record: &Record, ended_at: Timestamp, keep_ended_ms: u64) -> Timestamp {
    let kept = ended_at.plus(Duration::from_millis(keep_ended_ms));
    record.adopted_until.map_or(kept, |until| kept.max(until))
}

/// The time of last activity after `touch`, if it moves: forward only, never past `now`,
/// and only while the session was alive at that moment.
pub fn touched(record: &Record, touch: &Touch, now: Timestamp) -> Option<Timestamp> {
    let at = touch.at.min(now);
    let counts = record.ended().is_none() && at < record.due_at() && at > record.last_seen_at;
    counts.then_some(at)
}

fn written(record: Record, event: EventBody, pushed_out: Vec<(Record, EventBody)>) -> Step {
    Step::Apply(Box::new(Written { record, event: Some(event), pushed_out, refused: None }))
}

fn remember(mut record: Record, operation: &Operation) -> Record {
    if record.recent.len() >= REMEMBERED {
        record.recent.remove(0);
    }
    record.recent.push(operation.id.short());
    record
}

impl Record {
    fn changed(self, change: &crate::record::Change) -> Result<Self, Refusal> {
        let data = change.apply(self.data, self.version)?;
        Ok(Self { data, version: self.version + 1, ..self })
    }

    fn prepared(
        self,
        generation: u32,
        successor: crate::record::Successor,
        grace: crate::record::Grace,
        now: Timestamp,
    ) -> Result<Option<Self>, Refusal> {
        self.admits(None, now)?;
        if generation != self.secrets.generation {
            return Err(Refusal::Superseded);
        }
        if self.secrets.successor.is_some() {
            return Ok(None);
        }
        if let Some(wait) = self.secrets.must_wait(grace, now) {
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            return Err(Refusal::TooSoon { wait_ms });
        }
        let mut record = self;
        record.secrets.successor = Some(successor);
        record.secrets.rotate_soon = false;
        Ok(Some(record))
    }

    fn confirmed(self, generation: u32, now: Timestamp) -> Result<Option<Self>, Refusal> {
        self.admits(None, now)?;
        if generation == self.secrets.generation {
            return Ok(None);
        }
        if generation != self.secrets.generation + 1 {
            return Err(Refusal::Superseded);
        }
        let secrets = self.secrets.confirmed(now).ok_or(Refusal::Superseded)?;
        Ok(Some(Self { secrets, ..self }))
    }

    fn authenticated(self, by: Authentication, now: Timestamp) -> Result<Self, Refusal> {
        self.admits(None, now)?;
        if by.generation != self.secrets.generation {
            return Err(Refusal::Superseded);
        }
        let before = match self.state {
            State::Pending(identity) | State::SignedIn(identity) => identity,
            _ => return Err(Refusal::WrongState),
        };
        if before.user != by.identity.user {
            return Err(Refusal::WrongState);
        }
        if by.proof == Proof::Completes && before.roles != by.identity.roles {
            return Err(Refusal::RolesChanged);
        }
        let mut record = Self { state: State::Guest, secrets: self.secrets.replaced(by.hash, now), ..self };
        record.last_seen_at = record.last_seen_at.max(now);
        if let Some(limits) = by.renewal {
            record.idle_ms = limits.idle_ms;
            record.deadline = now.plus(Duration::from_millis(limits.absolute_ms));
            record.persistent = limits.persistent;
        }
        let identity = match by.proof {
            Proof::Full => by.identity.at(now),
            Proof::StepUp => before.stepped_up(by.identity, now),
            Proof::Completes => Identity { authenticated_at: now, ..before.stepped_up(by.identity, now) },
        };
        record.state = if by.pending { State::Pending(identity) } else { State::SignedIn(identity) };
        Ok(record)
    }

    fn with_roles(self, mut roles: Vec<crate::id::Role>) -> Result<Self, Refusal> {
        roles.sort();
        roles.dedup();
        let state = match self.state {
            State::Pending(identity) => State::Pending(crate::record::Identity { roles, ..identity }),
            State::SignedIn(identity) => State::SignedIn(crate::record::Identity { roles, ..identity }),
            _ => return Err(Refusal::WrongState),
        };
        let mut record = Self { state, ..self };
        record.secrets.rotate_soon = true;
        Ok(record)
    }

    fn claimed(self, claim: Box<Claim>) -> Result<Self, Refusal> {
        match self.state {
            State::Guest => Ok(Self { state: State::Claimed(claim), ..self }),
            _ => Err(Refusal::WrongState),
        }
    }
}
