//! TLS, with an authority of one's own.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tenure::store::StoreError;
use tenure::{Check, SignIn};
use tenure_servers::Redis as Server;

use support::{engine, open, store_at, user};

/// An authority and what it has signed, in a folder.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("authority.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    /// The file that says whom to trust.
    fn file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// A server whose certificate is for this name.
    fn server(&self, name: &str) -> (Server, u16) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let write = |file: &str, text: String| -> PathBuf {
            let path = self.folder.path().join(file);
            fs::write(&path, text).unwrap();
            path
        };
        let (certificate, key) =
            (write("server.pem", certificate.pem()), write("server.key", key.serialize_pem()));
        Server::start_with_tls(&certificate, &key)
    }
}

async fn refused(port: u16, authority: Option<&Path>) -> String {
    let engine = engine(&format!("rediss://localhost:{port}"), "t");
    let engine = match authority {
        Some(file) => engine.authority_file(file),
        None => engine,
    };
    match store_at(engine).await.err() {
        Some(StoreError::Configuration(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_certificate_is_from_our_authority_is_spoken_to() {
    let authority = Authority::new();
    for name in ["localhost", "127.0.0.1"] {
        let (server, port) = authority.server(name);
        let engine = engine(&format!("rediss://{name}:{port}"), "t").authority_file(authority.file());
        let sessions = open(engine).await;
        let token = sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap().token;
        let verdict = sessions.check(token.expose().as_bytes(), &Check::signed_in()).await.unwrap();
        assert_eq!(verdict.as_str(), "ok");
        // Waiting for news, which is another connection.
        sessions.store().woken().await;
        assert_ne!(server.cli("DBSIZE"), "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_or_for_another_name_is_refused_and_it_is_said_why() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (server, port) = authority.server("localhost");
    for trusted in [Some(other.file()), None] {
        let why = refused(port, trusted.as_deref()).await;
        assert!(why.contains("certificate") && why.contains("authority"), "{why}");
    }
    let (elsewhere, port) = authority.server("redis.example");
    let why = refused(port, Some(&authority.file())).await;
    assert!(why.contains("certificate") && why.contains("localhost"), "{why}");
    for server in [server, elsewhere] {
        assert_eq!(server.cli("DBSIZE"), "0", "nothing was sent there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_certificates_is_refused_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    fs::write(&file, "no certificate").unwrap();
    let why = refused(1, Some(&file)).await;
    assert!(why.contains("authority.pem"), "{why}");
    let why = refused(1, Some(&folder.path().join("missing.pem"))).await;
    assert!(why.contains("missing.pem"), "{why}");
}
