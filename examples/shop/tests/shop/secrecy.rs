//! Where the token of a visitor is, and where it is not.

use axum::http::header::SET_COOKIE;
use axum::http::{Method, StatusCode};

use crate::support::{ALICE, Answer, BOB, Browser, MINUTE, Shop, encoded};

/// Every page and form of the shop, as this browser sees them.
async fn everywhere(browser: &mut Browser) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    let pages = [
        "/",
        "/cart",
        "/sign-in",
        "/sign-in?return_to=/devices",
        "/account",
        "/devices",
        "/appearance",
        "/signed-out?reason=logout",
        "/signed-out/forget.svg",
        "/static/shop.css",
        "/nowhere",
        "/sign-out",
    ];
    for path in pages {
        answers.push((path.to_owned(), browser.get(path).await));
    }
    let forms: [(&str, &[(&str, &str)]); 8] = [
        ("/cart/add", &[("product", "fig")]),
        ("/cart/set", &[("product", "fig"), ("quantity", "x")]),
        ("/appearance", &[("theme", "night")]),
        ("/sign-in", &[("name", BOB.0), ("password", "wrong"), ("return_to", "/account")]),
        ("/devices/end", &[("session", "ses_none")]),
        ("/devices/end-others", &[]),
        ("/cart/empty", &[]),
        ("/nowhere", &[]),
    ];
    for (path, fields) in forms {
        answers.push((path.to_owned(), browser.post(path, fields).await));
    }
    let forged = browser.post_with("/cart/add", &[], &[("sec-fetch-site", "cross-site")]).await;
    answers.push(("a forged form".to_owned(), forged));
    answers
}

/// How a token or its secret might be written somewhere.
fn spellings(token: &str) -> Vec<String> {
    let reversed: String = token.chars().rev().collect();
    let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
    // The secret and the tag stand at the end; what is before them is the id.
    vec![token[32..].to_owned(), encoded(&token[32..]), reversed[..60].to_owned(), hex[64..].to_owned()]
}

#[tokio::test]
async fn asvs_3_3_4_no_page_and_no_other_header_of_the_shop_holds_a_token() {
    let shop = Shop::new().await;
    let mut browser = shop.browser();
    let mut tokens = Vec::new();
    let mut answers = everywhere(&mut browser).await;
    tokens.push(browser.cookie.clone().expect("a guest with a cart"));
    answers.push(("signing in".to_owned(), browser.sign_in(ALICE).await));
    tokens.push(browser.cookie.clone().unwrap());
    answers.extend(everywhere(&mut browser).await);
    shop.kit.advance(16 * MINUTE).await;
    answers.extend(everywhere(&mut browser).await);
    tokens.push(browser.cookie.clone().unwrap());
    shop.kit.advance(31 * MINUTE).await;
    answers.extend(everywhere(&mut browser).await);

    tokens.dedup();
    assert_eq!(tokens.len(), 3, "a guest's, a user's and the renewed one");
    assert!(answers.iter().any(|(_, answer)| answer.status == StatusCode::FORBIDDEN));
    for (path, answer) in &answers {
        let others = answer.headers.iter().filter(|(name, _)| *name != SET_COOKIE);
        let headers: Vec<String> = others.map(|(name, value)| format!("{name}: {value:?}")).collect();
        let told = format!("{}\n{}", headers.join("\n"), answer.text);
        for token in &tokens {
            for spelling in spellings(token.strip_prefix("__Host-sid=").unwrap()) {
                assert!(!told.contains(&spelling), "{path}: {told}");
            }
        }
        for cookie in answer.set_cookies() {
            assert!(cookie.contains("; Secure; HttpOnly; SameSite=Lax"), "{path}: {cookie}");
        }
    }
}

#[tokio::test]
async fn cs_sm_4_the_shop_takes_no_token_from_a_link_a_form_or_a_header() {
    let shop = Shop::new().await;
    let pair = shop.elsewhere().await;
    let token = pair.strip_prefix("__Host-sid=").unwrap();
    for name in ["__Host-sid", "sid", "session", "token"] {
        let mut visitor = shop.browser();
        let page = visitor.get(&format!("/account?{name}={token}")).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{name}");
        let page = visitor.get(&format!("/account;{name}={token}")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{name}");
        let form = visitor.post("/devices/end-others", &[(name, token)]).await;
        assert_eq!(form.location(), "/sign-in", "{name}");
        assert_eq!(visitor.cookie, None, "{name}");
    }
    let mut visitor = shop.browser();
    for (name, value) in [
        ("authorization", format!("Bearer {token}")),
        ("x-session-token", token.to_owned()),
        ("x-cookie", pair.clone()),
        ("__host-sid", token.to_owned()),
    ] {
        let page = visitor.send(Method::GET, "/account", &[(name, &value)], None).await;
        assert_eq!((page.status, page.set_cookies().len()), (StatusCode::SEE_OTHER, 0), "{name}");
    }
    assert!(shop.browser_with(&pair).is_signed_in().await);
    assert_eq!(shop.count("u_alice").await, 1);
}

/// The list of devices is for its owner, after a sign-in, and names no other way in.
#[tokio::test]
async fn cs_sm_19_the_list_of_devices_is_its_owners_only() {
    let shop = Shop::new().await;
    for _ in 0..2 {
        shop.elsewhere().await;
    }
    let mut guest = shop.browser();
    guest.add("fig").await;
    let mut bob = shop.browser();
    bob.sign_in(BOB).await;
    for (mut visitor, rows) in [(shop.browser(), 0), (guest, 0), (bob, 1)] {
        for path in ["/devices", "/devices?user=u_alice", "/devices?session=*"] {
            let page = visitor.get(path).await;
            assert_eq!(page.devices().len(), rows, "{path}");
            assert!(!page.text.contains("u_alice"), "{path}: {}", page.text);
        }
    }
}
