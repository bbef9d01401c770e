//! What the layer does to requests and answers.

mod support;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE, VARY};
use axum::http::{Method, Request, StatusCode};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{get, post};
use support::{Browser, app, send};
use tenure::testing::TestKit;
use tenure_tower::{
    Error, Guard, Guest, Key, Level, Require, Role, Session, SessionLayer, SignIn, SignedIn, UserId,
};

const CART: Key<Vec<String>> = Key::new("cart");
const VISITS: Key<u32> = Key::new("visits");
const MINUTE: Duration = Duration::from_secs(60);

fn alice() -> SignIn {
    SignIn::password(UserId::new("u_alice").unwrap())
}

async fn add(s: Session) -> Result<&'static str, Error> {
    s.update(CART, |cart| cart.push("apple".into())).await?;
    Ok("added")
}

async fn cart(s: Session) -> Result<String, Error> {
    Ok(s.get(CART).await?.unwrap_or_default().join(","))
}

async fn sign_in(s: Session) -> Result<&'static str, Error> {
    s.sign_in(alice()).await?;
    Ok("welcome")
}

async fn sign_out(s: Session) -> Result<&'static str, Error> {
    s.sign_out().await?;
    Ok("bye")
}

async fn fails_after_a_change(s: Session) -> Result<&'static str, StatusCode> {
    s.set(VISITS, 7).await.map_err(|_| StatusCode::IM_A_TEAPOT)?;
    Err(StatusCode::BAD_GATEWAY)
}

async fn everything_at_once(s: Session) -> Result<impl IntoResponse, Error> {
    s.set(VISITS, 1).await?;
    s.sign_in(alice()).await?;
    s.sign_out().await?;
    s.set(VISITS, 2).await?;
    s.sign_in(alice()).await?;
    Ok(AppendHeaders([(SET_COOKIE, "__Host-sid=mine; Path=/"), (SET_COOKIE, "theme=dark")]))
}

fn shop(kit: &TestKit) -> Router {
    let admin = Router::new()
        .route("/admin", get(|| async { "the inside" }))
        .route_layer(Guard::signed_in().role(Role::new("admin").unwrap()));
    let strong = Router::new()
        .route("/strong", get(|| async { "strong" }))
        .route_layer(Guard::signed_in().level(Level::Two));
    Router::new()
        .merge(admin)
        .merge(strong)
        .route("/plain", get(|_: Session| async { "plain" }))
        .route("/cart", get(cart).post(add))
        .route(
            "/cached",
            get(|s: Session| async move { ([(CACHE_CONTROL, "private, max-age=60")], cart(s).await) }),
        )
        .route(
            "/visits",
            get(|s: Session| async move { Ok::<_, Error>(format!("{:?}", s.get(VISITS).await?)) }),
        )
        .route("/sign-in", get(|_: Guest| async { "who are you?" }).post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/account", get(|me: SignedIn| async move { format!("Hello {}", me.user()) }))
        .route("/others", post(|me: SignedIn| async move { me.end_others().await.map(|n| n.to_string()) }))
        .route("/fails", post(fails_after_a_change))
        .route("/everything", post(everything_at_once))
        .layer(SessionLayer::new(&kit.sessions).sign_in_at("/sign-in").home_at("/account"))
}

#[tokio::test]
async fn p9_a_request_that_does_not_touch_its_session_gets_no_header() {
    let (kit, app) = app(shop).await;
    for mut browser in [Browser::new(&app), Browser::with_cookie(&app, kit.sign_in_as("u_alice").await)] {
        let answer = browser.get("/plain").await;
        assert_eq!(answer.text, "plain");
        for name in [SET_COOKIE, VARY, CACHE_CONTROL] {
            assert!(!answer.headers.contains_key(&name), "{name}");
        }
    }
}

#[tokio::test]
async fn a_visitor_who_only_looks_gets_no_session() {
    let (_, app) = app(shop).await;
    let mut browser = Browser::new(&app);
    let answer = browser.get("/cart").await;
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    assert_eq!((answer.header("vary"), answer.header("cache-control")), ("cookie", "no-store"));
}

#[tokio::test]
async fn a_cart_survives_the_sign_in_and_the_guests_cookie_is_worthless() {
    let (kit, app) = app(shop).await;
    let mut browser = Browser::new(&app);
    browser.post("/cart").await;
    let mut thief = Browser::with_cookie(&app, browser.cookie.clone().unwrap());
    assert_eq!(thief.get("/cart").await.text, "apple");

    browser.post("/sign-in").await;
    assert_eq!(browser.get("/account").await.text, "Hello u_alice");
    assert_eq!(browser.get("/cart").await.text, "apple");
    assert_eq!(thief.get("/cart").await.text, "");
    assert_eq!(thief.get("/account").await.status, StatusCode::SEE_OTHER);
    assert_eq!(kit.sessions.list(&UserId::new("u_alice").unwrap()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_cookie_is_set_only_when_it_changes() {
    let (_, app) = app(shop).await;
    let mut browser = Browser::new(&app);
    assert_eq!(browser.post("/cart").await.set_cookies().len(), 1);
    assert_eq!(browser.post("/cart").await.set_cookies().len(), 0);
    assert_eq!(browser.get("/cart").await.set_cookies().len(), 0);
}

#[tokio::test]
async fn ck_3_one_answer_never_sets_the_cookie_twice() {
    let (_, app) = app(shop).await;
    let mut browser = Browser::new(&app);
    let answer = browser.post("/everything").await;
    let cookies = answer.set_cookies();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    assert_eq!(cookies.iter().filter(|cookie| cookie.starts_with("__Host-sid=tn1_")).count(), 1);
    assert_eq!(browser.get("/account").await.text, "Hello u_alice");
    assert_eq!(browser.get("/visits").await.text, "Some(2)");
}

#[tokio::test]
async fn a_change_is_saved_also_when_the_answer_is_an_error() {
    let (_, app) = app(shop).await;
    let mut browser = Browser::new(&app);
    assert_eq!(browser.post("/fails").await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(browser.get("/visits").await.text, "Some(7)");
}

#[tokio::test]
async fn wstg_04b_an_answer_with_a_cookie_is_never_stored() {
    let (kit, app) = app(shop).await;
    let mut browser = Browser::with_cookie(&app, kit.sign_in_as("u_alice").await);
    assert_eq!(browser.get("/cached").await.header("cache-control"), "private, max-age=60");
    kit.advance(16 * MINUTE).await;
    let rotated = browser.get("/cached").await;
    assert_eq!(rotated.set_cookies().len(), 1);
    assert_eq!(rotated.header("cache-control"), "no-store");
}

#[tokio::test]
async fn p10_a_rotated_cookie_arrives_and_the_lost_one_comes_again() {
    let (kit, app) = app(shop).await;
    let mut browser = Browser::with_cookie(&app, kit.sign_in_as("u_alice").await);
    kit.advance(16 * MINUTE).await;
    let lost = browser.clone().get("/account").await;
    let again = browser.clone().get("/account").await;
    assert_eq!(lost.set_cookies(), again.set_cookies());
    browser.get("/account").await;
    assert_eq!(browser.get("/account").await.set_cookies().len(), 0);
    assert_eq!(browser.get("/account").await.text, "Hello u_alice");
}

#[tokio::test]
async fn asvs_7_4_1_after_sign_out_the_old_cookie_is_dead_and_forgotten() {
    let (_, app) = app(shop).await;
    let mut browser = Browser::new(&app);
    browser.post("/sign-in").await;
    let kept = browser.cookie.clone().unwrap();
    let answer = browser.post("/sign-out").await;
    assert_eq!(answer.set_cookies(), ["__Host-sid=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"]);
    let mut thief = Browser::with_cookie(&app, kept);
    let answer = thief.get("/account").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(thief.cookie, None, "a dead cookie is cleared where it is presented");
}

#[tokio::test]
async fn pages_go_to_the_sign_in_and_everything_else_gets_401() {
    let (_, app) = app(shop).await;
    let mut browser = Browser::new(&app);
    let page = browser.get("/account?tab=a&b=c").await;
    assert_eq!(
        (page.status, page.location()),
        (StatusCode::SEE_OTHER, "/sign-in?return_to=/account%3Ftab%3Da%26b%3Dc")
    );
    assert_eq!(browser.post("/others").await.location(), "/sign-in");
    let api = browser.send(Method::GET, "/account", &[("accept", "application/json")]).await;
    assert_eq!((api.status, api.location()), (StatusCode::UNAUTHORIZED, ""));
}

#[tokio::test]
async fn a_page_for_guests_sends_users_home() {
    let (kit, app) = app(shop).await;
    assert_eq!(Browser::new(&app).get("/sign-in").await.text, "who are you?");
    let mut alice = Browser::with_cookie(&app, kit.sign_in_as("u_alice").await);
    assert_eq!(alice.get("/sign-in").await.location(), "/account");
}

#[tokio::test]
async fn a_guard_asks_for_roles_and_strength() {
    let (kit, app) = app(shop).await;
    let mut alice = Browser::with_cookie(&app, kit.sign_in_as("u_alice").await);
    let mut admin = Browser::with_cookie(&app, kit.sign_in_with_roles("u_root", &["admin"]).await);
    assert_eq!(alice.get("/admin").await.status, StatusCode::FORBIDDEN);
    assert_eq!(admin.get("/admin").await.text, "the inside");
    assert_eq!(Browser::new(&app).get("/admin").await.location(), "/sign-in?return_to=/admin");
    assert_eq!(admin.get("/strong").await.location(), "/sign-in?return_to=/strong");
}

#[tokio::test]
async fn nist_t5_a_passive_request_does_not_keep_a_session_alive() {
    let (kit, app) = app(shop).await;
    let cookie = kit.sign_in_as("u_alice").await;
    let mut browser = Browser::with_cookie(&app, cookie.clone());
    for _ in 0..4 {
        kit.advance(8 * MINUTE).await;
        browser.send(Method::GET, "/account", &[("tenure-passive", "1")]).await;
    }
    let answer = browser.get("/account").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "32 minutes of polling are no activity");
}

#[tokio::test]
async fn ck_16_several_cookies_of_the_name_are_believed_in_none() {
    let (kit, app) = app(shop).await;
    let cookie = kit.sign_in_as("u_alice").await;
    let request = Request::get("/account")
        .header("accept", "text/html")
        .header(COOKIE, format!("{cookie}; {cookie}"))
        .body(Body::empty());
    let answer = send(&app, request.unwrap()).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(kit.user_of(&cookie).await.unwrap().as_str(), "u_alice", "nothing ended");
}

#[tokio::test]
async fn wstg_01d_hostile_cookies_are_nobody() {
    let (_, app) = app(shop).await;
    let long = format!("__Host-sid={}", "A".repeat(1_000_000));
    let many = "__Host-sid=; ".repeat(1_000);
    let hostile: [&[u8]; 6] = [
        b"__Host-sid=tn1_",
        b"__Host-sid=\xff\xfe",
        b"=;=;;;",
        b"__Host-sid",
        long.as_bytes(),
        many.as_bytes(),
    ];
    for bytes in hostile {
        let request = Request::get("/account").header(COOKIE, bytes).body(Body::empty()).unwrap();
        assert_eq!(send(&app, request).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn ending_the_others_needs_a_fresh_sign_in() {
    let (kit, app) = app(shop).await;
    let mut browser = Browser::with_cookie(&app, kit.sign_in_as("u_alice").await);
    let other = kit.sign_in_as("u_alice").await;
    kit.advance(15 * MINUTE).await;
    browser.get("/account").await;
    kit.advance(MINUTE).await;
    assert_eq!(browser.post("/others").await.location(), "/sign-in", "ASVS 7.5.2");
    browser.post("/sign-in").await;
    assert_eq!(browser.post("/others").await.text, "1");
    assert_eq!(kit.user_of(&other).await, None);
}

#[tokio::test]
async fn a_route_without_the_layer_fails_and_tells_the_visitor_nothing_of_what_is_inside() {
    let app = Router::new().route("/", get(|_: Session| async { "never" }));
    let answer = send(&app, Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.text, "Something went wrong on our side.");
}

#[tokio::test]
async fn a_stream_learns_that_its_session_is_over() {
    let kit = TestKit::new().await;
    let (told, mut ends) = tokio::sync::mpsc::channel(1);
    let held = get(move |s: Session| async move {
        let ended = s.ended().await?;
        tokio::spawn(async move { told.send(ended.await).await });
        Ok::<_, Error>("streaming")
    });
    let app = Router::new().route("/stream", held).layer(SessionLayer::new(&kit.sessions));
    let mut browser = Browser::with_cookie(&app, kit.sign_in_as("u_alice").await);
    assert_eq!(browser.get("/stream").await.text, "streaming");
    let session = kit.sessions.list(&UserId::new("u_alice").unwrap()).await.unwrap().remove(0);
    assert!(ends.try_recv().is_err());
    let ending = tenure::Ending::new(tenure::EndReason::Revoked, tenure::Actor::application());
    kit.sessions.end(session.id(), ending).await.unwrap();
    assert_eq!(ends.recv().await.unwrap().unwrap().as_str(), "revoked");
}

#[tokio::test]
async fn after_a_step_up_the_same_request_has_the_higher_level_and_may_step_up_again() {
    async fn raise(me: SignedIn) -> Result<String, Error> {
        let level = |level| Require::default().level(level);
        assert!(me.require(&level(Level::Two)).await.is_err(), "not yet");
        let proof = |method| SignIn::with(me.user().clone(), vec![tenure::Method::new(method).unwrap()]);
        me.step_up(proof("totp")).await?;
        me.require(&level(Level::Two)).await?;
        me.step_up(proof("passkey").level(Level::Three)).await?;
        me.require(&level(Level::Three)).await?;
        Ok("raised".into())
    }
    let (kit, app) = app(|kit| {
        Router::new().route("/raise", post(raise)).layer(SessionLayer::new(&kit.sessions)).merge(shop(kit))
    })
    .await;
    let mut browser = Browser::with_cookie(&app, kit.sign_in_as("u_alice").await);
    assert_eq!(browser.get("/strong").await.status, StatusCode::SEE_OTHER);
    let answer = browser.post("/raise").await;
    assert_eq!((answer.text.as_str(), answer.set_cookies().len()), ("raised", 1));
    assert_eq!(browser.get("/strong").await.text, "strong");
}
