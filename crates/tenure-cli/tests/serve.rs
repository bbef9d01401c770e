//! Starting, stopping, and what is there afterwards.
#![cfg(unix)]

mod common;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use common::{Home, Server, mode, request};
use serde_json::{Value, json};

/// In all that the process may take to stop.
const STOP: Duration = Duration::from_secs(10);

#[test]
fn the_first_start_makes_its_keys_and_the_second_uses_them() {
    let home = Home::new();
    let server = home.serve(&[]);
    for name in ["master.key", "api-keys.json", "admin-api-key"] {
        assert_eq!(mode(&home.config(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&home.config("")), 0o700);
    let (key, master) = (home.api_key(), fs::read_to_string(home.config("master.key")).unwrap());
    assert!(key.starts_with("tnk_") && key.len() == 47);
    let kept = fs::read_to_string(home.config("api-keys.json")).unwrap();
    assert!(!kept.contains(&key), "only its hash is kept");
    let (_, token) = server.sign_in(&key, "u_1");
    assert_eq!(server.said.len(), 1, "one line for each thing that listens: {:?}", server.said);
    let (code, took, log) = server.stop();
    assert_eq!(code, Some(0));
    assert!(took < STOP, "{took:?}");
    for secret in [&key, &token, &master] {
        assert!(!log.contains(secret.trim()), "{log}");
    }

    fs::remove_file(home.config("admin-api-key")).unwrap();
    let server = home.serve(&[]);
    assert_eq!(server.verify(&key, &token)["verdict"], "ok");
    assert_eq!(fs::read_to_string(home.config("master.key")).unwrap(), master);
    assert_eq!(fs::read_to_string(home.config("api-keys.json")).unwrap(), kept);
    assert!(!home.config("admin-api-key").exists(), "the key is told once");
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let home = Home::new();
    let server = home.serve(&[]);
    let key = home.api_key();
    let (_, token) = server.sign_in(&key, "u_1");
    let (dead, dead_token) = server.sign_in(&key, "u_1");
    let path = format!("/v1/sessions/{}", dead["id"].as_str().unwrap());
    assert_eq!(server.ask(&key, "DELETE", &path, Value::Null).0, 204);
    server.kill();
    let server = home.serve(&[]);
    assert_eq!(server.verify(&key, &token)["verdict"], "ok");
    assert_eq!(server.verify(&key, &dead_token)["reason"], "revoked");
}

#[test]
fn activity_that_was_buffered_is_written_at_the_stop() {
    let home = Home::new();
    let config = home.write("tenure.toml", "[policy]\ntouch_threshold_seconds = 0\n");
    let server = home.serve(&["--config", &config]);
    let key = home.api_key();
    let (session, token) = server.sign_in(&key, "u_1");
    let path = format!("/v1/sessions/{}", session["id"].as_str().unwrap());
    let seen = loop {
        let seen = server.verify(&key, &token)["session"]["last_seen_at"].clone();
        if seen != session["last_seen_at"] {
            break seen;
        }
    };
    assert_eq!(server.stop().0, Some(0));
    let server = home.serve(&["--config", &config]);
    let (_, shown) = server.ask(&key, "GET", &path, Value::Null);
    assert!(shown["last_seen_at"].as_str() >= seen.as_str(), "{shown} {seen}");
}

#[test]
fn stopping_waits_for_a_running_request_but_not_for_ever() {
    let home = Home::new();
    let server = home.serve(&[]);
    let key = home.api_key();
    let _idle = TcpStream::connect(&server.api).unwrap();
    let mut slow = TcpStream::connect(&server.api).unwrap();
    write!(
        slow,
        "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{{"
    )
    .unwrap();
    request(&server.api, &key, "GET", "/healthz", "");
    let (code, took, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(took < STOP, "{took:?}");
}

#[test]
fn sigint_stops_too() {
    let home = Home::new();
    let server = home.serve(&["--store", "memory:"]);
    server.signal("-INT");
    let (code, ..) = server.stop();
    assert_eq!(code, Some(0));
}

#[test]
fn a_second_process_on_the_same_folder_is_refused() {
    let home = Home::new();
    let _first = home.serve(&[]);
    let (code, out, err) = home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("is open already"), "{err}");
}

#[test]
fn a_taken_port_is_named() {
    let home = Home::new();
    let first = home.serve(&["--store", "memory:"]);
    let (code, _, err) = home.run(&["serve", "--store", "memory:", "--listen", &first.api]);
    assert_eq!(code, 1);
    assert!(err.contains(&format!("cannot listen on {}", first.api)), "{err}");
}

#[test]
fn a_key_that_is_given_at_the_first_start_is_the_administrators() {
    let home = Home::new();
    let given = "tnk_given_to_the_first_start_0123456789";
    let start = |key: &str| {
        let mut command = home.tenure(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("TENURE_API_KEY", key);
        Server::start(command, home.path("stderr.log"))
    };
    let server = start(given);
    server.sign_in(given, "u_1");
    assert!(!home.config("admin-api-key").exists());
    server.stop();
    let server = start("tnk_another_one_at_the_second_start_012");
    server.sign_in(given, "u_1");
    assert!(server.log().contains("a key that this server does not know"), "{}", server.log());
    server.stop();
    let (code, _, err) = common::told(
        home.tenure(&["serve", "--store", "memory:", "--listen", "127.0.0.1:0"])
            .env("TENURE_API_KEY", "too-short")
            .output()
            .unwrap(),
    );
    assert_eq!(code, 2);
    assert!(err.contains("TENURE_API_KEY") && !err.contains("too-short"), "{err}");
}

#[test]
fn a_store_in_memory_leaves_nothing_but_its_api_key() {
    let home = Home::new();
    let server = home.serve(&["--store", "memory:"]);
    let path = home.config("memory-api-key");
    assert_eq!(mode(&path), 0o600);
    server.sign_in(fs::read_to_string(&path).unwrap().trim(), "u_1");
    assert!(!home.path("tenure-data").exists());
    assert!(!home.config("master.key").exists());
}

#[test]
fn the_master_key_may_come_from_elsewhere_and_must_be_the_right_one() {
    let home = Home::new();
    let start = |key: &str| {
        let mut command = home.tenure(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("TENURE_MASTER_KEY", key.repeat(64));
        command
    };
    let server = Server::start(start("a"), home.path("stderr.log"));
    assert!(!home.config("master.key").exists());
    server.stop();
    let (code, _, err) = common::told(start("b").output().unwrap());
    assert_eq!(code, 2);
    assert!(err.contains("key") && !err.contains(&"b".repeat(64)), "{err}");
    let file = home.write("own.key", &"a".repeat(64));
    let (code, _, err) = home.run(&["serve", "--listen", "127.0.0.1:0", "--master-key-file", &file]);
    assert_eq!(code, 2);
    assert!(err.contains("chmod 600"), "others could read it: {err}");
}

#[test]
fn an_older_copy_of_the_store_does_not_serve_before_the_operator_decides() {
    let home = Home::new();
    let server = home.serve(&[]);
    let key = home.api_key();
    let (session, token) = server.sign_in(&key, "u_1");
    server.stop();
    copy(&home.path("tenure-data"), &home.path("backup"));
    let server = home.serve(&[]);
    let path = format!("/v1/sessions/{}", session["id"].as_str().unwrap());
    assert_eq!(server.ask(&key, "DELETE", &path, Value::Null).0, 204);
    server.stop();
    fs::remove_dir_all(home.path("tenure-data")).unwrap();
    copy(&home.path("backup"), &home.path("tenure-data"));
    let (code, _, err) = home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, 2);
    assert!(err.contains("older"), "{err}");
    let server = home.serve(&["--after-restore", "end-all-sessions"]);
    assert_eq!(server.verify(&key, &token)["verdict"], "inactive");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_backup_of_a_running_server_can_be_put_back() {
    let home = Home::new();
    let server = home.serve(&[]);
    let key = home.api_key();
    let (_, token) = server.sign_in(&key, "u_1");
    let backup = ["store", "backup", "tenure-data", "copy.db"];
    let (code, said, err) = home.run(&backup);
    assert_eq!(code, 0, "{said}{err}");
    assert_eq!(mode(&home.path("copy.db")), 0o600);
    let (code, _, err) = home.run(&backup);
    assert_eq!((code, err.contains("copy.db")), (2, true), "it overwrites nothing: {err}");
    server.ask(&key, "DELETE", "/v1/users/u_1/sessions", Value::Null);
    server.stop();

    for name in ["tenure.db", "tenure.db-wal", "tenure.db-shm"] {
        fs::remove_file(home.path("tenure-data").join(name)).ok();
    }
    fs::copy(home.path("copy.db"), home.path("tenure-data/tenure.db")).unwrap();
    let (code, _, err) = home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!((code, err.contains("--after-restore")), (2, true), "{err}");
    // A demo on it by mistake decides nothing.
    let dir = home.config("");
    let named = ["--demo", "--store", "embedded:./tenure-data", "--config-dir", dir.to_str().unwrap()];
    let (code, _, err) = home.run(&[&["serve", "--listen", "127.0.0.1:0"], &named[..]].concat());
    assert_eq!((code, err.contains("--after-restore")), (2, true), "{err}");
    let (code, _, _) = home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, 2, "it still waits for its operator");
    let server = home.serve(&["--after-restore", "end-all-sessions"]);
    assert_eq!(server.verify(&key, &token)["reason"], "revoked");
}

#[test]
fn the_demo_starts_a_shop_with_sample_people_and_starts_again() {
    let home = Home::new();
    for _ in 0..2 {
        let mut server = home.serve(&["--demo"]);
        let shop = server.line("shop http://");
        server.line("with the API key");
        let said = server.said.join("\n");
        for name in ["alice", "bob", "carol", "password", &shop] {
            assert!(said.contains(name), "{said}");
        }
        let (status, page) = request(&shop, "", "GET", "/", "");
        assert_eq!(status, 200);
        assert!(page.contains("<html"), "{page}");
        let key = fs::read_to_string(home.config("demo/admin-api-key")).unwrap();
        let (_, listed) = server.ask(key.trim(), "GET", "/v1/users/u_alice/sessions", Value::Null);
        assert!(listed["sessions"].as_array().is_some_and(|sessions| !sessions.is_empty()), "{listed}");
        server.sign_in(key.trim(), "u_of_somebody_who_tries_the_api");
        let (code, took, _) = server.stop();
        assert_eq!(code, Some(0));
        assert!(took < STOP, "{took:?}");
    }
    assert!(home.path("tenure-data/demo").is_dir());
    fs::remove_dir_all(home.path("tenure-data")).unwrap();
    home.serve(&["--demo"]).line("shop http://");
}

#[test]
fn the_demo_refuses_a_store_with_sessions_of_others() {
    for others in [json!({ "user": "u_real" }), json!({ "data": { "cart": ["apple"] } })] {
        let home = Home::new();
        let server = home.serve(&[]);
        assert_eq!(server.ask(&home.api_key(), "POST", "/v1/sessions", others).0, 201);
        server.stop();
        let dir = home.config("");
        let (code, _, err) = home.run(&[
            "serve",
            "--demo",
            "--listen",
            "127.0.0.1:0",
            "--store",
            "embedded:./tenure-data",
            "--config-dir",
            dir.to_str().unwrap(),
        ]);
        assert_eq!(code, 2);
        assert!(err.contains("sessions of other people"), "{err}");
    }
}

#[test]
fn health_and_documents_are_there() {
    let home = Home::new();
    let server = home.serve(&["--store", "memory:"]);
    assert_eq!(request(&server.api, "", "GET", "/healthz", ""), (200, "ok\n".into()));
    assert_eq!(request(&server.api, "", "GET", "/readyz", ""), (200, "ready\n".into()));
    let (status, document) = server.ask("", "GET", "/openapi.json", Value::Null);
    assert_eq!((status, &document["info"]["title"]), (200, &json!("Tenure")));
}
