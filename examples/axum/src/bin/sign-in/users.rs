//! The application's own part: who has an account, and whether a password is theirs.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use rusqlite::{Connection, OptionalExtension};
use tenure_tower::UserId;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How many passwords are hashed at once: each takes 19 MiB and a core for a moment.
const AT_ONCE: usize = 2;

/// The user table.
#[derive(Clone)]
pub(crate) struct Users {
    table: Arc<Mutex<Connection>>,
    turns: Arc<Semaphore>,
    /// What a password is compared with when nobody has the name, so that the answer takes as
    /// long.
    nobody: Arc<str>,
}

impl Users {
    pub(crate) fn open(at: Connection) -> Result<Self, Failure> {
        at.execute_batch(
            "CREATE TABLE IF NOT EXISTS users (
                 id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, password TEXT NOT NULL
             ) STRICT",
        )?;
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Ok(Self { table: Arc::new(Mutex::new(at)), turns, nobody: hash("nobody has this password")?.into() })
    }

    /// Adds a user. None if the name is taken.
    pub(crate) async fn register(&self, name: String, password: String) -> Result<Option<UserId>, Failure> {
        let _turn = self.turns.acquire().await?;
        let users = self.clone();
        spawn_blocking(move || {
            let password = hash(&password)?;
            let sql =
                "INSERT INTO users (name, password) VALUES (?1, ?2) ON CONFLICT DO NOTHING RETURNING id";
            let id =
                users.with(|table| table.query_row(sql, (&name, &password), |row| row.get(0)).optional());
            id?.map(user_id).transpose()
        })
        .await?
    }

    /// The user of this name, if the password is theirs.
    pub(crate) async fn check(&self, name: String, password: String) -> Result<Option<UserId>, Failure> {
        let _turn = self.turns.acquire().await?;
        let users = self.clone();
        spawn_blocking(move || {
            let sql = "SELECT id, password FROM users WHERE name = ?1";
            let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
            let found = users.with(|table| table.query_row(sql, [&name], read).optional())?;
            let (id, kept) = match found {
                Some((id, kept)) => (Some(id), kept),
                None => (None, users.nobody.to_string()),
            };
            let kept = PasswordHash::new(&kept).map_err(|error| error.to_string())?;
            let right = Argon2::default().verify_password(password.as_bytes(), &kept).is_ok();
            id.filter(|_| right).map(user_id).transpose()
        })
        .await?
    }

    fn with<T>(&self, work: impl FnOnce(&Connection) -> T) -> T {
        work(&self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn user_id(id: i64) -> Result<UserId, Failure> {
    Ok(UserId::new(format!("u_{id}"))?)
}

fn hash(password: &str) -> Result<String, Failure> {
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|error| error.to_string())?;
    Ok(hash.to_string())
}
