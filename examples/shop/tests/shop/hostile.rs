//! What visitors send is shown as text, and too much of it is refused.

use axum::http::{Method, StatusCode};

use crate::support::{ALICE, Answer, Shop};

/// From the OWASP XSS filter evasion cheat sheet: each breaks out of some context.
const CORPUS: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</code></td></tr></table><script>alert(1)</script>",
    "<IMG SRC=\"javascript:alert('XSS');\">",
    "<iframe src=javascript:alert(1)></iframe>",
    "\" autofocus onfocus=alert(1) x=\"",
    "{{7777*7777}}${7777*7777}<%= 7777*7777 %>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!--<img src=\"--><img src=x onerror=alert(1)//\">",
];

/// The page has the tags and attributes of the same page with harmless text in it.
fn assert_only_text(page: &Answer, harmless: &Answer, sent: &str) {
    let marks = |answer: &Answer| ['<', '>', '"'].map(|mark| answer.text.matches(mark).count());
    assert_eq!(marks(page), marks(harmless), "{sent}: {}", page.text);
    assert!(!page.text.contains("60481729"), "{sent} was computed");
}

#[tokio::test]
async fn a_hostile_user_agent_is_only_text_in_the_list_of_devices() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    shop.elsewhere().await;
    alice.get("/").await;
    let harmless = alice.get("/devices").await;
    assert_eq!(harmless.devices().len(), 2);
    for sent in CORPUS {
        for disguise in [sent.to_owned(), format!("Mozilla/5.0 ({sent}) Firefox/140.0 Windows")] {
            alice.post("/devices/end-others", &[]).await;
            alice.get("/").await;
            let mut other = shop.browser();
            other.user_agent = disguise.clone();
            other.sign_in(ALICE).await;
            let page = alice.get("/devices").await;
            assert_eq!(page.devices().len(), 2, "{disguise}");
            assert_only_text(&page, &harmless, &disguise);
        }
    }
}

#[tokio::test]
async fn a_hostile_name_is_only_text_in_the_form() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    let harmless = browser.post("/sign-in", &[("name", "plain"), ("password", "x")]).await;
    for sent in CORPUS {
        let fields = [("name", sent), ("password", sent), ("return_to", sent)];
        let answer = browser.post("/sign-in", &fields).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{sent}");
        assert_only_text(&answer, &harmless, sent);
    }
}

#[tokio::test]
async fn a_hostile_address_is_only_text_in_a_page() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    for (page, sent) in [
        ("/nowhere", "/%3Cscript%3Ealert(1)%3C/script%3E"),
        ("/nowhere", "/\"autofocus/onfocus=alert(1)"),
        ("/nowhere", "/'onmouseover=alert(1)"),
        ("/nowhere", "/{{7777*7777}}"),
        ("/nowhere", "/a?%3Cscript%3E"),
        ("/signed-out", "/signed-out?reason=%3Cscript%3Ealert(1)%3C/script%3E"),
        ("/sign-in", "/sign-in?return_to=%2F%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E"),
    ] {
        let harmless = browser.get(page).await;
        assert_only_text(&browser.get(sent).await, &harmless, sent);
    }
}

#[tokio::test]
async fn a_form_too_large_is_refused_in_a_page_and_changes_nothing() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    browser.add("apple").await;
    let large = "x".repeat(64 * 1024);
    for (path, field) in [("/sign-in", "password"), ("/cart/add", "product"), ("/appearance", "theme")] {
        let fields = [("name", "alice"), ("password", ""), (field, large.as_str())];
        let answer = browser.post(path, &fields).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::PAYLOAD_TOO_LARGE, "too_large"), "{path}");
        assert_eq!(answer.heading(), "That was too much at once");
    }
    assert_eq!(browser.get("/cart").await.cart_count(), "1");
}

#[tokio::test]
async fn a_form_that_does_not_read_is_refused_in_a_page_and_changes_nothing() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    browser.add("apple").await;
    let broken: [(&str, &[(&str, &str)]); 6] = [
        ("/cart/set", &[("product", "apple"), ("quantity", "many")]),
        ("/cart/set", &[("product", "apple"), ("quantity", "-1")]),
        ("/cart/set", &[("product", "apple"), ("quantity", "4294967296")]),
        ("/cart/add", &[]),
        ("/sign-in", &[("name", "alice")]),
        ("/sign-in", &[("name", "alice"), ("name", "bob"), ("password", "x")]),
    ];
    for (path, fields) in broken {
        let answer = browser.post(path, fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {fields:?}");
        assert_eq!((answer.heading(), answer.code()), ("That did not read as a form of ours", "bad_request"));
    }
    let json = browser
        .send(Method::POST, "/cart/add", &[("content-type", "application/json")], Some("{}".to_owned()))
        .await;
    assert!(json.status.is_client_error());
    assert_eq!(json.code(), "bad_request");
    let twice = browser.get("/sign-in?return_to=/a&return_to=/b").await;
    assert_eq!((twice.status, twice.code()), (StatusCode::BAD_REQUEST, "bad_request"));
    assert_eq!(browser.get("/cart").await.cart_count(), "1");
}
