//! The server's clock is set back: what was to end soon does not end late.

mod support;

use tenure::SignIn;
use tenure::store::{Barrier, Fence, Outcome, Touch};
use tenure_servers::Redis as Server;

use support::{change, engine, open, operation, user};

/// By how much.
const BACK_MS: u64 = 240_000;

fn heads(server: &Server) -> Vec<String> {
    server.cli("KEYS *}h").lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_of_before_holds_nobody_up() {
    let server = Server::start();
    let sessions = open(engine(&server.url(), "t")).await;
    let begun = sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap();
    let now: u64 = server.cli("TIME").lines().next().unwrap().parse().unwrap();
    for head in heads(&server) {
        server.cli(&format!("HSET {head} holder somebody until {}", now * 1_000 + BACK_MS));
    }
    let changed = sessions.store().mutate(&operation(), begun.session.id(), change()).await.unwrap();
    assert_eq!(changed.outcome, Outcome::Applied);
    sessions.sign_in(None, SignIn::password(user("ben"))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_of_before_keeps_nobody_from_writing_and_is_believed_by_nobody() {
    let server = Server::start();
    let sessions = open(engine(&server.url(), "t")).await;
    let begun = sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap();
    let (id, store) = (begun.session.id(), sessions.store());
    let record = store.load(id).await.unwrap().unwrap();
    let movable = store.movable().unwrap();
    let held = movable.fence(Fence::Freeze { for_ms: 30_000 }).await.unwrap().unwrap();
    let held = Barrier::from_millis(held.as_millis() + BACK_MS);
    let of = |head: &String| server.cli(&format!("HGET {head} barrier"));
    let heads = heads(&server);
    for head in &heads {
        server.cli(&format!("HSET {head} barrier {}", held.as_millis()));
    }
    for fence in [Fence::Extend { held, for_ms: 30_000 }, Fence::Shut { held }] {
        assert_eq!(movable.fence(fence).await.unwrap(), None);
    }
    assert!(heads.iter().all(|head| of(head) == held.as_millis().to_string() || of(head) == "0"));
    for head in &heads {
        server.cli(&format!("HSET {head} barrier {}", held.as_millis()));
    }
    store.touch(&[Touch { id, at: record.last_seen_at }]).await.unwrap();
    assert_eq!(store.mutate_known(&operation(), &record, change()).await.unwrap().outcome, Outcome::Applied);
    // Nor when the clock goes on as before.
    assert_eq!(heads.iter().filter(|head| of(head) == "0").count(), 1);
}
