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

/// The settings of an address without which it is another store, or is kept in another way.
const SETTINGS: [&str; 7] =
    ["schema", "prefix", "partitions", "replicas", "sslmode", "sslrootcert", "master"];

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

impl StoreUrl {
    /// Whether several nodes may share it.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_) | Self::Redis(_))
    }
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
    /// As operators may see it, and serve it if they add what signs in there: without names, passwords and
    /// what is not known to be neither.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(dir) => write!(f, "embedded:{}", dir.display()),
            Self::Memory => f.write_str("memory:"),
            Self::Postgres(Address(url)) | Self::Redis(Address(url)) => f.write_str(&told(url)),
        }
    }
}

fn told(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or((url.split(':').next().unwrap_or_default(), ""));
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    if rest[end..].contains('@') {
        // A password holds what begins settings elsewhere, or the other way about: nobody can tell.
        return format!("{scheme}://…");
    }
    let (place, settings) = (rest[..end].rsplit('@').next().unwrap_or_default(), &rest[end..]);
    let harmless = |setting: &&str| setting.split('=').next().is_some_and(|name| SETTINGS.contains(&name));
    let settings: Vec<&str> = settings.split(['?', '&', '#']).filter(harmless).collect();
    let begin = if settings.is_empty() { "" } else { "?" };
    format!("{scheme}://{place}{begin}{}", settings.join("&"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_an_address_holds_no_password_and_leads_to_the_same_store() {
        for (url, told) in [
            ("postgres://tenure@db/shop", "postgres://db/shop"),
            ("postgres://u:secret@db:5433/a?schema=b&password=secret", "postgres://db:5433/a?schema=b"),
            ("postgres://u:p@sec/ret@db/shop?user=ann&sslmode=require", "postgres://db/shop?sslmode=require"),
            ("rediss://:secret@a:1,b:2/3?prefix=x&replicas=1", "rediss://a:1,b:2/3?prefix=x&replicas=1"),
            ("postgres://u:sec#ret@db:5433/shop?schema=two", "postgres://…"),
            ("postgres://u:sec?ret@db/shop", "postgres://…"),
            ("redis://a?password=x@y&prefix=z", "redis://…"),
            ("postgres:host=db password=secret", "postgres://"),
        ] {
            assert_eq!(url.parse::<StoreUrl>().unwrap().to_string(), told);
        }
    }
}
