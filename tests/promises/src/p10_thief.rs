//! P10, the other half: a stolen token that was replaced ends the session and says so, and a
//! forged one ends nothing.

use std::time::Duration;

use proptest::prelude::*;
use tenure::{Actor, Check, EndReason, Issued, Level, Method, Reason, Sessions, SignIn, Verdict};

use crate::support::{
    COUNT, MINUTE, Parts, SECOND, World, active, ends, on_each_engine, property_on_each_engine, role, said,
    sign_in, the_end, user, visit, word,
};

on_each_engine! {
    p10_a_stolen_token_ends_the_session_for_both_whoever_rotates_first;
    p10_in_grace_a_replaced_token_reads_and_changes_and_nothing_more;
    p10_a_lost_answer_is_given_again_until_it_is_used;
    p10_a_prepared_token_that_nobody_used_is_no_reuse;
    p10_a_forged_token_ends_nothing;
    p10_step_up_and_sign_in_replace_without_grace_and_without_blame;
    cs_sm_7_changed_roles_act_at_the_next_check_and_rotate_at_the_next_request;
    cs_sm_11_a_token_renews_itself_in_use;
}

property_on_each_engine! {
    p10_any_replaced_generation_after_its_grace_is_reuse:
        (1..6_u32, any::<prop::sample::Index>(), 0..3_u64, any::<bool>());
}

/// Rotates once and uses the new token.
async fn rotate(sessions: &Sessions, token: &str) -> String {
    let holder = active(sessions, token).await;
    let next = sessions.rotate(&holder, Actor::application(), None).await.unwrap();
    assert_eq!(said(sessions, next.token.expose()).await, "ok");
    next.token.expose().to_owned()
}

async fn p10_any_replaced_generation_after_its_grace_is_reuse(
    world: World,
    (rotations, which, late, restart): (u32, prop::sample::Index, u64, bool),
) {
    let mut sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let mut tokens = vec![issued.token.expose().to_owned()];
    for _ in 0..rotations {
        world.clock.advance(11 * SECOND);
        tokens.push(rotate(&sessions, tokens.last().unwrap()).await);
    }
    world.clock.advance(Duration::from_secs(10 + 60 * late));
    if restart {
        sessions = world.restart(sessions).await;
    }
    let current = tokens.pop().unwrap();
    assert_eq!(said(&sessions, &current).await, "ok");

    let Verdict::Inactive(stolen) = visit(&sessions, &tokens[which.index(tokens.len())]).await else {
        panic!("a replaced token is no token")
    };
    assert_eq!(stolen.reason, Reason::Ended(EndReason::TokenReuse));
    for token in tokens.iter().chain([&current]) {
        assert_eq!(said(&sessions, token).await, "token_reuse");
    }
    assert_eq!(the_end(&sessions, issued.session.id()).await, (EndReason::TokenReuse, "system".into()));
    assert!(sessions.list(&user("ann")).await.unwrap().is_empty());
}

/// The thief has the same cookie as its owner. Whoever comes second after the other has moved
/// on is taken for a thief, and both are out.
async fn p10_a_stolen_token_ends_the_session_for_both_whoever_rotates_first(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let stolen = issued.token.expose().to_owned();
    world.clock.advance(16 * MINUTE);
    let Verdict::Ok(first) = visit(&sessions, &stolen).await else { panic!("alive") };
    let next = first.renewed().expect("due for renewal").token.expose().to_owned();
    assert_eq!(said(&sessions, &next).await, "ok");
    world.clock.advance(11 * SECOND);
    assert_eq!(said(&sessions, &stolen).await, "token_reuse");
    assert_eq!(said(&sessions, &next).await, "token_reuse");
    assert_eq!(ends(&sessions, issued.session.id()).await.len(), 1);
}

async fn p10_in_grace_a_replaced_token_reads_and_changes_and_nothing_more(world: World) {
    let sessions = world.open().await;
    let first = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let other = sign_in(&sessions, "ann").await;
    let next = rotate(&sessions, &first).await;
    world.clock.advance(9 * SECOND);

    let Verdict::Ok(late) = visit(&sessions, &first).await else { panic!("within the grace time") };
    assert!(late.is_in_grace());
    assert!(late.renewed().is_none(), "no new token for an old one");
    sessions.update(&late, COUNT, |count| *count += 1).await.unwrap();
    let refused = |error: tenure::Error| assert_eq!(error.code(), "token_superseded");
    refused(sessions.rotate(&late, Actor::application(), None).await.unwrap_err());
    refused(sessions.end_own(&late, other.session.id()).await.unwrap_err());
    refused(sessions.end_others(&late).await.unwrap_err());
    refused(sessions.sign_out_everywhere(&late).await.unwrap_err());
    let totp = || SignIn::with(user("ann"), vec![Method::new("totp").unwrap()]);
    refused(sessions.step_up(&late, totp()).await.unwrap_err());
    refused(sessions.sign_in(Some(&Verdict::Ok(late.clone())), totp()).await.unwrap_err());
    assert_eq!(said(&sessions, other.token.expose()).await, "ok");

    // No rotation within the grace time: an answer of the last one may still be on its way.
    let newest = active(&sessions, &next).await;
    let early = sessions.rotate(&newest, Actor::application(), None).await.unwrap_err();
    assert_eq!((early.code(), early.status()), ("rotation_too_soon", 429));
    world.clock.advance(2 * SECOND);
    // A request that came in time is no theft because it works longer than the grace time.
    sessions.change(&late, tenure::Changes::default().set("a", 1.into())).await.unwrap();
    refused(sessions.end_others(&late).await.unwrap_err());
    sessions.rotate(&newest, Actor::application(), None).await.unwrap();
}

async fn p10_a_lost_answer_is_given_again_until_it_is_used(world: World) {
    let sessions = world.open().await;
    let first = sign_in(&sessions, "ann").await.token.expose().to_owned();
    world.clock.advance(16 * MINUTE);
    let mut given = Vec::new();
    let mut sessions = sessions;
    for round in 0..12 {
        let Verdict::Ok(active) = visit(&sessions, &first).await else { panic!("round {round}") };
        given.push(active.renewed().expect("the same again").token.expose().to_owned());
        world.clock.advance(2 * MINUTE);
        if round % 4 == 3 {
            // A laptop asleep, a server restarted: the answer is still the same.
            sessions = world.restart(sessions).await;
        }
    }
    assert!(given.iter().all(|token| *token == given[0]));
    assert_eq!(said(&sessions, &given[0]).await, "ok");
    assert_eq!(said(&sessions, &first).await, "ok", "in grace from the first use on");
    world.clock.advance(10 * SECOND);
    assert_eq!(said(&sessions, &first).await, "token_reuse");
}

async fn p10_a_prepared_token_that_nobody_used_is_no_reuse(world: World) {
    let sessions = world.open().await;
    let first = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let holder = active(&sessions, &first).await;
    let lost = sessions.rotate(&holder, Actor::application(), None).await.unwrap();
    // Signing in again replaces both; neither is blamed, and no number is used twice.
    let again = sessions.sign_in(Some(&Verdict::Ok(holder)), SignIn::password(user("ann"))).await.unwrap();
    assert_ne!(Parts::of(lost.token.expose()).generation, Parts::of(again.token.expose()).generation);
    for wait in [SECOND, MINUTE] {
        world.clock.advance(wait);
        assert_eq!(said(&sessions, lost.token.expose()).await, "superseded");
        assert_eq!(said(&sessions, &first).await, "superseded");
        assert_eq!(said(&sessions, again.token.expose()).await, "ok");
    }
}

async fn p10_a_forged_token_ends_nothing(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let mut current = issued.token.expose().to_owned();
    for _ in 0..3 {
        current = rotate(&sessions, &current).await;
        world.clock.advance(MINUTE);
    }
    let real = Parts::of(&current);
    for generation in (0..8).chain([u32::MAX, u32::MAX - 1]) {
        for forged in [
            Parts { generation, ..real.clone() },
            Parts { generation, secret: [7; 32], ..real.clone() },
            Parts { generation, tag: [0; 16], ..real.clone() },
            Parts { generation, key: 0, ..real.clone() },
        ] {
            if forged != real {
                assert_eq!(said(&sessions, &forged.token()).await, "malformed");
            }
        }
    }
    assert_eq!(said(&sessions, &current).await, "ok");
    assert!(ends(&sessions, issued.session.id()).await.is_empty());
}

async fn p10_step_up_and_sign_in_replace_without_grace_and_without_blame(world: World) {
    let sessions = world.open().await;
    let first: Issued = sign_in(&sessions, "ann").await;
    let holder = active(&sessions, first.token.expose()).await;
    let totp = SignIn::with(user("ann"), vec![Method::new("totp").unwrap()]);
    let stepped = sessions.step_up(&holder, totp.clone()).await.unwrap();
    assert_eq!((stepped.session.level(), stepped.session.id()), (Some(Level::Two), first.session.id()));
    assert_eq!(stepped.session.methods().len(), 2);
    // At once, within what would be the grace time, and long after.
    for wait in [Duration::ZERO, 5 * SECOND, 5 * MINUTE] {
        world.clock.advance(wait);
        let Verdict::Inactive(old) = visit(&sessions, first.token.expose()).await else { panic!("replaced") };
        assert_eq!((old.reason, old.forget), (Reason::Superseded, false));
        assert_eq!(said(&sessions, stepped.token.expose()).await, "ok");
    }
    assert_eq!(sessions.step_up(&holder, totp).await.unwrap_err().code(), "token_superseded");
    assert!(ends(&sessions, first.session.id()).await.is_empty());
}

async fn cs_sm_7_changed_roles_act_at_the_next_check_and_rotate_at_the_next_request(world: World) {
    let sessions = world.open().await;
    let admin = Check::signed_in().role(role("admin")).can_set_cookie(true);
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let verdict = sessions.check(token.as_bytes(), &admin).await.unwrap();
    assert_eq!((verdict.as_str(), word(&verdict).as_str()), ("forbidden", "missing_role"));

    sessions.set_roles(&user("ann"), &[role("admin")], Actor::application()).await.unwrap();
    let verdict = sessions.check(token.as_bytes(), &admin).await.unwrap();
    let Verdict::Ok(active) = verdict else { panic!("{}", word(&verdict)) };
    let next = active.renewed().expect("more rights, a new token").token.expose().to_owned();
    assert_eq!(said(&sessions, &next).await, "ok");

    sessions.set_roles(&user("ann"), &[], Actor::application()).await.unwrap();
    let verdict = sessions.check(next.as_bytes(), &admin).await.unwrap();
    assert_eq!(verdict.as_str(), "forbidden", "rights that were taken are gone at once");
}

async fn cs_sm_11_a_token_renews_itself_in_use(world: World) {
    let sessions = world.open().await;
    let mut token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    let mut renewals = 0;
    for _ in 0..60 {
        world.clock.advance(MINUTE);
        let Verdict::Ok(active) = visit(&sessions, &token).await else { panic!("in use") };
        if let Some(renewed) = active.renewed() {
            token = renewed.token.expose().to_owned();
            renewals += 1;
        }
    }
    assert_eq!(renewals, 3, "every quarter of an hour, counted from the use of the last");
    let check = Check::signed_in();
    world.clock.advance(16 * MINUTE);
    let Ok(Verdict::Ok(active)) = sessions.check(token.as_bytes(), &check).await else { panic!("in use") };
    assert!(active.renewed().is_none(), "never where no cookie can be set");
}
