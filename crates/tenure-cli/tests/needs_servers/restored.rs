//! A database that is older than the server knew it.

use std::process::Command;

use serde_json::Value;
use tenure_servers::Postgres;

use crate::common::{Home, Server, told};

const KEY: &str = "tnk_of_the_tests_0123456789";

fn serve(home: &Home, url: &str, more: &[&str]) -> Command {
    let mut command = home.tenure(&["serve", "--listen", "127.0.0.1:0"]);
    command.args(more);
    command.env("TENURE_STORE", url).env("TENURE_API_KEY", KEY).env("TENURE_MASTER_KEY", "3d".repeat(32));
    command
}

#[test]
fn a_shared_store_that_is_put_back_is_not_served_until_its_operator_decides() {
    let home = Home::new();
    let url = format!("{}?schema=put_back", Postgres::shared().url());
    let start = |more: &[&str]| Server::start(serve(&home, &url, more), home.path("serve.log"));
    let server = start(&[]);
    let (_, token) = server.sign_in(KEY, "u_1");
    assert_eq!(server.stop().0, Some(0));

    Postgres::shared().sql("UPDATE put_back.partitions SET latest = latest - 3600000 WHERE latest > 0");
    for _ in 0..2 {
        let (code, _, err) = told(serve(&home, &url, &[]).output().unwrap());
        assert_eq!((code, err.contains("may be older than it was")), (2, true), "{err}");
        assert!(err.contains("--after-restore end-all-sessions"), "{err}");
    }
    let server = start(&["--after-restore", "end-all-sessions"]);
    let answer: Value = server.verify(KEY, &token);
    assert_eq!((&answer["verdict"], &answer["reason"]), (&"inactive".into(), &"revoked".into()));
    server.stop();
    start(&[]).stop();

    let (code, _, err) = told(serve(&home, &url, &["--after-clock-gap", "accept"]).output().unwrap());
    assert_eq!((code, err.contains("nodes that share a store go by its clock")), (2, true), "{err}");
}
