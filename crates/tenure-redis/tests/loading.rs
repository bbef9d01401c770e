//! What reading a session takes.

mod support;

use support::{engine, prefix, store_at};
use tenure::SessionId;
use tenure_servers::Redis;

fn commands(server: &Redis) -> u64 {
    let info = server.cli("INFO stats");
    let count = info.lines().find_map(|line| line.trim().strip_prefix("total_commands_processed:"));
    count.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_session_that_is_not_there_takes_no_more_than_one_that_is() {
    const LOADS: u64 = 100;
    let server = Redis::start();
    let store = store_at(engine(&server.url(), &prefix())).await.unwrap();
    let nobody = SessionId::from_bytes([0; 16]);
    assert!(store.load(nobody).await.unwrap().is_none(), "and the partition begins");
    let before = commands(&server);
    for _ in 0..LOADS {
        assert!(store.load(nobody).await.unwrap().is_none());
    }
    let each = (commands(&server) - before) / LOADS;
    assert!(each <= 3, "{each} commands for each");
    store.close().await;
}
