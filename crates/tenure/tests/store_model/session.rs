//! A session as anybody can see it.

use std::collections::BTreeMap;

use tenure::record::{Record, State};
use tenure::{EndReason, Level};
use tenure::{OperationId, Role, UserId};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Phase {
    Guest,
    Claimed(OperationId),
    Pending,
    SignedIn,
    Ended { reason: EndReason, at: u64 },
}

/// A session as anybody can see it. Times are milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Session {
    pub(crate) phase: Phase,
    pub(crate) user: Option<UserId>,
    pub(crate) created: u64,
    pub(crate) last_seen: u64,
    pub(crate) idle: u64,
    pub(crate) deadline: u64,
    pub(crate) adopted_until: Option<u64>,
    pub(crate) generation: u32,
    pub(crate) prepared: bool,
    pub(crate) replaced: Option<(u32, u64)>,
    pub(crate) floor: u32,
    pub(crate) rotate_soon: bool,
    pub(crate) level: Option<Level>,
    pub(crate) roles: Vec<Role>,
    pub(crate) data: BTreeMap<String, (u64, Vec<u8>)>,
    pub(crate) version: u64,
    pub(crate) revision: u64,
}

impl Session {
    pub(crate) fn seen(record: &Record) -> Self {
        let phase = match &record.state {
            State::Guest => Phase::Guest,
            State::Claimed(claim) => Phase::Claimed(claim.attempt),
            State::Pending(_) => Phase::Pending,
            State::SignedIn(_) => Phase::SignedIn,
            State::Ended(ended) => Phase::Ended { reason: ended.ending.reason, at: ended.at.as_millis() },
        };
        let secrets = &record.secrets;
        let replaced = secrets.superseded.as_ref();
        let value = |value: &tenure::record::Value| (value.version, value.sealed.clone());
        Self {
            phase,
            user: record.user().cloned(),
            created: record.created_at.as_millis(),
            last_seen: record.last_seen_at.as_millis(),
            idle: record.idle_ms,
            deadline: record.deadline.as_millis(),
            adopted_until: record.adopted_until.map(|until| until.as_millis()),
            generation: secrets.generation,
            prepared: secrets.successor.is_some(),
            replaced: replaced.map(|old| (old.generation, old.since.as_millis())),
            floor: secrets.floor,
            rotate_soon: secrets.rotate_soon,
            level: record.identity().map(|identity| identity.level),
            roles: record.identity().map(|i| i.roles.clone()).unwrap_or_default(),
            data: record.data.iter().map(|(k, v)| (k.clone(), value(v))).collect(),
            version: record.version,
            revision: record.revision,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    /// The limit that it is past.
    pub(crate) fn past(&self, now: u64) -> Option<EndReason> {
        let idle_end = self.last_seen + self.idle;
        if now < idle_end && now < self.deadline {
            None
        } else if idle_end < self.deadline {
            Some(EndReason::IdleTimeout)
        } else {
            Some(EndReason::AbsoluteTimeout)
        }
    }

    pub(crate) fn is_live(&self, now: u64) -> bool {
        !self.has_ended() && self.past(now).is_none()
    }

    pub(crate) fn accepts(&self, generation: u32) -> bool {
        let next = self.prepared && generation == self.generation + 1;
        next || (self.floor <= generation && generation <= self.generation)
    }
}
