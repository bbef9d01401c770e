//! The steps of the store, each inside a transaction, by the rules of the core.

use tenure::Refusal;
use tenure::event::{EventBody, EventKind};
use tenure::record::Admission;
use tenure::record::{NewSession, Record};
use tenure::store::rules::{self, Step, Written};
use tenure::store::{
    EndedSessions, Mutation, Operation, Outcome, RecentEnds, Replay, Reply, Touch, UserRecord,
};
use tenure::{Actor, EndReason, Ending};
use tenure::{Realm, SessionId, UserId};

use crate::error::Result;
use crate::txn::Txn;
use crate::{log, rows};

/// Begins a session.
pub(crate) fn create(
    txn: &mut Txn<'_>,
    operation: &Operation,
    new: NewSession,
    admission: &Admission,
) -> Result<Reply> {
    let id = new.id;
    if rows::columns(txn.conn, id)?.is_some() {
        return carry_out(txn, operation, id, Step::Replayed);
    }
    if let Some(first) = log::receipt(txn.conn, operation.id)? {
        return carry_out(txn, operation, first.session, Step::Replayed);
    }
    let (others, user) = match new.state.user() {
        Some(user) => about(txn, &new.realm, user)?,
        None => Default::default(),
    };
    let guests = txn.head.guests();
    let step = rules::create(operation, new, &others, &user, guests, admission, txn.now);
    carry_out(txn, operation, id, step)
}

/// Makes one change to one session.
pub(crate) fn mutate(
    txn: &mut Txn<'_>,
    operation: &Operation,
    id: SessionId,
    mutation: Mutation,
) -> Result<Reply> {
    let Some(stored) = rows::find(txn.conn, id)? else {
        return Ok(Reply::refused(Refusal::Missing, None));
    };
    let record = stored.record;
    let (others, user) = match record.user() {
        Some(user) if rules::needs_others(&record, &mutation) => about(txn, &record.realm, user)?,
        _ => Default::default(),
    };
    let step = rules::mutate(record, operation, mutation, &others, &user, txn.now);
    carry_out(txn, operation, id, step)
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

/// Ends all sessions of a user but one, and moves the user's epoch on.
pub(crate) fn end_all_of(
    txn: &mut Txn<'_>,
    operation: &Operation,
    realm: &Realm,
    user: &UserId,
    except: Option<SessionId>,
    ending: &Ending,
) -> Result<EndedSessions> {
    once(txn, operation, (realm, user), |txn| {
        let mut known = log::user(txn.conn, realm, user)?;
        known.signed_out(txn.now);
        log::put_user(txn.conn, realm, user, &known)?;
        end_all(txn, realm, user, except, ending)
    })
}

/// Disables a user and ends all sessions, or enables them again.
pub(crate) fn set_disabled(
    txn: &mut Txn<'_>,
    operation: &Operation,
    realm: &Realm,
    user: &UserId,
    disabled: bool,
) -> Result<EndedSessions> {
    once(txn, operation, (realm, user), |txn| {
        let mut known = log::user(txn.conn, realm, user)?;
        if known.disabled_at.is_some() == disabled {
            return Ok(Vec::new());
        }
        if disabled {
            known.signed_out(txn.now);
        }
        known.disabled_at = disabled.then_some(txn.now);
        log::put_user(txn.conn, realm, user, &known)?;
        let kind = if disabled { EventKind::UserDisabled } else { EventKind::UserEnabled };
        txn.append(&of_user(kind, realm, user, &operation.actor))?;
        if !disabled {
            return Ok(Vec::new());
        }
        let ending = Ending::new(EndReason::UserDisabled, operation.actor.clone());
        end_all(txn, realm, user, None, &ending)
    })
}

/// Does `work` for a user unless this operation has been done before; then gives the first
/// answer.
fn once<'c>(
    txn: &mut Txn<'c>,
    operation: &Operation,
    (realm, user): (&Realm, &UserId),
    work: impl FnOnce(&mut Txn<'c>) -> Result<Vec<SessionId>>,
) -> Result<EndedSessions> {
    let key = RecentEnds::key(realm, user);
    let kept = log::receipt(txn.conn, key)?;
    let mut recent = kept.map(|kept| RecentEnds::read(&kept.receipt)).unwrap_or_default();
    if let Some(first) = recent.answer(operation.id) {
        return Ok(first);
    }
    let ended = EndedSessions::now(work(txn)?);
    recent.add(operation.id, &ended);
    let replay = Replay { session: SessionId::from_bytes([0; 16]), receipt: recent.receipt() };
    log::keep_receipt(txn.conn, key, txn.now, &replay)?;
    txn.wrote();
    Ok(ended)
}

fn end_all(
    txn: &mut Txn<'_>,
    realm: &Realm,
    user: &UserId,
    except: Option<SessionId>,
    ending: &Ending,
) -> Result<Vec<SessionId>> {
    let mut ended = Vec::new();
    for record in rows::readable_of_user(txn.conn, realm, user)? {
        if Some(record.id) == except {
            continue;
        }
        ended.push(record.id);
        end(txn, record, ending)?;
    }
    Ok(ended)
}

/// Ends a session that has not ended. One that had died of a limit before is told as that.
pub(crate) fn end(txn: &mut Txn<'_>, record: Record, ending: &Ending) -> Result<()> {
    let ending =
        record.dead(txn.now).map_or_else(|| ending.clone(), |reason| Ending::new(reason, Actor::system()));
    let (mut record, event) = rules::end(record, ending, None, txn.now);
    txn.put(&mut record)?;
    txn.append(&event)
}

fn about(txn: &Txn<'_>, realm: &Realm, user: &UserId) -> Result<(Vec<Record>, UserRecord)> {
    Ok((rows::of_user(txn.conn, realm, user)?, log::user(txn.conn, realm, user)?))
}

fn carry_out(txn: &mut Txn<'_>, operation: &Operation, id: SessionId, step: Step) -> Result<Reply> {
    let mut ended = Vec::new();
    let outcome = match step {
        Step::Apply(written) => {
            let Written { mut record, event, pushed_out, refused } = *written;
            for (mut record, event) in pushed_out {
                ended.push(record.id);
                txn.put(&mut record)?;
                txn.append(&event)?;
            }
            txn.put(&mut record)?;
            if let Some(event) = event {
                txn.append(&event)?;
            }
            if let Some(receipt) = operation.receipt.clone().filter(|_| refused.is_none()) {
                let replay = Replay { session: id, receipt };
                log::keep_receipt(txn.conn, operation.id, txn.now, &replay)?;
            }
            let outcome = refused.map_or(Outcome::Applied, Outcome::Refused);
            return Ok(Reply { outcome, record: Some(record), ended, receipt: None });
        }
        Step::Unchanged => Outcome::Unchanged,
        Step::Replayed => Outcome::Replayed,
        Step::Refused(refusal) => Outcome::Refused(refusal),
    };
    let receipt = match outcome {
        Outcome::Replayed => log::receipt(txn.conn, operation.id)?.map(|replay| replay.receipt),
        _ => None,
    };
    Ok(Reply { outcome, record: rows::find(txn.conn, id)?.map(|stored| stored.record), ended, receipt })
}

fn of_user(kind: EventKind, realm: &Realm, user: &UserId, actor: &Actor) -> EventBody {
    EventBody {
        kind,
        realm: realm.clone(),
        session: None,
        user: Some(user.clone()),
        reason: None,
        actor: actor.clone(),
        note: None,
    }
}
