//! What is said beside the servers: by methods in Rust, or in the query of the URL.

use std::path::PathBuf;
use std::time::Duration;

use tenure::store::StoreError;

use crate::connect::{Settings, certificates};
use crate::link::MAX_PARTITIONS;
use crate::url::wrong;

/// What was said; the rest is as by default.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) prefix: Option<String>,
    pub(crate) partitions: Option<u16>,
    pub(crate) authority_file: Option<PathBuf>,
    pub(crate) sentinel_login: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) replicas: Option<u32>,
    pub(crate) replica_timeout: Option<Duration>,
}

impl Options {
    /// Takes the query off a URL and reads it.
    ///
    /// # Errors
    /// Configuration, without what was said: it may hold a password.
    pub(crate) fn split(url: &str) -> Result<(&str, Self), StoreError> {
        let mut options = Self::default();
        let Some((url, query)) = url.split_once('?') else { return Ok((url, options)) };
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "prefix" => options.prefix = Some(value.into()),
                "partitions" => options.partitions = Some(number(name, value, MAX_PARTITIONS.into())?),
                "sslrootcert" => options.authority_file = Some(value.replace("%2F", "/").into()),
                // As it stands in a URL, which is where it is put.
                "sentinel_login" => options.sentinel_login = Some(value.into()),
                "timeout_ms" => options.timeout = Some(milliseconds(name, value)?),
                "replicas" => options.replicas = Some(number(name, value, 1_000)?),
                "replica_timeout_ms" => options.replica_timeout = Some(milliseconds(name, value)?),
                _ => {
                    return Err(wrong(
                        "after the ? there may be prefix, partitions, replicas, replica_timeout_ms, timeout_ms, \
                         sslrootcert and sentinel_login, with & between them",
                    ));
                }
            }
        }
        Ok((url, options))
    }

    /// With what another one says where this says nothing.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            prefix: self.prefix.or(other.prefix),
            partitions: self.partitions.or(other.partitions),
            authority_file: self.authority_file.or(other.authority_file),
            sentinel_login: self.sentinel_login.or(other.sentinel_login),
            timeout: self.timeout.or(other.timeout),
            replicas: self.replicas.or(other.replicas),
            replica_timeout: self.replica_timeout.or(other.replica_timeout),
        }
    }

    /// How to connect, for a node with this bound.
    ///
    /// # Errors
    /// Configuration when there are no certificates where they are said to be.
    pub(crate) fn settings(&self, bound: Duration) -> Result<Settings, StoreError> {
        Ok(Settings {
            timeout: self.timeout.unwrap_or(Duration::from_secs(5)).max(Duration::from_millis(10)),
            replicas: self.replicas.unwrap_or(0),
            replica_timeout: self.replica_timeout.unwrap_or(Duration::from_secs(1)),
            bound,
            authority: self.authority_file.as_deref().map(certificates).transpose()?,
            sentinel_login: self.sentinel_login.clone(),
        })
    }
}

fn milliseconds(name: &str, value: &str) -> Result<Duration, StoreError> {
    number::<u32>(name, value, 600_000).map(|number| Duration::from_millis(number.into()))
}

fn number<N: TryFrom<u32>>(name: &str, value: &str, max: u32) -> Result<N, StoreError> {
    let number = value.parse::<u32>().ok().filter(|number| *number <= max);
    let number = number.and_then(|number| N::try_from(number).ok());
    number.ok_or_else(|| wrong(&format!("{name} is a number up to {max}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_say_all_that_methods_say_and_methods_come_first() {
        let url = "rediss-sentinel://u:p@a,b/shop?replicas=1&replica_timeout_ms=300&timeout_ms=700&prefix=x\
                   &partitions=64&sslrootcert=%2Fetc/ca.pem&sentinel_login=w:s%40";
        let (rest, said) = Options::split(url).unwrap();
        assert_eq!(rest, "rediss-sentinel://u:p@a,b/shop");
        assert_eq!((said.prefix.as_deref(), said.partitions), (Some("x"), Some(64)));
        assert_eq!(said.authority_file, Some("/etc/ca.pem".into()));
        assert_eq!(said.sentinel_login.as_deref(), Some("w:s%40"));
        let methods = Options { replicas: Some(2), ..Options::default() };
        let both = methods.or(Options { authority_file: None, ..said });
        let settings = both.settings(Duration::from_secs(1)).unwrap();
        assert_eq!((settings.replicas, settings.replica_timeout.as_millis()), (2, 300));
        assert_eq!(settings.timeout.as_millis(), 700);
        assert_eq!(Options::split("redis://a").unwrap().0, "redis://a");
    }

    #[test]
    fn what_is_wrong_in_a_query_is_named_without_its_value() {
        for (url, named) in [
            ("redis://a?replicas=secret", "replicas"),
            ("redis://a?replicas", "replicas"),
            ("redis://a?partitions=70000", "1024"),
            ("redis://u:pass?secret@a", "sslrootcert"),
            ("redis://a?", "sslrootcert"),
        ] {
            let Err(StoreError::Configuration(why)) = Options::split(url) else { panic!("{url}") };
            assert!(why.contains(named) && !why.contains("secret"), "{why}");
        }
    }
}
