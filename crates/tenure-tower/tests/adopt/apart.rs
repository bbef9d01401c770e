//! What one old cookie leads to, another user or another cookie of ours does not.

use std::time::Duration;

use tenure::clock::{TestClock, Timestamp};
use tenure::{Check, CookieSettings, Memory, Policy, SessionToken, Sessions, SignIn, UserId};
use tenure_tower::Adoption;

use crate::elsewhere::MINUTE;

fn of(user: &str, since: Timestamp) -> Adoption {
    Adoption::of_user("row-1", since, SignIn::password(UserId::new(user).unwrap()))
}

/// The other system keeps its id when users change, and does not know since when they are in.
/// Among so many there are some whose sessions lie in the same partition.
#[tokio::test]
async fn the_session_of_one_user_is_never_given_to_another_of_the_same_old_id() {
    let sessions = Sessions::builder(Memory).without_background().open().await.unwrap();
    let since = Timestamp::from_millis(sessions.now().as_millis() - 60_000);
    for n in 0..3_000 {
        let user = format!("u_{n}");
        let verdict = sessions.adopt("old", of(&user, since), &Check::signed_in()).await.unwrap();
        let active = verdict.into_active().unwrap();
        assert_eq!(active.session().user().unwrap().as_str(), user);
    }
}

/// As for a site under two names: each renews its own.
#[tokio::test]
async fn two_cookies_in_one_realm_take_over_without_calling_each_other_thieves() {
    let clock = TestClock::default();
    let site = Sessions::builder(Memory).clock(clock.clone()).without_background().open().await.unwrap();
    let cookie = CookieSettings::new("__Host-second").unwrap();
    let second = site.in_realm(site.realm().clone(), cookie, Policy::default()).unwrap();
    let since = site.now();
    let check = Check::signed_in();
    let adopt = async |sessions: &Sessions| {
        let active = sessions.adopt("old", of("u_ada", since), &check).await.unwrap().into_active().unwrap();
        (active.session().id(), active.renewed().unwrap().token.clone())
    };
    let is_good = async |sessions: &Sessions, token: &SessionToken| {
        sessions.check(token.expose().as_bytes(), &check).await.unwrap().active().is_some()
    };
    let ((of_site, a), (of_second, b)) = (adopt(&site).await, adopt(&second).await);
    assert_ne!(of_site, of_second);
    assert!(is_good(&site, &a).await && is_good(&second, &b).await);
    clock.advance(16 * MINUTE);
    let rotate = check.clone().can_set_cookie(true);
    let next = second.check(b.expose().as_bytes(), &rotate).await.unwrap().into_active().unwrap();
    assert!(is_good(&second, &next.renewed().unwrap().token).await);
    clock.advance(Duration::from_secs(60));
    assert!(is_good(&site, &a).await);
}
