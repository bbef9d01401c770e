//! The committed documents are those of the code.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::api;
use serde_json::Value;
use tenure_server::ERROR_CODES;

/// Compares a document with the committed one; with `TENURE_BLESS` set, commits it instead.
#[track_caller]
fn committed(name: &str, text: &str) {
    let path = root().join("docs").join(name);
    if std::env::var_os("TENURE_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "docs/{name} is not what the code says: run this test with TENURE_BLESS=1");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn docs_openapi_json_is_what_the_server_serves() {
    committed("openapi.json", &tenure_server::openapi_document());
}

#[test]
fn docs_errors_md_explains_what_the_server_answers() {
    committed("errors.md", &tenure_server::errors_page());
}

#[test]
fn every_code_of_the_core_has_its_section_and_status() {
    let known: BTreeSet<&str> = ERROR_CODES.iter().map(|code| code.name).collect();
    assert_eq!(known.len(), ERROR_CODES.len(), "a code is there twice");
    let page = std::fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let of_core = codes_in(&root().join("crates/tenure/src"));
    assert!(of_core.len() > 25, "{of_core:?}");
    for code in of_core.iter().map(String::as_str).chain(known.iter().copied()) {
        assert!(known.contains(code), "{code} is not in codes.rs");
        assert!(page.contains(&format!("\n## {code}\n")), "{code} has no section in docs/errors.md");
    }
}

/// The codes that the core's source names: what `code()` gives and what `Invalid` carries.
fn codes_in(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(codes_in(&path));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let arms = path.ends_with("src/error.rs");
        for line in text.lines() {
            let after = line.split("code: \"").nth(1).or_else(|| line.split("=> \"").nth(1).filter(|_| arms));
            let word = after.and_then(|rest| rest.split('"').next()).unwrap_or_default();
            if !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                found.insert(word.into());
            }
        }
    }
    found
}

#[test]
fn the_core_and_the_table_agree_about_statuses() {
    use tenure::Refusal;
    use tenure::store::StoreError;
    use tenure::{Error, Reason};
    let refusals = [
        Refusal::Missing,
        Refusal::Superseded,
        Refusal::WrongState,
        Refusal::RolesChanged,
        Refusal::Conflict { key: "k".into(), version: 1 },
        Refusal::VersionMismatch { version: 1 },
        Refusal::TooManyKeys,
        Refusal::KeyTooLong,
        Refusal::TooMuchData,
        Refusal::TooSoon { wait_ms: 1 },
        Refusal::SessionLimit { allowed: 1 },
        Refusal::PendingLimit { allowed: 1 },
        Refusal::GuestLimit { allowed: 1 },
        Refusal::UserDisabled,
        Refusal::SignedOut,
    ];
    let stores = [
        StoreError::Unavailable("x".into()),
        StoreError::Unknown("x".into()),
        StoreError::Full("x".into()),
        StoreError::Corrupt("x".into()),
        StoreError::Blocked("x".into()),
        StoreError::Configuration("x".into()),
    ];
    let errors = refusals.map(Error::Refused).into_iter().chain(stores.map(Error::Store)).chain([
        Error::Inactive(Reason::NotAccepted),
        Error::Inactive(Reason::NoToken),
        Error::Inactive(Reason::Malformed),
        Error::Inactive(Reason::Unknown),
        Error::Inactive(Reason::Superseded),
        Error::Inactive(tenure::EndReason::Logout.into()),
        Error::StepUp(Reason::StaleAuthentication),
        Error::Forbidden(Reason::MissingRole),
        Error::AnotherUser,
        Error::Throttled { retry_after: std::time::Duration::from_secs(1) },
        Error::Data { key: "k".into(), detail: "x".into() },
        Error::Contended { key: "k".into(), tries: 1 },
        Error::OtherRealm,
        Error::Bug("x"),
    ]);
    for error in errors {
        let code = ERROR_CODES.iter().find(|code| code.name == error.code());
        assert_eq!(code.map(|code| code.status), Some(error.status()), "{}", error.code());
        let problem = tenure_server::Problem::from(error.clone());
        assert_eq!((problem.code(), problem.status().as_u16()), (error.code(), error.status()));
    }
}

#[tokio::test]
async fn the_openapi_document_describes_the_session_as_it_is() {
    let api = api().await;
    let document = api.get("/openapi.json").await.json();
    assert_eq!(api.get("/openapi.json").await.header("content-type"), "application/json");
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let described = |name: &str| -> BTreeSet<String> {
        let properties = document["components"]["schemas"][name]["properties"].as_object();
        properties.unwrap_or_else(|| panic!("no {name}")).keys().cloned().collect()
    };
    let (id, _) = api.signed_in("u_1").await;
    api.delete(&format!("/v1/sessions/{id}")).await.expect(204);
    let session = api.get(&format!("/v1/sessions/{id}")).await.json();
    let keys = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&session), described("Session"));
    assert_eq!(keys(&session["device"]), described("Device"));
    assert_eq!(keys(&session["ended"]), described("Ended"));
    assert_eq!(keys(&session["methods"][0]), described("MethodUse"));
}

#[tokio::test]
async fn the_openapi_document_lists_every_route_and_its_methods() {
    let api = api().await;
    let document = api.get("/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap();
    let routes: Vec<(&str, Vec<&str>)> = paths
        .iter()
        .map(|(path, methods)| {
            (path.as_str(), methods.as_object().unwrap().keys().map(String::as_str).collect())
        })
        .collect();
    assert_eq!(
        routes,
        [
            ("/healthz", vec!["get"]),
            ("/metrics", vec!["get"]),
            ("/readyz", vec!["get"]),
            ("/v1/sessions", vec!["get", "post"]),
            ("/v1/sessions/end", vec!["post"]),
            ("/v1/sessions/rotate", vec!["post"]),
            ("/v1/sessions/sign-in", vec!["post"]),
            ("/v1/sessions/verify", vec!["post"]),
            ("/v1/sessions/{id}", vec!["delete", "get", "patch"]),
            ("/v1/store/copy", vec!["get", "post"]),
            ("/v1/users/{user}/sessions", vec!["delete", "get"]),
        ]
    );
    let mut names = BTreeSet::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
            let needs_key = operation.get("security").is_none();
            assert_eq!(needs_key, path.starts_with("/v1/"), "{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
        }
    }
}
