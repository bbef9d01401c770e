//! The store keeps the promises that every store makes.

use tenure::store::conformance::Fixture;
use tenure_embedded::Embedded;

async fn empty() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    Fixture::open(move || Embedded::at(folder.path().join("store")).config_dir(folder.path().join("config")))
        .await
}

tenure::store_conformance!(empty);
