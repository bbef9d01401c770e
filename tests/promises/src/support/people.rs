//! What people and their browsers do, in few words.

use std::time::Duration;

use tenure::event::{Event, EventKind};
use tenure::store::EventPage;
use tenure::{
    Active, Actor, Changes, Check, EndReason, Ending, Issued, Key, NewGuest, Role, SessionId, Sessions,
    SignIn, UserId, Verdict,
};

pub(crate) const CART: Key<Vec<String>> = Key::new("cart");
pub(crate) const COUNT: Key<u64> = Key::new("count");

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).expect("a user's name fits")
}

pub(crate) fn role(name: &str) -> Role {
    Role::new(name).expect("a role's name fits")
}

pub(crate) fn revoked() -> Ending {
    Ending::new(EndReason::Revoked, Actor::api_key("admin"))
}

/// Signs somebody in who comes without a session.
pub(crate) async fn sign_in(sessions: &Sessions, name: &str) -> Issued {
    sessions.sign_in(None, SignIn::password(user(name))).await.expect("the user gets in")
}

/// A visitor with something in the cart.
pub(crate) async fn guest_with_cart(sessions: &Sessions, items: &[&str]) -> Issued {
    let guest = NewGuest::with(Changes::default().set("cart", items.into()));
    sessions.create_guest(guest).await.expect("a guest gets in")
}

/// What a check of any kind of session says, without counting as activity.
pub(crate) async fn look(sessions: &Sessions, token: &str) -> Verdict {
    let check = Check::any().touch(false);
    sessions.check(token.as_bytes(), &check).await.expect("the store answers")
}

/// `ok`, or why not.
pub(crate) async fn said(sessions: &Sessions, token: &str) -> String {
    word(&look(sessions, token).await)
}

/// `ok`, or why not.
pub(crate) fn word(verdict: &Verdict) -> String {
    verdict.reason().map_or_else(|| "ok".to_owned(), |reason| reason.to_string())
}

/// A request that counts as activity and whose answer can set a cookie.
pub(crate) async fn visit(sessions: &Sessions, token: &str) -> Verdict {
    let check = Check::any().can_set_cookie(true);
    sessions.check(token.as_bytes(), &check).await.expect("the store answers")
}

/// The session that this token shows.
pub(crate) async fn active(sessions: &Sessions, token: &str) -> Active {
    let verdict = look(sessions, token).await;
    let said = word(&verdict);
    verdict.active().cloned().unwrap_or_else(|| panic!("not active: {said}"))
}

/// What is in the cart of the session that this token shows.
pub(crate) async fn cart(sessions: &Sessions, token: &str) -> Vec<String> {
    let active = active(sessions, token).await;
    CART.read(active.session()).expect("a cart reads as one").unwrap_or_default()
}

/// Everything that was told so far, in order.
pub(crate) async fn told(sessions: &Sessions) -> Vec<Event> {
    let (mut events, mut after) = (Vec::new(), None);
    loop {
        let page = sessions.store().events(0, after, 500).await;
        match page.expect("the log can be read") {
            EventPage::Events(page) if page.is_empty() => return events,
            EventPage::Events(page) => {
                after = page.last().map(|event| event.position);
                events.extend(page);
            }
            EventPage::Truncated { oldest } => panic!("the log begins at {oldest} only"),
        }
    }
}

/// The ends that were told of a session.
pub(crate) async fn ends(sessions: &Sessions, id: SessionId) -> Vec<Event> {
    let mut events = told(sessions).await;
    events.retain(|event| event.body.session == Some(id) && event.body.kind == EventKind::Ended);
    events
}

/// The one end of a session: why, and by whom.
pub(crate) async fn the_end(sessions: &Sessions, id: SessionId) -> (EndReason, String) {
    let ends = ends(sessions, id).await;
    assert_eq!(ends.len(), 1, "each end is told once: {ends:?}");
    let body = &ends[0].body;
    (body.reason.expect("an end has a reason"), body.actor.to_string())
}

/// Waits for what happens by itself after an answer was given: no sleep, only turns for
/// others.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    for _ in 0..100_000 {
        if holds().await {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never came: {what}");
}

/// How many rounds: more of them with `TENURE_SOAK=1`.
pub(crate) fn soaked(usual: u32, soak: u32) -> u32 {
    if std::env::var_os("TENURE_SOAK").is_some_and(|on| on == "1") { soak } else { usual }
}
