//! What each answer says of the cookie, in every way in which one is set or deleted, and what
//! becomes of it in a browser's jar.

use axum::body::Body;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{Method, Request, StatusCode};

use crate::jar::{Jar, Origin};
use crate::site::{HOUR, MINUTE, NAME, Visitor, every_way, site};
use crate::support::send;

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

#[tokio::test]
async fn ck_7_a_browser_keeps_the_cookie_and_sends_it_back_over_https_only() {
    let (_, app) = site().await;
    let mut visitor = Visitor::new(&app);
    visitor.post("/sign-in").await;
    assert_eq!(visitor.jar.values(NAME).len(), 1);
    for path in ["/", "/me", "/files/deep/inside"] {
        assert!(visitor.jar.header(path, Origin::Https).is_some(), "{path}");
        assert_eq!(visitor.jar.header(path, Origin::Http), None, "{path}");
    }
    assert!(visitor.is_signed_in().await);
    assert_eq!(visitor.jar.script_reads(), "", "ASVS 3.3.4: no script reads it");
    assert!(!visitor.jar.goes_with_forms_of_others(NAME));
}

#[tokio::test]
async fn ck_7_a_cookie_of_ours_over_plain_http_is_dropped_and_so_is_one_that_is_planted() {
    for (way, answer) in every_way().await {
        let header = answer.set_cookies()[0];
        assert!(Jar::default().take(header, Origin::Http).is_err(), "{way}");
    }
    let (_, app) = site().await;
    let mut visitor = Visitor::new(&app);
    visitor.post("/sign-in").await;
    let before = visitor.jar.header("/", Origin::Https);
    for planted in
        ["__Host-sid=evil; Path=/", "__Host-sid=evil; Path=/; Secure", "__Host-sid=; Path=/; Max-Age=0"]
    {
        assert!(visitor.jar.take(planted, Origin::Http).is_err(), "{planted}");
    }
    // Another host that names this one as its domain.
    assert!(visitor.jar.take("__Host-sid=evil; Path=/; Secure; Domain=example.org", Origin::Https).is_err());
    assert_eq!(visitor.jar.header("/", Origin::Https), before);
    assert!(visitor.is_signed_in().await);
}

#[tokio::test]
async fn ck_7_a_new_token_replaces_the_old_one_in_the_jar() {
    let (kit, app) = site().await;
    let mut visitor = Visitor::new(&app);
    let mut seen = Vec::new();
    for step in ["/cart", "/sign-in", "/step-up", "/sign-in", "/remember"] {
        visitor.post(step).await;
        let [value] = visitor.jar.values(NAME)[..] else { panic!("one cookie after {step}") };
        seen.push(value.to_owned());
    }
    kit.advance(16 * MINUTE).await;
    visitor.get("/me").await;
    seen.push(visitor.jar.values(NAME).join(","));
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count, "each time another one");
    assert!(visitor.is_signed_in().await);
}

#[tokio::test]
async fn ck_14_the_deletion_removes_the_cookie_of_each_kind_of_session() {
    let (_, app) = site().await;
    for begins in ["/cart", "/sign-in", "/remember"] {
        let mut visitor = Visitor::new(&app);
        visitor.post(begins).await;
        assert_eq!(visitor.jar.values(NAME).len(), 1, "{begins}");
        let answer = visitor.post("/sign-out").await;
        assert_eq!(visitor.jar.values(NAME), Vec::<&str>::new(), "{begins}: {:?}", answer.set_cookies());
        assert_eq!(visitor.jar.header("/", Origin::Https), None);
    }
}

/// Cleared at the browser and dead at the server: keeping the cookie helps nobody.
#[tokio::test]
async fn cs_sm_12_an_expired_session_is_cleared_in_the_browser_and_dead_at_the_server() {
    for (begins, wait) in [("/sign-in", 31 * MINUTE), ("/sign-in", 13 * HOUR), ("/cart", 25 * HOUR)] {
        let (kit, app) = site().await;
        let mut visitor = Visitor::new(&app);
        visitor.post(begins).await;
        let kept = visitor.clone();
        kit.clock.advance(wait);
        let answer = visitor.post("/me").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{begins}");
        assert_eq!(
            answer.set_cookies(),
            ["__Host-sid=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"],
            "{begins}"
        );
        assert_eq!(visitor.jar.values(NAME), Vec::<&str>::new());
        for _ in 0..2 {
            assert!(!kept.clone().is_signed_in().await, "{begins}");
            assert_eq!(kept.clone().get("/cart").await.text, "", "{begins}");
            kit.sessions.maintain().await.unwrap();
        }
        assert!(kit.sessions.list(&"u_alice".parse().unwrap()).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_remembered_cookie_outlives_the_browser_as_long_as_its_session_and_no_other_does() {
    let (kit, app) = site().await;
    let mut visitor = Visitor::new(&app);
    visitor.post("/sign-in").await;
    visitor.jar.close();
    assert_eq!(visitor.jar.header("/", Origin::Https), None);
    visitor.post("/remember").await;
    visitor.jar.close();
    assert!(visitor.is_signed_in().await);
    kit.clock.advance(13 * 24 * HOUR);
    visitor.jar.advance(13 * 24 * HOUR);
    assert!(visitor.is_signed_in().await);
}

/// Two tabs are due for a new token at once. In whatever order their answers arrive, the
/// browser is left with a cookie that is good, and the session goes on.
#[tokio::test]
async fn ck_4_answers_that_set_the_cookie_at_once_may_arrive_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (kit, app) = site().await;
        let mut visitor = Visitor::new(&app);
        visitor.post("/sign-in").await;
        kit.advance(16 * MINUTE).await;
        let (one, two, three) = tokio::join!(
            visitor.ask(Method::GET, "/me"),
            visitor.ask(Method::GET, "/cart"),
            visitor.ask(Method::POST, "/cart"),
        );
        let answers = [one, two, three];
        assert!(answers.iter().all(|answer| answer.set_cookies().len() == 1));
        for at in order {
            visitor.take(&answers[at]);
            assert!(visitor.is_signed_in().await, "{order:?}");
            assert_eq!(visitor.jar.values(NAME).len(), 1);
        }
        assert_eq!(visitor.get("/cart").await.text, "apple", "{order:?}");
    }
}

/// Browsers keep 50 cookies of a host and send 8 KiB of them; what they evict is gone.
#[tokio::test]
async fn ck_17_a_full_header_or_an_evicted_cookie_is_no_failure() {
    let (_, app) = site().await;
    let mut visitor = Visitor::new(&app);
    visitor.post("/sign-in").await;
    let ours = visitor.jar.header("/", Origin::Https).unwrap();
    assert!(ours.len() <= 128, "its share of 8192 bytes is small: {ours}");
    let others: Vec<String> = (0..49).map(|at| format!("other{at:02}={}", "x".repeat(154))).collect();
    let ask = |cookie: String| {
        let request = Request::get("/me").header("accept", "text/html").header(COOKIE, cookie);
        send(&app, request.body(Body::empty()).unwrap())
    };
    for at in [0, 25, 49] {
        let mut all = others.clone();
        all.insert(at, ours.clone());
        let header = all.join("; ");
        assert!((8_000..8_192).contains(&header.len()), "{}", header.len());
        assert_eq!(ask(header).await.text, "Hello u_alice");
    }
    let evicted = ask(others.join("; ")).await;
    assert_eq!(evicted.status, StatusCode::SEE_OTHER, "whoever lost the cookie signs in");
    assert_eq!(evicted.set_cookies(), Vec::<&str>::new());
}
