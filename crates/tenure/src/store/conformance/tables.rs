//! Every state and every mutation, for the promises that hold for all of them.

use super::builders::{change, claim, end, logout, set, user};
use super::fixture::Fixture;
use crate::id::{OperationId, Role, UserId};
use crate::reason::{Actor, EndReason};
use crate::record::{Change, Record, State};
use crate::store::{Authentication, Mutation};

/// The user of the sessions in these tables.
pub(super) fn ada() -> UserId {
    user("ada")
}

/// One live session in each state, those with a prepared and a fresh token included.
pub(super) async fn every_live_state(f: &Fixture) -> Vec<Record> {
    let guest = f.begin(f.guest()).await;
    let frozen = f.begin(f.guest()).await;
    let frozen = f.apply(frozen.id, claim(&f.claim(&ada()), 1)).await;
    let pending = f.begin(f.pending(&ada())).await;
    let fresh = f.begin(f.signed_in(&ada())).await;
    let with_data = f.begin(f.signed_in(&ada())).await;
    let with_data = f.apply(with_data.id, change(set("cart", b"tea", 1))).await;
    let prepared = f.begin(f.signed_in(&ada())).await;
    let prepared = f.apply(prepared.id, f.prepare(1)).await;
    let rotated = f.begin(f.signed_in(&ada())).await;
    f.apply(rotated.id, f.prepare(1)).await;
    let rotated = f.apply(rotated.id, Mutation::Confirm { generation: 2 }).await;
    vec![guest, frozen, pending, fresh, with_data, prepared, rotated]
}

/// Each mutation that there is, as somebody would ask it of `record` who holds its current
/// token. Those that end it stand last.
pub(super) fn every_mutation(f: &Fixture, record: &Record) -> Vec<Mutation> {
    let mut all = every_mutation_that_goes_on(f, record);
    all.push(logout());
    all.push(end(EndReason::TokenReuse, Actor::system()));
    all.push(Mutation::EndIfDue);
    all
}

/// The same without those that end it.
pub(super) fn every_mutation_that_goes_on(f: &Fixture, record: &Record) -> Vec<Mutation> {
    let generation = record.secrets.generation;
    let whose = record.user().cloned().unwrap_or_else(ada);
    let attempt = match &record.state {
        State::Claimed(claim) => claim.attempt,
        _ => OperationId::random(f.random()),
    };
    vec![
        change(set("late", b"save", generation)),
        change(Change { generation: None, ..set("late", b"save by an administrator", generation) }),
        f.prepare(generation),
        Mutation::Confirm { generation },
        Mutation::Confirm { generation: generation + 1 },
        authenticate(f.authentication(&whose, generation)),
        authenticate(f.step_up(&whose, generation)),
        Mutation::SetRoles(vec![role("admin")]),
        claim(&f.claim(&whose), generation),
        Mutation::Release { attempt },
    ]
}

/// A session in a fitting state, and a mutation that is applied to it: one of each kind.
pub(super) async fn every_mutation_that_applies(f: &Fixture) -> Vec<(Record, Mutation)> {
    let guest = f.begin(f.guest()).await;
    let frozen = f.begin(f.guest()).await;
    let move_to_ada = f.claim(&ada());
    let frozen = f.apply(frozen.id, claim(&move_to_ada, 1)).await;
    let pending = f.begin(f.pending(&ada())).await;
    let prepared = f.begin(f.signed_in(&ada())).await;
    let prepared = f.apply(prepared.id, f.prepare(1)).await;
    let release = Mutation::Release { attempt: move_to_ada.attempt };
    let mut steps = vec![
        (guest.clone(), change(set("cart", b"tea", 1))),
        (guest, claim(&f.claim(&ada()), 1)),
        (frozen, release),
        (pending, authenticate(f.authentication(&ada(), 1))),
        (prepared, Mutation::Confirm { generation: 2 }),
    ];
    for mutation in [
        f.prepare(1),
        authenticate(f.authentication(&ada(), 1)),
        authenticate(f.step_up(&ada(), 1)),
        Mutation::SetRoles(vec![role("admin")]),
        logout(),
    ] {
        steps.push((f.begin(f.signed_in(&ada())).await, mutation));
    }
    steps
}

/// The mutation that authenticates.
pub(super) fn authenticate(authentication: Authentication) -> Mutation {
    Mutation::Authenticate(Box::new(authentication))
}

/// The role with this name.
pub(super) fn role(name: &str) -> Role {
    Role::new(name).expect("a role of the suite fits")
}
