//! What other sites and crawlers can do in a visitor's name: nothing.

use axum::http::{Method, StatusCode};

use crate::support::{ALICE, Browser, Shop};

/// Everything that changes something, with fields that would.
const CHANGES: [(&str, &[(&str, &str)]); 9] = [
    ("/cart/add", &[("product", "kettle")]),
    ("/cart/set", &[("product", "apple"), ("quantity", "9")]),
    ("/cart/empty", &[]),
    ("/appearance", &[("theme", "plum")]),
    ("/devices/end", &[("session", "ses_1")]),
    ("/devices/end-others", &[]),
    ("/devices/end-all", &[]),
    ("/sign-out", &[]),
    ("/sign-in", &[("name", ALICE.0), ("password", ALICE.1)]),
];

/// Alice with one apple and another device.
async fn alice(shop: &Shop) -> Browser {
    let mut alice = shop.alice().await;
    alice.add("apple").await;
    alice.get("/").await;
    shop.elsewhere().await;
    alice
}

async fn assert_nothing_changed(shop: &Shop, alice: &mut Browser, what: &str) {
    let cart = alice.get("/cart").await;
    assert_eq!((cart.cart_count(), cart.theme()), ("1", "system"), "{what}");
    assert!(cart.text.contains("Orchard apple"), "{what}");
    assert!(alice.is_signed_in().await, "{what}");
    assert_eq!(shop.count("u_alice").await, 2, "{what}");
}

#[tokio::test]
async fn wstg_sess_05_a_form_of_another_site_is_refused_and_changes_nothing() {
    let shop = Shop::new().await;
    let mut alice = alice(&shop).await;
    let elsewhere: [&[(&str, &str)]; 6] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        &[("origin", "https://evil.example")],
        &[("origin", "https://shop.example.evil.example")],
        &[("origin", "null")],
    ];
    for headers in elsewhere {
        for (path, fields) in CHANGES {
            let answer = alice.post_with(path, fields, headers).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {headers:?}");
            assert_eq!(answer.heading(), "This form came from elsewhere");
            assert_eq!(answer.code(), "csrf_failed");
            assert_eq!(answer.set_cookies(), Vec::<&str>::new(), "{path} {headers:?}");
        }
        assert_nothing_changed(&shop, &mut alice, &format!("{headers:?}")).await;
    }
}

#[tokio::test]
async fn a_forged_sign_in_signs_nobody_in() {
    let shop = Shop::new().await;
    let mut victim = shop.browser();
    let fields = [("name", ALICE.0), ("password", ALICE.1)];
    let headers = [("sec-fetch-site", "cross-site")];
    assert_eq!(victim.post_with("/sign-in", &fields, &headers).await.status, StatusCode::FORBIDDEN);
    assert_eq!((victim.cookie, shop.count("u_alice").await), (None, 0));
}

#[tokio::test]
async fn the_shops_own_forms_are_accepted_from_browsers_old_and_new() {
    let shop = Shop::new().await;
    let own: [&[(&str, &str)]; 4] = [
        &[("sec-fetch-site", "same-origin"), ("origin", "http://shop.example")],
        &[("sec-fetch-site", "none")],
        &[("origin", "http://shop.example")],
        &[],
    ];
    for headers in own {
        let answer = shop.browser().post_with("/cart/add", &[("product", "fig")], headers).await;
        assert_eq!(answer.location(), "/#fig", "{headers:?}");
    }
}

#[tokio::test]
async fn asvs_3_5_3_nothing_changes_by_following_a_link() {
    let shop = Shop::new().await;
    let mut alice = alice(&shop).await;
    for method in [Method::GET, Method::HEAD] {
        for (path, fields) in CHANGES {
            let query: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let address = format!("{path}?{}", query.join("&"));
            let answer = alice.send(method.clone(), &address, &[], None).await;
            let has_a_page = ["/appearance", "/sign-in"].contains(&path);
            let expected = if has_a_page { StatusCode::OK } else { StatusCode::METHOD_NOT_ALLOWED };
            assert_eq!(answer.status, expected, "{method} {address}");
            if !has_a_page {
                assert_eq!(answer.header("allow"), "POST", "{method} {address}");
            }
            assert_nothing_changed(&shop, &mut alice, &address).await;
        }
    }
}

#[tokio::test]
async fn a_method_the_shop_does_not_know_changes_nothing() {
    let shop = Shop::new().await;
    let mut alice = alice(&shop).await;
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        for (path, fields) in CHANGES {
            let query: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let answer = alice.send(method.clone(), path, &[], Some(query.join("&"))).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
    }
    assert_nothing_changed(&shop, &mut alice, "other methods").await;
}

#[tokio::test]
async fn a_method_that_does_not_fit_is_told_in_a_page() {
    let shop = Shop::new().await;
    let answer = shop.browser().get("/sign-out").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!((answer.heading(), answer.code()), ("Not this way", "method_not_allowed"));
    assert!(answer.text.contains("made without a look at your session"), "{}", answer.text);
}
