//! Housekeeping.

use std::collections::BTreeSet;
use std::time::Duration;

use super::builders::{IDLE_MS, change, claim, logout, set, sweep};
use super::fixture::Fixture;
use super::tables::{ada, authenticate, every_live_state};
use crate::event::EventKind;
use crate::id::SessionId;
use crate::reason::{Actor, EndReason};
use crate::record::NewSession;
use crate::store::{Admission, Authentication, Mutation, Outcome, Refusal, Renewal, Sweep};

const IDLE: Duration = Duration::from_millis(IDLE_MS);

pub(super) async fn a_sweep_tells_the_end_of_each_session_past_a_limit(f: Fixture) {
    let mut due: Vec<SessionId> = every_live_state(&f).await.iter().map(|r| r.id).collect();
    f.wait(IDLE);
    let absolute = NewSession { absolute_ms: 1, ..f.signed_in(&ada()) };
    due.push(f.begin(absolute).await.id);
    let live = f.begin(f.signed_in(&ada())).await;
    f.wait(Duration::from_millis(1));
    let swept = f.sweep_out(&sweep(100)).await;
    assert_eq!(as_set(&swept), as_set(&due));
    assert_eq!(swept.len(), due.len());
    for id in &due {
        let by_deadline = Some(id) == due.last();
        let reason = if by_deadline { EndReason::AbsoluteTimeout } else { EndReason::IdleTimeout };
        let told = f.end_of(*id).await;
        assert_eq!((told.at, told.body.reason), (f.now(), Some(reason)));
        assert_eq!(told.body.actor, Actor::system());
        let ended = f.record(*id).await;
        assert!(ended.ended().is_some() && ended.data.is_empty());
    }
    assert_eq!(f.list(&ada()).await, std::slice::from_ref(&live));
    assert_eq!(f.sweep_out(&sweep(100)).await, [], "each end once");
    assert_eq!(f.load(live.id).await, Some(live));
}

fn as_set(ids: &[SessionId]) -> BTreeSet<SessionId> {
    ids.iter().copied().collect()
}

pub(super) async fn a_sweep_is_bounded_and_says_whether_there_is_more(f: Fixture) {
    for _ in 0..25 {
        f.begin(f.guest()).await;
    }
    f.wait(IDLE);
    let mut ended = 0;
    for _ in 0..25 {
        let swept = f.sweep(10).await;
        assert!(swept.ended.len() <= 10);
        ended += swept.ended.len();
        assert!(swept.more || ended == 25, "{ended} of 25, and it says that is all");
    }
    assert_eq!(ended, 25);
    f.sweep_out(&sweep(10)).await;
    assert!(!f.sweep(10).await.more, "there is nothing left to do");
}

pub(super) async fn sweeps_at_once_tell_each_end_once(f: Fixture) {
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(f.begin(f.guest()).await.id);
    }
    f.wait(IDLE);
    let ended = f.at_once(8, |f, _| async move { f.sweep_out(&sweep(3)).await }).await.concat();
    assert_eq!(as_set(&ended), as_set(&ids));
    assert_eq!(ended.len(), 40, "two sweeps claim the same end");
    for id in ids {
        f.end_of(id).await;
    }
}

pub(super) async fn a_sweep_never_ends_what_was_active_in_time(f: Fixture) {
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(f.begin(f.guest()).await.id);
    }
    f.wait(IDLE / 2);
    for id in &ids[..5] {
        f.touch(*id, f.now()).await;
    }
    f.wait(IDLE / 2);
    assert_eq!(as_set(&f.sweep_out(&sweep(100)).await), as_set(&ids[5..]));
    f.wait(IDLE / 2 - Duration::from_millis(1));
    assert_eq!(f.sweep_out(&sweep(100)).await, []);
    f.wait(Duration::from_millis(1));
    assert_eq!(as_set(&f.sweep_out(&sweep(100)).await), as_set(&ids[..5]));
}

pub(super) async fn touched_sessions_do_not_keep_a_sweep_from_the_dead(f: Fixture) {
    let mut touched = Vec::new();
    for _ in 0..10 {
        touched.push(f.begin(f.guest()).await.id);
    }
    f.wait(Duration::from_millis(1));
    let dead = f.begin(f.guest()).await.id;
    f.wait(IDLE / 2);
    for id in touched {
        f.touch(id, f.now()).await;
    }
    f.wait(IDLE / 2);
    assert_eq!(f.sweep_out(&sweep(2)).await, [dead]);
}

pub(super) async fn touches_racing_a_sweep_leave_it_one_way_or_the_other(f: Fixture) {
    for _ in 0..8 {
        let record = f.begin(f.guest()).await;
        let id = record.id;
        let in_time = crate::clock::Timestamp::from_millis(record.due_at().as_millis() - 1);
        f.wait(IDLE);
        f.at_once(8, |f, i| async move {
            if i % 2 == 0 {
                f.touch(id, in_time).await;
            } else {
                f.sweep(100).await;
            }
        })
        .await;
        let after = f.record(id).await;
        match after.ended() {
            Some(ended) => {
                assert_eq!(ended.ending.reason, EndReason::IdleTimeout);
                f.end_of(id).await;
            }
            None => {
                assert_eq!(after.last_seen_at, in_time);
                assert_eq!(f.kinds_of(id).await, [EventKind::Created]);
            }
        }
    }
}

pub(super) async fn an_ended_session_is_known_for_its_time_and_then_gone(f: Fixture) {
    let keep = Sweep { keep_ended_ms: 60_000, ..sweep(100) };
    let live = f.begin(f.signed_in(&ada())).await;
    let mut ended = Vec::new();
    for state in every_live_state(&f).await {
        ended.push(f.apply(state.id, logout()).await);
    }
    f.sweep_out(&keep).await;
    f.wait(Duration::from_millis(59_999));
    f.sweep_out(&keep).await;
    for record in &ended {
        assert_eq!(f.load(record.id).await.as_ref(), Some(record));
    }
    f.wait(Duration::from_millis(1));
    f.sweep_out(&keep).await;
    for record in ended {
        assert_eq!(f.load(record.id).await, None);
        let reply = f.mutate(record.id, change(set("cart", b"tea", 1))).await;
        assert_eq!(reply.outcome, Outcome::Refused(Refusal::Missing));
    }
    assert_eq!(f.load(live.id).await, Some(live));
}

pub(super) async fn an_adopted_session_is_known_until_its_cookie_begins_it_no_more(f: Fixture) {
    let keep = Sweep { keep_ended_ms: 60_000, ..sweep(100) };
    let until = f.now().plus(Duration::from_millis(600_000));
    let adopted = NewSession { adopted_until: Some(until), absolute_ms: 500_000, ..f.signed_in(&ada()) };
    let id = f.begin(adopted.clone()).await.id;
    // That its own limit is nearer from then on changes nothing.
    let renewal = Some(Renewal { idle_ms: 1_000, absolute_ms: 2_000, persistent: false });
    f.apply(id, authenticate(Authentication { renewal, ..f.authentication(&ada(), 1) })).await;
    let ended = f.apply(id, logout()).await;
    assert_eq!(ended.adopted_until, Some(until));
    let begin = async || f.create(&f.operation(), adopted.clone(), &super::builders::admission()).await;
    for _ in 0..2 {
        f.sweep_out(&keep).await;
        f.wait(Duration::from_millis(299_999));
    }
    f.sweep_out(&keep).await;
    assert_eq!(begin().await.outcome, Outcome::Replayed);
    f.wait(Duration::from_millis(2));
    f.sweep_out(&keep).await;
    assert_eq!(f.load(id).await, None);
    assert_eq!(begin().await.outcome, Outcome::Refused(Refusal::Ended(EndReason::AbsoluteTimeout)));
    assert_eq!(f.load(id).await, None);
}

pub(super) async fn an_id_that_was_used_up_is_kept_as_long_as_an_ended_one(f: Fixture) {
    let guest = f.begin(f.guest()).await;
    let nobody = Admission {
        max_sessions: 0,
        at_limit: crate::record::AtLimit::Refuse,
        burn: true,
        ..super::builders::admission()
    };
    let new = NewSession { previous: Some(guest.id), ..f.signed_in(&ada()) };
    f.create(&f.operation(), new.clone(), &nobody).await;
    let keep = Sweep { keep_ended_ms: 60_000, ..sweep(100) };
    f.wait(Duration::from_millis(59_999));
    assert_eq!(f.sweep_out(&keep).await, []);
    assert!(f.load(new.id).await.is_some());
    f.wait(Duration::from_millis(1));
    assert_eq!(f.sweep_out(&keep).await, []);
    assert_eq!(f.load(new.id).await, None);
    assert_eq!(f.events_of(new.id).await, []);
}

pub(super) async fn a_sweep_counts_what_it_removes(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    f.apply(id, logout()).await;
    let nothing_kept =
        Sweep { keep_ended_ms: 0, keep_receipts_ms: 0, keep_events_ms: 0, ..super::builders::sweep(100) };
    let swept = f.sweep_by(&nothing_kept).await;
    assert_eq!(swept.removed, 3, "one session and its two events");
    assert_eq!(f.load(id).await, None);
    assert_eq!(f.events_at(id).await, []);
}

pub(super) async fn a_sweep_minds_limits_that_moved(f: Fixture) {
    let renewed = f.begin(f.signed_in(&ada())).await.id;
    let frozen = f.begin(f.guest()).await.id;
    let released = f.claim(&ada());
    f.apply(frozen, claim(&released, 1)).await;
    f.wait(IDLE / 2);
    f.apply(renewed, authenticate(f.authentication(&ada(), 1))).await;
    let attempt = released.attempt;
    f.apply(frozen, Mutation::Release { attempt }).await;
    f.wait(IDLE / 2);
    assert_eq!(f.sweep_out(&sweep(100)).await, [frozen]);
    f.wait(IDLE / 2);
    assert_eq!(f.sweep_out(&sweep(100)).await, [renewed]);
}
