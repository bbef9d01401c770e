//! Attacks on what is known in memory only: activity that waits to be written, answers that
//! wait to be sent, ends that the store has forgotten.

use tenure::AtLimit;
use tenure::{Actor, EndReason, Verdict};

use crate::support::{
    Call, HOUR, MINUTE, SECOND, Trouble, World, on_each_engine, revoked, role, said, sign_in, the_end, user,
    visit,
};

on_each_engine! {
    p10_a_slow_answer_with_a_token_that_others_have_used_is_not_sent;
    p7_an_end_is_told_as_what_it_was_while_activity_waits;
    p8_the_session_limit_counts_those_whose_activity_waits;
    p8_signing_out_everywhere_is_told_as_that_while_activity_waits;
    p1_memory_and_store_forget_an_ended_session_alike;
    p1_an_end_goes_through_also_when_waiting_activity_cannot_be_written;
    p1_many_ends_are_not_slowed_by_activity_that_cannot_be_written;
}

/// Active a while ago, and the store does not know yet: it takes the session for idle.
async fn active_in_memory_only(world: &World, sessions: &tenure::Sessions) -> tenure::Issued {
    let issued = sign_in(sessions, "ann").await;
    world.clock.advance(29 * MINUTE);
    visit(sessions, issued.token.expose()).await;
    world.clock.advance(2 * MINUTE);
    issued
}

async fn p10_a_slow_answer_with_a_token_that_others_have_used_is_not_sent(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let first = issued.token.expose().to_owned();
    world.clock.advance(16 * MINUTE);
    let renewed = async |token: &str| {
        let Verdict::Ok(active) = visit(&sessions, token).await else { panic!("signed in") };
        active.renewed().expect("rotation is due").clone()
    };
    // A slow request gets the next token along; its handler works on.
    let slow = renewed(&first).await;
    assert!(sessions.may_hand_out(&slow).await, "nobody has used it yet");
    // Another request gets the same and uses it.
    let second = renewed(&first).await;
    assert_eq!(slow.token.expose(), second.token.expose());
    assert_eq!(said(&sessions, second.token.expose()).await, "ok");
    // Eleven seconds later rights change, and the token rotates again.
    world.clock.advance(11 * SECOND);
    sessions.set_roles(&user("ann"), &[role("admin")], Actor::application()).await.unwrap();
    let third = renewed(second.token.expose()).await;
    // Sent now, the slow answer would arrive after the newer one, and its token look stolen.
    assert!(!sessions.may_hand_out(&slow).await);
    assert!(sessions.may_hand_out(&third).await);
}

async fn p7_an_end_is_told_as_what_it_was_while_activity_waits(world: World) {
    let sessions = world.open().await;
    let issued = active_in_memory_only(&world, &sessions).await;
    sessions.end(issued.session.id(), revoked()).await.unwrap();
    assert_eq!(the_end(&sessions, issued.session.id()).await.0, EndReason::Revoked);
}

async fn p8_the_session_limit_counts_those_whose_activity_waits(mut world: World) {
    (world.policy.max_sessions, world.policy.at_limit) = (1, AtLimit::EndOldest);
    let sessions = world.open().await;
    let issued = active_in_memory_only(&world, &sessions).await;
    sign_in(&sessions, "ann").await;
    assert_eq!(said(&sessions, issued.token.expose()).await, "session_limit");
    assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 1);
}

async fn p8_signing_out_everywhere_is_told_as_that_while_activity_waits(world: World) {
    let sessions = world.open().await;
    let first = active_in_memory_only(&world, &sessions).await;
    sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
    assert_eq!(the_end(&sessions, first.session.id()).await.0, EndReason::Revoked);
    let second = active_in_memory_only(&world, &sessions).await;
    sessions.disable(&user("ann"), Actor::api_key("admin")).await.unwrap();
    assert_eq!(the_end(&sessions, second.session.id()).await.0, EndReason::UserDisabled);
}

async fn p1_memory_and_store_forget_an_ended_session_alike(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    sessions.end(issued.session.id(), revoked()).await.unwrap();
    for (time, expected) in [(23 * HOUR, "revoked"), (2 * HOUR, "unknown")] {
        world.clock.advance(time);
        sessions.maintain().await.unwrap();
        let beside = world.open_beside(&sessions).await;
        assert_eq!(said(&beside, issued.token.expose()).await, expected);
        assert_eq!(said(&sessions, issued.token.expose()).await, expected);
    }
}

async fn p1_an_end_goes_through_also_when_waiting_activity_cannot_be_written(world: World) {
    let sessions = world.open().await;
    let issued = active_in_memory_only(&world, &sessions).await;
    world.faults.always(Call::Touch, Trouble::full());
    sessions.end(issued.session.id(), revoked()).await.unwrap();
    let said = said(&sessions, issued.token.expose()).await;
    assert_eq!(said, "idle_timeout", "all that the store can know");
}

async fn p1_many_ends_are_not_slowed_by_activity_that_cannot_be_written(world: World) {
    let sessions = world.open().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(sign_in(&sessions, "ann").await.session.id());
    }
    let issued = sign_in(&sessions, "ann").await;
    world.clock.advance(20 * MINUTE);
    visit(&sessions, issued.token.expose()).await;
    world.clock.advance(6 * SECOND);
    world.faults.always(Call::Touch, Trouble::unavailable());
    for id in &ids[..4] {
        sessions.end(*id, revoked()).await.unwrap();
    }
    assert_eq!(world.faults.count(Call::Touch), 1, "the first of them tries it");
    world.clock.advance(SECOND);
    sessions.end(ids[4], revoked()).await.unwrap();
    assert_eq!(world.faults.count(Call::Touch), 2, "a second later it is tried again");
}
