//! What a browser is told whose session has ended: the reason, once.

use axum::http::StatusCode;
use tenure_tower::tenure::{Actor, Ending};
use tenure_tower::{EndReason, Policy};

use crate::support::{Answer, Browser, MINUTE, Shop, user};

/// The next click tells, clears the cookie, and the one after it is a guest's.
async fn is_told_once(browser: &mut Browser, heading: &str, code: &str) {
    let told = browser.get("/cart").await;
    assert_is_the_end(&told, heading, code);
    assert!(told.text.contains("href=\"/sign-in?return_to=/cart\""), "{}", told.text);
    assert_eq!(browser.cookie, None);
    let after = browser.get("/cart").await;
    assert_eq!((after.status, after.heading()), (StatusCode::OK, "Your cart"));
    assert_eq!(after.set_cookies(), Vec::<&str>::new());
}

fn assert_is_the_end(told: &Answer, heading: &str, code: &str) {
    assert_eq!((told.status, told.heading(), told.code()), (StatusCode::UNAUTHORIZED, heading, code));
    assert!(told.forgets(), "{:?}", told.set_cookies());
    assert_eq!(told.header("cache-control"), "no-store");
    assert!(!told.text.contains("/sign-out"), "the page is a guest's");
    assert!(told.text.contains("its session has ended, so this answer cleared it"));
}

#[tokio::test]
async fn a_revoked_browser_is_told_so_once() {
    let shop = Shop::new().await;
    let (mut desk, mut phone) = (shop.alice().await, shop.alice().await);
    desk.post("/devices/end-others", &[]).await;
    is_told_once(&mut phone, "This device was signed out", "revoked").await;
    assert!(desk.is_signed_in().await);
}

#[tokio::test]
async fn asvs_7_3_1_an_idle_browser_is_told_so_once() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    shop.kit.advance(29 * MINUTE).await;
    assert!(alice.is_signed_in().await);
    shop.kit.advance(31 * MINUTE).await;
    is_told_once(&mut alice, "You were away for a while", "idle_timeout").await;
}

#[tokio::test]
async fn asvs_7_3_2_a_busy_browser_is_told_of_its_last_day_once() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    for _ in 0..35 {
        shop.kit.advance(20 * MINUTE).await;
        assert!(alice.is_signed_in().await);
    }
    shop.kit.advance(20 * MINUTE).await;
    is_told_once(&mut alice, "Time to sign in again", "absolute_timeout").await;
}

#[tokio::test]
async fn asvs_7_1_2_a_browser_that_made_room_is_told_so_once() {
    let policy = Policy { max_sessions: 1, ..Policy::default() };
    let shop = Shop::with_policy(policy).await;
    let mut first = shop.alice().await;
    shop.kit.advance(MINUTE).await;
    let mut second = shop.alice().await;
    is_told_once(&mut first, "Another device took this place", "session_limit").await;
    assert!(second.is_signed_in().await);
}

#[tokio::test]
async fn p10_both_holders_of_a_copied_cookie_are_told_and_neither_stays() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    let mut thief = alice.clone();
    shop.kit.advance(16 * MINUTE).await;
    alice.get("/").await;
    alice.get("/").await;
    assert_ne!(alice.cookie, thief.cookie, "rotated, and the new one was used");
    shop.kit.advance(MINUTE).await;
    is_told_once(&mut thief, "Signed out, to be safe", "token_reuse").await;
    is_told_once(&mut alice, "Signed out, to be safe", "token_reuse").await;
}

#[tokio::test]
async fn each_reason_the_application_gives_has_its_page() {
    for (reason, heading) in [
        (EndReason::FactorChanged, "Your way of signing in changed"),
        (EndReason::UserErased, "This account is gone"),
        (EndReason::UserDisabled, "This account is paused"),
    ] {
        let shop = Shop::new().await;
        let mut alice = shop.alice().await;
        let id = shop.kit.sessions.list(&user("u_alice")).await.unwrap()[0].id();
        let ending = Ending::new(reason, Actor::application());
        shop.kit.sessions.end(id, ending).await.unwrap();
        let told = alice.get("/devices").await;
        assert_is_the_end(&told, heading, reason.as_str());
    }
}

#[tokio::test]
async fn a_form_of_an_ended_session_is_told_the_end_and_does_nothing() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    let mut other = shop.alice().await;
    other.post("/devices/end-others", &[]).await;
    let told = alice.add("kettle").await;
    assert_is_the_end(&told, "This device was signed out", "revoked");
    assert!(told.text.contains("href=\"/sign-in?return_to=/\""), "{}", told.text);
    assert_eq!(alice.get("/cart").await.cart_count(), "0");
    assert_eq!(other.get("/cart").await.cart_count(), "0");
}

#[tokio::test]
async fn signing_in_again_with_a_dead_cookie_just_works() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    shop.kit.advance(31 * MINUTE).await;
    let mut again = alice.clone();
    again.sign_in(crate::support::ALICE).await;
    assert!(again.is_signed_in().await);
    let form = alice.get("/sign-in").await;
    assert_eq!((form.status, form.heading()), (StatusCode::OK, "Sign in"));
    assert!(form.forgets());
}

#[tokio::test]
async fn a_guest_whose_cart_is_gone_just_shops_on() {
    let shop = Shop::new().await;
    let mut guest = shop.browser();
    guest.add("apple").await;
    shop.kit.advance(60 * 24 * 60 * MINUTE).await;
    let home = guest.get("/").await;
    assert_eq!((home.status, home.cart_count()), (StatusCode::OK, "0"));
    assert!(home.forgets(), "{:?}", home.set_cookies());
    assert_eq!(guest.add("fig").await.location(), "/#fig");
}
