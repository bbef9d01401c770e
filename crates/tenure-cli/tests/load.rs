//! `tenure load` against a running server.
#![cfg(unix)]

mod common;

use std::fs;

use common::{Home, Server, told};
use serde_json::Value;

const KEY: &str = "tnk_of_the_tests_0123456789";

fn load(home: &Home, server: &str, args: &[&str]) -> (i32, String, String) {
    let mut command = home.tenure(&["load"]);
    command.args(args).env("TENURE_SERVER", format!("http://{server}")).env("TENURE_API_KEY", KEY);
    told(command.output().unwrap())
}

fn started(home: &Home, more: &[&str]) -> Server {
    let mut command = home.tenure(&["serve", "--listen", "127.0.0.1:0", "--store", "memory:"]);
    command.args(more).env("TENURE_API_KEY", KEY);
    Server::start(command, home.path("stderr.log"))
}

const SHORT: [&str; 6] = ["--rate", "300", "--duration", "1.5", "--warm-up", "0.2"];

#[test]
fn a_server_is_loaded_judged_and_reported() {
    let home = Home::new();
    let server = started(&home, &[]);
    let mut args = SHORT.to_vec();
    args.extend(["--population", "100", "--json", "a.json", "--html", "a.html", "--fail-if", "wrong>0"]);
    let (code, out, err) = load(&home, &server.api, &args);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("no wrong answers"), "{out}");
    let report: Value = serde_json::from_str(&fs::read_to_string(home.path("a.json")).unwrap()).unwrap();
    let count = |at: &str| report.pointer(at).and_then(Value::as_u64).unwrap();
    assert!(count("/intended") > 250);
    assert_eq!(count("/intended"), count("/missed") + count("/total/done"));
    let kinds = report["kinds"].as_object().unwrap();
    assert_eq!(kinds.values().map(|row| row["done"].as_u64().unwrap()).sum::<u64>(), count("/total/done"));
    assert_eq!(count("/total/errors"), 0, "{out}");
    let page = fs::read_to_string(home.path("a.html")).unwrap();
    assert!(page.contains("<svg") && !page.contains("<script") && !page.contains("http://www"));

    args.extend(["--fail-if", "p50<100s"]);
    let (code, _, err) = load(&home, &server.api, &args);
    assert_eq!(code, 3);
    assert!(err.contains("p50<100s: it is"), "{err}");
    let (code, out, _) = load(&home, &server.api, &["compare", "a.json", "a.json"]);
    assert_eq!(code, 0);
    assert!(out.contains("no difference"), "{out}");
}

#[test]
fn a_web_application_is_loaded_by_its_scenario() {
    let home = Home::new();
    let mut server = started(&home, &["--demo"]);
    let shop = server.line("shop http://");
    let page = include_str!("../../../docs/load.md");
    let (_, scenario) = page.split_once("```toml\n").unwrap();
    let (scenario, _) = scenario.split_once("```").unwrap();
    home.write("shop.toml", scenario);
    let args = ["--scenario", "shop.toml", "--rate", "20", "--duration", "2", "--json", "shop.json"];
    let (code, out, err) = load(&home, &shop, &args);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("no wrong answers") && !out.contains("error:"), "{out}");
}

#[test]
fn what_is_wrong_with_the_command_is_said_before_anything_begins() {
    let home = Home::new();
    home.write("bad.toml", "cookie = \"sid\"\nvist = 1\n");
    for (args, what) in [
        (["--fail-if", "speed>1"], "names are p50"),
        (["--mix", "chek=1"], "guest, sign-in"),
        (["--scenario", "bad.toml"], "line 2: unknown field `vist`"),
        (["--server", "https://127.0.0.1:1"], "https is not in this release"),
    ] {
        let (code, _, err) = load(&home, "127.0.0.1:1", &args);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(what), "{err}");
    }
    let (code, _, err) = load(&home, "127.0.0.1:1", &SHORT);
    assert_eq!(code, 4, "{err}");
}
