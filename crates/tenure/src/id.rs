//! Names for sessions, users, realms and operations.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::clock::Timestamp;
use crate::random::{self, Random};

/// The public name of a session: may be logged, listed and put into an address. It is no
/// credential.
///
/// Sixteen bytes: creation time (48 bit, ms) ‖ route (16 bit) ‖ random (64 bit), shown as
/// `ses_` and 32 hexadecimal digits. Ids sort by time.
///
/// # Example: an id from a log line
/// ```
/// use tenure::{InvalidSessionId, Route, SessionId};
///
/// let id: SessionId = "ses_019b76daa800800000112233445566ff".parse()?;
/// assert_eq!(id.made_at().to_string(), "2026-01-01T00:00:00.000Z");
/// assert_eq!(id, SessionId::from_bytes(*id.as_bytes()));
///
/// // All that concerns its user lies in this one of the store's 16 partitions.
/// assert_eq!((id.route(), id.route().partition(16)), (Route(0x8000), 8));
/// assert_eq!("ses_1".parse::<SessionId>(), Err(InvalidSessionId));
/// # Ok::<(), InvalidSessionId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    pub(crate) fn new(at: Timestamp, route: Route, random: &dyn Random) -> Self {
        Self::of_parts(at, route, random::bytes(random))
    }

    /// The id with these parts, for one that comes from something else than chance.
    pub(crate) fn of_parts(at: Timestamp, route: Route, rest: [u8; 8]) -> Self {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&at.as_millis().to_be_bytes()[2..]);
        id[6..8].copy_from_slice(&route.0.to_be_bytes());
        id[8..].copy_from_slice(&rest);
        Self(id)
    }

    /// The id with these bytes, as a store keeps it.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// When the server made the id.
    pub fn made_at(&self) -> Timestamp {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&self.0[..6]);
        Timestamp::from_millis(u64::from_be_bytes(millis))
    }

    /// Where the session lives.
    pub fn route(&self) -> Route {
        Route(u16::from_be_bytes([self.0[6], self.0[7]]))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ses_{}", HEXLOWER.encode_display(&self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a [session id](SessionId): `ses_` and 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a session id: `ses_` and 32 lower-case hexadecimal digits")]
pub struct InvalidSessionId;

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        let digits = text.strip_prefix("ses_").ok_or(InvalidSessionId)?;
        fixed(digits).map(Self).ok_or(InvalidSessionId)
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { to.serialize_bytes(&self.0) }
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            String::deserialize(from)?.parse().map_err(D::Error::custom)
        } else {
            from.deserialize_bytes(FixedBytes).map(Self)
        }
    }
}

/// Sixteen bits of a [`SessionId`] that decide the partition of a session: a keyed hash of realm and user, so
/// that everything about one user lives together; random for a guest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Route(pub u16);

impl Route {
    pub(crate) fn random(random: &dyn Random) -> Self {
        Self(u16::from_be_bytes(random::bytes(random)))
    }

    /// The partition among `count` of them: `route · count / 65536`.
    pub fn partition(self, count: u16) -> u16 {
        u16::try_from((u32::from(self.0) * u32::from(count)) >> 16).unwrap_or(0)
    }
}

/// Names one attempt to change something, so that a retry changes it once.
///
/// # Example: a name that another process can repeat
/// ```
/// use tenure::OperationId;
/// use tenure::random::SystemRandom;
///
/// let operation = OperationId::random(&SystemRandom);
/// let kept: [u8; 16] = *operation.as_bytes();
/// assert_eq!(OperationId::from_bytes(kept), operation);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OperationId([u8; 16]);

impl OperationId {
    /// A fresh name.
    pub fn random(random: &dyn Random) -> Self {
        Self(random::bytes(random))
    }

    /// The operation with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The half of it that a record remembers.
    pub(crate) fn short(&self) -> u64 {
        let mut half = [0; 8];
        half.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(half)
    }
}

impl fmt::Debug for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "op_{:016x}", self.short())
    }
}

/// The text names no [user](UserId), realm, role or method: it is empty, too long or holds what does
/// not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {what} has 1 to {limit} {unit}")]
pub struct InvalidName {
    pub(crate) what: &'static str,
    pub(crate) limit: usize,
    pub(crate) unit: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $limit:literal, $unit:literal, $valid:expr, personal: $personal:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Takes `text` if it fits.
            ///
            /// # Errors
            /// [`InvalidName`] says what fits.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidName> {
                let text = text.as_ref();
                let valid: fn(&str) -> bool = $valid;
                if text.is_empty() || text.len() > $limit || !valid(text) {
                    return Err(InvalidName { what: $what, limit: $limit, unit: $unit });
                }
                Ok(Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let shown = if $personal { "…" } else { &*self.0 };
                write!(f, "{}({shown})", stringify!($name))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(from)?).map_err(D::Error::custom)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidName;

            fn try_from(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }
    };
}

fn printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

fn plain(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b))
}

name!(
    /// Whom a session belongs to: the application's own opaque id, not an e-mail address.
    /// 1 to 256 bytes without control characters. `Debug` does not show it.
    ///
    /// # Example: the key of a row
    /// ```
    /// use tenure::{InvalidName, UserId};
    ///
    /// let user = UserId::new(format!("u_{}", 1077))?;
    /// assert_eq!((user.as_str(), format!("{user:?}").as_str()), ("u_1077", "UserId(…)"));
    /// let error: InvalidName = UserId::new("").unwrap_err();
    /// assert_eq!(error.to_string(), "a user id has 1 to 256 bytes without control characters");
    /// # Ok::<(), InvalidName>(())
    /// ```
    UserId, "user id", 256, "bytes without control characters", printable, personal: true
);
name!(
    /// One application or tenant. Nothing crosses realms. 1 to 64 of `A-Z a-z 0-9 . _ : -`.
    ///
    /// # Example: one for each tenant
    /// ```
    /// use tenure::Realm;
    ///
    /// let realm = Realm::new("tenant:acme")?;
    /// assert_eq!(realm.as_str(), "tenant:acme");
    /// assert_eq!(Realm::default().as_str(), "default");
    /// # Ok::<(), tenure::InvalidName>(())
    /// ```
    Realm, "realm", 64, "characters of A-Z a-z 0-9 . _ : -", plain, personal: false
);
name!(
    /// What a user may do, in the application's words. 1 to 64 of `A-Z a-z 0-9 . _ : -`.
    ///
    /// # Example: from a column of names
    /// ```
    /// use tenure::{InvalidName, Role};
    ///
    /// let roles = "editor,reviewer".split(',').map(Role::new).collect::<Result<Vec<_>, InvalidName>>()?;
    /// assert_eq!(roles[1].as_str(), "reviewer");
    /// # Ok::<(), InvalidName>(())
    /// ```
    Role, "role", 64, "characters of A-Z a-z 0-9 . _ : -", plain, personal: false
);

impl Default for Realm {
    fn default() -> Self {
        Self("default".into())
    }
}

fn fixed<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (digits.len() == 2 * N).then_some(())?;
    HEXLOWER.decode_mut(digits.as_bytes(), &mut bytes).ok()?;
    Some(bytes)
}

struct FixedBytes;

impl serde::de::Visitor<'_> for FixedBytes {
    type Value = [u8; 16];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("16 bytes")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<[u8; 16], E> {
        bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn an_id_sorts_by_time_and_reads_back() {
        let early = SessionId::new(Timestamp::from_millis(1_000), Route(9), &SystemRandom);
        let late = SessionId::new(Timestamp::from_millis(1_001), Route(1), &SystemRandom);
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(early.route(), Route(9));
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = SessionId::new(Timestamp::from_millis(1), Route(0xabcd), &SystemRandom).to_string();
        for other in [id.to_uppercase(), format!("{id}0"), id.replace("ses_", ""), "ses_".into()] {
            assert_eq!(other.parse::<SessionId>(), Err(InvalidSessionId), "{other}");
        }
    }

    #[test]
    fn names_have_limits() {
        assert!(UserId::new("a".repeat(256)).is_ok());
        for bad in ["", "a\nb", &"a".repeat(257)] {
            assert!(UserId::new(bad).is_err(), "{bad:?}");
        }
        assert!(Role::new("admin:eu-1").is_ok());
        assert!(Role::new("admin,root").is_err());
    }

    #[test]
    fn routes_spread_over_all_partitions() {
        assert_eq!(Route(0).partition(1024), 0);
        assert_eq!(Route(u16::MAX).partition(1024), 1023);
        assert_eq!(Route(u16::MAX).partition(1), 0);
    }
}
