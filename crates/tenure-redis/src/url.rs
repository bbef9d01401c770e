//! Which servers a URL names.

use std::net::IpAddr;

use redis::{ConnectionInfo, IntoConnectionInfo};
use tenure::store::StoreError;

/// Which servers, and how one gets in.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    tls: bool,
    /// `user:password`, as in the URL.
    login: Option<String>,
    database: u32,
}

/// How the servers belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One server.
    Alone(Address),
    /// One primary, which sentinels know.
    Sentinel { sentinels: Vec<Address>, service: String },
    /// Several primaries, each with a part of the hash slots.
    Cluster { seeds: Vec<Address> },
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// Configuration, without the URL: it may hold a password.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = match hosts.rsplit_once('@') {
            Some((login, hosts)) => (Some(login.to_owned()), hosts),
            None => (None, hosts),
        };
        let tls = scheme.starts_with("rediss");
        let addresses =
            |port| hosts.split(',').map(|host| address(host, port)).collect::<Result<Vec<_>, _>>();
        let (kind, database) = match scheme {
            "redis" | "rediss" => {
                let [one] = <[Address; 1]>::try_from(addresses(6379)?)
                    .map_err(|_| wrong("several servers are redis-cluster:// or redis-sentinel://"))?;
                (Kind::Alone(one), path)
            }
            "redis-sentinel" | "rediss-sentinel" => {
                let (service, database) = path.split_once('/').unwrap_or((path, ""));
                if service.is_empty() {
                    return Err(wrong(
                        "the name of the service is missing: redis-sentinel://h1,h2,h3/service",
                    ));
                }
                (Kind::Sentinel { sentinels: addresses(26379)?, service: service.to_owned() }, database)
            }
            "redis-cluster" | "rediss-cluster" => (Kind::Cluster { seeds: addresses(6379)? }, path),
            _ => {
                return Err(wrong(
                    "its scheme is none of redis, redis-sentinel, redis-cluster (with TLS: rediss…)",
                ));
            }
        };
        let database = match database {
            "" => 0,
            digits => {
                digits.parse().map_err(|_| wrong("the part after the last / is no number of a database"))?
            }
        };
        if matches!(kind, Kind::Cluster { .. }) && database != 0 {
            return Err(wrong("a cluster has only database 0"));
        }
        Ok(Self { kind, tls, login, database })
    }

    /// What tells a store there from all others but for its prefix, without what signs in.
    pub(crate) fn place(&self) -> String {
        format!("redis {:?} {}", self.kind, self.database)
    }

    /// How to connect to one of the servers.
    ///
    /// # Errors
    /// Configuration.
    pub(crate) fn server(&self, address: &Address) -> Result<ConnectionInfo, StoreError> {
        self.info(address, self.login.as_deref(), self.database)
    }

    /// How to connect to a sentinel, which has users of its own.
    ///
    /// # Errors
    /// Configuration.
    pub(crate) fn sentinel(
        &self,
        address: &Address,
        login: Option<&str>,
    ) -> Result<ConnectionInfo, StoreError> {
        self.info(address, login, 0)
    }

    fn info(
        &self,
        address: &Address,
        login: Option<&str>,
        database: u32,
    ) -> Result<ConnectionInfo, StoreError> {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let host =
            if address.host.contains(':') { format!("[{}]", address.host) } else { address.host.clone() };
        let login = login.map(|login| format!("{login}@")).unwrap_or_default();
        let url = format!("{scheme}://{login}{host}:{}/{database}", address.port);
        url.into_connection_info().map_err(|_| wrong("a server or the login in it cannot be read"))
    }

    pub(crate) fn has_tls(&self) -> bool {
        self.tls
    }

    /// Whether a password goes over a network that others may listen to.
    pub(crate) fn tells_its_password(&self) -> bool {
        let hosts = match &self.kind {
            Kind::Alone(address) => std::slice::from_ref(address),
            Kind::Sentinel { sentinels, .. } => sentinels,
            Kind::Cluster { seeds } => seeds,
        };
        let is_here = |one: &Address| {
            one.host == "localhost" || one.host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback())
        };
        !self.tls && self.login.is_some() && !hosts.iter().all(is_here)
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.kind, Kind::Cluster { .. })
    }
}

/// A host with a port, or with the usual one.
///
/// # Errors
/// Configuration.
fn address(text: &str, port: u16) -> Result<Address, StoreError> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, digits)) if !text.ends_with(']') => {
            (host, digits.parse().map_err(|_| wrong("a port is no number"))?)
        }
        _ => (text, port),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(wrong("a host is missing"));
    }
    Ok(Address { host: host.to_owned(), port })
}

pub(crate) fn wrong(why: &str) -> StoreError {
    StoreError::Configuration(format!("the URL of Redis cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.into(), port }
    }

    #[test]
    fn urls_name_one_server_sentinels_or_a_cluster() {
        let kind = |url| Target::parse(url).unwrap().kind;
        assert_eq!(kind("redis://example.org"), Kind::Alone(at("example.org", 6379)));
        assert_eq!(kind("rediss://ada:x%40@[::1]:7000/3"), Kind::Alone(at("::1", 7000)));
        assert_eq!(
            kind("redis-sentinel://a,b:1/shop"),
            Kind::Sentinel { sentinels: vec![at("a", 26379), at("b", 1)], service: "shop".into() }
        );
        assert_eq!(kind("redis-cluster://a:1,b:2"), Kind::Cluster { seeds: vec![at("a", 1), at("b", 2)] });
    }

    #[test]
    fn a_password_that_others_may_listen_to_is_noticed() {
        for (url, told) in [
            ("redis://ada:secret@example.org", true),
            ("redis-sentinel://ada:secret@localhost,example.org/shop", true),
            ("redis-cluster://:secret@10.0.0.1,10.0.0.2", true),
            ("rediss://ada:secret@example.org", false),
            ("redis://example.org", false),
            ("redis://ada:secret@localhost", false),
            ("redis://ada:secret@[::1]:7000", false),
        ] {
            assert_eq!(Target::parse(url).unwrap().tells_its_password(), told, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_its_password() {
        for url in [
            "ada:secret@host",
            "http://ada:secret@host",
            "redis://ada:secret@host:port",
            "redis://ada:secret@a,b",
            "redis-sentinel://ada:secret@a,b",
            "redis-cluster://ada:secret@a/1",
            "redis://ada:secret@/0",
        ] {
            let Err(StoreError::Configuration(text)) = Target::parse(url) else { panic!("{url}") };
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
