//! Encryption of what a store keeps: XChaCha20-Poly1305 with a random 192-bit nonce.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use serde::{Deserialize, Serialize};

use crate::random::{self, Random};

const NONCE: usize = 24;

/// What sealing adds to the length of a text, in bytes: nonce and authentication tag.
pub const SEAL_OVERHEAD: usize = NONCE + 16;

/// Nonce ‖ ciphertext of `text`, readable only with `key` and only in the place named by
/// `context`.
pub(crate) fn seal(key: &[u8; 32], context: &[u8], text: &[u8], random: &dyn Random) -> Vec<u8> {
    let nonce: [u8; NONCE] = random::bytes(random);
    let cipher = XChaCha20Poly1305::new(key.into());
    let sealed = cipher.encrypt(&XNonce::from(nonce), Payload { msg: text, aad: context });
    let mut out = nonce.to_vec();
    out.extend(sealed.expect("a text within Tenure's limits is within the cipher's of 256 GiB"));
    out
}

/// The text, or nothing when `sealed` was not sealed with this key for this place.
pub(crate) fn open(key: &[u8; 32], context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: context }).ok()
}

/// Bytes that the core has encrypted. A store keeps them as they are.
///
/// # Example: a column of a store
/// ```
/// use tenure::{SEAL_OVERHEAD, Sealed};
///
/// # let from_tenure = Sealed::from(vec![0; 3 + SEAL_OVERHEAD]);
/// let column: &[u8] = from_tenure.as_bytes(); // what is bound to a statement
/// assert_eq!(column.len() - SEAL_OVERHEAD, 3, "of so many bytes in clear");
/// let back = Sealed::from(column.to_vec());
/// assert_eq!(back.into_bytes(), from_tenure.into_bytes());
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(#[serde(with = "serde_bytes")] Vec<u8>);

impl Sealed {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, taken out.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl From<Vec<u8>> for Sealed {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn asvs_11_3_3_a_sealed_text_opens_only_unchanged_and_in_its_place() {
        let sealed = seal(&[1; 32], b"here", b"text", &SystemRandom);
        assert_eq!(sealed.len(), 4 + SEAL_OVERHEAD);
        assert_eq!(open(&[1; 32], b"here", &sealed).as_deref(), Some(&b"text"[..]));
        assert_eq!(open(&[1; 32], b"there", &sealed), None);
        assert_eq!(open(&[2; 32], b"here", &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&[1; 32], b"here", &changed), None, "byte {at}");
        }
        assert_eq!(open(&[1; 32], b"here", b"short"), None);
    }

    #[test]
    fn the_same_text_never_seals_alike() {
        assert_ne!(seal(&[1; 32], b"", b"text", &SystemRandom), seal(&[1; 32], b"", b"text", &SystemRandom));
    }
}
