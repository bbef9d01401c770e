//! A cookie of the other system that is still good there, or may be, is left alone.

use std::time::Duration;

use tenure::testing::TestKit;
use tenure::{AtLimit, Policy};
use tenure_tower::{Adopt, SessionLayer};

use crate::elsewhere::{HOUR, MINUTE, Place, deletes_old, ours};

#[tokio::test]
async fn a_cookie_that_is_nobodys_is_left_alone() {
    for place in Place::each().await {
        // The other system has no user for it yet: its visitor is about to sign in there.
        let answer = place.post("/add", "old=begun-there").await;
        assert_eq!(answer.text, "added");
        assert!(!deletes_old(&answer), "{:?}", answer.set_cookies());
    }
}

#[tokio::test]
async fn whoever_has_no_room_for_a_session_keeps_the_old_cookie_when_a_guest_begins() {
    let policy = Policy { max_sessions: 1, at_limit: AtLimit::Refuse, ..Policy::default() };
    for place in Place::each_with(&policy).await {
        place.get("/me", &place.has("a", Some("u_ada"), HOUR)).await;
        let second = place.has("b", Some("u_ada"), HOUR);
        let refused = place.post("/add", &second).await;
        assert!(!deletes_old(&refused), "{:?}", refused.set_cookies());
    }
}

/// A site whose old system still serves some pages, with sessions of its own.
#[tokio::test]
async fn a_rotation_leaves_the_cookie_of_the_other_system_alone() {
    for place in Place::each().await {
        let ours_now = ours(&place.post("/sign-in", "").await).unwrap();
        let theirs = place.has("b", Some("u_ada"), Duration::ZERO);
        place.clock.advance(16 * MINUTE);
        let answer = place.get("/me", &format!("{ours_now}; {theirs}")).await;
        assert_eq!(answer.text, "u_ada");
        assert!(ours(&answer).is_some(), "no rotation: {:?}", answer.set_cookies());
        assert!(!deletes_old(&answer), "{:?}", answer.set_cookies());
    }
}

#[tokio::test]
#[should_panic(expected = "both called `__Host-sid`: open the sessions with another name")]
async fn an_old_cookie_of_the_name_of_ours_is_refused_when_the_layer_is_built() {
    let kit = TestKit::new().await;
    let adopt = Adopt::cookie("__Host-sid", async |_| Ok(None));
    drop(SessionLayer::new(&kit.sessions).adopt(adopt));
}
