//! Users, passwords and rights.

mod support;

use std::sync::atomic::{AtomicU32, Ordering};

use tenure::SignIn;
use tenure::store::conformance::{Fixture, cases};
use tenure::store::{PageRequest, StoreError};
use tenure_servers::{Redis as Server, RedisSentinel};

use support::{RIGHTS, end, engine, open, operation, store_at, user};

/// What is wrong with the way in.
async fn refused(engine: tenure_redis::Redis) -> String {
    match store_at(engine).await.err() {
        Some(StoreError::Configuration(why)) => {
            assert!(!why.contains("secret"), "{why}");
            why
        }
        other => panic!("{other:?}"),
    }
}

fn url(server: &Server, login: &str) -> String {
    server.url().replace("://", &format!("://{login}@"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_in_the_book_are_enough() {
    let server = Server::start();
    assert_eq!(server.cli(&RIGHTS), "OK");
    let url = url(&server, "tenure:secret");
    let groups = ["creating", "events", "expiry", "limits", "paging", "rotation", "sweeping", "users"];
    let next = AtomicU32::new(0);
    for case in cases() {
        // A thousand sessions need no other rights than fifty.
        if !groups.contains(&case.group) || case.name.contains("thousand") {
            continue;
        }
        let (url, prefix) = (url.clone(), format!("tenure:{}", next.fetch_add(1, Ordering::Relaxed)));
        case.run(Fixture::open(move || engine(&url, &prefix).partitions(2).by_own_clock()).await).await;
    }
    // What the server let go of by itself is taken out of the indexes.
    let sessions = open(engine(&url, "tenure")).await;
    let id = sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap().session.id();
    let store = sessions.store();
    store.woken().await;
    assert!(store.mutate(&operation(), id, end()).await.is_ok());
    let gone = sessions.sign_in(None, SignIn::password(user("ben"))).await.unwrap().session.id();
    let mut client =
        redis::Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("tenure:{p*").query_async(&mut client).await.unwrap();
    for key in keys.iter().filter(|key| key.ends_with(gone.as_bytes())) {
        redis::cmd("DEL").arg(key).exec_async(&mut client).await.unwrap();
    }
    let realm = tenure::store::conformance::owner(&user("ann")).realm;
    let page = store.page(&PageRequest { realm, after: None, limit: 10 }).await.unwrap();
    assert!(page.records.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_a_missing_right_are_named() {
    let server = Server::start();
    assert_eq!(server.cli(&RIGHTS), "OK");
    let why = refused(engine(&url(&server, "tenure:other"), "tenure")).await;
    assert!(why.contains("user and password"), "{why}");
    let why = refused(engine(&url(&server, "nobody:secret"), "tenure")).await;
    assert!(why.contains("user and password"), "{why}");
    let why = refused(engine(&url(&server, "tenure:secret"), "other")).await;
    assert!(why.contains("NOPERM"), "{why}");
    // What a script does is tried before: one that is stopped in its middle has written a part.
    for right in ["xadd", "zrem", "pexpireat"] {
        assert_eq!(server.cli(&format!("ACL SETUSER tenure -{right}")), "OK");
        let why = refused(engine(&url(&server, "tenure:secret"), "tenure")).await;
        assert!(why.contains(&right.to_uppercase()), "{why}");
        assert_eq!(server.cli(&format!("ACL SETUSER tenure +{right}")), "OK");
    }
    store_at(engine(&url(&server, "tenure:secret"), "tenure")).await.unwrap();
    assert_eq!(server.cli("CONFIG SET requirepass secret"), "OK");
    let why = refused(engine(&server.url(), "tenure")).await;
    assert!(why.contains("user and password"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_have_a_login_of_their_own() {
    let servers = RedisSentinel::start_with_password(0, "secret");
    let sessions = open(engine(&servers.url(), "t").sentinel_login("default:secret")).await;
    sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap();
    for engine in [engine(&servers.url(), "t"), engine(&servers.url(), "t").sentinel_login("default:other")] {
        let why = refused(engine).await;
        assert!(why.contains("sentinel"), "{why}");
    }
}
