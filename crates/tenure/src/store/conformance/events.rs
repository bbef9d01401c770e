//! Every end is told once (promise P7), and the log can be read again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::builders::{change, end, logout, revoked, set, user};
use super::fixture::Fixture;
use super::tables::{ada, every_live_state, every_mutation, every_mutation_that_applies};
use crate::event::{Event, EventKind, Position};
use crate::id::SessionId;
use crate::reason::{Actor, EndReason, Ending};
use crate::store::{EventPage, Mutation, Operation, Outcome, Sweep};

pub(super) async fn every_mutation_is_told_once_as_what_it_was(f: Fixture) {
    for (before, mutation) in every_mutation_that_applies(&f).await {
        f.wait(Duration::from_millis(1));
        let known = f.events_at(before.id).await.last().map(|e| e.position);
        let operation = Operation { actor: Actor::api_key("shop"), ..f.operation() };
        let after = f.mutate_as(&operation, before.id, mutation.clone()).await;
        let after = after.record.expect("the answer has the session");
        let events = f.log(f.partition_of(before.id), known).await;
        assert_eq!(events.len(), 1, "{mutation:?}: {events:?}");
        let (event, body) = (&events[0], &events[0].body);
        assert_eq!((body.kind, event.at), (kind(&mutation), f.now()));
        assert_eq!((body.session, &body.realm), (Some(before.id), &before.realm));
        assert_eq!(body.user.as_ref(), after.user(), "{mutation:?}");
        let ends = matches!(mutation, Mutation::End { .. });
        let actor = if ends { Actor::user() } else { operation.actor };
        assert_eq!((&body.actor, body.reason.is_some()), (&actor, ends));
    }
}

fn kind(mutation: &Mutation) -> EventKind {
    match mutation {
        Mutation::Change { .. } => EventKind::Changed,
        Mutation::Prepare { .. } => EventKind::RotationPrepared,
        Mutation::Confirm { .. } => EventKind::Rotated,
        Mutation::Authenticate(_) => EventKind::Authenticated,
        Mutation::SetRoles(_) => EventKind::RolesChanged,
        Mutation::Claim { .. } => EventKind::Claimed,
        Mutation::Release { .. } => EventKind::Released,
        Mutation::End { .. } | Mutation::EndIfDue => EventKind::Ended,
    }
}

pub(super) async fn each_end_is_told_with_time_reason_actor_and_note(f: Fixture) {
    for reason in [
        EndReason::Logout,
        EndReason::Revoked,
        EndReason::SignedIn,
        EndReason::TokenReuse,
        EndReason::FactorChanged,
        EndReason::UserErased,
    ] {
        let id = f.begin(f.signed_in(&ada())).await.id;
        f.wait(Duration::from_secs(1));
        let ending = Ending::new(reason, Actor::api_key("admin")).note("lost phone");
        let mutation = Mutation::End { ending: ending.clone(), next: None };
        let ended = f.apply(id, mutation).await;
        let told = f.end_of(id).await;
        assert_eq!((told.at, told.body.reason), (f.now(), Some(reason)));
        assert_eq!(told.body.actor, ending.actor);
        assert_eq!(told.body.note.as_deref(), Some("lost phone"));
        assert_eq!(told.body.user, Some(ada()));
        assert_eq!(ended.ended().map(|e| (&e.ending, e.at)), Some((&ending, f.now())));
    }
}

pub(super) async fn sixteen_ends_at_once_are_told_once(f: Fixture) {
    for live in every_live_state(&f).await {
        let outcomes = f
            .at_once(16, |f, i| async move {
                let actor = Actor::api_key(&format!("task {i}"));
                f.mutate(live.id, end(EndReason::Revoked, actor)).await.outcome
            })
            .await;
        let winner = outcomes.iter().position(|o| *o == Outcome::Applied);
        let winner = winner.expect("one of them ends it");
        assert_eq!(outcomes.iter().filter(|o| **o == Outcome::Unchanged).count(), 15);
        let told = f.end_of(live.id).await;
        let expected = Actor::api_key(&format!("task {winner}"));
        assert_eq!(told.body.actor, expected, "it is told as who was told so");
    }
}

pub(super) async fn ends_of_every_kind_at_once_are_told_once(f: Fixture) {
    for round in 0..8_u64 {
        let whose = user(&format!("user {round}"));
        let mut ids = Vec::new();
        for _ in 0..6 {
            ids.push(f.begin(f.signed_in(&whose)).await.id);
        }
        let due = f.record(ids[0]).await.due_at();
        f.wait(due.since(f.now()));
        f.at_once(12, |f, i| {
            let (ids, whose) = (ids.clone(), whose.clone());
            async move {
                match i % 4 {
                    0 => {
                        for id in ids {
                            f.mutate(id, logout()).await;
                        }
                    }
                    1 => {
                        for id in ids {
                            f.mutate(id, Mutation::EndIfDue).await;
                        }
                    }
                    2 => drop(f.sweep(3).await),
                    _ => drop(f.end_all_of(&whose, None, revoked()).await),
                }
            }
        })
        .await;
        for id in ids {
            assert_eq!(f.end_of(id).await.body.reason, Some(EndReason::IdleTimeout));
        }
    }
}

pub(super) async fn what_is_refused_or_unchanged_is_not_told(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    f.apply(id, logout()).await;
    let told = f.events_at(id).await;
    let record = f.record(id).await;
    for mutation in every_mutation(&f, &record) {
        f.mutate(id, mutation).await;
    }
    assert_eq!(f.events_at(id).await, told);
}

pub(super) async fn the_log_has_no_gap_and_no_event_twice(f: Fixture) {
    let ids = busy_day(&f).await;
    for partition in 0..f.store().info().partitions {
        let events = f.log(partition, None).await;
        for (event, sequence) in events.iter().zip(1..) {
            assert_eq!(event.position.sequence, sequence);
            assert_eq!(event.position.epoch, events[0].position.epoch);
        }
        assert!(events.is_sorted_by_key(|event| event.at), "time goes forward");
    }
    for id in ids {
        let expected = [EventKind::Created, EventKind::Changed, EventKind::Ended];
        assert_eq!(f.kinds_of(id).await, expected);
    }
}

pub(super) async fn reading_again_from_any_position_gives_the_same(f: Fixture) {
    busy_day(&f).await;
    let partition = f.partition_of_user(&ada());
    let whole = f.log(partition, None).await;
    assert!(whole.len() >= 3 * 16);
    for (i, event) in whole.iter().enumerate() {
        for limit in [1, 3, 1_000] {
            let page = f.store().events(partition, Some(event.position), limit).await;
            let rest = &whole[i + 1..];
            let expected = rest[..limit.min(rest.len())].to_vec();
            assert_eq!(page, Ok(EventPage::Events(expected)));
        }
    }
    let first = f.store().events(partition, None, 2).await;
    assert_eq!(first, Ok(EventPage::Events(whole[..2].to_vec())));
    assert_eq!(f.log(partition, None).await, whole);
}

/// Sixteen sessions of one user that begin, change and end at the same time.
async fn busy_day(f: &Fixture) -> Vec<SessionId> {
    f.at_once(16, |f, _| async move {
        let id = f.begin(f.signed_in(&ada())).await.id;
        f.wait(Duration::from_millis(1));
        f.apply(id, change(set("cart", b"tea", 1))).await;
        f.apply(id, logout()).await;
        id
    })
    .await
}

pub(super) async fn a_reader_beside_the_writers_misses_nothing(f: Fixture) {
    let partition = f.partition_of_user(&ada());
    let writing = Arc::new(AtomicUsize::new(8));
    let read = f
        .at_once(9, |f, i| {
            let writing = Arc::clone(&writing);
            async move {
                let mut seen: Vec<Event> = Vec::new();
                if i > 0 {
                    let id = f.begin(f.signed_in(&ada())).await.id;
                    for _ in 0..8 {
                        f.apply(id, change(set("cart", b"tea", 1))).await;
                    }
                    writing.fetch_sub(1, Ordering::SeqCst);
                    return seen;
                }
                loop {
                    let is_last = writing.load(Ordering::SeqCst) == 0;
                    let after = seen.last().map(|event| event.position);
                    seen.extend(f.log(partition, after).await);
                    if is_last {
                        return seen;
                    }
                    tokio::task::yield_now().await;
                }
            }
        })
        .await;
    assert_eq!(read[0].len(), 8 * 9);
    assert_eq!(read[0], f.log(partition, None).await);
}

pub(super) async fn a_position_that_is_not_of_this_log_is_refused(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    let partition = f.partition_of(id);
    let last = f.events_at(id).await[0].position;
    for wrong in [
        Position { epoch: last.epoch.wrapping_add(1), ..last },
        Position { sequence: last.sequence + 1, ..last },
    ] {
        let page = f.store().events(partition, Some(wrong), 10).await;
        assert!(matches!(page, Ok(EventPage::Truncated { .. })), "{page:?}");
    }
}

pub(super) async fn a_position_older_than_what_is_kept_is_refused_and_never_skipped(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    f.apply(id, change(set("cart", b"tea", 1))).await;
    f.wait(Duration::from_secs(60));
    f.apply(id, change(set("cart", b"coffee", 1))).await;
    f.apply(id, logout()).await;
    let whole = f.events_at(id).await;
    let keep = Sweep { keep_events_ms: 60_000, ..super::builders::sweep(100) };
    f.sweep_out(&keep).await;
    let partition = f.partition_of(id);
    assert_eq!(f.events_at(id).await, whole[2..], "the younger ones are kept");
    let old = f.store().events(partition, Some(whole[0].position), 10).await;
    let Ok(EventPage::Truncated { oldest }) = old else {
        panic!("{old:?} for a position that is no longer kept")
    };
    assert_eq!(f.log(partition, Some(oldest)).await, whole[2..], "from there it goes on");
}

pub(super) async fn an_emptied_log_goes_on_where_it_was(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    f.apply(id, logout()).await;
    let last = f.events_at(id).await[1].position;
    f.wait(Duration::from_secs(60));
    let keep = Sweep { keep_events_ms: 60_000, ..super::builders::sweep(100) };
    f.sweep_out(&keep).await;
    let partition = f.partition_of(id);
    assert_eq!(f.log(partition, None).await, []);
    let after = f.log(partition, Some(last)).await;
    assert_eq!(after, [], "who has read all of it has missed nothing");
    f.begin(f.signed_in(&ada())).await;
    let next = f.log(partition, Some(last)).await;
    assert_eq!(next.len(), 1);
    let sequence = last.sequence + 1;
    assert_eq!(next[0].position, Position { sequence, ..last });
}
