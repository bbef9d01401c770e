//! Signing in and out, the account and confirming that it is still oneself.

use std::time::Duration;

use axum::http::StatusCode;

use crate::support::{ALICE, BOB, MINUTE, Shop};

#[tokio::test]
async fn a_guests_cart_survives_the_sign_in_and_the_guests_cookie_does_not() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    browser.add("kettle").await;
    browser.add("apple").await;
    let mut thief = shop.browser_with(browser.cookie.as_ref().unwrap());

    let welcome = browser.sign_in(ALICE).await;
    assert_eq!(welcome.set_cookies().len(), 1);
    assert_ne!(browser.cookie, thief.cookie);
    let cart = browser.get("/cart").await;
    assert_eq!(cart.notice(), Some("Welcome, Alice. Your session has a new id and a new cookie."));
    assert_eq!(cart.cart_count(), "2");
    assert!(cart.text.contains("Enamel kettle"));

    assert_eq!(thief.get("/cart").await.cart_count(), "0", "WSTG-SESS-03");
    assert!(!thief.is_signed_in().await);
    assert!(browser.is_signed_in().await, "the thief's try ended nothing");
}

#[tokio::test]
async fn asvs_6_3_8_a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    let mut pages = Vec::new();
    for (name, password) in [("alice", "wrong"), ("nobody", "wrong"), ("alice", ""), ("", "")] {
        let fields = [("name", name), ("password", password), ("return_to", "/cart")];
        let answer = browser.post("/sign-in", &fields).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.alert(), Some("That name and password do not go together."));
        assert!(answer.text.contains("name=\"return_to\" value=\"/cart\""));
        assert!(!answer.text.contains("value=\"wrong\""), "a password is never shown again");
        assert_eq!(answer.set_cookies(), Vec::<&str>::new());
        pages.push(answer.text.replace(&format!("value=\"{name}\" autocomplete"), ""));
    }
    assert_eq!(pages[0], pages[1]);
    assert!(!browser.is_signed_in().await);
}

#[tokio::test]
async fn a_cart_survives_a_wrong_password() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    browser.add("fig").await;
    let answer = browser.post("/sign-in", &[("name", "alice"), ("password", "x")]).await;
    assert!(answer.text.contains("Your cart with 1 thing comes along."));
    browser.sign_in(ALICE).await;
    assert_eq!(browser.get("/cart").await.cart_count(), "1");
}

#[tokio::test]
async fn a_page_that_needs_a_sign_in_comes_back_after_it() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    let sent = browser.get("/devices").await;
    assert_eq!((sent.status, sent.location()), (StatusCode::SEE_OTHER, "/sign-in?return_to=/devices"));
    let form = browser.get("/sign-in?return_to=/devices").await;
    assert!(form.text.contains("name=\"return_to\" value=\"/devices\""));
    let fields = [("name", ALICE.0), ("password", ALICE.1), ("return_to", "/devices")];
    assert_eq!(browser.post("/sign-in", &fields).await.location(), "/devices");
}

#[tokio::test]
async fn a_cookie_outlives_the_browser_only_for_whoever_asks_to_be_remembered() {
    let shop = Shop::new().await;
    let mut fields = vec![("name", ALICE.0), ("password", ALICE.1)];
    let session = shop.browser().post("/sign-in", &fields).await;
    assert!(!session.set_cookies()[0].contains("Max-Age"), "{:?}", session.set_cookies());
    fields.push(("remember", "yes"));
    let mut browser = shop.browser();
    let remembered = browser.post("/sign-in", &fields).await;
    assert!(remembered.set_cookies()[0].contains("; Max-Age="), "{:?}", remembered.set_cookies());
    assert!(browser.get("/account").await.text.contains("is kept when it closes"));
}

#[tokio::test]
async fn the_account_says_who_how_and_until_when() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    shop.elsewhere().await;
    let page = alice.get("/account").await;
    assert_eq!((page.status, page.heading()), (StatusCode::OK, "Hello, Alice"));
    for shown in [
        "<code>u_alice</code>",
        "<b>Level 1</b>",
        "<span>password</span>",
        "datetime=\"2026-01-01T00:30:00Z\"", // idle
        "datetime=\"2026-01-01T12:00:00Z\"", // absolute
        "goes when it closes",
        "2 signed in",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
}

#[tokio::test]
async fn somebody_else_cannot_sign_in_on_top() {
    let shop = Shop::new().await;
    let mut browser = shop.alice().await;
    let answer = browser.post("/sign-in", &[("name", BOB.0), ("password", BOB.1)]).await;
    assert_eq!(answer.location(), "/account");
    let account = browser.get("/account").await;
    assert_eq!(account.heading(), "Hello, Alice");
    assert_eq!(account.notice(), Some("Somebody else is signed in here. Sign out first."));
    assert_eq!(shop.count("u_bob").await, 0);
}

#[tokio::test]
async fn asvs_7_4_1_signing_out_ends_the_session_and_forgets_the_cookie() {
    let shop = Shop::new().await;
    let mut browser = shop.alice().await;
    let kept = browser.cookie.clone().unwrap();
    let out = browser.post("/sign-out", &[]).await;
    assert_eq!(out.location(), "/signed-out?reason=logout");
    assert!(out.forgets());
    assert_eq!(browser.cookie, None);
    let page = browser.get("/signed-out?reason=logout").await;
    assert_eq!((page.status, page.heading(), page.code()), (StatusCode::OK, "You are signed out", "logout"));
    assert_eq!(shop.count("u_alice").await, 0);
    let mut restored = shop.browser_with(&kept);
    assert!(!restored.is_signed_in().await, "WSTG-SESS-06");
    assert_eq!(browser.post("/sign-out", &[]).await.location(), "/signed-out?reason=logout", "twice is fine");
}

/// The header is on a picture because only there it reaches the page that was left.
#[tokio::test]
async fn asvs_14_3_1_the_page_after_the_end_lets_the_browser_forget_the_pages_before() {
    let shop = Shop::new().await;
    let mut browser = shop.alice().await;
    shop.kit.advance(31 * MINUTE).await;
    for path in ["/account", "/signed-out?reason=logout"] {
        let page = browser.get(path).await;
        assert!(
            page.text.contains("<img class=\"hidden\" src=\"/signed-out/forget.svg\" alt=\"\">"),
            "{path}"
        );
    }
    let picture = browser.get("/signed-out/forget.svg").await;
    assert_eq!(picture.status, StatusCode::OK);
    assert_eq!(picture.header("clear-site-data"), "\"cache\"");
    assert_eq!((picture.header("cache-control"), picture.header("vary")), ("no-store", ""));
}

#[tokio::test]
async fn nobody_who_is_signed_in_is_told_otherwise() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    let answer = alice.get("/signed-out?reason=user_erased").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/account"));
}

#[tokio::test]
async fn asvs_7_5_2_ending_devices_needs_a_fresh_sign_in_and_then_comes_back() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    shop.elsewhere().await;
    let row = alice.get("/devices").await.devices().remove(1);
    let which = row.session.unwrap();
    shop.kit.advance(15 * MINUTE + Duration::from_secs(1)).await;

    let forms: [(&str, &[(&str, &str)]); 3] =
        [("/devices/end", &[("session", &which)]), ("/devices/end-others", &[]), ("/devices/end-all", &[])];
    for (path, fields) in forms {
        let answer = alice.post(path, fields).await;
        assert_eq!(answer.location(), "/sign-in?return_to=/devices", "{path}");
        assert_eq!(shop.count("u_alice").await, 2, "{path}");
    }
    let form = alice.get("/sign-in?return_to=/devices").await;
    assert_eq!((form.heading(), form.alert()), ("Is it still you?", None));
    assert!(form.text.contains("name=\"name\" value=\"alice\" readonly"));
    assert!(!form.text.contains("Be Bob"), "nobody else can sign in here");

    let before = alice.cookie.clone();
    let fields = [("name", ALICE.0), ("password", ALICE.1), ("return_to", "/devices")];
    assert_eq!(alice.post("/sign-in", &fields).await.location(), "/devices");
    assert_ne!(alice.cookie, before, "a fresh sign-in has a fresh cookie");
    assert_eq!(alice.post("/devices/end-others", &[]).await.location(), "/devices");
    assert_eq!(shop.count("u_alice").await, 1);
}

#[tokio::test]
async fn whoever_was_remembered_still_is_after_confirming() {
    let shop = Shop::new().await;
    let mut alice = shop.browser();
    let mut fields = [("name", ALICE.0), ("password", ALICE.1), ("remember", "yes")];
    alice.post("/sign-in", &fields).await;
    let form = alice.get("/sign-in?return_to=/devices").await;
    assert!(form.text.contains("value=\"yes\" checked"), "the box is ticked");
    assert!(
        form.text.contains("<input type=\"hidden\" name=\"remember\" value=\"yes\">"),
        "so is the button's"
    );
    fields[1].1 = "wrong";
    let again = alice.post("/sign-in", &fields).await;
    assert_eq!((again.status, again.heading()), (StatusCode::UNAUTHORIZED, "Is it still you?"));
    assert!(again.text.contains("value=\"yes\" checked"));
    assert!(alice.is_signed_in().await, "a wrong password ends nothing");
    let mut session_only = shop.alice().await;
    assert!(!session_only.get("/sign-in").await.text.contains("value=\"yes\" checked"));
}

#[tokio::test]
async fn just_within_fifteen_minutes_no_fresh_sign_in_is_needed() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    shop.elsewhere().await;
    shop.kit.advance(14 * MINUTE).await;
    assert_eq!(alice.post("/devices/end-others", &[]).await.location(), "/devices");
    assert_eq!(shop.count("u_alice").await, 1);
}
