//! Which server to connect to, and how.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tenure::store::StoreError;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What a URL says.
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) schema: Option<String>,
    ca_file: Option<PathBuf>,
}

impl Server {
    /// Reads a URL. Where it says nothing of TLS, only a server on this machine is spoken to without.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let (url, ours) = split(url);
        // What the library says of a URL that it cannot read does not quote it.
        let config = url.parse::<Config>();
        let mut config = config.map_err(|e| {
            StoreError::Configuration(format!("the URL of PostgreSQL: {}", crate::error::describe(&e)))
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(StoreError::Configuration(
                "the URL of PostgreSQL names no host: postgres://user@host/database".into(),
            ));
        }
        let mode = match ours.ssl_mode {
            None if is_local(&config) => SslMode::Disable,
            None => SslMode::Require,
            Some(mode) => match mode.as_str() {
                "disable" => SslMode::Disable,
                "prefer" => SslMode::Prefer,
                "require" | "verify-ca" | "verify-full" => SslMode::Require,
                _ => {
                    return Err(StoreError::Configuration(
                        "sslmode in the URL of PostgreSQL is disable, prefer, require or verify-full".into(),
                    ));
                }
            },
        };
        config.ssl_mode(mode).target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.connect_timeout(*config.get_connect_timeout().unwrap_or(&Duration::from_secs(4)));
        config.tcp_user_timeout(*config.get_tcp_user_timeout().unwrap_or(&Duration::from_secs(5)));
        config.keepalives(true).keepalives_idle(Duration::from_secs(5));
        config.keepalives_interval(Duration::from_secs(2)).keepalives_retries(3);
        if config.get_application_name().is_none() {
            config.application_name("tenure");
        }
        Ok(Self { config, schema: ours.schema, ca_file: ours.ca_file.map(PathBuf::from) })
    }

    /// Whether password and sessions may go over a network that others may listen to, as the URL says.
    pub(crate) fn may_go_without_tls(&self) -> bool {
        self.config.get_ssl_mode() != SslMode::Require && !is_local(&self.config)
    }

    /// What tells a store there from all others, without what signs in.
    pub(crate) fn place(&self, schema: &str) -> String {
        let config = &self.config;
        let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
        let database = config.get_dbname().or(config.get_user());
        format!("postgres {hosts:?} {addresses:?} {ports:?} {database:?} {schema}")
    }

    /// How TLS is spoken with it: certificates are verified, with the host's name, by those of the
    /// file or of the system.
    pub(crate) fn tls(&self) -> Result<MakeRustlsConnect, StoreError> {
        let mut roots = RootCertStore::empty();
        if self.config.get_ssl_mode() != SslMode::Disable {
            match &self.ca_file {
                Some(path) => {
                    let failed = |why: String| {
                        StoreError::Configuration(format!("sslrootcert {}: {why}", path.display()))
                    };
                    let found = CertificateDer::pem_file_iter(path).map_err(|e| failed(e.to_string()))?;
                    for certificate in found {
                        let certificate = certificate.map_err(|e| failed(e.to_string()))?;
                        roots.add(certificate).map_err(|e| failed(e.to_string()))?;
                    }
                }
                None => {
                    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                }
            }
        }
        let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| StoreError::Configuration(format!("TLS: {e}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(client))
    }
}

/// What of a URL is ours, or is read in another way than the library does.
#[derive(Default)]
struct Ours {
    schema: Option<String>,
    ca_file: Option<String>,
    ssl_mode: Option<String>,
}

fn split(url: &str) -> (String, Ours) {
    let mut ours = Ours::default();
    let Some((before, query)) = url.split_once('?') else { return (url.to_owned(), ours) };
    let mut theirs = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("schema", value)) => ours.schema = Some(value.to_owned()),
            Some(("sslrootcert", value)) => ours.ca_file = Some(value.replace("%2F", "/")),
            Some(("sslmode", value)) => ours.ssl_mode = Some(value.to_owned()),
            _ => theirs.push(pair),
        }
    }
    if theirs.is_empty() {
        return (before.to_owned(), ours);
    }
    (format!("{before}?{}", theirs.join("&")), ours)
}

fn is_local(config: &Config) -> bool {
    let local = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    let addresses = config.get_hostaddrs();
    if addresses.is_empty() {
        config.get_hosts().iter().all(local)
    } else {
        addresses.iter().all(IpAddr::is_loopback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        Server::parse(url).unwrap().config.get_ssl_mode()
    }

    #[test]
    fn only_a_server_on_this_machine_is_spoken_to_without_tls() {
        assert_eq!(mode("postgres://tenure@127.0.0.1/shop"), SslMode::Disable);
        assert_eq!(mode("postgres://tenure@%2Frun%2Fpostgresql/shop"), SslMode::Disable);
        assert_eq!(mode("postgres://tenure@db.example/shop"), SslMode::Require);
        assert_eq!(mode("postgres://tenure@localhost,db.example/shop"), SslMode::Require);
        assert_eq!(mode("postgres://tenure@localhost/shop?sslmode=verify-full"), SslMode::Require);
        assert_eq!(mode("postgres://tenure@db.example/shop?sslmode=disable"), SslMode::Disable);
        let without = |url| Server::parse(url).unwrap().may_go_without_tls();
        assert!(without("postgres://tenure@db.example/shop?sslmode=disable"));
        assert!(without("postgres://tenure@db.example/shop?sslmode=prefer"));
        assert!(!without("postgres://tenure@db.example/shop?sslmode=require"));
        assert!(!without("postgres://tenure@127.0.0.1/shop?sslmode=prefer"));
    }

    #[test]
    fn what_is_ours_in_a_url_is_taken_out_of_it() {
        let server =
            Server::parse("postgres://a@localhost/b?schema=mine&application_name=shop&sslrootcert=/x.pem");
        let server = server.unwrap();
        assert_eq!((server.schema.as_deref(), server.ca_file), (Some("mine"), Some("/x.pem".into())));
        assert_eq!(server.config.get_application_name(), Some("shop"));
    }

    #[test]
    fn a_url_that_cannot_be_read_is_not_told() {
        for url in
            ["postgres://u:secret@host/db?nonsense=secret", "postgres://u:secret@h:secret/db", "secret"]
        {
            let Err(error) = Server::parse(url) else { panic!("{url} is read") };
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
