//! The server's clock is set back: what was to end soon does not end late.

mod support;

use tenure::record::Change;
use tenure::store::{Barrier, Fence, Mutation, Operation, Outcome, Touch};
use tenure::{Actor, OperationId, SignIn, UserId};
use tenure_servers::Postgres as Server;

use support::{open, schema};

/// By how much.
const BACK_MS: u64 = 240_000;

fn operation() -> Operation {
    let id = OperationId::random(&tenure::random::SystemRandom);
    Operation { id, actor: Actor::application(), receipt: None }
}

fn change() -> Mutation {
    Mutation::Change { change: Change { remove: vec!["cart".into()], ..Change::default() } }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_of_before_holds_nobody_up() {
    let (schema, server) = (schema(), Server::shared());
    let sessions = open(&schema).await;
    let begun = sessions.sign_in(None, SignIn::password(UserId::new("ann").unwrap())).await.unwrap();
    server.sql(&format!(
        "UPDATE {schema}.partitions SET holder = 7, held_until = {schema}.now_1() + 400 + {BACK_MS}"
    ));
    let changed = sessions.store().mutate(&operation(), begun.session.id(), change()).await.unwrap();
    assert_eq!(changed.outcome, Outcome::Applied);
    sessions.sign_in(None, SignIn::password(UserId::new("ben").unwrap())).await.unwrap();
    assert_eq!(server.sql(&format!("SELECT {schema}.hold_1(1, 8, 400)")), "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_of_before_keeps_nobody_from_writing_and_is_believed_by_nobody() {
    let (schema, server) = (schema(), Server::shared());
    let sessions = open(&schema).await;
    let begun = sessions.sign_in(None, SignIn::password(UserId::new("ann").unwrap())).await.unwrap();
    let (id, store) = (begun.session.id(), sessions.store());
    let record = store.load(id).await.unwrap().unwrap();
    let movable = store.movable().unwrap();
    let frozen = async || {
        let held = movable.fence(Fence::Freeze { for_ms: 30_000 }).await.unwrap().unwrap();
        for table in ["partitions", "meta"] {
            server.sql(&format!("UPDATE {schema}.{table} SET barrier = barrier + {BACK_MS}"));
        }
        Barrier::from_millis(held.as_millis() + BACK_MS)
    };
    let held = frozen().await;
    for fence in [Fence::Extend { held, for_ms: 30_000 }, Fence::Shut { held }] {
        assert_eq!(movable.fence(fence).await.unwrap(), None);
    }
    assert_eq!(store.mutate_known(&operation(), &record, change()).await.unwrap().outcome, Outcome::Applied);
    store.touch(&[Touch { id, at: record.last_seen_at }]).await.unwrap();
    // Nor when the clock goes on as before.
    let lifted = format!("SELECT count(*) FROM {schema}.partitions WHERE barrier = 0");
    assert_eq!(server.sql(&lifted), "1");
    frozen().await;
    sessions.sign_in(None, SignIn::password(UserId::new("ben").unwrap())).await.unwrap();
    assert_eq!(server.sql(&lifted), "1");
}
