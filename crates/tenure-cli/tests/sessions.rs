//! `tenure sessions` against a running server.
#![cfg(unix)]

mod common;

use common::{Home, Server, told};
use serde_json::Value;

const KEY: &str = "tnk_of_the_tests_0123456789";

fn start(home: &Home) -> Server {
    let mut command = home.tenure(&["serve", "--store", "memory:", "--listen", "127.0.0.1:0"]);
    command.env("TENURE_API_KEY", KEY);
    Server::start(command, home.path("stderr.log"))
}

/// `tenure sessions …` with the key, at this server.
fn sessions(home: &Home, server: &Server, args: &[&str]) -> (i32, String, String) {
    let mut command = home.tenure(&["sessions"]);
    command.args(args).env("TENURE_SERVER", format!("http://{}/", server.api)).env("TENURE_API_KEY", KEY);
    told(command.output().unwrap())
}

#[test]
fn sessions_are_listed_shown_and_ended() {
    let home = Home::new();
    let server = start(&home);
    let (one, token) = server.sign_in(KEY, "u/1 ä");
    let (two, _) = server.sign_in(KEY, "u/1 ä");
    server.sign_in(KEY, "u_2");
    let id = |session: &Value| session["id"].as_str().unwrap().to_owned();

    let (code, out, err) = sessions(&home, &server, &["list", "--user", "u/1 ä"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("ID ") && out.lines().count() == 3, "{out}");
    assert!(out.contains(&id(&one)) && out.contains(&id(&two)) && !out.contains("u_2"), "{out}");
    let (_, out, _) = sessions(&home, &server, &["list", "--json", "--limit", "2"]);
    let page: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(page["sessions"].as_array().unwrap().len(), 2);
    let cursor = page["next_cursor"].as_str().unwrap();
    let (_, out, _) = sessions(&home, &server, &["list", "--cursor", cursor]);
    assert_eq!(out.lines().count(), 2, "{out}");

    let (code, out, _) = sessions(&home, &server, &["show", &id(&one)]);
    assert_eq!(code, 0);
    assert!(out.lines().any(|line| line.starts_with("user  ") && line.ends_with(" u/1 ä")), "{out}");
    let (_, out, _) = sessions(&home, &server, &["show", &id(&one), "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["id"], one["id"]);
    assert!(!out.contains(&token));

    let ending = ["end", &id(&one), "--note", "lost laptop", "--reason", "logout"];
    let (code, out, _) = sessions(&home, &server, &ending);
    assert_eq!((code, out), (0, format!("{} has ended\n", id(&one))));
    assert_eq!(server.verify(KEY, &token)["reason"], "logout");
    let (_, out, _) = sessions(&home, &server, &["show", &id(&one), "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["ended"]["note"], "lost laptop");

    let (_, out, _) = sessions(&home, &server, &["end", "--user", "u/1 ä", "--dry-run"]);
    assert_eq!(out, "1 session would end\n");
    let (_, out, _) = sessions(&home, &server, &["end", "--all", "--except", &id(&two), "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["ended"], 1);
    let (_, out, _) = sessions(&home, &server, &["end", "--user", "u/1 ä"]);
    assert_eq!(out, "1 session has ended\n");
}

#[test]
fn what_goes_wrong_is_said_with_its_code() {
    let home = Home::new();
    let server = start(&home);
    let missing = format!("ses_{}", "0".repeat(32));
    let (code, _, err) = sessions(&home, &server, &["show", &missing]);
    assert_eq!(code, 1);
    assert!(err.contains("session_not_found"), "{err}");
    let (code, _, _) = sessions(&home, &server, &["end"]);
    assert_eq!(code, 2, "which sessions?");
    let (code, _, _) = sessions(&home, &server, &["end", "--all", "--user", "u_1"]);
    assert_eq!(code, 2);

    let at = format!("http://{}", server.api);
    let ask = |server: &str, key: Option<&str>| {
        let mut command = home.tenure(&["sessions", "list", "--server", server]);
        command.envs(key.map(|key| ("TENURE_API_KEY", key)));
        told(command.output().unwrap())
    };
    let wrong = "tnk_wrong_0123456789012345";
    let cases = [
        (&*at, None, 2, "TENURE_API_KEY"),
        (&*at, Some(wrong), 2, "unauthorized"),
        ("https://example.org", Some(KEY), 2, "https is not in this release"),
        ("ftp://example.org", Some(KEY), 2, "http://HOST:PORT"),
        ("http://127.0.0.1:8700/v1", Some(KEY), 2, "http://HOST:PORT"),
        ("http://127.0.0.1:1", Some(KEY), 4, "no server answers at http://127.0.0.1:1"),
    ];
    for (server, key, expected, named) in cases {
        let (code, out, err) = ask(server, key);
        assert_eq!((code, out.as_str()), (expected, ""), "{server}");
        assert!(err.contains(named), "{named}: {err}");
        assert!(key.is_none_or(|key| !err.contains(key)), "{err}");
    }
}

#[test]
fn the_server_may_be_named_in_the_file() {
    let home = Home::new();
    let server = start(&home);
    let file = home.write("tenure.toml", &format!("server = \"http://{}\"\n", server.api));
    let mut command = home.tenure(&["sessions", "list", "--config", &file]);
    let (code, _, err) = told(command.env("TENURE_API_KEY", KEY).output().unwrap());
    assert_eq!(code, 0, "{err}");
}
