//! Memory and store say the same: the same token and the same check get the same verdict with
//! a warm cache, with a cold one and with none.

use std::time::Duration;

use proptest::prelude::*;
use tenure::{
    Actor, Check, CookieSettings, Level, Method, NewGuest, Realm, Require, Sessions, SignIn, Verdict,
};

use crate::support::{
    MINUTE, Parts, SECOND, World, active, look, property_on_each_engine, revoked, role, said, sign_in, user,
};

property_on_each_engine! {
    a_hit_and_a_miss_give_the_same_verdict:
        (checks(), prop_oneof![0..12_u64, 12..3_000_u64], any::<bool>(), any::<u32>());
}

/// Any check. It does not touch, so that asking twice asks the same.
fn checks() -> impl Strategy<Value = Vec<Check>> {
    let require = (
        proptest::option::of(prop_oneof![Just(Level::One), Just(Level::Two), Just(Level::Three)]),
        proptest::option::of((0..2_000_u64).prop_map(Duration::from_secs)),
        proptest::option::of(Just(role("admin"))),
    );
    let check = (any::<bool>(), any::<bool>(), require).prop_map(|(guest, pending, required)| {
        let (level, max_auth_age, roles) = required;
        let require = roles.into_iter().fold(Require::default(), Require::role);
        let require = level.into_iter().fold(require, Require::level);
        let require = max_auth_age.into_iter().fold(require, Require::max_auth_age);
        let check = Check::signed_in().touch(false).require(require);
        let check = if guest { check.or_guest() } else { check };
        if pending { check.or_pending() } else { check }
    });
    proptest::collection::vec(check, 1..4)
}

/// Tokens of every kind: of guests, pending and signed-in sessions, current, replaced by
/// rotation a moment and a while ago, replaced by a sign-in, prepared, ended in every way,
/// forged, of other realms and cookies.
async fn tokens(world: &World, sessions: &Sessions) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut keep = |issued: &tenure::Issued| {
        tokens.push(issued.token.expose().to_owned());
        issued.token.expose().to_owned()
    };
    let admin = SignIn::password(user("ann")).roles(vec![role("admin")]);
    let ann = keep(&sessions.sign_in(None, admin).await.unwrap());
    keep(&sign_in(sessions, "bob").await);
    keep(&sessions.sign_in(None, SignIn::password(user("bob")).pending()).await.unwrap());
    keep(&sessions.create_guest(NewGuest::default()).await.unwrap());

    // Moved, with its guest.
    let guest = keep(&sessions.create_guest(NewGuest::default()).await.unwrap());
    let verdict = look(sessions, &guest).await;
    keep(&sessions.sign_in(Some(&verdict), SignIn::password(user("carol"))).await.unwrap());
    // Stepped up.
    let holder = active(sessions, &ann).await;
    let totp = SignIn::with(user("ann"), vec![Method::password(), Method::new("totp").unwrap()]);
    keep(&sessions.step_up(&holder, totp).await.unwrap());
    // Ended by an administrator, by its user, with its user.
    let ended = sign_in(sessions, "dora").await;
    keep(&ended);
    sessions.end(ended.session.id(), revoked()).await.unwrap();
    let left = sign_in(sessions, "dora").await;
    sessions.sign_out(&active(sessions, &keep(&left)).await).await.unwrap();
    keep(&sign_in(sessions, "eve").await);
    sessions.disable(&user("eve"), Actor::application()).await.unwrap();
    // Rotated: long ago, a moment ago, prepared.
    for wait in [MINUTE, 2 * SECOND] {
        let first = keep(&sign_in(sessions, "fay").await);
        let holder = active(sessions, &first).await;
        let next = keep(&sessions.rotate(&holder, Actor::application(), None).await.unwrap());
        assert_eq!(said(sessions, &next).await, "ok");
        world.clock.advance(wait);
    }
    let first = keep(&sign_in(sessions, "fay").await);
    let holder = active(sessions, &first).await;
    sessions.rotate(&holder, Actor::application(), None).await.unwrap();
    // Of elsewhere.
    let other_cookie = CookieSettings::new("__Host-other").unwrap();
    for (realm, cookie) in
        [("other", CookieSettings::default()), ("other", other_cookie.clone()), ("default", other_cookie)]
    {
        let realm = Realm::new(realm).unwrap();
        let elsewhere = sessions.in_realm(realm, cookie, world.policy.clone()).unwrap();
        let token = keep(&sign_in(&elsewhere, "ann").await);
        assert_eq!(said(&elsewhere, &token).await, "ok", "warm in its own realm");
    }
    // Forged.
    let real = Parts::of(&ann);
    for forged in [
        Parts { secret: [1; 32], ..real.clone() },
        Parts { generation: 9, ..real.clone() },
        Parts { id: [2; 16], ..real.clone() },
        Parts { key: 2, ..real.clone() },
    ] {
        tokens.push(forged.token());
    }
    tokens.push("tn1_".into());
    tokens
}

/// All that a verdict says.
fn told(verdict: &Verdict) -> (String, String, bool, Option<String>) {
    let session = match verdict {
        Verdict::Inactive(inactive) => inactive.session.clone(),
        other => other.active().map(|active| active.session().clone()),
    };
    let reason = verdict.reason().map(|reason| reason.to_string()).unwrap_or_default();
    let more = match verdict {
        Verdict::Inactive(inactive) => inactive.forget,
        other => other.active().is_some_and(tenure::Active::is_in_grace),
    };
    (verdict.as_str().into(), reason, more, session.map(|session| session.id().to_string()))
}

async fn a_hit_and_a_miss_give_the_same_verdict(
    world: World,
    (checks, seconds, swept, warm): (Vec<Check>, u64, bool, u32),
) {
    let sessions = world.open().await;
    let without_memory = world.open_beside(&sessions).await;
    let tokens = tokens(&world, &sessions).await;
    for (n, token) in tokens.iter().enumerate() {
        if warm & (1 << n) != 0 {
            sessions.check(token.as_bytes(), &checks[0]).await.unwrap();
        }
    }
    world.clock.advance(Duration::from_secs(seconds));
    if swept {
        sessions.maintain().await.unwrap();
    }
    for (n, token) in tokens.iter().enumerate() {
        for check in &checks {
            let first = told(&sessions.check(token.as_bytes(), check).await.unwrap());
            let again = told(&sessions.check(token.as_bytes(), check).await.unwrap());
            let missed = told(&without_memory.check(token.as_bytes(), check).await.unwrap());
            assert_eq!((&first, &first), (&again, &missed), "token {n}");
        }
    }
}
