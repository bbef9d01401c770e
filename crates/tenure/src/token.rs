//! The session token: the secret a client presents.
//!
//! `tn1_` + base64url(key number 1 ‖ session id 16 ‖ generation 4 ‖ secret 32 ‖ tag 16):
//! 96 characters with exactly one spelling.

use std::fmt;

use ctutils::CtEq;
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use zeroize::{Zeroizing, zeroize_bytes};

use crate::id::{Realm, SessionId};
use crate::keys::{Keys, TAG_KEY, TAG_LEN};
use crate::random::{self, Random};

const PREFIX: &[u8] = b"tn1_";
const RAW: usize = 1 + 16 + 4 + 32 + TAG_LEN;
const ENCODED: usize = RAW / 3 * 4;

/// How many characters a token has.
pub const TOKEN_LEN: usize = PREFIX.len() + ENCODED;

/// The 256-bit secret of a token.
#[derive(Clone)]
pub(crate) struct Secret([u8; 32]);

impl Drop for Secret {
    fn drop(&mut self) {
        zeroize_bytes(&mut self.0);
    }
}

impl Secret {
    pub(crate) fn new(random: &dyn Random) -> Self {
        Self(random::bytes(random))
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.0).into())
    }
}

/// SHA-256 of a token's secret: all that a store ever sees of it.
///
/// # Example: a column of a store
/// ```
/// use tenure::SecretHash;
///
/// let column: Vec<u8> = vec![7; 32];
/// let hash = SecretHash::from_bytes(column.as_slice().try_into()?);
/// assert_eq!(hash.as_bytes().as_slice(), column);
/// assert_eq!(format!("{hash:?}"), "SecretHash(…)");
/// # Ok::<(), std::array::TryFromSliceError>(())
/// ```
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct SecretHash(#[serde(with = "serde_bytes")] [u8; 32]);

impl SecretHash {
    /// The hash with these bytes, as a store keeps it.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The thirty-two bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    /// In constant time (ASVS 11.2.4).
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).to_bool()
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// A token as text, ready to be handed to its client.
///
/// # Security
/// Whoever has it is the session. `Debug` does not show it; [`expose`](Self::expose) does.
///
/// # Example: a client that is no browser
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::{Check, Memory, Sessions, SessionToken, SignIn, UserId, TOKEN_LEN};
///
/// let sessions = Sessions::open(Memory).await?;
/// let token: SessionToken = sessions.sign_in(None, SignIn::password(UserId::new("u_1")?)).await?.token;
/// assert_eq!((token.expose().len(), format!("{token:?}").as_str()), (TOKEN_LEN, "tn1_…"));
///
/// let header = format!("Bearer {}", token.expose()); // as `Authorization`
/// let presented = header.strip_prefix("Bearer ").unwrap_or_default();
/// assert_eq!(sessions.check(presented.as_bytes(), &Check::signed_in()).await?.as_str(), "ok");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SessionToken(Zeroizing<String>);

impl SessionToken {
    /// The text. Send it to its client and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tn1_…")
    }
}

/// A token taken apart. Nothing about it is believed yet.
pub(crate) struct Presented {
    pub(crate) key: u8,
    pub(crate) id: SessionId,
    pub(crate) generation: u32,
    pub(crate) secret: Secret,
    tag: [u8; TAG_LEN],
    digest: [u8; 16],
}

/// Stands for one token presented for one purpose: whoever shows the same one has shown the same
/// token. Sixteen bytes of SHA-256 over all of the token but the session's id, which is one block
/// of that hash, combined with the name of the purpose.
#[derive(Clone, Copy)]
pub(crate) struct Witness([u8; 16]);

impl PartialEq for Witness {
    /// In constant time (ASVS 11.2.4).
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).to_bool()
    }
}

impl Presented {
    /// Takes `token` apart, if it has the one right form.
    pub(crate) fn parse(token: &[u8]) -> Option<Self> {
        let encoded = token.strip_prefix(PREFIX)?;
        if encoded.len() != ENCODED {
            return None;
        }
        let mut raw = [0; RAW];
        BASE64URL_NOPAD.decode_mut(encoded, &mut raw).ok()?;
        let (key, rest) = raw.split_first()?;
        let (id, secrets) = rest.split_first_chunk::<16>()?;
        let (generation, rest) = secrets.split_first_chunk::<4>()?;
        let (secret, tag) = rest.split_first_chunk::<32>()?;
        let digest = Sha256::new().chain_update([*key]).chain_update(secrets).finalize();
        let presented = Self {
            key: *key,
            id: SessionId::from_bytes(*id),
            generation: u32::from_be_bytes(*generation),
            secret: Secret(*secret),
            tag: tag.try_into().ok()?,
            digest: *digest.first_chunk()?,
        };
        zeroize_bytes(&mut raw);
        Some(presented)
    }

    /// The hash of the secret, for comparing with what a store keeps.
    pub(crate) fn hash(&self) -> SecretHash {
        self.secret.hash()
    }

    /// What this token leaves behind where it was found good for `purpose`.
    pub(crate) fn witness(&self, purpose: BindingName) -> Witness {
        Witness((u128::from_ne_bytes(self.digest) ^ u128::from_ne_bytes(purpose.0)).to_ne_bytes())
    }

    /// Whether this server made the token, for this purpose. Without that it is refused in
    /// memory: no store is asked, nothing is written, nothing ends.
    pub(crate) fn is_genuine(&self, keys: &Keys, bound_to: &Binding) -> bool {
        let tag = bound_to.tag(keys, self.id, self.generation, &self.secret);
        self.key == TAG_KEY && tag.ct_eq(&self.tag).to_bool()
    }
}

/// What a token is good for: one realm and one cookie. The tag covers it, so a token of
/// another realm or cookie is refused like a forged one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) realm: Realm,
    cookie: String,
    name: BindingName,
}

/// A short name for a realm and cookie, the same wherever they are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BindingName([u8; 16]);

impl BindingName {
    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Binding {
    pub(crate) fn new(realm: Realm, cookie: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [realm.as_str(), cookie] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut name = [0; 16];
        name.copy_from_slice(&hash.finalize()[..16]);
        Self { realm, cookie: cookie.into(), name: BindingName(name) }
    }

    pub(crate) fn name(&self) -> BindingName {
        self.name
    }

    /// Writes the token of `generation` of session `id`.
    pub(crate) fn token(&self, keys: &Keys, id: SessionId, generation: u32, secret: &Secret) -> SessionToken {
        let mut raw = [0; RAW];
        raw[0] = TAG_KEY;
        raw[1..17].copy_from_slice(id.as_bytes());
        raw[17..21].copy_from_slice(&generation.to_be_bytes());
        raw[21..53].copy_from_slice(&secret.0);
        raw[53..].copy_from_slice(&self.tag(keys, id, generation, secret));
        let mut token = String::with_capacity(TOKEN_LEN);
        token.push_str("tn1_");
        BASE64URL_NOPAD.encode_append(&raw, &mut token);
        zeroize_bytes(&mut raw);
        SessionToken(token.into())
    }

    fn tag(&self, keys: &Keys, id: SessionId, generation: u32, secret: &Secret) -> [u8; TAG_LEN] {
        keys.tag(&[
            b"session",
            self.realm.as_str().as_bytes(),
            self.cookie.as_bytes(),
            id.as_bytes(),
            &generation.to_be_bytes(),
            &secret.0,
        ])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::clock::Timestamp;
    use crate::id::Route;
    use crate::keys::MasterKey;
    use crate::random::SystemRandom;

    fn keys() -> Keys {
        Keys::derive(&MasterKey::from_hex(&"07".repeat(32)).unwrap())
    }

    fn binding(realm: &str, cookie: &str) -> Binding {
        Binding::new(Realm::new(realm).unwrap(), cookie)
    }

    fn fresh(bound: &Binding) -> SessionToken {
        let id = SessionId::new(Timestamp::from_millis(1), Route(1), &SystemRandom);
        bound.token(&keys(), id, 1, &Secret::new(&SystemRandom))
    }

    #[test]
    fn a_token_reads_back_and_is_genuine() {
        let bound = binding("default", "__Host-sid");
        let token = fresh(&bound);
        assert_eq!(token.expose().len(), TOKEN_LEN);
        let presented = Presented::parse(token.expose().as_bytes()).unwrap();
        assert!(presented.is_genuine(&keys(), &bound));
    }

    #[test]
    fn a_token_of_another_realm_or_cookie_is_not_genuine() {
        let token = fresh(&binding("shop", "__Host-sid"));
        let presented = Presented::parse(token.expose().as_bytes()).unwrap();
        assert!(!presented.is_genuine(&keys(), &binding("admin", "__Host-sid")));
        assert!(!presented.is_genuine(&keys(), &binding("shop", "__Host-admin")));
    }

    #[test]
    fn changing_any_character_of_a_token_makes_it_worthless() {
        let bound = binding("default", "__Host-sid");
        let token = fresh(&bound);
        for at in 0..TOKEN_LEN {
            let mut changed = token.expose().as_bytes().to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let genuine = Presented::parse(&changed).is_some_and(|p| p.is_genuine(&keys(), &bound));
            assert!(!genuine, "character {at}");
        }
    }

    #[test]
    fn a_token_has_one_spelling() {
        let token = fresh(&binding("default", "__Host-sid"));
        let text = token.expose();
        let standard = text.replace('-', "+").replace('_', "/");
        let others =
            [format!("{text}="), format!(" {text}"), text[..95].into(), format!("{text}A"), standard];
        for other in others {
            assert!(Presented::parse(other.as_bytes()).is_none(), "{other}");
        }
        assert!(Presented::parse(b"").is_none());
        assert!(Presented::parse(&[0xff; TOKEN_LEN]).is_none());
    }

    #[test]
    fn asvs_7_2_3_tokens_are_unique_and_their_secret_has_256_bits() {
        let soak = std::env::var_os("TENURE_SOAK").is_some_and(|on| on == "1");
        let count = if soak { 1_000_000 } else { 100_000 };
        let secrets: HashSet<[u8; 32]> = (0..count).map(|_| Secret::new(&SystemRandom).0).collect();
        assert_eq!(secrets.len(), count);
        let bound = binding("default", "__Host-sid");
        let tokens: HashSet<String> = (0..1_000).map(|_| fresh(&bound).expose().to_owned()).collect();
        assert_eq!(tokens.len(), 1_000);
        assert_eq!(Secret::new(&SystemRandom).as_bytes().len() * 8, 256);
    }

    #[test]
    fn hashes_that_differ_in_any_bit_are_not_the_same() {
        let hash = SecretHash([0xa5; 32]);
        assert_eq!(hash, hash.clone());
        for bit in 0..256 {
            let mut other = hash;
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(hash, other, "bit {bit}");
        }
    }

    #[test]
    fn a_witness_is_that_of_one_token_for_one_purpose() {
        let (here, there) = (binding("shop", "__Host-sid").name(), binding("admin", "__Host-sid").name());
        let token = fresh(&binding("shop", "__Host-sid"));
        let mut raw = BASE64URL_NOPAD.decode(&token.expose().as_bytes()[4..]).unwrap();
        let witness = |raw: &[u8], purpose| {
            let text = format!("tn1_{}", BASE64URL_NOPAD.encode(raw));
            Presented::parse(text.as_bytes()).unwrap().witness(purpose)
        };
        let known = witness(&raw, here);
        assert!(known == witness(&raw, here));
        assert!(known != witness(&raw, there));
        for at in (0..RAW).filter(|at| !(1..17).contains(at)) {
            raw[at] ^= 1;
            assert!(known != witness(&raw, here), "byte {at}");
            raw[at] ^= 1;
        }
    }

    #[test]
    fn p12_no_secret_in_debug() {
        let token = fresh(&binding("default", "__Host-sid"));
        assert_eq!(format!("{token:?}"), "tn1_…");
        let hash = Secret::new(&SystemRandom).hash();
        assert_eq!(format!("{hash:?}"), "SecretHash(…)");
    }
}
