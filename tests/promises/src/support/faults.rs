//! What is to go wrong in a store, and what it was asked.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tenure::store::{Mutation, StoreError};

use super::gate::Gate;

/// What a store is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Call {
    Create,
    Load,
    Change,
    Prepare,
    Confirm,
    Authenticate,
    SetRoles,
    Claim,
    Release,
    End,
    EndIfDue,
    Touch,
    Replay,
    SessionsOf,
    EndSessionsOf,
    User,
    SetDisabled,
    Page,
    Sweep,
    Events,
}

/// What goes wrong with a call.
#[derive(Clone)]
pub(crate) enum Trouble {
    /// It fails and nothing happened.
    Before(StoreError),
    /// It happened, and then its answer was lost.
    After(StoreError),
    /// It waits before it happens.
    HeldBefore(Gate),
    /// It has happened, and its answer waits.
    HeldAfter(Gate),
    /// It waits at the first gate before it happens, and its answer at the second.
    Held(Gate, Gate),
    /// It happens, and then the store panics.
    Panic,
}

/// What is to go wrong, and what happened so far. Nothing goes wrong unless a test says so.
#[derive(Default)]
pub(crate) struct Faults {
    rules: Mutex<Vec<Rule>>,
    counts: Mutex<BTreeMap<Call, u64>>,
    seen: Mutex<Option<Vec<Vec<u8>>>>,
}

struct Rule {
    call: Option<Call>,
    trouble: Trouble,
    left: u32,
}

impl Call {
    pub(crate) const WRITES: [Self; 14] = [
        Self::Create,
        Self::Change,
        Self::Prepare,
        Self::Confirm,
        Self::Authenticate,
        Self::SetRoles,
        Self::Claim,
        Self::Release,
        Self::End,
        Self::EndIfDue,
        Self::Touch,
        Self::EndSessionsOf,
        Self::SetDisabled,
        Self::Sweep,
    ];

    pub(super) fn of(mutation: &Mutation) -> Self {
        match mutation {
            Mutation::Change { .. } => Self::Change,
            Mutation::Prepare { .. } => Self::Prepare,
            Mutation::Confirm { .. } => Self::Confirm,
            Mutation::Authenticate(_) => Self::Authenticate,
            Mutation::SetRoles(_) => Self::SetRoles,
            Mutation::Claim { .. } => Self::Claim,
            Mutation::Release { .. } => Self::Release,
            Mutation::End { .. } => Self::End,
            Mutation::EndIfDue => Self::EndIfDue,
        }
    }
}

impl Trouble {
    /// The store does not answer, and nothing happened.
    pub(crate) fn unavailable() -> Self {
        Self::Before(StoreError::Unavailable("pulled the plug".into()))
    }

    /// The answer to something that happened is lost.
    pub(crate) fn lost_answer() -> Self {
        Self::After(StoreError::Unknown("the line broke".into()))
    }

    /// There is no room left.
    pub(crate) fn full() -> Self {
        Self::Before(StoreError::Full("no room".into()))
    }
}

impl Faults {
    /// The next call of this kind goes wrong.
    pub(crate) fn once(&self, call: Call, trouble: Trouble) {
        self.times(1, call, trouble);
    }

    /// The next `times` calls of this kind go wrong.
    pub(crate) fn times(&self, times: u32, call: Call, trouble: Trouble) {
        self.add(Some(call), trouble, times);
    }

    /// All calls of this kind go wrong.
    pub(crate) fn always(&self, call: Call, trouble: Trouble) {
        self.add(Some(call), trouble, u32::MAX);
    }

    /// Everything goes wrong.
    pub(crate) fn everything(&self, trouble: Trouble) {
        self.add(None, trouble, u32::MAX);
    }

    /// Everything that writes goes wrong.
    pub(crate) fn every_write(&self, trouble: &Trouble) {
        for call in Call::WRITES {
            self.always(call, trouble.clone());
        }
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        self.rules.lock().unwrap().clear();
    }

    /// How often this was asked.
    pub(crate) fn count(&self, call: Call) -> u64 {
        self.counts.lock().unwrap().get(&call).copied().unwrap_or(0)
    }

    /// How often anything was asked.
    pub(crate) fn total(&self) -> u64 {
        self.counts.lock().unwrap().values().sum()
    }

    /// How often something was asked that writes.
    pub(crate) fn writes(&self) -> u64 {
        Call::WRITES.iter().map(|call| self.count(*call)).sum()
    }

    /// Keeps all bytes that pass from now on.
    pub(crate) fn watch(&self) {
        *self.seen.lock().unwrap() = Some(Vec::new());
    }

    /// The bytes that passed since [`watch`](Self::watch).
    pub(crate) fn seen(&self) -> Vec<Vec<u8>> {
        self.seen.lock().unwrap().clone().unwrap_or_default()
    }

    pub(super) fn see(&self, bytes: impl FnOnce() -> Vec<u8>) {
        if let Some(seen) = self.seen.lock().unwrap().as_mut() {
            seen.push(bytes());
        }
    }

    /// Counts a call, and says what goes wrong with it.
    pub(super) fn meet(&self, call: Call) -> Option<Trouble> {
        *self.counts.lock().unwrap().entry(call).or_default() += 1;
        let mut rules = self.rules.lock().unwrap();
        let rule = rules.iter_mut().find(|rule| rule.left > 0 && rule.call.is_none_or(|of| of == call))?;
        rule.left -= 1;
        Some(rule.trouble.clone())
    }

    fn add(&self, call: Option<Call>, trouble: Trouble, left: u32) {
        self.rules.lock().unwrap().push(Rule { call, trouble, left });
    }
}
