//! Looking around, the cart and the theme.

use axum::http::header::SET_COOKIE;
use axum::http::{Method, StatusCode};

use crate::support::{ALICE, Shop};

#[tokio::test]
async fn whoever_only_looks_around_gets_no_session_and_no_cookie() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    for path in [
        "/",
        "/cart",
        "/sign-in",
        "/appearance",
        "/signed-out?reason=revoked",
        "/nowhere",
        "/account",
        "/devices",
    ] {
        let answer = browser.get(path).await;
        assert!(!answer.headers.contains_key(SET_COOKIE), "{path}");
    }
    assert_eq!(
        browser.post("/cart/empty", &[]).await.set_cookies(),
        Vec::<&str>::new(),
        "there was nothing to empty"
    );
}

#[tokio::test]
async fn the_first_item_begins_a_guest_session_and_is_told_once() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    let added = browser.add("quince").await;
    assert_eq!((added.status, added.location()), (StatusCode::SEE_OTHER, "/#quince"));
    assert_eq!(added.set_cookies().len(), 1);

    let home = browser.get("/").await;
    assert_eq!(home.notice(), Some("Golden quince is in your cart."));
    assert!(home.text.contains("1 in your cart"));
    assert_eq!(home.cart_count(), "1");
    assert_eq!(browser.get("/").await.notice(), None);
}

#[tokio::test]
async fn the_cart_counts_up_and_down_and_adds_up() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    for product in ["quince", "apple", "quince"] {
        browser.add(product).await;
    }
    let cart = browser.get("/cart").await;
    assert_eq!(cart.cart_count(), "3");
    assert!(cart.text.contains("<b>€4.40</b>"), "{}", cart.text);

    let set = [("product", "quince"), ("quantity", "1")];
    assert_eq!(browser.post("/cart/set", &set).await.location(), "/cart");
    assert!(browser.get("/cart").await.text.contains("<b>€2.60</b>"));
    browser.post("/cart/set", &[("product", "quince"), ("quantity", "0")]).await;
    let cart = browser.get("/cart").await;
    assert!(!cart.text.contains("Golden quince"));
    browser.post("/cart/empty", &[]).await;
    assert!(browser.get("/cart").await.text.contains("Nothing in it yet"));
}

#[tokio::test]
async fn a_cart_holds_at_most_99_of_a_thing_and_nothing_the_shop_has_not() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    browser.post("/cart/set", &[("product", "fig"), ("quantity", "4294967295")]).await;
    browser.add("fig").await;
    assert_eq!(browser.add("durian").await.location(), "/");
    browser.post("/cart/set", &[("product", "durian"), ("quantity", "5")]).await;
    assert_eq!(browser.get("/cart").await.cart_count(), "99");
}

#[tokio::test]
async fn two_clicks_at_once_count_twice() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    browser.add("apple").await;
    let (mut one, mut two) = (browser.clone(), browser.clone());
    tokio::join!(one.add("apple"), two.add("apple"));
    assert_eq!(browser.get("/cart").await.cart_count(), "3");
}

#[tokio::test]
async fn the_theme_is_kept_and_comes_along_when_signing_in() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    assert_eq!(browser.get("/").await.theme(), "system");
    let chosen = browser.post("/appearance", &[("theme", "plum")]).await;
    assert_eq!(chosen.location(), "/appearance");
    let page = browser.get("/appearance").await;
    assert_eq!((page.theme(), page.notice()), ("plum", Some("The shop now wears plum.")));
    assert!(page.text.contains("value=\"plum\" aria-pressed=\"true\""));
    browser.sign_in(ALICE).await;
    for path in ["/", "/cart", "/account", "/devices", "/nowhere"] {
        assert_eq!(browser.get(path).await.theme(), "plum", "{path}");
    }
    browser.post("/appearance", &[("theme", "beige\"><script>")]).await;
    assert_eq!(browser.get("/").await.theme(), "plum", "a theme that does not exist is none");
}

#[tokio::test]
async fn a_page_that_is_not_there_says_so() {
    let shop = Shop::new().await;
    let answer = shop.browser().get("/shelf/9").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.heading(), "Nothing on this shelf");
    assert!(answer.text.contains("<code>/shelf/9</code>"));
    assert_eq!(shop.alice().await.get("/static/../shelf").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    let mut answers = Vec::new();
    for path in [
        "/",
        "/cart",
        "/sign-in",
        "/account",
        "/devices",
        "/appearance",
        "/signed-out",
        "/nowhere",
        "/cart/add",
        "/static/shop.css",
        "/static/icon.svg",
        "/static/nothing",
    ] {
        answers.push((path, alice.get(path).await));
    }
    answers.push(("a redirect", alice.add("apple").await));
    answers.push(("a broken form", alice.post("/cart/set", &[("quantity", "many")]).await));
    let forged = [("sec-fetch-site", "cross-site")];
    answers.push(("a forged form", alice.post_with("/sign-out", &[], &forged).await));
    answers.push(("a strange method", alice.send(Method::TRACE, "/", &[], None).await));
    for (what, answer) in answers {
        let csp = answer.header("content-security-policy");
        for directive in [
            "default-src 'none'",
            "style-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(csp.contains(directive), "{what}: {csp}");
        }
        assert!(!csp.contains("unsafe") && !csp.contains("script-src"), "{what}: {csp}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{what}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{what}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{what}");
        let body = answer.text.is_empty() || answer.headers.contains_key("content-type");
        assert!(body, "{what} has a body of no type (ASVS 4.1.1)");
    }
}

#[tokio::test]
async fn wstg_athn_06_no_page_of_a_session_is_kept_by_a_cache() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    for path in ["/", "/cart", "/account", "/devices", "/appearance", "/nowhere"] {
        let answer = alice.get(path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("vary"), "cookie", "{path}");
    }
    assert_eq!(
        alice.get("/static/shop.css").await.header("vary"),
        "",
        "a style sheet is the same for everybody"
    );
}
