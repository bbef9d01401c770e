//! Tokens as somebody would forge them who has read the source code.

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tenure::{MasterKey, SessionId};

/// What is in a token: `tn1_` + base64url(key number 1 ‖ session id 16 ‖ generation 4 ‖
/// secret 32 ‖ tag 16 bytes).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Parts {
    pub(crate) key: u8,
    pub(crate) id: [u8; 16],
    pub(crate) generation: u32,
    pub(crate) secret: [u8; 32],
    pub(crate) tag: [u8; 16],
}

impl Parts {
    /// Takes a token apart.
    pub(crate) fn of(token: &str) -> Self {
        let raw = BASE64URL_NOPAD.decode(&token.as_bytes()[4..]).expect("base64url");
        Self {
            key: raw[0],
            id: raw[1..17].try_into().expect("16 bytes"),
            generation: u32::from_be_bytes(raw[17..21].try_into().expect("4 bytes")),
            secret: raw[21..53].try_into().expect("32 bytes"),
            tag: raw[53..].try_into().expect("16 bytes"),
        }
    }

    /// A token for this session, tagged as the holder of `master` would.
    pub(crate) fn forged(master: &MasterKey, id: SessionId, generation: u32, secret: [u8; 32]) -> Self {
        let mut parts = Self { key: 1, id: *id.as_bytes(), generation, secret, tag: [0; 16] };
        parts.tag = parts.tag_by(&master.derive("tag/1"));
        parts
    }

    /// The tag of these parts in the default realm and cookie under `key`.
    pub(crate) fn tag_by(&self, key: &[u8]) -> [u8; 16] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
        let parts: [&[u8]; 6] =
            [b"session", b"default", b"__Host-sid", &self.id, &self.generation.to_be_bytes(), &self.secret];
        for part in parts {
            mac.update(&u32::try_from(part.len()).expect("short").to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes()[..16].try_into().expect("16 bytes")
    }

    /// Puts the token together.
    pub(crate) fn token(&self) -> String {
        let mut raw = vec![self.key];
        raw.extend(self.id);
        raw.extend(self.generation.to_be_bytes());
        raw.extend(self.secret);
        raw.extend(self.tag);
        format!("tn1_{}", BASE64URL_NOPAD.encode(&raw))
    }
}

/// SHA-256, as the store holds of each secret.
pub(crate) fn hash(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}
