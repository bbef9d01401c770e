//! Looks for an order in which everything could have happened one after the other.

use std::collections::HashSet;
use std::time::Duration;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    Read,
    /// To set a value, if the one that is there has this version; 0 for none.
    Set {
        value: u64,
        expected: u64,
    },
    End,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The value and its version.
    Value((u64, u64)),
    /// It was set, and has this version, if it was still there.
    Set(Option<u64>),
    /// Somebody else was first.
    Conflict,
    /// The session has ended.
    Ended,
}

/// An operation. Without an answer it may have happened at any time since, or not at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) did: Did,
    pub(crate) told: Option<Told>,
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
}

/// A session, as far as this goes: value and version, or its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    value: u64,
    version: u64,
    ended: bool,
}

impl State {
    /// What it is after an operation with this answer; none if there could be no such answer.
    fn after(self, op: &Op) -> Option<Self> {
        let unchanged = |fits: bool| fits.then_some(self);
        match (op.did, op.told) {
            (Did::Read, Some(Told::Value(seen))) => {
                unchanged(!self.ended && seen == (self.value, self.version))
            }
            (Did::Read | Did::Set { .. }, Some(Told::Ended)) => unchanged(self.ended),
            (Did::Set { expected, .. }, Some(Told::Conflict)) => {
                unchanged(!self.ended && expected != self.version)
            }
            (Did::Set { value, expected }, None | Some(Told::Set(_))) => {
                // Each change of the data counts one.
                let version = self.version + 1;
                let is_told = |told| told == Told::Set(None) || told == Told::Set(Some(version));
                let fits = !self.ended && expected == self.version && op.told.is_none_or(is_told);
                fits.then_some(Self { value, version, ended: false })
            }
            (Did::End, _) => Some(Self { ended: true, ..self }),
            _ => None,
        }
    }
}

/// Whether there is an order in which each operation happens between its beginning and its answer, and
/// each answer is right.
pub(crate) fn is_linearisable(history: &[Op]) -> bool {
    assert!(history.len() <= 128, "one bit for each operation");
    let all = history.iter().enumerate().filter(|(_, op)| op.told.is_some());
    let answered = all.fold(0_u128, |bits, (at, _)| bits | 1 << at);
    let (mut seen, mut open) = (HashSet::new(), vec![(0_u128, State::default())]);
    while let Some((done, state)) = open.pop() {
        if done & answered == answered {
            return true;
        }
        if !seen.insert((done, state)) {
            continue;
        }
        let left = || history.iter().enumerate().filter(|(at, _)| done & (1 << at) == 0);
        // Nothing can come after an operation that was answered before it began.
        let first_answer = left().map(|(_, op)| op.ended).min().unwrap_or(Duration::MAX);
        for (at, op) in left().filter(|(_, op)| op.began <= first_answer) {
            if let Some(after) = state.after(op) {
                open.push((done | 1 << at, after));
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(did: Did, told: impl Into<Option<Told>>, began: u64, ended: u64) -> Op {
        Op {
            did,
            told: told.into(),
            began: Duration::from_millis(began),
            ended: Duration::from_millis(ended),
        }
    }

    fn set(value: u64, expected: u64, told: impl Into<Option<Told>>, began: u64, ended: u64) -> Op {
        op(Did::Set { value, expected }, told, began, ended)
    }

    #[test]
    fn what_happened_in_turn_or_at_once_is() {
        let first = set(7, 0, Told::Set(Some(1)), 0, 10);
        assert!(is_linearisable(&[first, op(Did::Read, Told::Value((7, 1)), 11, 12)]));
        // A read beside it may see either.
        assert!(is_linearisable(&[first, op(Did::Read, Told::Value((0, 0)), 5, 12)]));
        assert!(is_linearisable(&[
            first,
            set(8, 0, Told::Conflict, 5, 12),
            op(Did::End, Told::Ended, 13, 14)
        ]));
        // Of what nobody answered, either may be seen, also late.
        let lost = set(9, 1, None, 20, u64::MAX / 1_000_000);
        assert!(is_linearisable(&[first, lost, op(Did::Read, Told::Value((9, 2)), 90, 91)]));
        assert!(is_linearisable(&[first, lost, op(Did::Read, Told::Value((7, 1)), 90, 91)]));
    }

    #[test]
    fn what_is_stale_lost_or_comes_back_is_not() {
        let first = set(7, 0, Told::Set(Some(1)), 0, 10);
        assert!(!is_linearisable(&[first, op(Did::Read, Told::Value((0, 0)), 11, 12)]), "stale");
        assert!(!is_linearisable(&[first, set(8, 0, Told::Set(Some(2)), 11, 12)]), "an update is lost");
        let ended = op(Did::End, Told::Ended, 20, 21);
        assert!(
            !is_linearisable(&[first, ended, op(Did::Read, Told::Value((7, 1)), 22, 23)]),
            "it came back"
        );
        assert!(
            !is_linearisable(&[first, ended, set(8, 1, Told::Set(Some(2)), 22, 23)]),
            "an ended one changed"
        );
        let lost = set(9, 1, None, 20, u64::MAX / 1_000_000);
        let (after, before) =
            (op(Did::Read, Told::Value((9, 2)), 30, 31), op(Did::Read, Told::Value((7, 1)), 40, 41));
        assert!(!is_linearisable(&[first, lost, after, before]), "seen, and then not");
    }
}
