//! What the exit status says.

use std::fmt;
use std::process::ExitCode;

use tenure::store::StoreError;

/// How a command ended. Scripts rely on the numbers: `docs/cli.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked is done.
    Done = 0,
    /// It could not be done.
    Failed = 1,
    /// The command line, the environment or the configuration has to change first.
    Usage = 2,
    /// What was looked at is not as it should be.
    Found = 3,
    /// Nobody answers at the moment; the same command may work later.
    Unavailable = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The status for a command that ended with this error.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(Self::of_cause).unwrap_or(Self::Failed)
    }

    fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Self> {
        if let Some(blamed) = cause.downcast_ref::<Blamed>() {
            return Some(blamed.exit);
        }
        let store = match cause.downcast_ref::<tenure::Error>() {
            Some(tenure::Error::Policy(_)) => return Some(Self::Usage),
            Some(tenure::Error::Clock(_)) => return Some(Self::Unavailable),
            Some(tenure::Error::Store(store)) => store,
            Some(_) => return None,
            None => cause.downcast_ref::<StoreError>()?,
        };
        match store {
            StoreError::Configuration(_) | StoreError::Blocked(_) => Some(Self::Usage),
            StoreError::Corrupt(_) => Some(Self::Found),
            StoreError::Unavailable(_) => Some(Self::Unavailable),
            _ => None,
        }
    }
}

/// An error that says who has to do something.
#[derive(Debug)]
struct Blamed {
    exit: Exit,
    error: anyhow::Error,
}

impl fmt::Display for Blamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl std::error::Error for Blamed {}

/// Gives errors another exit status than 1.
pub(crate) trait Blame<T> {
    /// The command line, the environment or the configuration has to change.
    fn blame_usage(self) -> anyhow::Result<T>;
    /// What was looked at is not as it should be.
    fn blame_found(self) -> anyhow::Result<T>;
    /// Nobody answers at the moment.
    fn blame_outage(self) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Blame<T> for Result<T, E> {
    fn blame_usage(self) -> anyhow::Result<T> {
        self.map_err(|error| Blamed { exit: Exit::Usage, error: error.into() }.into())
    }

    fn blame_found(self) -> anyhow::Result<T> {
        self.map_err(|error| Blamed { exit: Exit::Found, error: error.into() }.into())
    }

    fn blame_outage(self) -> anyhow::Result<T> {
        self.map_err(|error| Blamed { exit: Exit::Unavailable, error: error.into() }.into())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn blame_is_found_below_what_was_said_later_and_everything_is_told_once() {
        let wrong: anyhow::Result<()> = Err(anyhow::anyhow!("cause")).context("what");
        let error = wrong.blame_usage().context("where").unwrap_err();
        assert_eq!(Exit::of(&error), Exit::Usage);
        assert_eq!(format!("{error:#}"), "where: what: cause");
        assert_eq!(Exit::of(&anyhow::anyhow!("else")), Exit::Failed);
    }

    #[test]
    fn a_store_says_by_itself_who_has_to_act() {
        let of = |error: StoreError| {
            let directly = Exit::of(&anyhow::Error::from(error.clone()));
            assert_eq!(directly, Exit::of(&anyhow::Error::from(tenure::Error::from(error))));
            directly
        };
        assert_eq!(of(StoreError::Unavailable("x".into())), Exit::Unavailable);
        assert_eq!(of(StoreError::Configuration("x".into())), Exit::Usage);
        assert_eq!(of(StoreError::Corrupt("x".into())), Exit::Found);
    }
}
