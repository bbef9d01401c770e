//! Three nodes over one database behind nginx, which knows nothing of sessions.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tenure_servers::{Nginx, Postgres};

use crate::common::{self, Home, Server, request};

const KEY: &str = "tnk_of_the_tests_0123456789";

fn node(home: &Home, name: &str, url: &str) -> Server {
    let config = home.path(name);
    let mut command = home.tenure(&["serve", "--listen", "127.0.0.1:0", "--store", url, "--config-dir"]);
    command.arg(config).env("TENURE_API_KEY", KEY).env("TENURE_MASTER_KEY", "3d".repeat(32));
    Server::start(command, home.path(&format!("{name}.log")))
}

fn port(server: &Server) -> u16 {
    server.api.rsplit(':').next().unwrap().parse().unwrap()
}

/// Requests take turns, so that a session that begins at one node is checked at the next, changed at
/// the third and ended at the first. One node is killed meanwhile, without a word.
#[test]
fn nobody_is_signed_out_when_a_node_behind_nginx_is_killed_under_load() {
    let home = Home::new();
    let url = format!("{}?schema=behind_nginx", Postgres::shared().url());
    let nodes = ["a", "b", "c"].map(|name| node(&home, name, &url));
    let nginx = Nginx::before(&nodes.each_ref().map(port));
    let server = format!("http://127.0.0.1:{}", nginx.port());
    let mut command = home.tenure(&["load", "--rate", "120", "--duration", "6", "--warm-up", "1"]);
    command.args(["--population", "120", "--bound", "1", "--json", "run.json", "--server", &server]);
    command.env("TENURE_API_KEY", KEY).stdout(Stdio::piped()).stderr(Stdio::piped());
    let load = command.spawn().unwrap();
    let [first, killed, third] = nodes;
    // In the middle of it.
    std::thread::sleep(Duration::from_secs(3));
    killed.kill();
    let (code, out, err) = common::told(load.wait_with_output().unwrap());
    assert!(out.contains("no wrong answers"), "{code}: {out}{err}");
    let report: Value = serde_json::from_str(&fs::read_to_string(home.path("run.json")).unwrap()).unwrap();
    let count = |at: &str| report.pointer(at).and_then(Value::as_u64).unwrap();
    assert!(count("/total/done") > 500, "{out}");
    // nginx asks another node; a change that it may not send twice can fail.
    assert!(count("/total/errors") * 20 < count("/total/done"), "{out}");
    for node in [first, third] {
        assert_eq!(node.stop().0, Some(0));
    }
}

/// A node stands still, as a machine that is suspended does. What it knew when it goes on is old, and
/// the first request that it meets was sent before it can have asked the store anything.
#[test]
fn a_node_that_stood_still_believes_nothing_that_it_knew_before() {
    let home = Home::new();
    let url = format!("{}?schema=stood_still", Postgres::shared().url());
    let (here, there) = (node(&home, "here", &url), node(&home, "there", &url));
    let rounds = if std::env::var_os("TENURE_SOAK").is_some() { 10 } else { 2 };
    for round in 0..rounds {
        let user = format!("u_{round}");
        let (_, token) = here.sign_in(KEY, &user);
        assert_eq!(there.verify(KEY, &token)["verdict"], "ok");
        there.signal("-STOP");
        let path = format!("/v1/users/{user}/sessions");
        assert_eq!(here.ask(KEY, "DELETE", &path, Value::Null), (200, json!({ "ended": 1 })));
        // Several times the bound of one second; ten times when there is time for it.
        std::thread::sleep(Duration::from_secs(if rounds > 2 { 10 } else { 3 }));
        let body = json!({ "token": token }).to_string();
        let asked: Vec<_> = (0..8)
            .map(|_| {
                let (at, body) = (there.api.clone(), body.clone());
                std::thread::spawn(move || request(&at, KEY, "POST", "/v1/sessions/verify", &body))
            })
            .collect();
        // So that all of them wait there when it goes on.
        std::thread::sleep(Duration::from_millis(200));
        there.signal("-CONT");
        for asked in asked {
            let (status, answer) = asked.join().unwrap();
            let inactive = status == 200 && answer.contains("\"inactive\"");
            assert!(inactive || status == 503, "{status} {answer}");
        }
    }
}
