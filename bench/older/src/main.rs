//! `tenure-bench-older STORE PLACE [CORE]`: the application with tower-sessions over one of the
//! stores that fit its version 0.14, until its standard input closes. PLACE is a folder, or the
//! URL of Redis.

use std::path::Path;

use axum::Router;
use tower_sessions::CachingSessionStore;
use tower_sessions_moka_store::MokaStore;
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::interfaces::ClientLike;
use tower_sessions_redis_store::fred::prelude::{Config, Pool};
use tower_sessions_sqlx_store::SqliteStore;
use tower_sessions_sqlx_store::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};

use crate::app::{Saves, router};

#[path = "../../src/apps/tower_sessions.rs"]
mod app;
#[path = "../../src/serve.rs"]
mod serve;

/// What SQLx takes if nothing is said.
const SQLX_CONNECTIONS: u32 = 10;

/// As the store's own documentation has it.
const REDIS_CONNECTIONS: usize = 6;

/// All who visit fit in.
const CACHED: u64 = 100_000;

fn main() {
    let mut args = std::env::args().skip(1);
    let store = args.next().expect("a store");
    let place = args.next().expect("a folder or a URL");
    let core = args.next().map(|core| core.parse().expect("a core"));
    serve::serve(core, async move { of(&store, &place).await });
}

async fn of(store: &str, place: &str) -> Router {
    match store {
        "sqlite" => router(sqlite(place, SQLX_CONNECTIONS).await, Saves::Changes),
        "sqlite-alone" => router(sqlite(place, 1).await, Saves::Changes),
        "redis" => router(redis(place).await, Saves::Changes),
        "redis-rolling" => router(redis(place).await, Saves::Always),
        "redis-moka" => {
            let store = CachingSessionStore::new(MokaStore::new(Some(CACHED)), redis(place).await);
            router(store, Saves::Changes)
        }
        other => panic!("no store is called {other}"),
    }
}

/// As durable as Tenure's store.
async fn sqlite(folder: &str, connections: u32) -> SqliteStore {
    let options = SqliteConnectOptions::new()
        .filename(Path::new(folder).join("sessions.sqlite"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(connections).connect_with(options);
    let store = SqliteStore::new(pool.await.expect("a database"));
    store.migrate().await.expect("a table");
    store
}

async fn redis(url: &str) -> RedisStore<Pool> {
    let config = Config::from_url(url).expect("a URL");
    let pool = Pool::new(config, None, None, None, REDIS_CONNECTIONS).expect("a pool");
    pool.init().await.expect("connections");
    RedisStore::new(pool)
}
