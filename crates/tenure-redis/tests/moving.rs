//! A slot moves from one server of a cluster to another, under load.

mod support;

use redis::aio::MultiplexedConnection;
use tenure::{SessionId, SignIn};
use tenure_servers::{Redis as Server, RedisCluster};

use support::load::{Load, lost};
use support::{RIGHTS, engine, open, user};

async fn connection(server: &Server) -> MultiplexedConnection {
    redis::Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
}

/// A slot of a partition that this server has.
fn a_slot(server: &Server) -> String {
    let heads = server.cli("KEYS *}h");
    let head = heads.lines().find(|key| key.contains(":{p")).expect("a head");
    server.cli(&format!("CLUSTER KEYSLOT {head}"))
}

/// Moves so many keys of a slot, which may have less. Gives how many are left.
async fn move_keys(from: &mut MultiplexedConnection, to: &Server, slot: &str, count: usize) -> usize {
    let mut ask = redis::cmd("CLUSTER");
    ask.arg("GETKEYSINSLOT").arg(slot).arg(count);
    let keys: Vec<Vec<u8>> = ask.query_async(from).await.unwrap();
    for key in keys {
        let mut migrate = redis::cmd("MIGRATE");
        migrate.arg("127.0.0.1").arg(to.port()).arg(key).arg(0).arg(5_000);
        // A session may have gone meanwhile.
        let said: String = migrate.query_async(from).await.unwrap();
        assert!(["OK", "NOKEY"].contains(&said.as_str()), "{said}");
    }
    redis::cmd("CLUSTER").arg("COUNTKEYSINSLOT").arg(slot).query_async(from).await.unwrap()
}

fn ok(server: &Server, words: &str) {
    assert_eq!(server.cli(words), "OK", "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_slot_moves_sessions_are_found_on_both_sides_and_nothing_is_lost() {
    let servers = RedisCluster::start();
    // With no other rights than those that the book names.
    servers.primaries().into_iter().for_each(|server| ok(server, &RIGHTS));
    let url = servers.url().replace("://", "://tenure:secret@");
    let sessions = open(engine(&url, "tenure").partitions(12)).await;
    let mut alive: Vec<SessionId> = Vec::new();
    for n in 0..200 {
        let name = user(&format!("user-{n}"));
        alive.push(sessions.sign_in(None, SignIn::password(name)).await.unwrap().session.id());
    }
    let load = Load::begin(&sessions);
    load.goes_on(100).await;
    let primaries = servers.primaries();
    let [from, to, other] = primaries.as_slice() else { panic!("three primaries") };
    let slot = a_slot(from);
    ok(to, &format!("CLUSTER SETSLOT {slot} IMPORTING {}", from.cli("CLUSTER MYID")));
    ok(from, &format!("CLUSTER SETSLOT {slot} MIGRATING {}", to.cli("CLUSTER MYID")));
    let mut connection = connection(from).await;
    let all = move_keys(&mut connection, to, &slot, 0).await;
    assert!(all > 10, "{all} keys");
    for part in [1, all / 2, all] {
        let left = move_keys(&mut connection, to, &slot, part).await;
        for id in &alive {
            let found = sessions.store().load(*id).await.unwrap();
            assert!(found.is_some_and(|record| record.ended().is_none()), "{left} keys left");
        }
    }
    while move_keys(&mut connection, to, &slot, 100).await > 0 {}
    for server in [to, from, other] {
        ok(server, &format!("CLUSTER SETSLOT {slot} NODE {}", to.cli("CLUSTER MYID")));
    }
    load.goes_on(300).await;
    let acknowledged = load.end().await;
    assert_eq!(lost(&sessions, &acknowledged).await, (0, 0));
    for id in &alive {
        assert!(sessions.store().load(*id).await.unwrap().is_some());
    }
}
