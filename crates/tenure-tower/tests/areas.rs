//! A site and its administration: two cookies in one application.

#[allow(dead_code, reason = "these tests use a part of it")]
mod support;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, COOKIE};
use axum::http::request::Parts;
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use support::{Answer, send};
use tenure::testing::TestKit;
use tenure_tower::{
    CookieSettings, Error, Guard, Guest, In, Key, Policy, Realm, Role, Session, SessionLayer, Sessions,
    SignIn, SignedIn, UserId,
};

struct Admin;

const NOTE: Key<String> = Key::new("note");

fn user(name: &str) -> SignIn {
    SignIn::password(UserId::new(name).unwrap()).roles(vec![Role::new("boss").unwrap()])
}

async fn account(me: SignedIn) -> String {
    me.user().to_string()
}

async fn dashboard(me: In<Admin, SignedIn>) -> String {
    me.user().to_string()
}

async fn both(site: SignedIn, admin: In<Admin, SignedIn>) -> String {
    format!("{} and {}", site.user(), admin.user())
}

async fn sign_in(site: Session, admin: In<Admin, Session>) -> Result<&'static str, Error> {
    site.sign_in(user("u_ada")).await?;
    admin.sign_in(user("u_root")).await?;
    Ok("welcome twice")
}

async fn sign_out_of_admin(admin: In<Admin, Session>) -> Result<(), Error> {
    admin.sign_out().await
}

async fn keep(site: Session, admin: In<Admin, Session>) -> Result<(), Error> {
    site.set(NOTE, "of the site".into()).await?;
    admin.set(NOTE, "of the admin".into()).await
}

async fn notes(site: Session, admin: In<Admin, Session>) -> Result<String, Error> {
    let (site, admin) = (site.get(NOTE).await?, admin.get(NOTE).await?);
    Ok(format!("{}, {}", site.unwrap_or_default(), admin.unwrap_or_default()))
}

async fn realms() -> (TestKit, Sessions) {
    let kit = TestKit::new().await;
    let cookie = CookieSettings::new("__Host-admin").unwrap().strict();
    let admin = kit.sessions.in_realm(Realm::new("admin").unwrap(), cookie, Policy::default()).unwrap();
    (kit, admin)
}

/// The application, with either of the two layers outside.
async fn apps() -> Vec<(Router, TestKit)> {
    let mut apps = Vec::new();
    for admin_outside in [true, false] {
        let (kit, admin) = realms().await;
        let guarded = Router::new()
            .route("/admin/guarded", get(|| async { "inside" }))
            .route_layer(Guard::signed_in().role(Role::new("boss").unwrap()).area::<Admin>());
        let routes = Router::new()
            .route("/account", get(account))
            .route("/admin", get(dashboard))
            .route("/admin/sign-in", get(|_: In<Admin, Guest>| async { "sign in here" }))
            .route("/both", get(both))
            .route("/sign-in", post(sign_in))
            .route("/sign-out-of-admin", post(sign_out_of_admin))
            .route("/keep", post(keep))
            .route("/notes", get(notes))
            .merge(guarded);
        let site = SessionLayer::new(&kit.sessions).sign_in_at("/sign-in").home_at("/");
        let admin = SessionLayer::new(&admin).area::<Admin>().sign_in_at("/admin/sign-in").home_at("/admin");
        let app = match admin_outside {
            true => routes.layer(site).layer(admin),
            false => routes.layer(admin).layer(site),
        };
        apps.push((app, kit));
    }
    apps
}

async fn ask(app: &Router, method: &str, path: &str, cookies: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header(ACCEPT, "text/html");
    send(app, request.header(COOKIE, cookies).body(Body::empty()).unwrap()).await
}

/// The cookies of the site and of the administration that an answer sets.
fn pairs(answer: &Answer) -> (String, String) {
    let set = answer.set_cookies();
    assert_eq!(set.len(), 2, "{set:?}");
    let of = |name: &str| {
        let found = set.iter().find(|set| set.starts_with(name)).expect("it is set");
        found.split(';').next().unwrap().to_owned()
    };
    (of("__Host-sid="), of("__Host-admin="))
}

#[tokio::test]
async fn one_answer_sets_both_cookies_and_each_opens_its_area() {
    for (app, _kit) in apps().await {
        let (site, admin) = pairs(&ask(&app, "POST", "/sign-in", "").await);
        assert_eq!(ask(&app, "GET", "/account", &site).await.text, "u_ada");
        assert_eq!(ask(&app, "GET", "/admin", &admin).await.text, "u_root");
        assert_eq!(ask(&app, "GET", "/admin/guarded", &admin).await.text, "inside");
        let together = format!("{site}; {admin}");
        assert_eq!(ask(&app, "GET", "/both", &together).await.text, "u_ada and u_root");
    }
}

#[tokio::test]
async fn a_cookie_of_one_area_never_opens_the_other_under_any_name() {
    for (app, _kit) in apps().await {
        let (site, admin) = pairs(&ask(&app, "POST", "/sign-in", "").await);
        let renamed = |pair: &str, name: &str| format!("{name}={}", pair.split_once('=').unwrap().1);
        for (path, cookie) in [
            ("/admin", site.clone()),
            ("/admin/guarded", site.clone()),
            ("/admin", renamed(&site, "__Host-admin")),
            ("/admin/guarded", renamed(&site, "__Host-admin")),
            ("/account", admin.clone()),
            ("/account", renamed(&admin, "__Host-sid")),
            ("/both", site.clone()),
            ("/both", admin.clone()),
        ] {
            let answer = ask(&app, "GET", path, &cookie).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        }
        // None of that has ended anything.
        assert_eq!(ask(&app, "GET", "/both", &format!("{site}; {admin}")).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn each_area_sends_people_to_its_own_sign_in_page() {
    for (app, _kit) in apps().await {
        let (site, admin) = pairs(&ask(&app, "POST", "/sign-in", "").await);
        for (path, cookies, to) in [
            ("/account", "", "/sign-in?return_to=/account"),
            ("/account", admin.as_str(), "/sign-in?return_to=/account"),
            ("/admin", "", "/admin/sign-in?return_to=/admin"),
            ("/admin", site.as_str(), "/admin/sign-in?return_to=/admin"),
            ("/admin/guarded", site.as_str(), "/admin/sign-in?return_to=/admin/guarded"),
            ("/both", site.as_str(), "/admin/sign-in?return_to=/both"),
            ("/both", admin.as_str(), "/sign-in?return_to=/both"),
            ("/admin/sign-in", admin.as_str(), "/admin"),
        ] {
            assert_eq!(ask(&app, "GET", path, cookies).await.location(), to, "{path}");
        }
    }
}

#[tokio::test]
async fn signing_out_of_one_area_leaves_the_other() {
    for (app, _kit) in apps().await {
        let (site, admin) = pairs(&ask(&app, "POST", "/sign-in", "").await);
        let together = format!("{site}; {admin}");
        let answer = ask(&app, "POST", "/sign-out-of-admin", &together).await;
        assert_eq!(answer.set_cookies().len(), 1);
        assert!(answer.set_cookies()[0].starts_with("__Host-admin=; "));
        assert_eq!(ask(&app, "GET", "/admin", &together).await.status, StatusCode::SEE_OTHER);
        assert_eq!(ask(&app, "GET", "/account", &together).await.text, "u_ada");
    }
}

#[tokio::test]
async fn what_is_kept_in_one_area_is_not_in_the_other() {
    for (app, _kit) in apps().await {
        let (site, admin) = pairs(&ask(&app, "POST", "/keep", "").await);
        let notes = async |cookies: &str| ask(&app, "GET", "/notes", cookies).await.text;
        assert_eq!(notes(&format!("{site}; {admin}")).await, "of the site, of the admin");
        assert_eq!(notes(&site).await, "of the site, ");
        assert_eq!(notes(&admin).await, ", of the admin");
    }
}

#[tokio::test]
async fn an_area_without_a_layer_is_told_and_never_another_areas_session() {
    let (kit, admin) = realms().await;
    let routes = || Router::new().route("/account", get(account)).route("/admin", get(dashboard));
    let only_site = routes().layer(SessionLayer::new(&kit.sessions));
    let only_admin = routes().layer(SessionLayer::new(&admin).area::<Admin>());
    for (app, path) in [(only_site, "/admin"), (only_admin, "/account")] {
        let cookie = kit.sign_in_as("u_ada").await;
        assert_eq!(ask(&app, "GET", path, &cookie).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}

/// Looks something up about who is signed in, and hangs.
struct Slow;

impl<S: Send + Sync> FromRequestParts<S> for Slow {
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Error> {
        std::future::pending().await
    }
}

/// The administrator if that can be found out soon, and otherwise the visitor of the site.
struct Whoever(String);

impl<S: Send + Sync> FromRequestParts<S> for Whoever {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let soon = Duration::from_millis(20);
        let given_up = tokio::time::timeout(soon, In::<Admin, Slow>::from_request_parts(parts, state)).await;
        assert!(given_up.is_err());
        SignedIn::from_request_parts(parts, state).await.map(|me| Self(me.user().to_string()))
    }
}

#[tokio::test]
async fn an_extraction_that_was_given_up_leaves_the_session_of_the_site_in_its_place() {
    let (kit, admin) = realms().await;
    let app = Router::new()
        .route("/sign-in", post(sign_in))
        .route("/who", get(|Whoever(user): Whoever| async move { user }))
        .layer(SessionLayer::new(&kit.sessions))
        .layer(SessionLayer::new(&admin).area::<Admin>());
    let (site, admin) = pairs(&ask(&app, "POST", "/sign-in", "").await);
    assert_eq!(ask(&app, "GET", "/who", &format!("{site}; {admin}")).await.text, "u_ada");
}

#[tokio::test]
async fn two_areas_of_one_cookie_name_are_told_and_nobodys_cookie_is_taken() {
    let kit = TestKit::new().await;
    let same = kit.sessions.cookie().clone();
    let admin = kit.sessions.in_realm(Realm::new("admin").unwrap(), same, Policy::default()).unwrap();
    let routes = || {
        let free = get(|| async { "free" });
        Router::new().route("/account", get(account)).route("/admin", get(dashboard)).route("/free", free)
    };
    let site = || SessionLayer::new(&kit.sessions);
    let inside = || SessionLayer::new(&admin).area::<Admin>();
    let cookie = kit.sign_in_as("u_ada").await;
    for app in [routes().layer(site()).layer(inside()), routes().layer(inside()).layer(site())] {
        for path in ["/account", "/admin"] {
            let answer = ask(&app, "GET", path, &cookie).await;
            assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
            assert_eq!(answer.set_cookies().len(), 0, "{path}");
        }
        assert_eq!(ask(&app, "GET", "/free", &cookie).await.text, "free");
    }
    // Of one area the layer further inside counts, whatever the other's cookie is called.
    let app = routes().layer(site()).layer(site());
    assert_eq!(ask(&app, "GET", "/account", &cookie).await.text, "u_ada");
}
