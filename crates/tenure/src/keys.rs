//! The master key and what is derived from it.

use std::fmt;

use ctutils::CtEq;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::id::{Realm, Route, UserId};
use crate::random::{self, Random};

/// The one secret that everything else is derived from: 256 bits.
///
/// # Security
/// Keep it away from the store: whoever holds both can decrypt what the store keeps.
/// Without it, a copy of the store is useless (promise P3).
///
/// # Example: a key from a secret store, and one for something else
/// ```
/// use tenure::random::SystemRandom;
/// use tenure::{InvalidMasterKey, MasterKey};
///
/// # let secret = MasterKey::generate(&SystemRandom).to_hex();
/// let key = MasterKey::from_hex(&secret)?; // 64 digits
/// assert_ne!(key.derive("shop/unsubscribe"), key.derive("shop/downloads"));
/// assert_eq!(MasterKey::from_hex("open sesame").unwrap_err(), InvalidMasterKey);
///
/// // What `openssl rand -hex 32` does.
/// let new = MasterKey::generate(&SystemRandom);
/// assert_eq!(new.to_hex().len(), 64);
/// # Ok::<(), InvalidMasterKey>(())
/// ```
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// The text is no [master key](MasterKey): 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 64 hexadecimal digits (make one with `openssl rand -hex 32`)")]
pub struct InvalidMasterKey;

impl MasterKey {
    /// Reads 64 hexadecimal digits; white space around them is ignored.
    ///
    /// # Errors
    /// [`InvalidMasterKey`] for anything else.
    pub fn from_hex(digits: &str) -> Result<Self, InvalidMasterKey> {
        let mut key = Zeroizing::new([0; 32]);
        let digits = digits.trim().as_bytes();
        if digits.len() != 64 || HEXLOWER_PERMISSIVE.decode_mut(digits, &mut *key).is_err() {
            return Err(InvalidMasterKey);
        }
        Ok(Self(key))
    }

    /// A new key.
    pub fn generate(random: &dyn Random) -> Self {
        Self(random::bytes(random).into())
    }

    /// The 64 hexadecimal digits, for the file that keeps the key.
    pub fn to_hex(&self) -> String {
        HEXLOWER.encode(&*self.0)
    }

    /// Thirty-two bytes for one purpose. Different purposes give independent keys, and
    /// none of them leads back to the master key (HKDF-SHA256, RFC 5869).
    ///
    /// # Security
    /// They are a secret. Some purposes are Tenure's own, so an application takes
    /// [`Sessions::key_for`](crate::Sessions::key_for), whose keys are never those.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut key = [0; 32];
        expand(&Hkdf::<Sha256>::new(None, &*self.0), &[b"tenure/1/", purpose.as_bytes()], &mut key);
        key
    }
}

/// The keys in use, derived once at the start.
pub(crate) struct Keys {
    tag: Hmac<Sha256>,
    route: Hmac<Sha256>,
    pub(crate) successor: [u8; 32],
    pub(crate) data: [u8; 32],
    pub(crate) receipt: [u8; 32],
    application: [u8; 32],
}

/// The number of the tag key that new tokens are made under.
pub(crate) const TAG_KEY: u8 = 1;

/// A tag is a truncated HMAC-SHA256.
pub(crate) const TAG_LEN: usize = 16;

impl Keys {
    pub(crate) fn derive(master: &MasterKey) -> Self {
        Self {
            tag: keyed(&master.derive("tag/1")),
            route: keyed(&master.derive("route")),
            successor: master.derive("successor"),
            data: master.derive("data/1"),
            receipt: master.derive("receipt"),
            application: master.derive("application"),
        }
    }

    /// The tag over `parts`, each with its length, so that no two lists read the same.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> [u8; TAG_LEN] {
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(&mac(&self.tag, parts)[..TAG_LEN]);
        tag
    }

    /// A key for something of the application's in `realm`.
    pub(crate) fn application(&self, realm: &Realm, purpose: &str) -> [u8; 32] {
        mac_of(&self.application, &[realm.as_str().as_bytes(), purpose.as_bytes()])
    }

    /// Whether both come from the same master key.
    pub(crate) fn are(&self, others: &Self) -> bool {
        let proof = |keys: &Self| mac_of(&keys.application, &[b"same master key"]);
        proof(self).ct_eq(&proof(others)).to_bool()
    }

    pub(crate) fn route(&self, realm: &Realm, user: &UserId) -> Route {
        let hash = mac(&self.route, &[realm.as_str().as_bytes(), user.as_str().as_bytes()]);
        Route(u16::from_be_bytes([hash[0], hash[1]]))
    }
}

/// A key from a secret that only the client holds and one that only the server holds.
pub(crate) fn joint_key(client: &[u8], server: &[u8; 32], info: &[&[u8]]) -> [u8; 32] {
    let mut key = [0; 32];
    expand(&Hkdf::<Sha256>::new(Some(server), client), info, &mut key);
    key
}

fn expand(from: &Hkdf<Sha256>, info: &[&[u8]], into: &mut [u8; 32]) {
    from.expand_multi_info(info, into).expect("32 bytes are within HKDF-SHA256's limit of 8,160");
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// HMAC-SHA256 over `parts`, each with its length.
pub(crate) fn mac_of(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    mac(&keyed(key), parts)
}

fn mac(key: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = key.clone();
    for part in parts {
        mac.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn a_master_key_never_shows_in_debug() {
        let key = MasterKey::generate(&SystemRandom);
        assert!(!format!("{key:?}").contains(&key.to_hex()[..8]));
    }

    #[test]
    fn a_master_key_is_64_hexadecimal_digits() {
        let hex = "0F".repeat(32);
        assert_eq!(MasterKey::from_hex(&format!(" {hex}\n")).unwrap().to_hex(), hex.to_lowercase());
        for bad in ["", "0f", &"0f".repeat(33), &"xx".repeat(32)] {
            assert!(MasterKey::from_hex(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn purposes_give_independent_keys() {
        let key = MasterKey::generate(&SystemRandom);
        assert_ne!(key.derive("a"), key.derive("b"));
        assert_eq!(key.derive("a"), key.derive("a"));
    }

    #[test]
    fn a_tag_tells_where_one_part_ends() {
        let keys = Keys::derive(&MasterKey::generate(&SystemRandom));
        assert_ne!(keys.tag(&[b"ab", b"c"]), keys.tag(&[b"a", b"bc"]));
    }
}
