//! The people with an account, and checking their passwords: the application's own part.

use std::io;
use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tenure_tower::{SignIn, UserId};
use tokio::sync::Semaphore;

use crate::pages::{PEOPLE, Person};

/// How many passwords are checked at once: each takes 19 MiB.
const AT_ONCE: usize = 2;

/// Everybody with an account: names and hashes of passwords (argon2id).
#[derive(Debug)]
pub struct People {
    accounts: Arc<Vec<(&'static Person, String)>>,
    /// What a password is compared with when there is no such person, so that the answer
    /// takes as long.
    nobody: Arc<String>,
    checks: Semaphore,
}

impl People {
    /// The sample people.
    ///
    /// # Errors
    /// When a password cannot be hashed.
    pub fn new() -> io::Result<Self> {
        let with_hash = |person: &'static Person| Ok((person, hash(person.password)?));
        let accounts: io::Result<Vec<_>> = PEOPLE.iter().map(with_hash).collect();
        Ok(Self {
            accounts: Arc::new(accounts?),
            nobody: Arc::new(hash("nobody has this password")?),
            checks: Semaphore::new(AT_ONCE),
        })
    }

    /// The proof that somebody is who they say, if their password is right.
    pub(crate) async fn check(&self, name: &str, password: String) -> Option<SignIn> {
        let found = self.accounts.iter().position(|(person, _)| person.name == name.trim());
        let (accounts, nobody) = (Arc::clone(&self.accounts), Arc::clone(&self.nobody));
        let _turn = self.checks.acquire().await.ok()?;
        let right = tokio::task::spawn_blocking(move || {
            let hash = found.map_or(nobody.as_str(), |at| accounts[at].1.as_str());
            let hash = PasswordHash::new(hash).ok()?;
            Argon2::default().verify_password(password.as_bytes(), &hash).ok()
        });
        right.await.ok()??;
        let (person, _) = self.accounts.get(found?)?;
        Some(SignIn::password(user_id(person)?))
    }
}

/// The person of a user id.
pub(crate) fn person_of(user: &UserId) -> Option<&'static Person> {
    let name = user.as_str().strip_prefix("u_")?;
    PEOPLE.iter().find(|person| person.name == name)
}

pub(crate) fn user_id(person: &Person) -> Option<UserId> {
    UserId::new(format!("u_{}", person.name)).ok()
}

fn hash(password: &str) -> io::Result<String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(|error| io::Error::other(error.to_string()))?.to_string())
}
