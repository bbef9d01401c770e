//! P9: a request that changes nothing costs no store call and sets no cookie, and what was
//! made up by an attacker costs none either.

use std::net::IpAddr;

use data_encoding::BASE64URL_NOPAD;
use tenure::random::{Random, SeededRandom};
use tenure::{Check, CookieSettings, Error, NewGuest, Policy, Realm, Sessions, TOKEN_LEN, Verdict};

use crate::support::{
    Call, MINUTE, SECOND, World, active, look, on_each_engine, revoked, said, sign_in, visit, word,
};

on_each_engine! {
    p9_a_request_that_changes_nothing_costs_no_store_call;
    p9_polling_for_hours_writes_nothing;
    p9_activity_of_many_requests_is_written_once;
    p9_cs_sm_5_made_up_tokens_cost_no_store_call_and_write_nothing;
    p9_tokens_forged_for_a_known_session_cost_no_store_call;
    p9_tokens_of_other_realms_and_cookies_cost_no_store_call;
    p9_a_dead_token_sent_again_and_again_costs_a_bounded_number_of_loads;
    p9_a_visitor_without_a_session_costs_nothing;
    p9_after_a_change_memory_has_the_session_as_it_is;
}

async fn p9_a_request_that_changes_nothing_costs_no_store_call(world: World) {
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    look(&sessions, &token).await;
    let before = world.faults.total();
    for _ in 0..10_000 {
        let verdict = visit(&sessions, &token).await;
        let Verdict::Ok(active) = &verdict else { panic!("{}", word(&verdict)) };
        assert!(active.renewed().is_none(), "no cookie");
    }
    assert_eq!(world.faults.total(), before);
}

async fn p9_polling_for_hours_writes_nothing(mut world: World) {
    world.policy.session.idle_seconds = 12 * 3_600;
    let sessions = world.open().await;
    let token = sign_in(&sessions, "ann").await.token.expose().to_owned();
    look(&sessions, &token).await;
    let before = world.faults.total();
    for _ in 0..600 {
        world.clock.advance(MINUTE);
        assert_eq!(said(&sessions, &token).await, "ok");
    }
    assert_eq!(world.faults.total(), before);
}

async fn p9_activity_of_many_requests_is_written_once(world: World) {
    let sessions = world.open().await;
    let tokens = futures_util::future::join_all((0..50).map(|n| {
        let sessions = sessions.clone();
        async move { sign_in(&sessions, &format!("user-{n}")).await.token.expose().to_owned() }
    }))
    .await;
    world.clock.advance(2 * MINUTE);
    for token in tokens.iter().chain(&tokens) {
        visit(&sessions, token).await;
    }
    let before = world.faults.writes();
    assert_eq!(sessions.maintain().await.unwrap().touched, 50);
    assert_eq!(world.faults.count(Call::Touch), 1);
    assert_eq!(world.faults.writes() - before, 2, "one write of all activity and one sweep");
}

/// What an attacker sends who has never seen a token, or only how one looks.
fn made_up(random: &SeededRandom, real: &str) -> Vec<Vec<u8>> {
    let bytes = |length: usize| {
        let mut bytes = vec![0; length];
        random.fill(&mut bytes);
        bytes
    };
    let well_formed = |raw: &[u8]| format!("tn1_{}", BASE64URL_NOPAD.encode(raw)).into_bytes();
    let mut tokens = vec![
        Vec::new(),
        b"tn1_".to_vec(),
        vec![0; TOKEN_LEN],
        vec![0xff; TOKEN_LEN],
        vec![b'A'; 1 << 20],
        b"' OR 1=1 --".to_vec(),
        b"*\r\n$3\r\nDEL\r\n".to_vec(),
        format!("{real}=").into_bytes(),
        format!(" {real}").into_bytes(),
        real.replacen("tn1_", "tn2_", 1).into_bytes(),
        real.to_uppercase().into_bytes(),
    ];
    tokens.extend((0..real.len()).map(|cut| real.as_bytes()[..cut].to_vec()));
    for at in 0..real.len() {
        let mut torn = real.as_bytes().to_vec();
        torn[at] ^= 0x80;
        tokens.push(torn);
    }
    while tokens.len() < 9_000 {
        tokens.push(well_formed(&bytes(69)));
    }
    while tokens.len() < 10_000 {
        let length = usize::from(bytes(1)[0]);
        tokens.push(bytes(length));
    }
    tokens
}

async fn assert_worthless(sessions: &Sessions, token: &[u8]) {
    let verdict = sessions.check(token, &Check::any()).await.unwrap();
    assert_eq!(word(&verdict), "malformed", "{}", String::from_utf8_lossy(token));
}

/// ASVS 7.2.1, CS-SM-6 and WSTG-01d as well: refused in memory, whatever it is.
async fn p9_cs_sm_5_made_up_tokens_cost_no_store_call_and_write_nothing(world: World) {
    let sessions = world.open().await;
    let real = sign_in(&sessions, "ann").await.token.expose().to_owned();
    for warm in [false, true] {
        if warm {
            look(&sessions, &real).await;
        }
        let before = world.faults.total();
        for token in made_up(&SeededRandom::new(9), &real) {
            assert_worthless(&sessions, &token).await;
        }
        assert_eq!(world.faults.total(), before);
    }
    assert_eq!(said(&sessions, &real).await, "ok");
}

async fn p9_tokens_forged_for_a_known_session_cost_no_store_call(world: World) {
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let real = issued.token.expose().to_owned();
    look(&sessions, &real).await;
    let raw = BASE64URL_NOPAD.decode(&real.as_bytes()[4..]).unwrap();
    let before = world.faults.total();
    let random = SeededRandom::new(7);
    for round in 0..10_000_u32 {
        let mut forged = raw.clone();
        match round % 4 {
            // A secret of one's own.
            0 => random.fill(&mut forged[21..53]),
            // Another generation: the next, the last, any.
            1 => forged[17..21].copy_from_slice(&(round % 8 + 2).to_be_bytes()),
            // Another key.
            2 => forged[0] = u8::try_from(round % 255).unwrap().wrapping_add(2),
            // One bit.
            _ => {
                let bit = usize::try_from(round).unwrap() % (raw.len() * 8);
                forged[bit / 8] ^= 1 << (bit % 8);
            }
        }
        if forged != raw {
            let token = format!("tn1_{}", BASE64URL_NOPAD.encode(&forged));
            assert_worthless(&sessions, token.as_bytes()).await;
        }
    }
    assert_eq!(world.faults.total(), before);
    assert_eq!(said(&sessions, &real).await, "ok", "a forged token ends nothing");
}

async fn p9_tokens_of_other_realms_and_cookies_cost_no_store_call(world: World) {
    let sessions = world.open().await;
    let admin_cookie = CookieSettings::new("__Host-admin").unwrap();
    let realm = |name: &str| Realm::new(name).unwrap();
    let other_realm = sessions.in_realm(realm("other"), CookieSettings::default(), Policy::default());
    let other_cookie = sessions.in_realm(Realm::default(), admin_cookie, Policy::default());
    for other in [other_realm.unwrap(), other_cookie.unwrap()] {
        let token = sign_in(&other, "ann").await.token.expose().to_owned();
        for _ in 0..2 {
            let before = world.faults.total();
            assert_worthless(&sessions, token.as_bytes()).await;
            assert_eq!(world.faults.total(), before);
            // Once more with the session in memory.
            assert_eq!(said(&other, &token).await, "ok");
        }
    }
}

async fn p9_a_dead_token_sent_again_and_again_costs_a_bounded_number_of_loads(world: World) {
    for cache_bytes in [0, 1 << 20] {
        let sessions = world.open_with(|builder| builder.cache_bytes(cache_bytes)).await;
        let issued = sign_in(&sessions, "ann").await;
        let token = issued.token.expose();
        sessions.end(issued.session.id(), revoked()).await.unwrap();
        let (loads, writes) = (world.faults.count(Call::Load), world.faults.writes());
        let attacker = Check::any().ip(Some(IpAddr::from([203, 0, 113, 7])));
        for _ in 0..10_000 {
            match sessions.check(token.as_bytes(), &attacker).await {
                Ok(verdict) => assert_eq!(word(&verdict), "revoked"),
                Err(Error::Throttled { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        let bound = if cache_bytes == 0 { 600 } else { 1 };
        assert!(world.faults.count(Call::Load) - loads <= bound);
        assert_eq!(world.faults.writes(), writes);

        // Nobody else waits for that.
        let honest = sign_in(&sessions, "bob").await;
        let check = Check::any().ip(Some(IpAddr::from([198, 51, 100, 7])));
        let verdict = sessions.check(honest.token.expose().as_bytes(), &check).await;
        assert_eq!(word(&verdict.unwrap()), "ok");
        world.clock.advance(2 * MINUTE);
        world.shut_down(sessions).await;
    }
}

async fn p9_a_visitor_without_a_session_costs_nothing(world: World) {
    let sessions = world.open().await;
    let before = world.faults.total();
    for cookie in ["", "theme=dark", "__host-sid=x", "__Host-sid=a; __Host-sid=b"] {
        let verdict = sessions.check_cookie([cookie.as_bytes()], &Check::any()).await.unwrap();
        let Verdict::Inactive(inactive) = verdict else { panic!("{cookie} is worth something") };
        assert!(!inactive.forget, "{cookie}: there is nothing of ours to forget");
    }
    assert_eq!(world.faults.total(), before);

    // One that has something costs one write, and reading it again is free.
    let guest = sessions.create_guest(NewGuest::default()).await.unwrap();
    assert_eq!(world.faults.total() - before, 1);
    active(&sessions, guest.token.expose()).await;
    world.clock.advance(SECOND);
    let before = world.faults.total();
    active(&sessions, guest.token.expose()).await;
    assert_eq!(world.faults.total(), before);
}

async fn p9_after_a_change_memory_has_the_session_as_it_is(world: World) {
    const SEEN: tenure::Key<u32> = tenure::Key::new("seen");
    const NAME: tenure::Key<String> = tenure::Key::new("name");
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let before = active(&sessions, issued.token.expose()).await;
    sessions.update(&before, NAME, |name| *name = "Ann".into()).await.unwrap();
    let loads = world.faults.count(Call::Load);
    for count in 1..=5 {
        let now = active(&sessions, issued.token.expose()).await;
        let (_, changed) = sessions.update(&now, SEEN, |seen| *seen += 1).await.unwrap();
        // What was left alone is still there, what was changed is new.
        assert_eq!(SEEN.read(&changed).unwrap(), Some(count));
        assert_eq!(NAME.read(&changed).unwrap().as_deref(), Some("Ann"));
        let read = active(&sessions, issued.token.expose()).await;
        assert_eq!(SEEN.read(read.session()).unwrap(), Some(count));
    }
    assert_eq!(world.faults.count(Call::Load), loads);
    let now = active(&sessions, issued.token.expose()).await;
    sessions.change(&now, tenure::Changes::default().remove("name")).await.unwrap();
    let read = active(&sessions, issued.token.expose()).await;
    assert_eq!(NAME.read(read.session()).unwrap(), None);
    assert_eq!(SEEN.read(read.session()).unwrap(), Some(5));
}
