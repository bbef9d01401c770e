//! An outage is not a logout (promise P5): the page says so, and the cookie stays.

use axum::http::StatusCode;
use tenure_tower::tenure::testing::{Faults, Trouble};

use crate::support::{ALICE, Answer, Browser, app, forgetful};

fn assert_says_try_again(answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{what}");
    assert_eq!((answer.heading(), answer.code()), ("Back in a moment", "unavailable"), "{what}");
    assert_eq!(answer.set_cookies(), Vec::<&str>::new(), "{what} leaves the cookie alone");
    assert_eq!(answer.header("retry-after"), "1", "{what}");
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    assert!(answer.text.contains("Your cookie was left as it is."), "{what}");
    for claim in ["Sign in", "Sign out", "Alice", "the test pulled the plug"] {
        assert!(!answer.text.contains(claim), "{what} claims {claim}");
    }
    assert!(answer.header("content-security-policy").contains("default-src 'none'"));
}

async fn alice(faults: &Faults) -> Browser {
    let mut alice = Browser::new(&app(&forgetful(faults).await));
    alice.add("kettle").await;
    alice.sign_in(ALICE).await;
    alice
}

#[tokio::test]
async fn p5_an_outage_is_told_and_signs_nobody_out() {
    let faults = Faults::default();
    let mut alice = alice(&faults).await;
    let cookie = alice.cookie.clone();

    faults.everything(Trouble::unavailable());
    for path in ["/", "/cart", "/account", "/devices", "/appearance", "/sign-in", "/nowhere"] {
        let answer = alice.get(path).await;
        assert_says_try_again(&answer, path);
        assert!(answer.text.contains(&format!("href=\"{path}\">Try again")), "{path}");
    }
    assert_eq!(alice.cookie, cookie);

    faults.heal();
    let cart = alice.get("/cart").await;
    assert_eq!((cart.status, cart.cart_count()), (StatusCode::OK, "1"));
    assert!(alice.is_signed_in().await);
}

#[tokio::test]
async fn p5_a_form_during_an_outage_does_nothing_and_leads_back_to_its_page() {
    let faults = Faults::default();
    let mut alice = alice(&faults).await;
    faults.everything(Trouble::unavailable());
    let forms = [
        ("/cart/add", vec![("product", "fig")], "/cart"),
        ("/cart/set", vec![("product", "kettle"), ("quantity", "0")], "/cart"),
        ("/sign-out", vec![], "/"),
        ("/sign-in", vec![("name", ALICE.0), ("password", ALICE.1)], "/"),
        ("/devices/end-all", vec![], "/devices"),
        ("/appearance", vec![("theme", "plum")], "/"),
    ];
    for (path, fields, back) in forms {
        let answer = alice.post(path, &fields).await;
        assert_says_try_again(&answer, path);
        assert!(answer.text.contains(&format!("href=\"{back}\">Try again")), "{path}");
    }
    faults.heal();
    let cart = alice.get("/cart").await;
    assert_eq!((cart.cart_count(), cart.theme()), ("1", "system"));
    assert!(alice.is_signed_in().await);
}

#[tokio::test]
async fn a_guest_without_a_cookie_shops_through_an_outage_until_there_is_something_to_keep() {
    let faults = Faults::default();
    let mut guest = Browser::new(&app(&forgetful(&faults).await));
    faults.everything(Trouble::unavailable());
    for path in ["/", "/cart", "/appearance", "/sign-in"] {
        assert_eq!(guest.get(path).await.status, StatusCode::OK, "{path}");
    }
    assert_says_try_again(&guest.add("apple").await, "/cart/add");
    assert_eq!(guest.cookie, None);
}

#[tokio::test]
async fn the_style_sheet_needs_no_session() {
    let faults = Faults::default();
    let mut alice = alice(&faults).await;
    faults.everything(Trouble::unavailable());
    for (path, kind) in
        [("/static/shop.css", "text/css; charset=utf-8"), ("/static/icon.svg", "image/svg+xml")]
    {
        let answer = alice.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, kind));
    }
}
