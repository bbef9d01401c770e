//! What each argument of a handler gives, in each state that a session can be in.

#[allow(dead_code, reason = "each test uses its part")]
mod support;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use support::{Browser, app};
use tenure::testing::{Faults, Trouble};
use tenure_tower::{
    Error, Guest, Key, Memory, Method, Session, SessionLayer, SessionState, Sessions, SignIn, SignedIn,
    UserId,
};

const CART: Key<Vec<String>> = Key::new("cart");

fn alice() -> UserId {
    UserId::new("u_alice").unwrap()
}

/// What a handler sees of a session: whether it knows a user, whose it is, and the cart.
async fn seen(session: &Session) -> Result<String, Error> {
    let user = session.user().await?.map(|user| user.as_str().to_owned());
    let snapshot = session.snapshot().await?;
    let state = snapshot.as_ref().map(|session| session.state());
    let whose = snapshot.as_ref().and_then(|session| session.user()).map(UserId::as_str);
    Ok(format!("{user:?} {state:?} {whose:?} {:?}", session.get(CART).await?))
}

async fn add(session: Session) -> Result<&'static str, Error> {
    session.update(CART, |cart| cart.push("tea".into())).await?;
    Ok("added")
}

async fn password(session: Session) -> Result<&'static str, Error> {
    session.sign_in(SignIn::password(alice()).pending()).await?;
    Ok("and the code?")
}

/// Takes a guest: who has shown the password only is not signed in yet.
async fn code(visitor: Guest) -> Result<String, Error> {
    let session = visitor.session().snapshot().await?;
    let Some(session) = session.filter(|session| session.state() == SessionState::Pending) else {
        return Ok("the password first".into());
    };
    let user = session.user().cloned().expect("a pending session has a user");
    let methods = [Method::password(), Method::new("totp").unwrap()];
    visitor.session().sign_in(SignIn::with(user, methods)).await?;
    Ok("welcome".into())
}

fn shop(sessions: &Sessions) -> Router {
    Router::new()
        .route("/session", get(|session: Session| async move { seen(&session).await }).post(add))
        .route("/guest", get(|visitor: Guest| async move { seen(visitor.session()).await }))
        .route("/signed-in", get(|me: SignedIn| async move { seen(me.session()).await }))
        .route("/password", post(password))
        .route("/code", post(code))
        .layer(SessionLayer::new(sessions))
}

/// What `Session`, `SignedIn` and `Guest` answer.
async fn answers(browser: &mut Browser) -> [(StatusCode, String); 3] {
    let mut answers = Vec::new();
    for path in ["/session", "/signed-in", "/guest"] {
        let answer = browser.get(path).await;
        answers.push((answer.status, answer.text));
    }
    answers.try_into().unwrap()
}

fn ok(seen: &str) -> (StatusCode, String) {
    (StatusCode::OK, seen.into())
}

fn refused(status: StatusCode, text: &str) -> (StatusCode, String) {
    (status, text.into())
}

#[tokio::test]
async fn each_argument_lets_in_whom_the_table_says() {
    let (kit, app) = app(|kit| shop(&kit.sessions)).await;
    let mut browser = Browser::new(&app);
    let not_signed_in = refused(StatusCode::UNAUTHORIZED, "sign in first");

    let nobody = ok("None None None None");
    assert_eq!(answers(&mut browser).await, [nobody.clone(), not_signed_in.clone(), nobody.clone()]);

    browser.post("/session").await;
    let guest = ok(r#"None Some(Guest) None Some(["tea"])"#);
    assert_eq!(answers(&mut browser).await, [guest.clone(), not_signed_in.clone(), guest]);
    let before = browser.clone();

    // A session that owes a second factor is nobody's yet, and says whose it will be.
    browser.post("/password").await;
    let pending = ok(r#"None Some(Pending) Some("u_alice") Some(["tea"])"#);
    assert_eq!(answers(&mut browser).await, [pending.clone(), not_signed_in.clone(), pending]);

    assert_eq!(browser.post("/code").await.text, "welcome");
    let signed_in = ok(r#"Some("u_alice") Some(SignedIn) Some("u_alice") Some(["tea"])"#);
    let already = refused(StatusCode::FORBIDDEN, "this is for visitors who are not signed in");
    assert_eq!(answers(&mut browser).await, [signed_in.clone(), signed_in, already]);

    // The token that a sign-in replaced is good for nothing, and begins nothing.
    let mut before = before;
    assert_eq!(answers(&mut before).await, [nobody.clone(), not_signed_in.clone(), nobody.clone()]);
    assert_eq!(before.post("/session").await.status, StatusCode::UNAUTHORIZED);

    let ending = tenure::Ending::new(tenure::EndReason::Revoked, tenure::Actor::application());
    kit.sessions.end_all_of(&alice(), None, ending).await.unwrap();
    assert_eq!(answers(&mut browser).await, [nobody.clone(), not_signed_in, nobody]);
}

#[tokio::test]
async fn p5_no_argument_takes_an_outage_for_a_visitor_without_a_session() {
    let faults = Faults::default();
    let builder = Sessions::builder(faults.before(Memory)).cache_bytes(0).without_background();
    let mut browser = Browser::new(&shop(&builder.open().await.unwrap()));
    browser.post("/session").await;
    faults.everything(Trouble::unavailable());
    let cookie = browser.cookie.clone();
    for (status, text) in answers(&mut browser).await {
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
    }
    assert_eq!(browser.cookie, cookie);
}
