//! How strongly a user proved who they are.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How strongly a user proved who they are, as in NIST SP 800-63B. Levels compare: a session of
/// level two meets a requirement of level one.
///
/// In JSON and in a store it is its number. A guest has none.
///
/// # Example: levels compare
/// ```
/// use tenure::{InvalidLevel, Level};
///
/// assert!(Level::Two > Level::One);
/// assert_eq!(Level::try_from(3), Ok(Level::Three));
/// assert_eq!(Level::try_from(4), Err(InvalidLevel(4)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Level {
    /// One factor: a password.
    One = 1,
    /// Two different factors, or a passkey.
    Two = 2,
    /// Two factors, one of them a key that can neither be copied nor phished. The application's
    /// to claim.
    Three = 3,
}

/// The number names no assurance [`Level`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an assurance level is 1 to 3, not {0}")]
pub struct InvalidLevel(
    /// The number.
    pub u8,
);

impl TryFrom<u8> for Level {
    type Error = InvalidLevel;

    fn try_from(number: u8) -> Result<Self, InvalidLevel> {
        match number {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            3 => Ok(Self::Three),
            other => Err(InvalidLevel(other)),
        }
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> Self {
        level as Self
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        u8::from(*self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_its_number_and_no_other_number_is_one() {
        for (number, level) in [(1, Level::One), (2, Level::Two), (3, Level::Three)] {
            assert_eq!(Level::try_from(number), Ok(level));
            assert_eq!((u8::from(level), level.to_string()), (number, number.to_string()));
            assert_eq!(serde_json::to_value(level).unwrap(), number);
            assert_eq!(rmp_serde::to_vec(&level).unwrap(), [number], "as stores hold it");
            assert_eq!(rmp_serde::from_slice::<Level>(&[number]).unwrap(), level);
        }
        for number in [0, 4, u8::MAX] {
            assert_eq!(Level::try_from(number), Err(InvalidLevel(number)));
            assert!(serde_json::from_value::<Level>(number.into()).is_err());
        }
        assert!(Level::One < Level::Two && Level::Two < Level::Three);
    }
}
