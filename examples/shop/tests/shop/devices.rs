//! "My devices": what the list shows, and ending what is in it.

use std::net::Ipv4Addr;

use axum::http::StatusCode;
use tenure_tower::{Device, SignIn};

use crate::support::{ALICE, BOB, MINUTE, Shop, user};

const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile Safari/604.1";

#[tokio::test]
async fn the_list_shows_each_device_with_this_one_first() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    shop.kit.advance(5 * MINUTE).await;
    let phone = Device::from_request(Some(IPHONE), Some(Ipv4Addr::new(198, 51, 100, 9).into()));
    shop.kit.sign_in(SignIn::password(user("u_alice")).device(phone)).await;
    shop.browser().sign_in(BOB).await;
    shop.kit.advance(5 * MINUTE).await;

    let page = alice.get("/devices").await;
    assert_eq!((page.status, page.heading()), (StatusCode::OK, "My devices"));
    let rows = page.devices();
    assert_eq!(rows.len(), 2, "Bob's is not Alice's to see");
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.label.as_str(), row.ip.as_str(), row.current, row.session.is_some()))
        .collect();
    assert_eq!(
        seen,
        [("Firefox on Linux", "203.0.113.5", true, false), ("Safari on iOS", "198.51.100.9", false, true)]
    );
    assert_eq!(rows[0].signed_in, "2026-01-01T00:00:00Z");
    assert_eq!(rows[1].signed_in, "2026-01-01T00:05:00Z");
    assert_eq!(rows[1].last_seen, "2026-01-01T00:05:00Z");
    assert_eq!(rows[0].last_seen, "2026-01-01T00:10:00Z", "this click is activity");
}

#[tokio::test]
async fn ending_one_device_leaves_the_others_alone() {
    let shop = Shop::new().await;
    let (mut desk, mut phone, mut tablet) = (shop.alice().await, shop.alice().await, shop.browser());
    phone.user_agent = IPHONE.to_owned();
    tablet.user_agent = IPHONE.replace("iPhone", "iPad");
    tablet.sign_in(ALICE).await;
    let rows = desk.get("/devices").await.devices();
    let row = rows.iter().find(|row| row.label == "Safari on iPadOS").unwrap();
    let which = row.session.clone().unwrap();

    let answer = desk.post("/devices/end", &[("session", &which)]).await;
    assert_eq!(answer.location(), "/devices");
    let page = desk.get("/devices").await;
    assert_eq!(page.notice(), Some("That device is signed out."));
    assert_eq!(page.devices().len(), 2);
    assert!(!tablet.is_signed_in().await);
    assert!(phone.is_signed_in().await);
    let again = desk.post("/devices/end", &[("session", &which)]).await;
    assert_eq!(again.location(), "/devices", "twice is fine");
}

#[tokio::test]
async fn ending_the_others_keeps_only_this_device() {
    let shop = Shop::new().await;
    let (mut desk, mut phone, mut tablet) = (shop.alice().await, shop.alice().await, shop.alice().await);
    let mut bob = shop.browser();
    bob.sign_in(BOB).await;
    assert!(desk.get("/devices").await.text.contains("Ends all 2 sessions but this one."));
    desk.post("/devices/end-others", &[]).await;
    let page = desk.get("/devices").await;
    assert_eq!(page.notice(), Some("2 other devices are signed out."));
    assert_eq!(page.devices().len(), 1);
    assert!(!page.text.contains("action=\"/devices/end-others\""));
    for ended in [&mut phone, &mut tablet] {
        assert!(!ended.is_signed_in().await);
    }
    assert!(bob.is_signed_in().await);
}

#[tokio::test]
async fn signing_out_everywhere_ends_this_device_too() {
    let shop = Shop::new().await;
    let (mut desk, mut phone) = (shop.alice().await, shop.alice().await);
    let kept = desk.cookie.clone().unwrap();
    let answer = desk.post("/devices/end-all", &[]).await;
    assert_eq!(answer.location(), "/signed-out?reason=logout");
    assert!(answer.forgets());
    assert_eq!(shop.count("u_alice").await, 0);
    assert!(!phone.is_signed_in().await);
    assert!(!shop.browser_with(&kept).is_signed_in().await);
}

#[tokio::test]
async fn ending_this_device_by_its_id_is_signing_out() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    let id = shop.kit.sessions.list(&user("u_alice")).await.unwrap()[0].id().to_string();
    let answer = alice.post("/devices/end", &[("session", &id)]).await;
    assert_eq!(answer.location(), "/signed-out?reason=logout");
    assert!(answer.forgets());
}

#[tokio::test]
async fn nobody_ends_a_session_of_somebody_else() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    let mut bob = shop.browser();
    bob.sign_in(BOB).await;
    let his = shop.kit.sessions.list(&user("u_bob")).await.unwrap()[0].id().to_string();
    let answer = alice.post("/devices/end", &[("session", &his)]).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "session_not_found"));
    assert!(bob.is_signed_in().await);

    let mut guest = shop.browser();
    guest.add("apple").await;
    for (path, fields) in [
        ("/devices/end", vec![("session", his.as_str())]),
        ("/devices/end-others", vec![]),
        ("/devices/end-all", vec![]),
    ] {
        assert_eq!(guest.post(path, &fields).await.location(), "/sign-in", "{path}");
    }
    assert!(bob.is_signed_in().await && alice.is_signed_in().await);
}

#[tokio::test]
async fn an_id_that_is_none_ends_nothing() {
    let shop = Shop::new().await;
    let mut alice = shop.alice().await;
    for id in ["", "ses_", "*", "ses_' OR 1=1", "../../etc/passwd"] {
        let answer = alice.post("/devices/end", &[("session", id)]).await;
        assert_eq!(answer.location(), "/devices", "{id}");
    }
    assert_eq!(shop.count("u_alice").await, 1);
}
