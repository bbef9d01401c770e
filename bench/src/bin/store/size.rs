//! How much room sessions take on disk.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

pub(crate) struct Sizes {
    file: u64,
    rows: u64,
    indexes: u64,
    events: u64,
}

/// Of a database that nobody has open.
pub(crate) fn of(database: &Path) -> Sizes {
    let conn = Connection::open(database).expect("the database opens");
    let sum = |names: &str| {
        let sql = format!(
            "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE aggregate = TRUE AND name GLOB '{names}'"
        );
        let bytes: i64 = conn.query_row(&sql, [], |row| row.get(0)).expect("dbstat answers");
        bytes.unsigned_abs()
    };
    Sizes {
        file: database.metadata().expect("the file is there").len(),
        rows: sum("sessions"),
        indexes: sum("session_*"),
        events: sum("events"),
    }
}

impl Sizes {
    /// For each of so many sessions.
    pub(crate) fn each(&self, sessions: usize) -> Value {
        let each = |bytes: u64| bytes as f64 / sessions as f64;
        json!({ "file": each(self.file), "rows": each(self.rows), "indexes": each(self.indexes), "events": each(self.events) })
    }
}
