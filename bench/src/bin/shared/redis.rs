//! Bare commands of Redis, with values as long as sessions, through the client that the store uses.

use std::sync::Arc;

use redis::cmd;
use tenure_bench::drive::Call;
use tenure_bench::engines::Engines;

use crate::SESSIONS;

/// `GET`, and `SET`.
pub(crate) async fn bare(engines: &Engines) -> [Call; 2] {
    let client = redis::Client::open(engines.redis.url()).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let keys: Vec<Vec<u8>> = cmd("KEYS").arg("*").query_async(&mut connection).await.expect("keys");
    let mut long = 0;
    let sessions: Vec<&Vec<u8>> = keys.iter().filter(|key| is_session(key)).collect();
    for key in &sessions {
        long += cmd("STRLEN").arg(*key).query_async::<usize>(&mut connection).await.expect("a length");
    }
    let value = Arc::new(vec![7_u8; long / sessions.len()]);
    for n in 0..SESSIONS {
        cmd("SET").arg(key(n)).arg(&**value).exec_async(&mut connection).await.expect("it is set");
    }
    let read = connection.clone();
    [
        Arc::new(move |n| {
            let mut connection = read.clone();
            Box::pin(async move {
                let got: Vec<u8> =
                    cmd("GET").arg(key(n)).query_async(&mut connection).await.expect("an answer");
                assert!(!got.is_empty());
            })
        }),
        Arc::new(move |n| {
            let (mut connection, value) = (connection.clone(), Arc::clone(&value));
            Box::pin(async move {
                cmd("SET").arg(key(n)).arg(&**value).exec_async(&mut connection).await.expect("an answer");
            })
        }),
    ]
}

/// As long as the names of sessions.
fn key(n: usize) -> String {
    format!("bare:{n:021}")
}

/// Whether a key of the store's is of a session: `tenure{…}s` and 16 bytes.
fn is_session(key: &[u8]) -> bool {
    let name = key.iter().position(|byte| *byte == b'}').map(|end| &key[end + 1..]);
    name.is_some_and(|name| name.len() >= 17 && name[name.len() - 17] == b's')
}
