//! API keys: how back ends show who they are, and what each may do.

use std::collections::BTreeSet;
use std::fmt;

use ctutils::CtEq;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tenure::clock::Timestamp;
use tenure::random::Random;
use tenure::{Actor, Realm};
use zeroize::Zeroizing;

/// What an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Check tokens.
    Check,
    /// Create sessions, sign in, rotate.
    Issue,
    /// Read, change and end sessions.
    Manage,
    /// Everything.
    Admin,
}

impl Scope {
    /// The word, as everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Issue => "issue",
            Self::Manage => "manage",
            Self::Admin => "admin",
        }
    }
}

/// The secret text of an API key.
///
/// # Security
/// Whoever has it may do what its scopes say. `Debug` does not show it.
#[derive(Clone)]
pub struct ApiKey(Zeroizing<String>);

/// The text is no API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an API key has 22 to 256 printable ASCII characters without spaces, and at least 128 random bits")]
pub struct InvalidApiKey;

impl ApiKey {
    /// A new one: `tnk_` and 256 random bits as base64url.
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(&mut *bytes);
        Self(format!("tnk_{}", BASE64URL_NOPAD.encode(&*bytes)).into())
    }

    /// Takes a key that somebody else made.
    ///
    /// # Errors
    /// [`InvalidApiKey`] when it is too short to be one: only its hash is kept, so it has to
    /// be impossible to guess.
    pub fn new(text: &str) -> Result<Self, InvalidApiKey> {
        let fits = (22..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.to_owned().into())).ok_or(InvalidApiKey)
    }

    /// The text. Show it to its owner and nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// What the server keeps of an API key: never the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownKey {
    /// What it is called in events and logs.
    pub name: String,
    /// The realm it is for.
    pub realm: Realm,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    sha256: KeyHash,
}

impl KnownKey {
    /// What is kept of `key`.
    pub fn new(
        key: &ApiKey,
        name: &str,
        realm: Realm,
        scopes: impl IntoIterator<Item = Scope>,
        created_at: Timestamp,
    ) -> Self {
        Self {
            name: name.into(),
            realm,
            scopes: scopes.into_iter().collect(),
            created_at,
            sha256: KeyHash::of(key.0.as_bytes()),
        }
    }

    /// Whether it may do what `scope` says.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// Who it is in events.
    pub fn actor(&self) -> Actor {
        Actor::api_key(&self.name)
    }
}

/// The API keys that a server knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeys {
    /// The keys.
    pub keys: Vec<KnownKey>,
}

impl ApiKeys {
    /// These keys.
    pub fn new(keys: impl IntoIterator<Item = KnownKey>) -> Self {
        Self { keys: keys.into_iter().collect() }
    }

    /// The key of `realm` that `presented` is. Takes as long for each wrong one: all hashes
    /// are compared, each in constant time (ASVS 11.2.4).
    pub fn find(&self, realm: &Realm, presented: &[u8]) -> Option<&KnownKey> {
        let presented = KeyHash::of(presented);
        let mut found = None;
        for key in &self.keys {
            if key.sha256.0.ct_eq(&presented.0).to_bool() && key.realm == *realm {
                found = Some(key);
            }
        }
        found
    }
}

/// SHA-256 of an API key, as 64 hexadecimal digits in JSON.
#[derive(Clone, Copy)]
struct KeyHash([u8; 32]);

impl KeyHash {
    fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).to_bool()
    }
}

impl Eq for KeyHash {}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

impl Serialize for KeyHash {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(from)?;
        let hash = HEXLOWER.decode(digits.as_bytes()).ok();
        let hash = hash.and_then(|bytes| bytes.try_into().ok());
        hash.map(Self).ok_or_else(|| {
            serde::de::Error::custom("a hash of an API key is 64 lower-case hexadecimal digits")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure::random::{SeededRandom, SystemRandom};

    fn known(key: &ApiKey, scopes: &[Scope]) -> KnownKey {
        let at = Timestamp::from_millis(0);
        KnownKey::new(key, "shop", Realm::default(), scopes.iter().copied(), at)
    }

    #[test]
    fn a_key_is_found_by_its_text_only_and_in_its_realm() {
        let (ours, other) = (ApiKey::generate(&SystemRandom), ApiKey::generate(&SystemRandom));
        let keys = ApiKeys::new([known(&ours, &[Scope::Check])]);
        let realm = Realm::default();
        assert!(keys.find(&realm, ours.expose().as_bytes()).is_some());
        assert!(keys.find(&realm, other.expose().as_bytes()).is_none());
        assert!(keys.find(&realm, b"").is_none());
        assert!(keys.find(&Realm::new("other").unwrap(), ours.expose().as_bytes()).is_none());
    }

    #[test]
    fn admin_may_everything_and_others_what_they_say() {
        let key = ApiKey::generate(&SystemRandom);
        assert!(known(&key, &[Scope::Admin]).may(Scope::Manage));
        assert!(known(&key, &[Scope::Check, Scope::Issue]).may(Scope::Issue));
        assert!(!known(&key, &[Scope::Check, Scope::Issue]).may(Scope::Manage));
    }

    #[test]
    fn a_key_has_256_bits_and_neither_it_nor_its_hash_is_shown() {
        let key = ApiKey::generate(&SeededRandom::new(1));
        assert_eq!((&key.expose()[..4], key.expose().len()), ("tnk_", 47));
        let known = known(&key, &[Scope::Admin]);
        assert_eq!(format!("{key:?}"), "ApiKey(…)");
        assert!(format!("{known:?}").contains("KeyHash(…)"));
        let kept = serde_json::to_string(&known).unwrap();
        assert!(!kept.contains(key.expose()));
        assert_eq!(serde_json::from_str::<KnownKey>(&kept).unwrap(), known);
    }

    #[test]
    fn a_key_that_could_be_guessed_is_refused() {
        for bad in ["", "secret", "123456789012345678901", "with a space in the middle"] {
            assert_eq!(ApiKey::new(bad).unwrap_err(), InvalidApiKey, "{bad}");
        }
        assert!(ApiKey::new("1234567890123456789012").is_ok());
    }
}
