//! `tenure store copy`, as an operator runs it.
#![cfg(unix)]

mod common;

use common::Home;
use serde_json::{Value, json};

const OLD: &str = "embedded:old";
const NEW: &str = "embedded:new";

#[test]
fn sessions_move_and_their_tokens_stay_valid() {
    let home = Home::new();
    let server = home.serve(&["--store", OLD]);
    let key = home.api_key();
    let (session, token) = server.sign_in(&key, "u_1");
    let (_, ended) = server.sign_in(&key, "u_2");
    assert_eq!(server.ask(&key, "DELETE", "/v1/users/u_2/sessions", Value::Null).1["ended"], 1);

    // The store belongs to the server as long as that runs.
    let (code, _, said) = home.run(&["store", "copy", "--from", OLD, "--to", NEW]);
    assert_eq!(code, 2, "{said}");
    assert_eq!(server.verify(&key, &token)["verdict"], "ok");
    server.stop();

    let (code, out, said) = home.run(&["store", "copy", "--from", OLD, "--to", NEW, "--json"]);
    assert_eq!(code, 0, "{said}");
    let facts: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&facts["sessions"], &facts["users"], &facts["from"], &facts["to"]),
        (&json!(1), &json!(1), &json!(OLD), &json!(NEW))
    );
    for stage in ["copying: 2 looked at, 2 written", "comparing, and nobody writes: 2 looked at, 0 differed"]
    {
        assert!(said.contains(stage), "{said}");
    }

    let (code, _, said) = home.run(&["serve", "--listen", "127.0.0.1:0", "--store", OLD]);
    assert_eq!(code, 2);
    assert!(said.contains("have moved to embedded:new"), "{said}");
    let server = home.serve(&["--store", NEW]);
    let verdict = server.verify(&key, &token);
    assert_eq!((&verdict["verdict"], &verdict["session"]["id"]), (&json!("ok"), &session["id"]));
    assert_eq!(server.verify(&key, &ended)["verdict"], "inactive");
}

#[test]
fn what_cannot_be_is_said_before_anything_happens() {
    let home = Home::new();
    home.serve(&["--store", OLD]).stop();
    home.serve(&["--store", NEW]).stop();
    let (code, _, said) = home.run(&["store", "copy", "--from", OLD, "--to", "memory:"]);
    assert!(code == 2 && said.contains("in memory ends with its process"), "{said}");
    let (code, _, said) = home.run(&["store", "copy", "--from", OLD, "--to", "somewhere"]);
    assert!(code == 2 && said.contains("postgres://"), "{said}");
    let (code, _, said) =
        home.run(&["store", "copy", "--from", OLD, "--to", "postgres://u:secret@127.0.0.1:1/x"]);
    assert!(code == 4 && !said.contains("secret"), "{code}: {said}");
    // Two empty stores are as good as one: what is called off is told from both.
    let (code, out, _) = home.run(&["store", "copy", "--from", OLD, "--to", NEW, "--call-off"]);
    assert!(code == 0 && out.contains("called off"), "{out}");
    let (code, _, said) = home.run(&["store", "copy", "--from", OLD, "--to", NEW]);
    assert!(code == 2 && said.contains("not empty"), "{said}");
    home.serve(&["--store", OLD]).stop();
}
