//! Naming a store, and what its operator decides about it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde::Deserialize;

/// How addresses of Redis begin.
const REDIS: [&str; 6] =
    ["redis", "rediss", "redis-sentinel", "rediss-sentinel", "redis-cluster", "rediss-cluster"];

/// Where sessions are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreUrl {
    /// In a folder of this machine.
    Embedded(PathBuf),
    /// In memory, until the process ends.
    Memory,
    /// In a PostgreSQL database, which several nodes may share.
    Postgres(Address),
    /// In Redis or Valkey, which several nodes may share.
    Redis(Address),
}

/// An address that may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address(String);

impl Address {
    /// The address as it was given.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

impl fmt::Display for StoreUrl {
    /// As operators may see it: without name, password and settings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(dir) => write!(f, "embedded:{}", dir.display()),
            Self::Memory => f.write_str("memory:"),
            Self::Postgres(Address(url)) | Self::Redis(Address(url)) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
                let rest = rest.split(['?', '#']).next().unwrap_or_default();
                write!(f, "{scheme}://{}", rest.rsplit('@').next().unwrap_or_default())
            }
        }
    }
}

impl FromStr for StoreUrl {
    type Err = anyhow::Error;

    /// The address is not quoted in errors: it may hold a password.
    fn from_str(url: &str) -> Result<Self> {
        match url.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("embedded", dir)) if !dir.is_empty() => Ok(Self::Embedded(dir.into())),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(Address(url.to_owned()))),
            Some((scheme, _)) if REDIS.contains(&scheme) => Ok(Self::Redis(Address(url.to_owned()))),
            _ => bail!(
                "--store: say embedded:DIR, postgres://…, redis://…, redis-sentinel://…, redis-cluster://… (with \
                 TLS: rediss://…, rediss-sentinel://…, rediss-cluster://…) or memory:"
            ),
        }
    }
}

/// What to do with a store that is older than it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AfterRestore {
    /// Do not serve, and say so
    #[default]
    Refuse,
    /// End all sessions that are alive in it, then serve
    EndAllSessions,
    /// Take it as it is: sessions that ended since are alive again
    Accept,
}

/// What to do when the clock is far ahead of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AfterClockGap {
    /// Do not serve, and say so
    #[default]
    Refuse,
    /// The clock is right, the store was merely not in use
    Accept,
}

impl From<AfterRestore> for tenure_embedded::AfterRestore {
    fn from(decision: AfterRestore) -> Self {
        match decision {
            AfterRestore::Refuse => Self::Refuse,
            AfterRestore::EndAllSessions => Self::EndAllSessions,
            AfterRestore::Accept => Self::Accept,
        }
    }
}

impl From<AfterClockGap> for tenure_embedded::AfterClockGap {
    fn from(decision: AfterClockGap) -> Self {
        match decision {
            AfterClockGap::Refuse => Self::Refuse,
            AfterClockGap::Accept => Self::Accept,
        }
    }
}
