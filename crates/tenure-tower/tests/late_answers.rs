//! Answers that leave late or with an error, next to newer ones: none takes a good cookie away
//! from its browser. And the way back from the sign-in page leads to this site.

mod support;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::ACCEPT;
use axum::http::{Method, Request, StatusCode};
use axum::routing::{get, post};
use support::{Answer, Browser, app, send};
use tenure::testing::TestKit;
use tenure::{Actor, EndReason};
use tenure_tower::{Error, Key, Role, Session, SessionLayer, SignIn, SignedIn, UserId};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

const BIG: Key<String> = Key::new("big");

fn ada() -> UserId {
    UserId::new("ada").unwrap()
}

fn too_much() -> String {
    "x".repeat(40_000)
}

async fn signs_in_and_saves_too_much(s: Session) -> Result<&'static str, Error> {
    s.sign_in(SignIn::password(ada())).await?;
    s.set(BIG, too_much()).await?;
    Ok("done")
}

async fn steps_up_and_saves_too_much(me: SignedIn) -> Result<&'static str, Error> {
    me.step_up(SignIn::password(ada())).await?;
    me.session().set(BIG, too_much()).await?;
    Ok("done")
}

/// A handler that takes long: says when it has begun, and waits to be let go.
struct Slow {
    begun: Semaphore,
    go_on: Semaphore,
}

impl Slow {
    async fn work(&self) -> &'static str {
        self.begun.add_permits(1);
        self.go_on.acquire().await.unwrap().forget();
        "slow"
    }

    /// Sends a request that is under way when this returns.
    async fn begin(&self, browser: &Browser) -> JoinHandle<(Answer, Browser)> {
        let mut browser = browser.clone();
        let request = tokio::spawn(async move { (browser.get("/slow").await, browser) });
        self.begun.acquire().await.unwrap().forget();
        request
    }

    /// Lets the request end.
    async fn end(&self, request: JoinHandle<(Answer, Browser)>) -> Answer {
        self.go_on.add_permits(1);
        let (answer, _) = request.await.unwrap();
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "slow"));
        answer
    }
}

async fn site() -> (TestKit, Router, Arc<Slow>) {
    let slow = Arc::new(Slow { begun: Semaphore::new(0), go_on: Semaphore::new(0) });
    let [working, uploading, reporting, visiting] = [(); 4].map(|()| Arc::clone(&slow));
    // Its body takes long to come, and then it looks at its session for the first time.
    let upload = post(move |s: Session| {
        let uploading = Arc::clone(&uploading);
        async move {
            uploading.work().await;
            s.update(BIG, |note| note.push('x')).await.map(|()| "uploaded")
        }
    });
    // It looks at once, works long, and saves at the end.
    let report = post(move |me: SignedIn| {
        let reporting = Arc::clone(&reporting);
        async move {
            reporting.work().await;
            me.session().set(BIG, "x".into()).await.map(|()| "reported")
        }
    });
    let visit = get(move |s: Session| {
        let visiting = Arc::clone(&visiting);
        async move {
            s.user().await?;
            Ok::<_, Error>(visiting.work().await)
        }
    });
    let slowly = get(move |_: SignedIn| {
        let working = Arc::clone(&working);
        async move { working.work().await }
    });
    let (kit, app) = app(|kit| {
        Router::new()
            .route("/slow", slowly)
            .route("/slow-visit", visit)
            .route("/upload", upload)
            .route("/report", report)
            .route(
                "/sign-in",
                post(|s: Session| async move { s.sign_in(SignIn::password(ada())).await.map(|()| "in") }),
            )
            .route(
                "/step-up",
                post(|me: SignedIn| async move { me.step_up(SignIn::password(ada())).await.map(|_| "up") }),
            )
            .route("/sign-out", post(|s: Session| async move { s.sign_out().await.map(|()| "bye") }))
            .route(
                "/note",
                post(
                    |s: Session| async move { s.update(BIG, |note| note.push('x')).await.map(|()| "noted") },
                ),
            )
            .route(
                "/note-later",
                post(|s: Session| async move { s.set(BIG, "x".into()).await.map(|()| "noted") }),
            )
            .route("/sign-in-too-much", post(signs_in_and_saves_too_much))
            .route("/step-up-too-much", post(steps_up_and_saves_too_much))
            .route("/me", get(|me: SignedIn| async move { me.user().to_string() }))
            .fallback(|_: SignedIn| async { "something" })
            .layer(SessionLayer::new(&kit.sessions).sign_in_at("/in"))
    })
    .await;
    (kit, app, slow)
}

async fn assert_signed_in(browser: &mut Browser) {
    let answer = browser.get("/me").await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "ada"));
}

#[tokio::test]
async fn a_failed_save_keeps_the_cookie_of_a_sign_in() {
    let (_, app, _) = site().await;
    let mut browser = Browser::new(&app);
    let answer = browser.post("/sign-in-too-much").await;
    assert!(!answer.status.is_success(), "{}", answer.status);
    assert_eq!(answer.set_cookies().len(), 1);
    assert_signed_in(&mut browser).await;
}

#[tokio::test]
async fn a_failed_save_keeps_the_cookie_of_a_step_up() {
    let (kit, app, _) = site().await;
    let mut browser = Browser::with_cookie(&app, kit.sign_in_as("ada").await);
    let answer = browser.post("/step-up-too-much").await;
    assert!(!answer.status.is_success(), "{}", answer.status);
    assert_eq!(answer.set_cookies().len(), 1);
    assert_signed_in(&mut browser).await;
}

#[tokio::test]
async fn p10_a_late_answer_sets_no_cookie_that_a_step_up_has_replaced() {
    let (kit, app, slow) = site().await;
    let mut browser = Browser::with_cookie(&app, kit.sign_in_as("ada").await);
    // Rotation is due: the slow request prepares the next token.
    kit.clock.advance(Duration::from_secs(16 * 60));
    let request = slow.begin(&browser).await;
    assert_eq!(browser.post("/step-up").await.text, "up");
    assert_signed_in(&mut browser).await;
    assert_eq!(slow.end(request).await.set_cookies(), Vec::<&str>::new());
    assert_signed_in(&mut browser).await;
}

#[tokio::test]
async fn p10_a_late_answer_sets_no_cookie_whose_use_would_look_like_theft() {
    let (kit, app, slow) = site().await;
    let mut browser = Browser::with_cookie(&app, kit.sign_in_as("ada").await);
    kit.clock.advance(Duration::from_secs(16 * 60));
    let request = slow.begin(&browser).await;
    for _ in 0..2 {
        assert_signed_in(&mut browser).await;
    }
    // New roles: the token rotates again as soon as it may.
    let editor = Role::new("editor").unwrap();
    kit.sessions.set_roles(&ada(), &[editor], Actor::application()).await.unwrap();
    kit.clock.advance(Duration::from_secs(12));
    for _ in 0..2 {
        assert_signed_in(&mut browser).await;
    }
    kit.clock.advance(Duration::from_secs(12));
    assert_eq!(slow.end(request).await.set_cookies(), Vec::<&str>::new());
    assert_signed_in(&mut browser).await;
    let list = kit.sessions.list(&ada()).await.unwrap();
    assert_eq!(list.len(), 1);
    assert_ne!(list[0].end_reason(), Some(EndReason::TokenReuse));
}

#[tokio::test]
async fn p1_a_late_answer_sets_no_cookie_of_a_session_that_was_signed_out() {
    let (kit, app, slow) = site().await;
    let mut browser = Browser::with_cookie(&app, kit.sign_in_as("ada").await);
    kit.clock.advance(Duration::from_secs(16 * 60));
    let request = slow.begin(&browser).await;
    assert_eq!(browser.post("/sign-out").await.text, "bye");
    assert_eq!(browser.cookie, None);
    assert_eq!(slow.end(request).await.set_cookies(), Vec::<&str>::new());
}

#[tokio::test]
async fn p10_a_slow_request_that_overlaps_a_rotation_is_no_theft_and_saves() {
    for (path, done) in [("/upload", "uploaded"), ("/report", "reported")] {
        let (kit, app, slow) = site().await;
        let mut browser = Browser::with_cookie(&app, kit.sign_in_as("ada").await);
        kit.clock.advance(Duration::from_secs(14 * 60));
        assert_signed_in(&mut browser).await;
        kit.clock.advance(Duration::from_secs(2 * 60));
        let mut tab = browser.clone();
        let request = tokio::spawn(async move { tab.post(path).await });
        slow.begun.acquire().await.unwrap().forget();
        // Two clicks: the next token is prepared, then used.
        for _ in 0..2 {
            assert_signed_in(&mut browser).await;
        }
        kit.clock.advance(Duration::from_secs(60));
        slow.go_on.add_permits(1);
        let answer = request.await.unwrap();
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, done));
        assert_eq!(answer.set_cookies(), Vec::<&str>::new(), "{path}");
        assert_signed_in(&mut browser).await;
        let list = kit.sessions.list(&ada()).await.unwrap();
        assert_eq!(list[0].keys().collect::<Vec<_>>(), ["big"], "{path} saved");
    }
}

#[tokio::test]
async fn p10_a_late_answer_to_a_dead_cookie_takes_no_newer_one_away() {
    for (late, cookies) in [(Duration::ZERO, 1), (Duration::from_secs(2), 0)] {
        let (kit, app, slow) = site().await;
        let mut browser = Browser::with_cookie(&app, kit.sign_in_as("ada").await);
        kit.clock.advance(Duration::from_secs(31 * 60));
        let mut tab = browser.clone();
        let request = tokio::spawn(async move { tab.get("/slow-visit").await });
        slow.begun.acquire().await.unwrap().forget();
        kit.clock.advance(late);
        assert_eq!(browser.post("/sign-in").await.text, "in");
        slow.go_on.add_permits(1);
        assert_eq!(request.await.unwrap().set_cookies().len(), cookies, "after {late:?}");
    }
}

/// What was asked with a token that a sign-in or step-up replaces in the same moment.
async fn with_the_replaced_token(path: &str) -> (TestKit, Answer, Browser) {
    let (kit, app, _) = site().await;
    let mut browser = Browser::with_cookie(&app, kit.sign_in_as("ada").await);
    let mut overtaken = browser.clone();
    assert_eq!(browser.post("/step-up").await.text, "up");
    let answer = overtaken.post(path).await;
    (kit, answer, browser)
}

#[tokio::test]
async fn p10_a_change_with_a_replaced_token_begins_no_guest_and_takes_no_cookie_away() {
    for path in ["/note", "/note-later"] {
        let (kit, answer, mut browser) = with_the_replaced_token(path).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/in"), "{path}");
        assert_eq!(answer.set_cookies(), Vec::<&str>::new(), "{path}");
        assert_signed_in(&mut browser).await;
        let all = kit.sessions.page(None, 10).await.unwrap().sessions;
        assert_eq!(all.len(), 1, "{path}: {all:?}");
    }
}

#[tokio::test]
async fn p1_nobody_is_told_to_be_signed_out_who_is_not() {
    let (_, answer, mut browser) = with_the_replaced_token("/sign-out").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/in"));
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    assert_signed_in(&mut browser).await;
    assert_eq!(browser.post("/sign-out").await.text, "bye");
    assert_eq!(browser.cookie, None);
}

#[tokio::test]
async fn several_cookies_of_the_name_begin_no_guest() {
    let (kit, app, _) = site().await;
    let twice = format!("{0}; {0}", kit.sign_in_as("ada").await);
    let mut browser = Browser::with_cookie(&app, twice);
    for path in ["/note", "/note-later"] {
        let answer = browser.post(path).await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::SEE_OTHER, 0), "{path}");
    }
    assert_eq!(kit.sessions.page(None, 10).await.unwrap().sessions.len(), 1);
}

#[tokio::test]
async fn p10_an_answer_in_time_sets_the_prepared_cookie() {
    let (kit, app, slow) = site().await;
    let mut browser = Browser::with_cookie(&app, kit.sign_in_as("ada").await);
    kit.clock.advance(Duration::from_secs(16 * 60));
    let request = slow.begin(&browser).await;
    let answer = slow.end(request).await;
    assert_eq!(answer.set_cookies().len(), 1);
    browser.cookie = answer.set_cookies()[0].split_once(';').map(|(pair, _)| pair.to_owned());
    assert_signed_in(&mut browser).await;
}

#[tokio::test]
async fn asvs_3_7_2_the_way_back_never_leads_to_another_host() {
    let (_, app, _) = site().await;
    let to = async |address: &str| {
        let request = Request::builder().method(Method::GET).uri(address).header(ACCEPT, "text/html");
        send(&app, request.body(Body::empty()).unwrap()).await.location().to_owned()
    };
    for address in ["//evil.example/x", "///evil.example", "//evil.example?a=b", r"/\evil.example/x"] {
        assert_eq!(to(address).await, "/in", "{address}");
    }
    assert_eq!(to("/a//b").await, "/in?return_to=/a//b");
    assert_eq!(to("/").await, "/in?return_to=/");
}
