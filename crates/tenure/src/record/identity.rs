//! Who is signed in, and how that was proved.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{InvalidName, Role, UserId};
use crate::level::Level;

/// How many roles a user has in a session at the most.
pub const MAX_ROLES: usize = 64;
/// How many methods of proof a session remembers at the most.
pub const MAX_METHODS: usize = 16;

/// A way of proving who one is, in plain words: `password`, `totp`, `passkey`, …
///
/// 1 to 32 of `a-z 0-9 _`.
///
/// # Example: what a sign-in was proved by
/// ```
/// use tenure::record::NewIdentity;
/// use tenure::{Level, Method};
///
/// let totp = Method::new("totp")?;
/// assert_eq!(totp.as_str(), "totp");
/// assert_eq!(NewIdentity::level_of(&[Method::password()]), Level::One);
/// assert_eq!(NewIdentity::level_of(&[Method::password(), totp]), Level::Two);
/// # Ok::<(), tenure::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Method(String);

impl Method {
    /// Takes `word` if it is one: 1 to 32 of `a-z 0-9 _`.
    ///
    /// # Errors
    /// [`InvalidName`] otherwise.
    pub fn new(word: &str) -> Result<Self, InvalidName> {
        let fits = (1..=32).contains(&word.len());
        let plain = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !fits || !plain {
            return Err(InvalidName { what: "method", limit: 32, unit: "characters of a-z 0-9 _" });
        }
        Ok(Self(word.into()))
    }

    /// The method `password`.
    pub fn password() -> Self {
        Self("password".into())
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind of factor it proves: something known, had or been (NIST SP 800-63B).
    fn kind(&self) -> &'static str {
        match self.as_str() {
            "password" | "pin" => "known",
            "totp" | "hotp" | "recovery_code" | "sms" | "email" | "push" => "had",
            "passkey" | "webauthn" => "had and known or been",
            _ => "other",
        }
    }
}

impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = String::deserialize(from)?;
        Self::new(&word).map_err(serde::de::Error::custom)
    }
}

impl FromStr for Method {
    type Err = InvalidName;

    fn from_str(word: &str) -> Result<Self, InvalidName> {
        Self::new(word)
    }
}

/// A method and when it was used.
///
/// # Example: when the one-time code was shown
/// ```
/// use tenure::clock::Timestamp;
/// use tenure::{MethodUse, Snapshot};
///
/// fn last_code(session: &Snapshot) -> Option<Timestamp> {
///     let code = session.methods().iter().find(|MethodUse { method, .. }| method.as_str() == "totp");
///     code.map(|used| used.at)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodUse {
    /// The method.
    pub method: Method,
    /// When it proved something.
    pub at: Timestamp,
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Whom the session belongs to.
    pub user: UserId,
    /// What the user may do, sorted.
    pub roles: Vec<Role>,
    /// The assurance level.
    pub level: Level,
    /// Each method's last use.
    pub methods: Vec<MethodUse>,
    /// The last full authentication.
    pub authenticated_at: Timestamp,
}

/// An authentication that has just happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewIdentity {
    /// Who proved to be there.
    pub user: UserId,
    /// What the user may do.
    pub roles: Vec<Role>,
    /// The assurance level reached.
    pub level: Level,
    /// How it was proved; at least one.
    pub methods: Vec<Method>,
    /// When, if that was before now: in a session of another system.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

impl NewIdentity {
    /// The level that `methods` reach together: one for one factor, two for two different ones
    /// or a passkey. Level three is the application's to claim.
    pub fn level_of(methods: &[Method]) -> Level {
        let passkey = methods.iter().any(|m| m.kind().starts_with("had and"));
        let known = methods.iter().any(|m| m.kind() == "known");
        let had = methods.iter().any(|m| m.kind() == "had");
        if passkey || (known && had) { Level::Two } else { Level::One }
    }

    pub(crate) fn at(self, now: Timestamp) -> Identity {
        let at = self.at.map_or(now, |at| at.min(now));
        let mut roles = self.roles;
        roles.sort();
        roles.dedup();
        let methods = self.methods.into_iter().map(|method| MethodUse { method, at }).collect();
        Identity { user: self.user, roles, level: self.level, methods, authenticated_at: at }
    }
}

impl Identity {
    /// This identity after one more proof, which may raise its level and never lowers it.
    #[must_use]
    pub(crate) fn stepped_up(mut self, by: NewIdentity, now: Timestamp) -> Self {
        for method in by.methods {
            self.methods.retain(|used| used.method != method);
            self.methods.push(MethodUse { method, at: now });
        }
        self.methods.drain(..self.methods.len().saturating_sub(MAX_METHODS));
        let methods: Vec<Method> = self.methods.iter().map(|used| used.method.clone()).collect();
        self.level = self.level.max(by.level).max(NewIdentity::level_of(&methods));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn methods(words: &[&str]) -> Vec<Method> {
        words.iter().map(|w| Method::new(w).unwrap()).collect()
    }

    #[test]
    fn nist_b2_a_level_needs_its_factors() {
        assert_eq!(NewIdentity::level_of(&methods(&["password"])), Level::One);
        assert_eq!(NewIdentity::level_of(&methods(&["password", "pin"])), Level::One);
        assert_eq!(NewIdentity::level_of(&methods(&["password", "totp"])), Level::Two);
        assert_eq!(NewIdentity::level_of(&methods(&["passkey"])), Level::Two);
    }

    #[test]
    fn a_method_is_a_plain_word() {
        for bad in ["", "Pass word", "a,b", &"a".repeat(33)] {
            assert!(Method::new(bad).is_err(), "{bad}");
        }
    }
}
