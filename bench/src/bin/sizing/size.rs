//! How much room sessions take in an engine.

use redis::cmd;
use rusqlite::Connection;
use serde_json::{Value, json};
use tenure_bench::engines::{Engines, Kind};
use tokio::runtime::Runtime;

use crate::counters::field;

/// Bytes of what an engine holds.
#[derive(Default)]
pub(crate) struct Room {
    /// Rows of sessions; for Redis all but the logs.
    rows: f64,
    indexes: f64,
    /// What is kept of users.
    users: f64,
    events: f64,
    /// How many events that is.
    told: f64,
}

impl Room {
    pub(crate) fn of(runtime: &Runtime, engines: &Engines, kind: Kind) -> Self {
        match kind {
            Kind::Embedded => embedded(engines),
            Kind::Postgres => postgres(engines),
            Kind::Redis => runtime.block_on(redis(engines)),
        }
    }
}

/// What so many sessions added, for each.
pub(crate) fn each(kind: Kind, empty: &Room, full: &Room, count: usize) -> Value {
    let each = |of: fn(&Room) -> f64| (of(full) - of(empty)) / count as f64;
    let told = full.told - empty.told;
    assert!(told >= count as f64, "each beginning is told");
    json!({
        "what": "size",
        "engine": kind.name(),
        "sessions": count,
        "rows": each(|room| room.rows),
        "indexes": each(|room| room.indexes),
        "users": each(|room| room.users),
        "event": (full.events - empty.events) / told,
    })
}

fn embedded(engines: &Engines) -> Room {
    let conn = Connection::open(engines.folder().join("tenure.db")).expect("the database opens");
    conn.pragma_update(None, "busy_timeout", 10_000).expect("a setting");
    let read = |sql: String| conn.query_row(&sql, [], |row| row.get::<_, i64>(0)).expect("an answer") as f64;
    let pages = |names: &str| {
        read(format!(
            "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE aggregate = TRUE AND name GLOB '{names}'"
        ))
    };
    Room {
        rows: pages("sessions"),
        indexes: pages("session_*"),
        users: pages("users"),
        events: pages("events"),
        told: read("SELECT count(*) FROM events".into()),
    }
}

fn postgres(engines: &Engines) -> Room {
    engines.postgres.sql("VACUUM ANALYZE");
    let read = |sql: &str| engines.postgres.sql(&format!("SELECT {sql}")).parse().expect("a number");
    Room {
        rows: read("pg_table_size('tenure.sessions')"),
        indexes: read("pg_indexes_size('tenure.sessions')"),
        users: read("pg_total_relation_size('tenure.cells')"),
        events: read("pg_total_relation_size('tenure.events')"),
        told: read("count(*) FROM tenure.events"),
    }
}

async fn redis(engines: &Engines) -> Room {
    let client = redis::Client::open(engines.redis.url()).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let keys: Vec<Vec<u8>> = cmd("KEYS").arg("tenure:{*}e").query_async(&mut connection).await.expect("keys");
    let (mut events, mut told) = (0.0, 0.0);
    for log in keys.iter().filter(|key| is_log(key)) {
        let mut usage = cmd("MEMORY");
        usage.arg("USAGE").arg(log).arg("SAMPLES").arg(0);
        events += usage.query_async::<f64>(&mut connection).await.expect("a size");
        told += cmd("XLEN").arg(log).query_async::<f64>(&mut connection).await.expect("a length");
    }
    let all = field(&engines.redis.cli("INFO memory"), "used_memory:") as f64;
    // Users lie among the rows: nothing is kept of one who was never signed out everywhere.
    Room { rows: all - events, events, told, ..Room::default() }
}

/// Whether it is a log, and not a session whose random bytes end like the name of one.
fn is_log(key: &[u8]) -> bool {
    key.iter().position(|byte| *byte == b'}').is_some_and(|end| &key[end + 1..] == b"e")
}
