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
    assert_eq!((&facts["sessions"], &facts["users"], &facts["to"]), (&json!(1), &json!(1), &json!(NEW)));
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
fn a_running_server_moves_its_sessions_and_serves_them_from_the_new_store() {
    let home = Home::new();
    let server = home.serve(&["--store", OLD]);
    let key = home.api_key();
    let (_, token) = server.sign_in(&key, "u_1");
    let copy = |more: &[&str]| {
        let mut command = home.tenure(&["store", "copy", "--server", &format!("http://{}", server.api)]);
        command.args(more).env("TENURE_API_KEY", &key);
        common::told(command.output().unwrap())
    };
    for (to, why) in [("somewhere", "postgres://"), ("memory:", "name one that stays")] {
        let (code, _, said) = copy(&["--to", to]);
        assert!(code == 2 && said.contains(why), "{code}: {said}");
    }
    let (code, _, said) = copy(&["--to", OLD]);
    assert!(code != 0 && said.contains("open already"), "{code}: {said}");

    // Somebody asks all the time.
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asking = {
        let (at, key, token, stop) = (server.api.clone(), key.clone(), token.clone(), stop.clone());
        std::thread::spawn(move || {
            let (mut right, body) = (0, json!({ "token": token }).to_string());
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                // A connection that begins as the server changes over may end without an answer.
                let asked = common::try_request(&at, &key, "POST", "/v1/sessions/verify", &body);
                let Ok((status, answer)) = asked else { continue };
                let is_right = status == 200 && answer.contains("\"verdict\":\"ok\"");
                assert!(is_right || status == 503, "{status} {answer}");
                right += u32::from(is_right);
            }
            right
        })
    };
    let (code, out, said) = copy(&["--to", NEW]);
    assert!(code == 0 && out.contains("1 live sessions"), "{out}{said}");
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(asking.join().unwrap() > 10);

    // The same process serves the new store, and takes writes.
    assert_eq!(server.verify(&key, &token)["verdict"], "ok");
    let (_, later) = server.sign_in(&key, "u_2");
    let (code, _, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("embedded:new"), "{log}");
    let (code, _, _) = home.run(&["serve", "--listen", "127.0.0.1:0", "--store", OLD]);
    assert_eq!(code, 2);
    let server = home.serve(&["--store", NEW]);
    for token in [&token, &later] {
        assert_eq!(server.verify(&key, token)["verdict"], "ok");
    }
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
    let (code, _, said) = home.run(&["store", "copy", "--to", NEW]);
    assert!(code == 2 && said.contains("with the scope `admin`"), "{code}: {said}");
    let mut call_off = home.tenure(&["store", "copy", "--call-off", "--json"]);
    call_off.env("TENURE_FROM", OLD).env("TENURE_TO", NEW);
    let (code, _, said) = common::told(call_off.output().unwrap());
    assert!(code == 2 && said.contains("nothing to call off"), "{code}: {said}");
    home.serve(&["--store", OLD]).stop();
    home.serve(&["--store", NEW]).stop();
}
