//! `tenure-bench-sqlx CONNECTIONS FOLDER [CORE]`: the application with tower-sessions on SQLite, as durable
//! as Tenure's store, until its standard input closes.

use std::path::PathBuf;

use axum::Router;
use tower_sessions_sqlx_store::SqliteStore;
use tower_sessions_sqlx_store::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};

#[path = "../../src/apps/tower_sessions.rs"]
mod app;
#[path = "../../src/serve.rs"]
mod serve;

fn main() {
    let mut args = std::env::args().skip(1);
    let connections = args.next().and_then(|count| count.parse().ok()).expect("how many connections");
    let folder = PathBuf::from(args.next().expect("a folder"));
    let core = args.next().map(|core| core.parse().expect("a core"));
    serve::serve(core, router(folder, connections));
}

async fn router(folder: PathBuf, connections: u32) -> Router {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("sessions.sqlite"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(connections).connect_with(options);
    let store = SqliteStore::new(pool.await.expect("a database"));
    store.migrate().await.expect("a table");
    app::router(store)
}
