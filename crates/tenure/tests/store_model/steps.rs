//! What can happen in a day.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use tenure::AtLimit;
use tenure::record::Admission;
use tenure::record::{Change, NewIdentity, NewSession, NewState};
use tenure::store::conformance::{Fixture, admission, claim, end, identity, sealed, user};
use tenure::store::{Authentication, Mutation, Operation, Proof, Renewal};
use tenure::{Actor, EndReason, Level};
use tenure::{OperationId, Realm, SessionId, UserId};

use crate::model::Model;
use crate::session::{Phase, Session};

const IDLE_MS: u64 = 60_000;
const ABSOLUTE_MS: u64 = 150_000;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Begin(Begin),
    Mutate {
        session: Index,
        what: What,
    },
    /// The same request again, in the same operation.
    Again {
        request: Index,
    },
    Touch {
        session: Index,
        seconds: u64,
        ahead: bool,
    },
    Wait {
        seconds: u64,
    },
    Sweep {
        limit: usize,
    },
    EndAll {
        user: bool,
        except: Option<Index>,
    },
    SetDisabled {
        user: bool,
        disabled: bool,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Begin {
    kind: u8,
    user: bool,
    max: u32,
    at_limit: AtLimit,
    /// How far behind the epoch is that the sign-in knows; none to have it not checked.
    behind: Option<u64>,
    receipt: bool,
    /// A session that it comes from, whose refusal uses up the id.
    previous: Option<Index>,
    /// In how many seconds it begins no more, if it comes from elsewhere.
    adopted_for: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Change { key: u8, value: Option<u8>, expect: Option<u64>, whole: Option<u64>, token: Option<i8> },
    Prepare(i8),
    Confirm(i8),
    Authenticate { token: i8, renews: bool, as_another: bool, level: Level, max: u32, at_limit: AtLimit },
    SetRoles(bool),
    Claim(i8),
    Release { own: bool },
    End(EndReason),
    EndIfDue,
}

pub(crate) fn ada_or_bob(ada: bool) -> UserId {
    user(if ada { "ada" } else { "bob" })
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => begin().prop_map(Step::Begin),
        12 => (any::<Index>(), what()).prop_map(|(session, what)| Step::Mutate { session, what }),
        3 => any::<Index>().prop_map(|request| Step::Again { request }),
        3 => (any::<Index>(), 0..90_u64, any::<bool>())
            .prop_map(|(session, seconds, ahead)| Step::Touch { session, seconds, ahead }),
        3 => (0..40_u64).prop_map(|seconds| Step::Wait { seconds }),
        2 => (1..5_usize).prop_map(|limit| Step::Sweep { limit }),
        1 => (any::<bool>(), any::<Option<Index>>()).prop_map(|(user, except)| Step::EndAll { user, except }),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(user, disabled)| Step::SetDisabled { user, disabled }),
    ]
}

fn begin() -> impl Strategy<Value = Begin> {
    (
        0..3_u8,
        any::<bool>(),
        0..4_u32,
        at_limit(),
        prop::option::of(0..2_u64),
        any::<bool>(),
        prop::option::of(any::<Index>()),
        prop::option::weighted(0.3, 0..300_u64),
    )
        .prop_map(|(kind, user, max, at_limit, behind, receipt, previous, adopted_for)| Begin {
            kind,
            user,
            max,
            at_limit,
            behind,
            receipt,
            previous,
            adopted_for,
        })
}

fn at_limit() -> impl Strategy<Value = AtLimit> {
    prop_oneof![Just(AtLimit::Refuse), Just(AtLimit::EndOldest), Just(AtLimit::EndLongestIdle)]
}

fn levels() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::One), Just(Level::Two), Just(Level::Three)]
}

fn what() -> impl Strategy<Value = What> {
    let token = || prop_oneof![4 => Just(0_i8), 1 => Just(-1), 1 => Just(1), 1 => Just(-2)];
    let off = || prop::option::of(prop_oneof![3 => Just(0_u64), 1 => Just(1)]);
    let change = (0..3_u8, any::<Option<u8>>(), off(), off(), prop::option::of(token()));
    let authenticate = (token(), any::<bool>(), prop::bool::weighted(0.1), levels(), 1..4_u32, at_limit());
    prop_oneof![
        4 => change.prop_map(|(key, value, expect, whole, token)| What::Change { key, value, expect, whole, token }),
        3 => token().prop_map(What::Prepare),
        3 => token().prop_map(|off| What::Confirm(off + 1)),
        3 => authenticate.prop_map(|(token, renews, as_another, level, max, at_limit)| What::Authenticate {
            token, renews, as_another, level, max, at_limit,
        }),
        1 => any::<bool>().prop_map(What::SetRoles),
        2 => token().prop_map(What::Claim),
        2 => prop::bool::weighted(0.8).prop_map(|own| What::Release { own }),
        1 => prop_oneof![Just(EndReason::Logout), Just(EndReason::TokenReuse)].prop_map(What::End),
        1 => Just(What::EndIfDue),
    ]
}

impl Begin {
    pub(crate) fn request(
        &self,
        f: &Fixture,
        model: &Model,
        known: &[SessionId],
    ) -> (Operation, NewSession, Admission) {
        let whose = ada_or_bob(self.user);
        let state = match self.kind {
            0 => NewState::Guest,
            1 => NewState::Pending(identity(&whose)),
            _ => NewState::SignedIn(identity(&whose)),
        };
        let previous = self.previous.filter(|_| !known.is_empty());
        let epoch = model.epochs.get(&whose).copied().unwrap_or(0);
        let new = NewSession {
            previous: previous.map(|index| *index.get(known)),
            idle_ms: IDLE_MS,
            absolute_ms: ABSOLUTE_MS,
            adopted_until: self.adopted_for.map(|seconds| f.now().plus(Duration::from_secs(seconds))),
            ..f.session(&Realm::default(), state)
        };
        let limits = Admission {
            max_sessions: self.max,
            at_limit: self.at_limit,
            max_pending: self.max,
            epoch: self.behind.map(|behind| epoch.wrapping_sub(behind)),
            burn: previous.is_some(),
            ..admission()
        };
        let operation = if self.receipt { f.operation_with(b"a sealed answer") } else { f.operation() };
        (operation, new, limits)
    }
}

impl What {
    /// The mutation as somebody would ask it who knows the session as the model has it.
    pub(crate) fn mutation(&self, f: &Fixture, session: Option<&Session>) -> Mutation {
        let generation = session.map_or(1, |s| s.generation);
        let token = |off: i8| generation.saturating_add_signed(i32::from(off));
        let whose = session.and_then(|s| s.user.clone()).unwrap_or(ada_or_bob(true));
        match self {
            Self::Change { key, value, expect, whole, token: off } => {
                let key = format!("key {key}");
                let version = session.and_then(|s| s.data.get(&key)).map_or(0, |(version, _)| *version);
                let expect = expect.map(|off| (key.clone(), version + off));
                let change = Change {
                    generation: off.map(token),
                    expect: expect.into_iter().collect(),
                    if_version: whole.map(|off| session.map_or(0, |s| s.version) + off),
                    set: value
                        .iter()
                        .map(|v| (key.clone(), sealed(&[*v]).into()))
                        .collect::<BTreeMap<_, _>>(),
                    remove: if value.is_none() { vec![key.clone()] } else { Vec::new() },
                };
                Mutation::Change { change }
            }
            Self::Prepare(off) => f.prepare(token(*off)),
            Self::Confirm(off) => Mutation::Confirm { generation: token(*off) },
            Self::Authenticate { token: off, renews, as_another, level, max, at_limit } => {
                let whose = if *as_another { user("somebody else") } else { whose };
                let renewal = Renewal { idle_ms: IDLE_MS / 2, absolute_ms: ABSOLUTE_MS, persistent: false };
                let mut by = Authentication {
                    identity: NewIdentity { level: *level, ..identity(&whose) },
                    proof: if *renews { Proof::Full } else { Proof::StepUp },
                    renewal: renews.then_some(renewal),
                    ..f.authentication(&whose, token(*off))
                };
                (by.admission.max_sessions, by.admission.at_limit) = (*max, *at_limit);
                Mutation::Authenticate(Box::new(by))
            }
            Self::SetRoles(admin) => {
                let role = if *admin { "admin" } else { "writer" };
                Mutation::SetRoles(vec![role.parse().expect("a role")])
            }
            Self::Claim(off) => claim(&f.claim(&ada_or_bob(true)), token(*off)),
            Self::Release { own } => {
                let attempt = match session.map(|s| &s.phase) {
                    Some(Phase::Claimed(attempt)) if *own => *attempt,
                    _ => OperationId::random(f.random()),
                };
                Mutation::Release { attempt }
            }
            Self::End(reason) => end(*reason, Actor::user()),
            Self::EndIfDue => Mutation::EndIfDue,
        }
    }
}
