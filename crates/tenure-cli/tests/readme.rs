//! What the README tells people to type works.
#![cfg(unix)]

mod common;

use std::io::Write;
use std::process::Command;

use common::{Home, told};
use serde_json::Value;

/// The README's blocks of commands that ask the API.
fn requests() -> Vec<&'static str> {
    let blocks = include_str!("../../../README.md").split("```console\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap_or_default());
    blocks.filter(|block| block.starts_with("curl ")).collect()
}

#[test]
fn the_requests_of_the_readme_sign_somebody_in_check_them_and_sign_them_out() {
    if Command::new("curl").arg("--version").output().is_err() {
        std::io::stderr().write_all(b"skipped: there is no curl here\n").unwrap();
        return;
    }
    let home = Home::new();
    let server = home.serve(&[]);
    let key = home.api_key();
    let ask = |request: &str, token: &str| -> Value {
        let request = request.replace("http://127.0.0.1:8700", &format!("http://{}", server.api));
        let mut shell = Command::new("sh");
        shell.args(["-euc", &request]).env("TENURE_API_KEY", &key).env("TOKEN", token);
        let (code, answer, err) = told(shell.output().unwrap());
        assert_eq!(code, 0, "{request}: {err}");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    };
    let [begin, verify, end] = requests()[..] else { panic!("three requests in the README") };
    let begun = ask(begin, "");
    let token = begun["token"].as_str().unwrap();
    assert_eq!(begun["session"]["user"], "u_8fa1");
    let cookie = format!("__Host-sid={token}; ");
    assert!(begun["set_cookie"].as_str().unwrap().starts_with(&cookie), "{begun}");
    assert_eq!(ask(verify, token)["verdict"], "ok");
    assert_eq!(ask(end, "")["ended"], 1);
    let verdict = ask(verify, token);
    assert_eq!((&verdict["verdict"], &verdict["reason"]), (&"inactive".into(), &"revoked".into()));
}
