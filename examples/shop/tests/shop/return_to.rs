//! Where a sign-in leads: never out of the shop (ASVS 3.7.2, WSTG-CLNT-04).

use axum::http::StatusCode;

use crate::support::{ALICE, Shop, encoded};

/// Addresses that some browser, some day, has taken for another site's.
const OUTSIDE: [&str; 34] = [
    "//evil.example",
    "///evil.example",
    "////evil.example/%2f..",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "https://evil.example",
    "HTTPS://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "http://shop.example@evil.example",
    "//shop.example@evil.example/",
    "@evil.example",
    ".evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt://%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "\u{0}//evil.example",
    "/cart\r\nSet-Cookie: __Host-sid=evil",
    "/cart\r\n\r\n<script>alert(1)</script>",
    "/cart\u{85}",
    "\u{ff0f}\u{ff0f}evil.example",
    "\u{2044}\u{2044}evil.example",
    "%2f%2fevil.example",
    "%5c%5cevil.example",
    "",
];

/// Addresses that look strange and stay within.
const INSIDE: [&str; 8] = [
    "/",
    "/cart",
    "/devices?x=https://evil.example",
    "/@evil.example",
    "/%2f%2fevil.example",
    "/%0d%0aSet-Cookie:a=b",
    "/cart#//evil.example",
    "/./cart",
];

async fn led_to(shop: &Shop, return_to: &str) -> (StatusCode, String) {
    let fields = [("name", ALICE.0), ("password", ALICE.1), ("return_to", return_to)];
    let answer = shop.browser().post("/sign-in", &fields).await;
    assert_eq!(answer.set_cookies().len(), 1, "{return_to:?}");
    let location = answer.headers["location"].as_bytes();
    assert!(location.is_ascii(), "{return_to:?}: {location:?}");
    (answer.status, answer.location().to_owned())
}

#[tokio::test]
async fn asvs_3_7_2_a_sign_in_never_leads_out_of_the_shop() {
    let shop = Shop::new().await;
    for return_to in OUTSIDE {
        let (status, location) = led_to(&shop, return_to).await;
        assert_eq!((status, location.as_str()), (StatusCode::SEE_OTHER, "/"), "{return_to:?}");
    }
}

#[tokio::test]
async fn a_sign_in_leads_back_to_any_address_within() {
    let shop = Shop::new().await;
    for return_to in INSIDE {
        let (status, location) = led_to(&shop, return_to).await;
        assert_eq!((status, location.as_str()), (StatusCode::SEE_OTHER, return_to));
    }
}

/// Browsers read what is not ASCII in many ways, so it goes out percent-encoded.
#[tokio::test]
async fn an_address_that_is_not_ascii_is_encoded() {
    let shop = Shop::new().await;
    for (return_to, expected) in [
        ("/käse", "/k%C3%A4se"),
        ("/\u{ff0f}evil.example", "/%EF%BC%8Fevil.example"),
        ("/\u{2028}x", "/%E2%80%A8x"),
        ("/a b\"<>", "/a%20b%22%3C%3E"),
    ] {
        let (status, location) = led_to(&shop, return_to).await;
        assert_eq!((status, location.as_str()), (StatusCode::SEE_OTHER, expected));
    }
}

#[tokio::test]
async fn the_form_never_carries_an_address_out_of_the_shop() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    for return_to in OUTSIDE {
        let form = browser.get(&format!("/sign-in?return_to={}", encoded(return_to))).await;
        assert_eq!(form.status, StatusCode::OK, "{return_to:?}");
        assert!(!form.text.contains("evil.example"), "{return_to:?}");
        assert!(!form.text.contains("alert(1)"), "{return_to:?}");
        let fields = [("name", "alice"), ("password", "wrong"), ("return_to", return_to)];
        let again = browser.post("/sign-in", &fields).await;
        assert!(!again.text.contains("evil.example"), "{return_to:?}");
        assert!(!again.text.contains("alert(1)"), "{return_to:?}");
    }
}

#[tokio::test]
async fn a_link_to_a_strange_address_of_the_shop_stays_within() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    for path in ["//evil.example/devices", "/%5cevil.example", "/\\evil.example"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.text.contains("href=\"//"), "{path}");
        assert!(!answer.text.contains("href=\"/\\"), "{path}");
    }
}
