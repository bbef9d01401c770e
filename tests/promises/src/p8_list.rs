//! P8: the list of a user's sessions shows every live one and no dead one.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use tenure::AtLimit;
use tenure::{Actor, Device, Realm, SessionId, Sessions, SignIn, Verdict};

use crate::support::{
    Call, HOUR, MINUTE, SECOND, Trouble, World, active, look, on_each_engine, revoked, said, sign_in, soaked,
    told, user, visit,
};

on_each_engine! {
    p8_asvs_7_5_2_people_see_and_end_their_own_sessions_only;
    p8_the_list_is_what_checks_say_through_everything_that_happens;
    p8_signing_in_and_out_everywhere_at_once_leaves_a_true_list;
    p8_fifty_sign_ins_at_once_keep_to_the_limit_and_push_the_oldest_out;
    p8_fifty_sign_ins_at_once_keep_to_the_limit_and_push_the_idlest_out;
    p8_fifty_sign_ins_at_once_keep_to_the_limit_and_refuse_the_rest;
    p8_activity_not_written_yet_counts_in_the_list;
    p8_pages_hold_every_live_session_once;
}

async fn listed(sessions: &Sessions, name: &str) -> BTreeSet<SessionId> {
    let list = sessions.list(&user(name)).await.unwrap();
    let ids: BTreeSet<SessionId> = list.iter().map(|session| session.id()).collect();
    assert_eq!(ids.len(), list.len(), "each once");
    ids
}

/// Which of these tokens' sessions a check says ok to.
async fn live(sessions: &Sessions, tokens: &[String]) -> BTreeSet<SessionId> {
    let mut live = BTreeSet::new();
    for token in tokens {
        if let Verdict::Ok(active) = look(sessions, token).await {
            live.insert(active.session().id());
        }
    }
    live
}

async fn p8_asvs_7_5_2_people_see_and_end_their_own_sessions_only(world: World) {
    let sessions = world.open().await;
    let phone = Device::from_request(Some("Mozilla/5.0 (iPhone; CPU) Safari/604.1"), None);
    let sign_in_on = SignIn::password(user("ann")).device(phone);
    let on_phone = sessions.sign_in(None, sign_in_on).await.unwrap();
    world.clock.advance(SECOND);
    let here = sign_in(&sessions, "ann").await;
    let other = sign_in(&sessions, "bob").await;
    let me = active(&sessions, here.token.expose()).await;

    let list = sessions.list(&user("ann")).await.unwrap();
    let seen: Vec<_> = list.iter().map(|s| (s.id(), s.device().label.as_str())).collect();
    assert_eq!(seen, [(here.session.id(), ""), (on_phone.session.id(), "Safari on iOS")]);
    let json = serde_json::to_string(&*list[0]).unwrap();
    assert!(!json.contains("tn1_"));

    let refused = sessions.end_own(&me, other.session.id()).await.unwrap_err();
    assert_eq!(refused.code(), "session_not_found", "not even that it is there is told");
    assert!(sessions.end_own(&me, on_phone.session.id()).await.unwrap());
    assert_eq!(said(&sessions, on_phone.token.expose()).await, "revoked");

    // Authenticated too long ago: prove it again first.
    let another = sign_in(&sessions, "ann").await;
    for _ in 0..2 {
        world.clock.advance(10 * MINUTE);
        visit(&sessions, here.token.expose()).await;
    }
    let me = active(&sessions, here.token.expose()).await;
    let refused = sessions.end_own(&me, another.session.id()).await.unwrap_err();
    assert_eq!(refused.code(), "step_up_required");
    assert_eq!(sessions.end_others(&me).await.unwrap_err().code(), "step_up_required");
    assert_eq!(said(&sessions, another.token.expose()).await, "ok");
    sessions.sign_out(&me).await.unwrap();
}

async fn p8_the_list_is_what_checks_say_through_everything_that_happens(world: World) {
    let sessions = world.open().await;
    let mut tokens = Vec::<String>::new();
    for step in 0..60_u32 {
        match step % 10 {
            3 => {
                let id = *listed(&sessions, "ann").await.first().unwrap();
                sessions.end(id, revoked()).await.unwrap();
            }
            5 => world.clock.advance(20 * MINUTE),
            6 => drop(visit(&sessions, tokens.last().unwrap()).await),
            8 => drop(sessions.maintain().await),
            9 => world.faults.once(Call::Touch, Trouble::unavailable()),
            _ => tokens.push(sign_in(&sessions, "ann").await.token.expose().to_owned()),
        }
        assert_eq!(listed(&sessions, "ann").await, live(&sessions, &tokens).await, "step {step}");
    }
    world.faults.heal();
    let sessions = world.restart(sessions).await;
    assert_eq!(listed(&sessions, "ann").await, live(&sessions, &tokens).await);
}

async fn p8_signing_in_and_out_everywhere_at_once_leaves_a_true_list(world: World) {
    let sessions = world.open().await;
    for round in 0..soaked(15, 500) {
        let sign_ins: Vec<_> = (0..6)
            .map(|task| {
                let sessions = sessions.clone();
                tokio::spawn(async move {
                    for _ in 0..task * round {
                        tokio::task::yield_now().await;
                    }
                    sign_in(&sessions, "ann").await.token.expose().to_owned()
                })
            })
            .collect();
        let everywhere = tokio::spawn({
            let sessions = sessions.clone();
            async move {
                for _ in 0..round * 3 {
                    tokio::task::yield_now().await;
                }
                sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap()
            }
        });
        let tokens: Vec<String> = join_all(sign_ins).await.into_iter().map(Result::unwrap).collect();
        everywhere.await.unwrap();
        assert_eq!(listed(&sessions, "ann").await, live(&sessions, &tokens).await);
        sessions.end_all_of(&user("ann"), None, revoked()).await.unwrap();
        assert!(listed(&sessions, "ann").await.is_empty());
    }
}

/// Fifty at once, with room for five.
async fn fifty_at_once(mut world: World, at_limit: AtLimit) -> (World, Sessions, Vec<String>, usize) {
    world.policy.max_sessions = 5;
    world.policy.at_limit = at_limit;
    let sessions = world.open().await;
    let tasks = (0..50).map(|_| {
        let sessions = sessions.clone();
        tokio::spawn(async move { sessions.sign_in(None, SignIn::password(user("ann"))).await })
    });
    let (mut tokens, mut refused) = (Vec::new(), 0);
    for answer in join_all(tasks).await {
        match answer.unwrap() {
            Ok(issued) => tokens.push(issued.token.expose().to_owned()),
            Err(error) => {
                assert_eq!(error.code(), "session_limit");
                refused += 1;
            }
        }
    }
    let listed = listed(&sessions, "ann").await;
    assert_eq!(listed.len(), 5);
    assert_eq!(listed, live(&sessions, &tokens).await);
    let ended = told(&sessions).await.into_iter();
    let ended = ended.filter(|event| event.body.reason == Some(tenure::EndReason::SessionLimit)).count();
    assert_eq!(ended, tokens.len() - 5, "each one pushed out is told");
    (world, sessions, tokens, refused)
}

async fn p8_fifty_sign_ins_at_once_keep_to_the_limit_and_push_the_oldest_out(world: World) {
    let (world, sessions, _, refused) = fifty_at_once(world, AtLimit::EndOldest).await;
    assert_eq!(refused, 0);
    let oldest = *listed(&sessions, "ann").await.first().unwrap();
    world.clock.advance(MINUTE);
    sign_in(&sessions, "ann").await;
    assert!(!listed(&sessions, "ann").await.contains(&oldest));
}

async fn p8_fifty_sign_ins_at_once_keep_to_the_limit_and_push_the_idlest_out(world: World) {
    let (world, sessions, tokens, refused) = fifty_at_once(world, AtLimit::EndLongestIdle).await;
    assert_eq!(refused, 0);
    world.clock.advance(2 * MINUTE);
    let alive = live(&sessions, &tokens).await;
    let idle = *alive.last().unwrap();
    for token in &tokens {
        let verdict = look(&sessions, token).await;
        if verdict.active().is_some_and(|a| a.session().id() != idle) {
            visit(&sessions, token).await;
        }
    }
    sessions.maintain().await.unwrap();
    sign_in(&sessions, "ann").await;
    assert!(!listed(&sessions, "ann").await.contains(&idle));
}

async fn p8_fifty_sign_ins_at_once_keep_to_the_limit_and_refuse_the_rest(world: World) {
    let (_world, sessions, tokens, refused) = fifty_at_once(world, AtLimit::Refuse).await;
    assert_eq!((tokens.len(), refused), (5, 45));
    let me = active(&sessions, &tokens[0]).await;
    assert_eq!(sessions.end_others(&me).await.unwrap(), 4);
    sign_in(&sessions, "ann").await;
    // Signing in again in a session takes no new place.
    for _ in 0..10 {
        let verdict = look(&sessions, sign_in(&sessions, "bob").await.token.expose()).await;
        let again = sessions.sign_in(Some(&verdict), SignIn::password(user("bob"))).await;
        sessions.sign_out(&active(&sessions, again.unwrap().token.expose()).await).await.unwrap();
    }
}

async fn p8_activity_not_written_yet_counts_in_the_list(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    world.clock.advance(29 * MINUTE);
    visit(&sessions, &token).await;
    world.clock.advance(20 * MINUTE);
    assert_eq!(said(&sessions, &token).await, "ok");
    assert_eq!(listed(&sessions, "ann").await.len(), 1);
    sessions.maintain().await.unwrap();
    assert_eq!(said(&sessions, &token).await, "ok");
    world.clock.advance(HOUR);
    assert!(listed(&sessions, "ann").await.is_empty());
}

async fn p8_pages_hold_every_live_session_once(world: World) {
    let sessions = world.open().await;
    let other = sessions
        .in_realm(Realm::new("other").unwrap(), sessions.cookie().clone(), world.policy.clone())
        .unwrap();
    let mut expected = BTreeSet::new();
    for n in 0..53 {
        let issued = sign_in(&sessions, &format!("user-{n}")).await;
        sign_in(&other, "elsewhere").await;
        if n % 5 == 0 {
            sessions.end(issued.session.id(), revoked()).await.unwrap();
        } else {
            expected.insert(issued.session.id());
        }
        world.clock.advance(SECOND);
    }
    for limit in [1, 7, 100] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = sessions.page(after, limit).await.unwrap();
            found.extend(page.sessions.iter().map(|session| session.id()));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert!(found.is_sorted());
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    }
    assert_eq!(sessions.end_realm(revoked()).await.unwrap(), 42);
    assert!(sessions.page(None, 10).await.unwrap().sessions.is_empty());
    assert_eq!(listed(&other, "elsewhere").await.len(), 50);
    sessions.disable(&user("user-1"), Actor::application()).await.unwrap();
}
