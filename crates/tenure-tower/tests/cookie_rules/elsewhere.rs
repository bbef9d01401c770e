//! Tokens that are good, in every place but the cookie that they are for.

use axum::Router;
use axum::body::Body;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{Request, StatusCode};
use tenure::Policy;
use tenure::testing::TestKit;
use tenure_tower::{CookieSettings, Realm, SessionLayer};

use crate::site::{NAME, Visitor, routes, site};
use crate::support::{Answer, send};

/// The only way in is the cookie: in the query, the path, another header or the body the same
/// token is nobody's, so that none can be planted in a link or leak into a log of addresses.
#[tokio::test]
async fn cs_sm_4_a_token_anywhere_but_in_the_cookie_is_ignored() {
    let (kit, app) = site().await;
    let pair = kit.sign_in_as("u_alice").await;
    let token = pair.strip_prefix("__Host-sid=").unwrap();
    let names = [NAME, "sid", "token", "session", "session_id", "access_token", "jsessionid"];
    let mut requests = Vec::new();
    for name in names {
        for target in [
            format!("/me?{name}={token}"),
            format!("/files/{name}={token}"),
            format!("/files/a;{name}={token}"),
            format!("/files/{token}?{name}={token}"),
        ] {
            requests.push(Request::get(target).body(Body::empty()).unwrap());
        }
        let form = Request::post("/me").header("content-type", "application/x-www-form-urlencoded");
        requests.push(form.body(Body::from(format!("{name}={token}"))).unwrap());
        let json = Request::post("/me").header("content-type", "application/json");
        requests.push(json.body(Body::from(format!("{{\"{name}\":\"{token}\"}}"))).unwrap());
    }
    let headers = [
        ("authorization", format!("Bearer {token}")),
        ("authorization", format!("Cookie {pair}")),
        ("x-session-token", token.to_owned()),
        ("x-auth-token", token.to_owned()),
        ("cookie2", pair.clone()),
        ("x-cookie", pair.clone()),
        ("set-cookie", pair.clone()),
        ("tenure-session", token.to_owned()),
        ("__host-sid", token.to_owned()),
        ("referer", format!("https://a/me?{pair}")),
        ("cookie", format!("sid={token}; a=\"{pair}\"")),
    ];
    for (name, value) in &headers {
        requests.push(Request::get("/me").header(*name, value).body(Body::empty()).unwrap());
    }
    for request in requests {
        let asked = format!("{request:?}");
        let answer = send(&app, request).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{asked}");
        assert!(!answer.headers.contains_key(SET_COOKIE), "{asked}");
    }
    let fine = Request::get("/me").header(COOKIE, &pair).body(Body::empty()).unwrap();
    assert_eq!(send(&app, fine).await.text, "Hello u_alice");
}

/// A shop and its administration on one host: two cookies of one store.
struct Host {
    shop: Router,
    admin: Router,
}

impl Host {
    async fn new(realm: &str) -> Self {
        let kit = TestKit::new().await;
        let cookie = CookieSettings::new("__Host-admin").unwrap().strict();
        let admin = kit.sessions.in_realm(Realm::new(realm).unwrap(), cookie, Policy::default()).unwrap();
        Self {
            shop: routes().layer(SessionLayer::new(&kit.sessions)),
            admin: routes().layer(SessionLayer::new(&admin)),
        }
    }

    /// The tokens of somebody who is signed in at both.
    async fn signed_in_at_both(&self) -> (String, String) {
        let (mut at_shop, mut at_admin) = (Visitor::new(&self.shop), Visitor::new(&self.admin));
        at_shop.post("/sign-in").await;
        at_admin.post("/sign-in").await;
        let token = |visitor: &Visitor, name: &str| visitor.jar.values(name).join(",");
        (token(&at_shop, "__Host-sid"), token(&at_admin, "__Host-admin"))
    }

    async fn ask(app: &Router, cookie: &str) -> Answer {
        send(app, Request::get("/me").header(COOKIE, cookie).body(Body::empty()).unwrap()).await
    }
}

/// Whether the two cookies are of one realm or of two.
#[tokio::test]
async fn cs_sm_9_cookies_that_change_places_are_good_for_neither() {
    for realm in ["default", "admin"] {
        let host = Host::new(realm).await;
        let (shop, admin) = host.signed_in_at_both().await;
        let right = format!("__Host-sid={shop}; __Host-admin={admin}");
        let swapped = format!("__Host-sid={admin}; __Host-admin={shop}");
        let doubled = format!("__Host-sid={shop}; __Host-admin={shop}");
        assert_eq!(Host::ask(&host.shop, &right).await.text, "Hello u_alice");
        assert_eq!(Host::ask(&host.admin, &right).await.text, "Hello u_alice");
        for app in [&host.shop, &host.admin] {
            assert_eq!(Host::ask(app, &swapped).await.status, StatusCode::UNAUTHORIZED, "{realm}");
        }
        for wrong in [doubled, format!("__Host-admin={shop}")] {
            assert_eq!(Host::ask(&host.admin, &wrong).await.status, StatusCode::UNAUTHORIZED, "{realm}");
        }
        assert_eq!(Host::ask(&host.shop, &right).await.text, "Hello u_alice", "nothing ended by it");
        assert_eq!(Host::ask(&host.admin, &right).await.text, "Hello u_alice");
    }
}

/// All parts of a token belong together: of two good ones, no mixture is good.
#[tokio::test]
async fn cs_sm_9_no_mixture_of_two_tokens_is_good() {
    let (kit, app) = site().await;
    let (alice, bob) = (kit.sign_in_as("u_alice").await, kit.sign_in_as("u_bob").await);
    for at in NAME.len() + 6..alice.len() {
        for mixed in [format!("{}{}", &alice[..at], &bob[at..]), format!("{}{}", &bob[..at], &alice[at..])] {
            let answer = Host::ask(&app, &mixed).await;
            let is_one_of_them = [&alice, &bob].contains(&&mixed);
            assert_eq!(answer.status == StatusCode::OK, is_one_of_them, "{at}");
        }
    }
    assert_eq!(Host::ask(&app, &alice).await.text, "Hello u_alice", "nothing ended by it");
    assert_eq!(Host::ask(&app, &bob).await.text, "Hello u_bob");
}

#[tokio::test]
async fn asvs_7_2_2_each_sign_in_makes_a_token_and_none_is_taken_from_outside() {
    let (kit, app) = site().await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let mut visitor = Visitor::new(&app);
        visitor.post("/sign-in").await;
        // The secret in it, so that ids that differ do not hide secrets that do not.
        let secret = visitor.jar.values(NAME).concat()[32..74].to_owned();
        assert!(seen.insert(secret), "a secret came twice");
    }
    // What the visitor brings along is neither adopted nor echoed, however well it is formed.
    let good = kit.sign_in_as("u_bob").await;
    let almost = good.strip_prefix("__Host-sid=").unwrap().replacen("tn1_A", "tn1_B", 1);
    for chosen in [format!("tn1_{}", "A".repeat(92)), almost, "chosen-by-me".into()] {
        for path in ["/sign-in", "/cart"] {
            let request = Request::post(path).header(COOKIE, format!("__Host-sid={chosen}"));
            let answer = send(&app, request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::OK);
            let [header] = answer.set_cookies()[..] else { panic!("one cookie") };
            let value = header.split(';').next().unwrap().strip_prefix("__Host-sid=").unwrap();
            assert!(value.len() == good.len() - 11 && value != chosen, "{value}");
            assert!(!answer.text.contains(&chosen));
        }
    }
}
