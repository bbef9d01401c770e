//! What a store should hold, told in the plainest words: no rule of the crate is used here.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use tenure::EndReason;
use tenure::event::EventKind;
use tenure::record::Admission;
use tenure::record::{NewSession, NewState};
use tenure::store::{Authentication, Mutation, Operation};
use tenure::{AtLimit, Refusal};
use tenure::{OperationId, SessionId, UserId};

use crate::session::{Phase, Session};

/// What the model expects of an answer. Of several reasons to refuse, any will do.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Applied,
    Unchanged,
    Replayed,
    Refused(Vec<Refusal>),
}

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) now: u64,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) epochs: BTreeMap<UserId, u64>,
    pub(crate) disabled: BTreeSet<UserId>,
    /// The log of each session, and that of no session.
    pub(crate) told: BTreeMap<Option<SessionId>, Vec<(EventKind, Option<EndReason>)>>,
    operations: HashMap<SessionId, VecDeque<OperationId>>,
    receipts: HashMap<OperationId, u64>,
}

impl Model {
    pub(crate) fn create(&mut self, operation: &Operation, new: &NewSession, rules: &Admission) -> Answer {
        if self.sessions.contains_key(&new.id) || self.receipts.contains_key(&operation.id) {
            return Answer::Replayed;
        }
        let session = self.fresh(new);
        if session.adopted_until.is_some_and(|until| until <= self.now) {
            return Answer::Refused(vec![Refusal::Ended(EndReason::AbsoluteTimeout)]);
        }
        let (reasons, pushed_out) = match &new.state {
            NewState::Guest => (Vec::new(), Vec::new()),
            NewState::Pending(_) => {
                let mut reasons = self.stands_against(session.user.as_ref(), rules);
                if self.live_of(session.user.as_ref(), &Phase::Pending).len() >= rules.max_pending as usize {
                    reasons.push(Refusal::PendingLimit { allowed: rules.max_pending });
                }
                (reasons, Vec::new())
            }
            NewState::SignedIn(_) => self.room_for(session.user.as_ref(), rules),
        };
        self.operations.insert(new.id, VecDeque::from([operation.id]));
        if !reasons.is_empty() {
            if rules.burn && new.previous.is_some() {
                let phase = Phase::Ended { reason: EndReason::Revoked, at: self.now };
                self.sessions.insert(new.id, Session { phase, ..session });
            }
            return Answer::Refused(reasons);
        }
        for id in pushed_out {
            self.end(id, EndReason::SessionLimit);
        }
        self.sessions.insert(new.id, session);
        self.tell(Some(new.id), EventKind::Created, None);
        if operation.receipt.is_some() {
            self.receipts.insert(operation.id, self.now);
        }
        Answer::Applied
    }

    fn fresh(&self, new: &NewSession) -> Session {
        let (phase, identity) = match &new.state {
            NewState::Guest => (Phase::Guest, None),
            NewState::Pending(identity) => (Phase::Pending, Some(identity)),
            NewState::SignedIn(identity) => (Phase::SignedIn, Some(identity)),
        };
        Session {
            phase,
            user: identity.map(|i| i.user.clone()),
            created: self.now,
            last_seen: self.now,
            idle: new.idle_ms,
            deadline: self.now + new.absolute_ms,
            adopted_until: new.adopted_until.map(|until| until.as_millis()),
            generation: 1,
            prepared: false,
            replaced: None,
            floor: 1,
            rotate_soon: false,
            level: identity.map(|i| i.level),
            roles: Vec::new(),
            data: BTreeMap::new(),
            version: 0,
            revision: 1,
        }
    }

    fn stands_against(&self, user: Option<&UserId>, rules: &Admission) -> Vec<Refusal> {
        let mut reasons = Vec::new();
        if user.is_some_and(|user| self.disabled.contains(user)) {
            reasons.push(Refusal::UserDisabled);
        }
        let epoch = user.and_then(|user| self.epochs.get(user)).copied();
        if rules.epoch.is_some_and(|known| known != epoch.unwrap_or(0)) {
            reasons.push(Refusal::SignedOut);
        }
        reasons
    }

    /// Why one more session of `user` is refused, or who goes for it.
    fn room_for(&self, user: Option<&UserId>, rules: &Admission) -> (Vec<Refusal>, Vec<SessionId>) {
        let mut reasons = self.stands_against(user, rules);
        let mut live = self.live_of(user, &Phase::SignedIn);
        let too_many = (live.len() + 1).saturating_sub(rules.max_sessions as usize);
        if too_many > 0 && rules.at_limit == AtLimit::Refuse {
            reasons.push(Refusal::SessionLimit { allowed: rules.max_sessions });
        }
        let since = |id: &SessionId| match rules.at_limit {
            AtLimit::EndLongestIdle => self.sessions[id].last_seen,
            _ => self.sessions[id].created,
        };
        live.sort_by_key(|id| (since(id), *id));
        live.truncate(too_many);
        (reasons, live)
    }

    fn live_of(&self, user: Option<&UserId>, phase: &Phase) -> Vec<SessionId> {
        let fits = |s: &Session| s.user.as_ref() == user && s.phase == *phase && s.is_live(self.now);
        let all = self.sessions.iter();
        all.filter(|(_, s)| fits(s)).map(|(id, _)| *id).collect()
    }

    pub(crate) fn mutate(&mut self, operation: &Operation, id: SessionId, mutation: &Mutation) -> Answer {
        let Some(session) = self.sessions.get(&id).cloned() else {
            return Answer::Refused(vec![Refusal::Missing]);
        };
        if self.operations[&id].contains(&operation.id) {
            return Answer::Replayed;
        }
        let answer = match (&session.phase, session.past(self.now), mutation) {
            (Phase::Ended { .. }, _, Mutation::End { .. } | Mutation::EndIfDue) => Answer::Unchanged,
            (Phase::Ended { reason, .. }, _, _) => Answer::Refused(vec![Refusal::Ended(*reason)]),
            (_, Some(limit), Mutation::End { .. } | Mutation::EndIfDue) => {
                self.end(id, limit);
                Answer::Applied
            }
            (_, Some(limit), _) => Answer::Refused(vec![Refusal::Ended(limit)]),
            (_, None, Mutation::End { ending, .. }) => {
                self.end(id, ending.reason);
                Answer::Applied
            }
            (_, None, Mutation::EndIfDue) => Answer::Unchanged,
            (_, None, Mutation::Authenticate(by)) => self.authenticate(id, session, by),
            (_, None, goes_on) => match self.go_on(session, goes_on) {
                Ok((session, kind)) => self.write(id, session, kind),
                Err(answer) => answer,
            },
        };
        if answer == Answer::Applied {
            let known = self.operations.entry(id).or_default();
            known.push_back(operation.id);
            if known.len() > 16 {
                known.pop_front();
            }
        }
        answer
    }

    fn go_on(&self, mut s: Session, mutation: &Mutation) -> Result<(Session, EventKind), Answer> {
        let now = self.now;
        let no = |refusal| Err(Answer::Refused(vec![refusal]));
        if let Mutation::Release { attempt } = mutation {
            if s.phase != Phase::Claimed(*attempt) {
                return Err(Answer::Unchanged);
            }
            s.phase = Phase::Guest;
            return Ok((s, EventKind::Released));
        }
        if matches!(s.phase, Phase::Claimed(_)) {
            return no(Refusal::Superseded);
        }
        match mutation {
            Mutation::Change { change } => {
                if change.generation.is_some_and(|g| !s.accepts(g)) {
                    return no(Refusal::Superseded);
                }
                if change.if_version.is_some_and(|version| version != s.version) {
                    return no(Refusal::VersionMismatch { version: s.version });
                }
                for (key, expected) in &change.expect {
                    let version = s.data.get(key).map_or(0, |(version, _)| *version);
                    if version != *expected {
                        let key = key.clone();
                        return no(Refusal::Conflict { key, version });
                    }
                }
                s.version += 1;
                s.data.retain(|key, _| !change.remove.contains(key));
                for (key, value) in &change.set {
                    s.data.insert(key.clone(), (s.version, value.as_bytes().to_vec()));
                }
                Ok((s, EventKind::Changed))
            }
            Mutation::Prepare { generation, grace, .. } => {
                if *generation != s.generation {
                    return no(Refusal::Superseded);
                }
                if s.prepared {
                    return Err(Answer::Unchanged);
                }
                if let Some((_, since)) = s.replaced.filter(|(_, since)| now < since + grace.ms) {
                    return no(Refusal::TooSoon { wait_ms: since + grace.ms - now });
                }
                (s.prepared, s.rotate_soon) = (true, false);
                Ok((s, EventKind::RotationPrepared))
            }
            Mutation::Confirm { generation } if *generation == s.generation => Err(Answer::Unchanged),
            Mutation::Confirm { generation } if s.prepared && *generation == s.generation + 1 => {
                s.replaced = Some((s.generation, now));
                s.generation += 1;
                s.prepared = false;
                Ok((s, EventKind::Rotated))
            }
            Mutation::Confirm { .. } => no(Refusal::Superseded),
            Mutation::SetRoles(_) if s.phase == Phase::Guest => no(Refusal::WrongState),
            Mutation::SetRoles(roles) => {
                (s.roles, s.rotate_soon) = (roles.clone(), true);
                Ok((s, EventKind::RolesChanged))
            }
            Mutation::Claim { generation, claim } => {
                if !s.accepts(*generation) {
                    return no(Refusal::Superseded);
                }
                if s.phase != Phase::Guest {
                    return no(Refusal::WrongState);
                }
                s.phase = Phase::Claimed(claim.attempt);
                Ok((s, EventKind::Claimed))
            }
            other => unreachable!("{other:?} is handled before"),
        }
    }

    fn authenticate(&mut self, id: SessionId, mut s: Session, by: &Authentication) -> Answer {
        let (mut reasons, pushed_out) = match s.phase {
            Phase::Pending => self.room_for(s.user.as_ref(), &by.admission),
            _ => Default::default(),
        };
        if by.generation != s.generation || matches!(s.phase, Phase::Claimed(_)) {
            reasons.push(Refusal::Superseded);
        } else if s.user.as_ref() != Some(&by.identity.user) {
            reasons.push(Refusal::WrongState);
        }
        if !reasons.is_empty() {
            return Answer::Refused(reasons);
        }
        for other in pushed_out {
            self.end(other, EndReason::SessionLimit);
        }
        s.phase = Phase::SignedIn;
        s.generation += 2;
        s.floor = s.generation;
        (s.prepared, s.replaced, s.rotate_soon) = (false, None, false);
        s.last_seen = self.now;
        match by.renewal {
            None => s.level = s.level.max(Some(by.identity.level)),
            Some(limits) => {
                (s.idle, s.deadline) = (limits.idle_ms, self.now + limits.absolute_ms);
                (s.level, s.roles) = (Some(by.identity.level), by.identity.roles.clone());
            }
        }
        self.write(id, s, EventKind::Authenticated)
    }

    fn write(&mut self, id: SessionId, session: Session, kind: EventKind) -> Answer {
        let revision = session.revision + 1;
        self.sessions.insert(id, Session { revision, ..session });
        self.tell(Some(id), kind, None);
        Answer::Applied
    }

    fn tell(&mut self, id: Option<SessionId>, kind: EventKind, reason: Option<EndReason>) {
        self.told.entry(id).or_default().push((kind, reason));
    }

    fn end(&mut self, id: SessionId, reason: EndReason) {
        let at = self.now;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.phase = Phase::Ended { reason, at };
            session.data.clear();
            session.prepared = false;
            session.revision += 1;
        }
        self.tell(Some(id), EventKind::Ended, Some(reason));
    }
}

/// What concerns more than one session.
impl Model {
    pub(crate) fn touch(&mut self, id: SessionId, at: u64) {
        let at = at.min(self.now);
        if let Some(session) = self.sessions.get_mut(&id)
            && session.is_live(at)
        {
            session.last_seen = session.last_seen.max(at);
        }
    }

    pub(crate) fn list(&self, user: &UserId) -> Vec<SessionId> {
        let live = |s: &Session| !s.has_ended() && s.user.as_ref() == Some(user);
        let all = self.sessions.iter();
        all.filter(|(_, s)| live(s)).map(|(id, _)| *id).collect()
    }

    pub(crate) fn end_all(
        &mut self,
        user: &UserId,
        except: Option<SessionId>,
        why: EndReason,
    ) -> Vec<SessionId> {
        let epoch = self.epochs.entry(user.clone()).or_default();
        *epoch = self.now.max(*epoch + 1);
        let mut ids = self.list(user);
        ids.retain(|id| Some(*id) != except);
        for id in &ids {
            let limit = self.sessions[id].past(self.now);
            self.end(*id, limit.unwrap_or(why));
        }
        ids
    }

    pub(crate) fn set_disabled(&mut self, user: &UserId, disabled: bool) -> Vec<SessionId> {
        if disabled && self.disabled.insert(user.clone()) {
            self.tell(None, EventKind::UserDisabled, None);
            return self.end_all(user, None, EndReason::UserDisabled);
        }
        if !disabled && self.disabled.remove(user) {
            self.tell(None, EventKind::UserEnabled, None);
        }
        Vec::new()
    }

    /// Housekeeping to the end. Gives the sessions that it ended.
    pub(crate) fn sweep(&mut self, keep: u64) -> Vec<SessionId> {
        let now = self.now;
        let gone = |s: &Session| {
            let is_old = matches!(s.phase, Phase::Ended { at, .. } if at + keep <= now);
            is_old && s.adopted_until.is_none_or(|until| until <= now)
        };
        self.sessions.retain(|_, session| !gone(session));
        self.receipts.retain(|_, at| *at + keep > now);
        let all = self.sessions.iter().filter(|(_, s)| !s.has_ended());
        let due: Vec<_> = all.filter_map(|(id, s)| Some((*id, s.past(now)?))).collect();
        for (id, limit) in &due {
            self.end(*id, *limit);
        }
        due.into_iter().map(|(id, _)| id).collect()
    }
}
