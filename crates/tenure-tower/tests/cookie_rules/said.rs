//! What each answer with a cookie says, in every way in which one is set or deleted.

use axum::http::header::SET_COOKIE;

use crate::site::{NAME, every_way};

#[tokio::test]
async fn ck_19_asvs_3_3_2_cs_sm_22_each_cookie_says_same_site_itself() {
    let ways = every_way().await;
    for (way, answer) in &ways {
        let cookies = answer.set_cookies();
        assert_eq!(cookies.len(), 1, "{way}: {cookies:?}");
        let mut attributes: Vec<&str> = cookies[0].split("; ").skip(1).collect();
        attributes.retain(|attribute| !attribute.starts_with("Max-Age="));
        assert_eq!(attributes, ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"], "{way}");
        assert!(cookies[0].starts_with("__Host-sid="), "{way}");
    }
    let deleted = ways.iter().filter(|(_, answer)| answer.set_cookies()[0].starts_with("__Host-sid=;"));
    assert_eq!(deleted.count(), 3, "a sign-out and two dead sessions");
}

/// `no-cache="Set-Cookie"` is no substitute, and a handler that asks for a cache gets none.
#[tokio::test]
async fn cs_sm_13_no_answer_with_a_cookie_is_kept_by_a_cache() {
    for (way, answer) in every_way().await {
        assert!(answer.headers.contains_key(SET_COOKIE), "{way}");
        let said: Vec<_> = answer.headers.get_all("cache-control").iter().collect();
        assert_eq!(said, ["no-store"], "{way}");
        assert_eq!(answer.header("vary"), "cookie", "{way}");
    }
}

#[tokio::test]
async fn ck_1_ck_2_each_cookie_is_clean_and_has_no_attribute_twice() {
    for (way, answer) in every_way().await {
        let header = answer.set_cookies()[0];
        assert!(header.bytes().all(|b| (0x20..0x7f).contains(&b)), "{way}: {header}");
        let mut names: Vec<&str> = header.split("; ").map(|part| part.split('=').next().unwrap()).collect();
        let value = header.split(';').next().unwrap().strip_prefix("__Host-sid=").unwrap();
        assert!(value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'), "{way}: {value}");
        assert_eq!(names[0], NAME, "{way}");
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "{way}: {header}");
    }
}

/// The token leaves in `Set-Cookie` and nowhere else, whatever becomes of the answer.
#[tokio::test]
async fn asvs_3_3_4_no_body_and_no_other_header_holds_a_token() {
    let ways = every_way().await;
    let pairs = ways.iter().map(|(_, answer)| answer.set_cookies()[0].split(';').next().unwrap());
    let tokens: Vec<&str> = pairs.filter_map(|pair| pair.strip_prefix("__Host-sid=tn1_")).collect();
    assert!(tokens.len() >= 8, "{}", tokens.len());
    for (way, answer) in &ways {
        let others = answer.headers.iter().filter(|(name, _)| *name != SET_COOKIE);
        let mut texts: Vec<String> = others.map(|(_, value)| format!("{value:?}")).collect();
        texts.push(answer.text.clone());
        for token in &tokens {
            assert!(texts.iter().all(|text| !text.contains(&token[28..])), "{way}: {texts:?}");
        }
    }
}
