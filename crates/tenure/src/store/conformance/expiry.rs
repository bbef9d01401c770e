//! Limits hold (promise P4): touches, deadlines and clocks.

use std::time::Duration;

use super::builders::{ABSOLUTE_MS, IDLE_MS, change, logout, set};
use super::fixture::Fixture;
use super::tables::{ada, every_live_state, every_mutation_that_applies, every_mutation_that_goes_on};
use crate::clock::Timestamp;
use crate::reason::{Actor, EndReason};
use crate::record::{NewSession, Record};
use crate::store::{Mutation, Outcome, Refusal, Touch};

const SECOND: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_millis(IDLE_MS);

pub(super) async fn a_touch_moves_activity_and_nothing_else(f: Fixture) {
    for before in every_live_state(&f).await {
        let told = f.events_at(before.id).await;
        f.wait(SECOND);
        f.touch(before.id, f.now()).await;
        let after = f.record(before.id).await;
        assert_eq!(after.last_seen_at, f.now());
        let last_seen_at = before.last_seen_at;
        assert_eq!(Record { last_seen_at, ..after }, before);
        assert_eq!(f.events_at(before.id).await, told, "a touch is not told");
    }
}

pub(super) async fn a_touch_never_goes_backwards(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    let start = f.now();
    f.wait(60 * SECOND);
    let latest = f.now();
    f.touch(id, latest).await;
    for earlier in [Timestamp::default(), start, start.plus(SECOND), latest] {
        f.touch(id, earlier).await;
        assert_eq!(f.record(id).await.last_seen_at, latest);
    }
}

pub(super) async fn of_touches_at_once_the_latest_counts(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    let start = f.now();
    f.wait(60 * SECOND);
    f.at_once(16, |f, i| async move {
        let seconds = (i as u32 * 7) % 16;
        f.touch(id, start.plus(SECOND * seconds)).await;
    })
    .await;
    assert_eq!(f.record(id).await.last_seen_at, start.plus(15 * SECOND));
}

pub(super) async fn a_touch_from_the_future_counts_as_now(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    f.wait(SECOND);
    f.touch(id, f.now().plus(1_000_000 * SECOND)).await;
    assert_eq!(f.record(id).await.last_seen_at, f.now());
}

pub(super) async fn a_touch_after_the_limit_revives_nobody(f: Fixture) {
    for (idle_ms, absolute_ms) in [(IDLE_MS, ABSOLUTE_MS), (ABSOLUTE_MS, IDLE_MS)] {
        let new = NewSession { idle_ms, absolute_ms, ..f.signed_in(&ada()) };
        let before = f.begin(new).await;
        f.wait(IDLE);
        for late in [f.now(), f.now().plus(SECOND)] {
            f.touch(before.id, late).await;
            assert_eq!(f.record(before.id).await, before);
        }
    }
}

pub(super) async fn activity_before_the_limit_counts_also_when_it_is_written_after(f: Fixture) {
    let record = f.begin(f.guest()).await;
    let last_moment = Timestamp::from_millis(record.due_at().as_millis() - 1);
    f.wait(IDLE + SECOND);
    f.touch(record.id, last_moment).await;
    assert_eq!(f.record(record.id).await.last_seen_at, last_moment);
    let reply = f.mutate(record.id, Mutation::EndIfDue).await;
    assert_eq!(reply.outcome, Outcome::Unchanged, "it was active in time");
}

pub(super) async fn touches_in_one_batch_each_count_for_themselves(f: Fixture) {
    let [live, over, dead] = [
        f.begin(f.guest()).await.id,
        f.begin(f.guest()).await.id,
        f.begin(NewSession { idle_ms: 500, ..f.guest() }).await.id,
    ];
    f.apply(over, logout()).await;
    let untouched = [f.record(over).await, f.record(dead).await];
    f.wait(SECOND);
    let at = f.now();
    let touches = [over, dead, live, live].map(|id| Touch { id, at });
    f.store().touch(&touches).await.expect("the store answers");
    assert_eq!([f.record(over).await, f.record(dead).await], untouched);
    assert_eq!(f.record(live).await.last_seen_at, at);
}

pub(super) async fn no_touch_moves_the_absolute_limit(f: Fixture) {
    let start = f.now();
    let record = f.begin(f.guest()).await;
    for _ in 0..ABSOLUTE_MS / IDLE_MS * 2 {
        f.wait(IDLE / 2);
        f.touch(record.id, f.now()).await;
    }
    assert_eq!(f.now(), start.plus(Duration::from_millis(ABSOLUTE_MS)));
    assert_eq!(f.record(record.id).await.deadline, record.deadline);
    let ended = f.apply(record.id, Mutation::EndIfDue).await;
    assert_eq!(ended.dead(f.now()), Some(EndReason::AbsoluteTimeout));
}

pub(super) async fn only_a_full_authentication_moves_the_absolute_limit(f: Fixture) {
    for (before, mutation) in every_mutation_that_applies(&f).await {
        f.wait(SECOND);
        let renews = matches!(&mutation, Mutation::Authenticate(a) if a.renewal.is_some());
        let after = f.apply(before.id, mutation.clone()).await;
        let expected =
            if renews { f.now().plus(Duration::from_millis(ABSOLUTE_MS)) } else { before.deadline };
        assert_eq!(after.deadline, expected, "{mutation:?}");
        assert_eq!(after.idle_ms, before.idle_ms, "{mutation:?}");
        assert_eq!(after.created_at, before.created_at, "{mutation:?}");
    }
}

pub(super) async fn only_touches_and_authentication_are_activity(f: Fixture) {
    for (before, mutation) in every_mutation_that_applies(&f).await {
        f.wait(SECOND);
        let is_activity = matches!(mutation, Mutation::Authenticate(_));
        let after = f.apply(before.id, mutation.clone()).await;
        let expected = if is_activity { f.now() } else { before.last_seen_at };
        assert_eq!(after.last_seen_at, expected, "{mutation:?}");
    }
}

pub(super) async fn no_mutation_changes_a_session_past_a_limit(f: Fixture) {
    let live = every_live_state(&f).await;
    f.wait(IDLE);
    for before in live {
        for mutation in every_mutation_that_goes_on(&f, &before) {
            assert_eq!(f.refuse(before.id, mutation).await, Refusal::Ended(EndReason::IdleTimeout));
        }
    }
}

pub(super) async fn a_session_is_alive_until_its_limit_and_dead_from_it_on(f: Fixture) {
    let record = f.begin(f.guest()).await;
    f.wait(IDLE - Duration::from_millis(1));
    let reply = f.mutate(record.id, Mutation::EndIfDue).await;
    assert_eq!(reply.outcome, Outcome::Unchanged);
    assert_eq!(f.sweep(10).await.ended, []);
    f.apply(record.id, change(set("cart", b"tea", 1))).await;
    f.wait(Duration::from_millis(1));
    let refusal = f.refuse(record.id, change(set("cart", b"coffee", 1))).await;
    assert_eq!(refusal, Refusal::Ended(EndReason::IdleTimeout));
    f.apply(record.id, Mutation::EndIfDue).await;
}

pub(super) async fn the_limit_that_came_first_is_the_reason(f: Fixture) {
    let new = |idle_ms, absolute_ms| NewSession { idle_ms, absolute_ms, ..f.signed_in(&ada()) };
    let idle = f.begin(new(1_000, 2_000)).await;
    let absolute = f.begin(new(2_000, 1_000)).await;
    f.wait(10 * SECOND);
    for (record, reason) in [(idle, EndReason::IdleTimeout), (absolute, EndReason::AbsoluteTimeout)] {
        let ended = f.apply(record.id, Mutation::EndIfDue).await;
        assert_eq!(ended.dead(f.now()), Some(reason));
        let event = f.end_of(record.id).await;
        assert_eq!((event.at, event.body.reason), (f.now(), Some(reason)));
        assert_eq!(event.body.actor, Actor::system());
    }
}

pub(super) async fn an_end_that_comes_after_the_limit_tells_the_limit(f: Fixture) {
    let live = every_live_state(&f).await;
    f.wait(IDLE);
    for record in live {
        let ended = f.apply(record.id, logout()).await;
        assert_eq!(ended.dead(f.now()), Some(EndReason::IdleTimeout));
        let event = f.end_of(record.id).await;
        assert_eq!(event.body.reason, Some(EndReason::IdleTimeout));
        assert_eq!(event.body.actor, Actor::system());
    }
}

pub(super) async fn a_clock_that_jumps_ahead_ends_nobody(f: Fixture) {
    let record = f.begin(f.signed_in(&ada())).await;
    let year = 365 * 24 * 3600 * SECOND;
    f.clock().jump_ahead(year);
    assert_eq!(f.sweep(10).await.ended, []);
    let reply = f.mutate(record.id, Mutation::EndIfDue).await;
    assert_eq!(reply.outcome, Outcome::Unchanged);
    f.touch(record.id, f.now()).await;
    assert_eq!(f.record(record.id).await, record, "nor does a jump count as activity");
    f.clock().step_back(year);
    f.apply(record.id, change(set("cart", b"tea", 1))).await;
}

pub(super) async fn a_clock_that_steps_back_extends_nobody(f: Fixture) {
    let record = f.begin(f.guest()).await;
    f.wait(IDLE / 2);
    f.clock().step_back(3600 * SECOND);
    f.wait(IDLE / 2);
    let refusal = f.refuse(record.id, change(set("cart", b"tea", 1))).await;
    assert_eq!(refusal, Refusal::Ended(EndReason::IdleTimeout));
    f.apply(record.id, Mutation::EndIfDue).await;
    let times: Vec<_> = f.events_of(record.id).await.iter().map(|e| e.at).collect();
    assert!(times.is_sorted(), "the log goes forward: {times:?}");
}

pub(super) async fn an_end_of_what_was_active_since_it_was_read_is_told_as_it_was_meant(f: Fixture) {
    let all = every_live_state(&f).await;
    f.wait(IDLE - SECOND);
    for known in &all {
        f.touch(known.id, f.now()).await;
    }
    f.wait(2 * SECOND);
    for known in all {
        let due = f.store().mutate_known(&f.operation(), &known, Mutation::EndIfDue).await;
        assert_eq!(due.expect("an answer").outcome, Outcome::Unchanged, "it was active");
        let reply = f.store().mutate_known(&f.operation(), &known, logout()).await.expect("an answer");
        assert_eq!(reply.outcome, Outcome::Applied);
        let told = f.end_of(known.id).await;
        assert_eq!(told.body.reason, Some(EndReason::Logout));
        assert_eq!(f.record(known.id).await.ended().map(|e| e.ending.reason), Some(EndReason::Logout));
    }
}
