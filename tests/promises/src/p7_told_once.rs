//! P7: every end is one event, with time, reason and actor; the log has no gap and no double.

use std::time::Duration;

use futures_util::future::join_all;
use tenure::AtLimit;
use tenure::Limits;
use tenure::event::{Event, EventKind, Position};
use tenure::store::EventPage;
use tenure::{Actor, EndReason, Ending, Error, SessionId, Sessions, SignIn, Verdict};

use crate::support::{
    Call, HOUR, MINUTE, SECOND, Trouble, World, active, ends, guest_with_cart, look, on_each_engine, revoked,
    said, sign_in, soaked, the_end, told, until, user, visit,
};

on_each_engine! {
    p7_each_kind_of_end_is_told_once_with_reason_and_actor;
    p7_an_end_asked_for_by_many_at_once_is_told_once;
    p7_a_limit_met_by_checks_sweeps_and_ends_at_once_is_told_once;
    p7_a_session_past_its_limit_ends_of_that_whoever_ends_it;
    p7_reuse_shown_by_many_at_once_is_told_once;
    p7_an_end_whose_answer_was_lost_is_told_once;
    p7_the_log_has_no_gap_and_reads_the_same_from_any_cursor;
    p7_a_cursor_that_is_no_longer_kept_is_refused_and_never_skipped;
    p7_an_end_is_told_at_the_time_and_in_the_order_it_happened;
}

/// A session of `ann` with the token `first` replaced by a second one long ago.
async fn rotated(world: &World, sessions: &Sessions) -> (SessionId, String) {
    let issued = sign_in(sessions, "ann").await;
    let first = issued.token.expose().to_owned();
    let holder = active(sessions, &first).await;
    let next = sessions.rotate(&holder, Actor::application(), None).await.unwrap();
    look(sessions, next.token.expose()).await;
    world.clock.advance(MINUTE);
    (issued.session.id(), first)
}

async fn p7_each_kind_of_end_is_told_once_with_reason_and_actor(mut world: World) {
    world.policy.max_sessions = 2;
    world.policy.at_limit = AtLimit::EndOldest;
    world.policy.session = Limits { idle_seconds: 1_800, absolute_seconds: 3_600 };
    let sessions = world.open().await;
    let id = |issued: &tenure::Issued| issued.session.id();

    let logout = sign_in(&sessions, "ann").await;
    sessions.sign_out(&active(&sessions, logout.token.expose()).await).await.unwrap();
    let by_admin = sign_in(&sessions, "ann").await;
    let ending = revoked().note("lost phone");
    assert!(sessions.end(id(&by_admin), ending).await.unwrap());
    let guest = guest_with_cart(&sessions, &["apple"]).await;
    let verdict = look(&sessions, guest.token.expose()).await;
    let signed_in = sessions.sign_in(Some(&verdict), SignIn::password(user("ann"))).await.unwrap();
    for _ in 0..2 {
        world.clock.advance(SECOND);
        sign_in(&sessions, "ann").await;
    }
    let disabled = sign_in(&sessions, "bob").await;
    sessions.disable(&user("bob"), Actor::api_key("admin")).await.unwrap();
    let (reused, first) = rotated(&world, &sessions).await;
    assert_eq!(said(&sessions, &first).await, "token_reuse");

    let idle = sign_in(&sessions, "carol").await;
    let busy = sign_in(&sessions, "dora").await;
    for _ in 0..5 {
        world.clock.advance(14 * MINUTE);
        visit(&sessions, busy.token.expose()).await;
        sessions.maintain().await.unwrap();
    }

    let expected = [
        (id(&logout), EndReason::Logout, "user"),
        (id(&by_admin), EndReason::Revoked, "api_key:admin"),
        (id(&guest), EndReason::SignedIn, "system"),
        (id(&signed_in), EndReason::SessionLimit, "system"),
        (id(&disabled), EndReason::UserDisabled, "api_key:admin"),
        (reused, EndReason::TokenReuse, "system"),
        (id(&idle), EndReason::IdleTimeout, "system"),
        (id(&busy), EndReason::AbsoluteTimeout, "system"),
    ];
    for (id, reason, actor) in expected {
        assert_eq!(the_end(&sessions, id).await, (reason, actor.to_owned()));
    }
    let note = ends(&sessions, id(&by_admin)).await[0].body.note.clone();
    assert_eq!(note.as_deref(), Some("lost phone"));

    // Asking once more, sweeping and restarting tell nothing again.
    let count = told(&sessions).await.len();
    for (id, _, _) in expected {
        assert!(!sessions.end(id, revoked()).await.unwrap());
    }
    let sessions = world.restart(sessions).await;
    sessions.maintain().await.unwrap();
    assert_eq!(told(&sessions).await.len(), count);
}

async fn p7_an_end_asked_for_by_many_at_once_is_told_once(world: World) {
    let sessions = world.open().await;
    for _ in 0..soaked(10, 300) {
        let issued = sign_in(&sessions, "ann").await;
        let holder = active(&sessions, issued.token.expose()).await;
        let tasks = (0..8).map(|task| {
            let (sessions, holder) = (sessions.clone(), holder.clone());
            tokio::spawn(async move {
                match task % 4 {
                    0 => sessions.end(holder.session().id(), revoked()).await.unwrap(),
                    1 => sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap() == 1,
                    2 => match sessions.end_own(&holder, holder.session().id()).await {
                        Err(Error::Inactive(_)) => false,
                        answer => answer.unwrap(),
                    },
                    _ => {
                        sessions.sign_out(&holder).await.unwrap();
                        false
                    }
                }
            })
        });
        let claims = join_all(tasks).await.into_iter().map(Result::unwrap);
        assert!(claims.filter(|ended| *ended).count() <= 1, "one of them ended it");
        the_end(&sessions, issued.session.id()).await;
    }
}

async fn p7_a_limit_met_by_checks_sweeps_and_ends_at_once_is_told_once(world: World) {
    let sessions = world.open().await;
    for _ in 0..soaked(10, 300) {
        let issued = sign_in(&sessions, "ann").await;
        let (id, token) = (issued.session.id(), issued.token.expose().to_owned());
        world.clock.advance(HOUR);
        let tasks = (0..9).map(|task| {
            let (sessions, token) = (sessions.clone(), token.clone());
            tokio::spawn(async move {
                match task % 3 {
                    0 => assert_ne!(said(&sessions, &token).await, "ok"),
                    1 => drop(sessions.maintain().await.unwrap()),
                    _ => drop(sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap()),
                }
            })
        });
        for task in join_all(tasks).await {
            task.unwrap();
        }
        until("its end", || async { !ends(&sessions, id).await.is_empty() }).await;
        assert_eq!(the_end(&sessions, id).await, (EndReason::IdleTimeout, "system".into()));
    }
}

async fn p7_a_session_past_its_limit_ends_of_that_whoever_ends_it(world: World) {
    let sessions = world.open().await;
    let tokens =
        [sign_in(&sessions, "ann").await, sign_in(&sessions, "bob").await, sign_in(&sessions, "eve").await];
    let holder = active(&sessions, tokens[2].token.expose()).await;
    world.clock.advance(HOUR);
    sessions.end(tokens[0].session.id(), revoked()).await.unwrap();
    sessions.disable(&user("bob"), Actor::application()).await.unwrap();
    sessions.sign_out(&holder).await.unwrap();
    for issued in tokens {
        let end = the_end(&sessions, issued.session.id()).await;
        assert_eq!(end, (EndReason::IdleTimeout, "system".into()));
    }
}

async fn p7_reuse_shown_by_many_at_once_is_told_once(world: World) {
    let sessions = world.open().await;
    for _ in 0..soaked(10, 300) {
        let (id, first) = rotated(&world, &sessions).await;
        let thieves = (0..8).map(|_| {
            let (sessions, first) = (sessions.clone(), first.clone());
            tokio::spawn(async move { said(&sessions, &first).await })
        });
        for word in join_all(thieves).await {
            assert_eq!(word.unwrap(), "token_reuse");
        }
        assert_eq!(the_end(&sessions, id).await, (EndReason::TokenReuse, "system".into()));
    }
}

async fn p7_an_end_whose_answer_was_lost_is_told_once(world: World) {
    let sessions = world.open().await;
    let one = sign_in(&sessions, "ann").await.session.id();
    world.faults.times(2, Call::End, Trouble::lost_answer());
    sessions.end(one, revoked()).await.unwrap();
    the_end(&sessions, one).await;

    let many = [sign_in(&sessions, "ann").await, sign_in(&sessions, "ann").await];
    world.faults.once(Call::EndAllOf, Trouble::lost_answer());
    sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
    for issued in many {
        the_end(&sessions, issued.session.id()).await;
    }

    let idle = sign_in(&sessions, "bob").await.session.id();
    world.clock.advance(HOUR);
    world.faults.once(Call::Sweep, Trouble::lost_answer());
    sessions.maintain().await.unwrap_err();
    sessions.maintain().await.unwrap();
    assert_eq!(the_end(&sessions, idle).await, (EndReason::IdleTimeout, "system".into()));

    let (reused, first) = rotated(&world, &sessions).await;
    world.faults.once(Call::End, Trouble::lost_answer());
    assert_eq!(said(&sessions, &first).await, "token_reuse");
    the_end(&sessions, reused).await;
}

async fn p7_the_log_has_no_gap_and_reads_the_same_from_any_cursor(world: World) {
    let sessions = world.open().await;
    for round in 0..20 {
        let issued = sign_in(&sessions, "ann").await;
        if round % 2 == 0 {
            sessions.end(issued.session.id(), revoked()).await.unwrap();
        }
    }
    let sessions = world.restart(sessions).await;
    let all = told(&sessions).await;
    for (at, pair) in all.windows(2).enumerate() {
        assert_eq!(pair[1].position.sequence, pair[0].position.sequence + 1, "after event {at}");
        assert_eq!(pair[1].position.epoch, pair[0].position.epoch);
        assert!(pair[1].at >= pair[0].at);
    }
    for limit in [1, 7, 100] {
        for (at, event) in all.iter().enumerate() {
            let page = sessions.store().events(0, Some(event.position), limit).await.unwrap();
            let rest = &all[at + 1..];
            assert_eq!(page, EventPage::Events(rest[..limit.min(rest.len())].to_vec()));
        }
    }
}

async fn p7_a_cursor_that_is_no_longer_kept_is_refused_and_never_skipped(world: World) {
    let sessions = world.open().await;
    for name in ["ann", "bob", "carol"] {
        sign_in(&sessions, name).await;
    }
    let old = told(&sessions).await;
    world.clock.advance(8 * 24 * HOUR);
    sign_in(&sessions, "dora").await;
    // Removes what is older than a week, and tells that three were idle.
    sessions.maintain().await.unwrap();
    old_cursors_are_refused(&sessions, &old).await;
    let sessions = world.restart(sessions).await;
    old_cursors_are_refused(&sessions, &old).await;
}

async fn old_cursors_are_refused(sessions: &Sessions, old: &[Event]) {
    let events = async |after| sessions.store().events(0, after, 10).await.unwrap();
    let first = old[0].position;
    let last = old.last().unwrap().position;
    for cursor in &old[..2] {
        let refused = events(Some(cursor.position)).await;
        assert_eq!(refused, EventPage::Truncated { oldest: last }, "{}", cursor.position);
    }
    let EventPage::Events(kept) = events(Some(last)).await else {
        panic!("the oldest position that can be asked for")
    };
    let sequences: Vec<u64> = kept.iter().map(|event| event.position.sequence).collect();
    assert_eq!(sequences, (1..=4).map(|n| last.sequence + n).collect::<Vec<_>>(), "none is skipped");
    let idle = kept.iter().filter(|event| event.body.reason == Some(EndReason::IdleTimeout));
    assert_eq!(idle.count(), 3);
    assert_eq!(events(None).await, EventPage::Events(kept), "without a cursor from the oldest on");
    for foreign in [
        Position { epoch: first.epoch ^ 1, sequence: last.sequence },
        Position { epoch: first.epoch, sequence: u64::MAX / 2 },
        Position { epoch: first.epoch, sequence: 1 << 40 },
    ] {
        let page = events(Some(foreign)).await;
        assert!(matches!(page, EventPage::Truncated { .. }), "{foreign}: {page:?}");
    }
}

async fn p7_an_end_is_told_at_the_time_and_in_the_order_it_happened(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let created_at = issued.session.created_at();
    world.clock.advance(5 * SECOND);
    let Verdict::Ok(holder) = look(&sessions, issued.token.expose()).await else {
        panic!("signed in a moment ago")
    };
    sessions.rotate(&holder, Actor::application(), None).await.unwrap();
    world.clock.advance(5 * SECOND);
    let ending = Ending::new(EndReason::FactorChanged, Actor::system());
    sessions.end(issued.session.id(), ending).await.unwrap();

    let events = told(&sessions).await;
    let story: Vec<_> = events.iter().map(|event| (event.body.kind, event.at.since(created_at))).collect();
    assert_eq!(
        story,
        [
            (EventKind::Created, Duration::ZERO),
            (EventKind::RotationPrepared, 5 * SECOND),
            (EventKind::Ended, 10 * SECOND)
        ]
    );
    assert!(events.iter().all(|event| event.body.user == Some(user("ann"))));
}
