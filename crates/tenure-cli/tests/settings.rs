//! Flags, environment, file, default; and commands that need no server.
#![cfg(unix)]

mod common;

use common::{Home, Server, told};
use serde_json::json;
use tenure::clock::Timestamp;

/// The cookie name that a server uses, as one can see from outside.
fn cookie_of(server: &Server, key: &str) -> String {
    let (_, answer) = server.ask(key, "POST", "/v1/sessions", json!({}));
    answer["set_cookie"].as_str().unwrap().split('=').next().unwrap().into()
}

#[test]
fn a_flag_comes_before_the_environment_before_the_file_before_the_default() {
    let home = Home::new();
    let key = "tnk_of_the_tests_0123456789";
    let file = home.write(
        "tenure.toml",
        "store = \"memory:\"\nlisten = \"127.0.0.1:0\"\ncookie_name = \"__Host-file\"\n[policy]\nmax_sessions = 7\n",
    );
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 4] = [
        (&["serve", "--store", "memory:", "--listen", "127.0.0.1:0"], &[], "__Host-sid"),
        (&["serve"], &[("TENURE_CONFIG", &file)], "__Host-file"),
        (&["serve", "--config", &file], &[("TENURE_COOKIE_NAME", "__Host-env")], "__Host-env"),
        (
            &["serve", "--config", &file, "--cookie-name", "__Host-flag"],
            &[("TENURE_COOKIE_NAME", "__Host-env")],
            "__Host-flag",
        ),
    ];
    for (args, environment, expected) in cases {
        let mut command = home.tenure(args);
        command.envs(environment.iter().copied()).env("TENURE_API_KEY", key);
        let server = Server::start(command, home.path("stderr.log"));
        assert_eq!(cookie_of(&server, key), expected, "{args:?}");
    }
}

#[test]
fn a_flag_can_take_back_what_the_file_says() {
    let home = Home::new();
    let file = home.write("tenure.toml", "demo = true\nstore = \"memory:\"\n");
    let server = home.serve(&["--config", &file, "--demo=false"]);
    let (_, _, log) = server.stop();
    assert!(!log.contains("shop"), "{log}");
}

#[test]
fn what_a_file_gets_wrong_is_named() {
    let home = Home::new();
    let cases = [
        ("lissten = \"127.0.0.1:0\"", "lissten"),
        ("[policy]\nmax_session = 1", "max_session"),
        ("[policy.session]\nidle_seconds = 10\nabsolute_seconds = 5", "session.idle_seconds"),
        ("after_restore = \"maybe\"", "maybe"),
        ("listen = 8700", "listen"),
        ("cookie_name = \"sid\"", "__Host-"),
        ("store = \"memory\"", "memory:"),
        ("listen = ", "line 1"),
    ];
    for (text, named) in cases {
        let file = home.write("bad.toml", text);
        let (code, _, err) = home.run(&["serve", "--config", &file]);
        assert_eq!(code, 2, "{text}");
        assert!(err.contains(named), "{named}: {err}");
    }
    let (code, _, err) = home.run(&["serve", "--config", "nowhere.toml"]);
    assert_eq!(code, 2);
    assert!(err.contains("nowhere.toml"), "{err}");
}

#[test]
fn no_password_of_a_shared_store_is_repeated() {
    let home = Home::new();
    for (url, expected) in [
        ("postgres://u:hunter2@127.0.0.1:1/x", 4),
        ("redis://:hunter2@127.0.0.1:1", 4),
        ("redis-sentinel://:hunter2@127.0.0.1:1/x", 4),
        ("redis-cluster://:hunter2@127.0.0.1:1", 4),
        ("rediss://:hunter2@127.0.0.1:1", 4),
        ("rediss-sentinel://:hunter2@127.0.0.1:1/x", 4),
        ("rediss-cluster://:hunter2@127.0.0.1:1?replicas=1", 4),
        ("redis://127.0.0.1:1?replicas=hunter2", 2),
    ] {
        let mut command = home.tenure(&["serve", "--store", url]);
        // Without it, nobody would be asked.
        command.env("TENURE_MASTER_KEY", "3d".repeat(32));
        let (code, _, err) = told(command.output().unwrap());
        assert_eq!(code, expected, "{url}: {err}");
        assert!(err.contains("the store ") && !err.contains("hunter2"), "{err}");
    }
    for url in ["memory", "embedded:", "sqlite:x", ""] {
        let (code, _, err) = home.run(&["serve", "--store", url]);
        assert_eq!(code, 2);
        assert!(err.contains("embedded:DIR, postgres://…"), "{err}");
    }
}

#[test]
fn help_shows_defaults_and_variables_and_no_command_of_a_later_release() {
    let home = Home::new();
    let (code, help, _) = home.run(&["serve", "--help"]);
    assert_eq!(code, 0);
    for name in [
        "TENURE_LISTEN",
        "TENURE_STORE",
        "TENURE_DEMO",
        "TENURE_CONFIG",
        "TENURE_CONFIG_DIR",
        "TENURE_MASTER_KEY",
        "TENURE_MASTER_KEY_FILE",
        "TENURE_AFTER_RESTORE",
        "TENURE_AFTER_CLOCK_GAP",
        "TENURE_COOKIE_NAME",
        "TENURE_API_KEY",
        "TENURE_LOG",
        "127.0.0.1:8700",
        "embedded:./tenure-data",
        "Examples:",
    ] {
        assert!(help.contains(name), "{name}: {help}");
    }
    let (_, help, _) = home.run(&["--help"]);
    for later in ["users", "audit", "probe", "api-keys", "keys"] {
        assert!(!help.contains(&format!("  {later} ")), "{later}: {help}");
    }
    for command in ["list", "show", "end"] {
        let (code, help, _) = home.run(&["sessions", command, "--help"]);
        assert_eq!(code, 0);
        assert!(help.contains("TENURE_SERVER") && help.contains("TENURE_API_KEY"), "{help}");
    }
    let (code, _, _) = home.run(&["users", "list"]);
    assert_eq!(code, 2);
}

#[test]
fn help_does_not_show_secrets_of_the_environment() {
    let home = Home::new();
    let mut command = home.tenure(&["serve", "--help"]);
    command.env("TENURE_API_KEY", "hunter2").env("TENURE_MASTER_KEY", "hunter2");
    command.env("TENURE_STORE", "postgres://u:hunter2@db/x");
    let (_, help, _) = told(command.output().unwrap());
    assert!(!help.contains("hunter2"), "{help}");
}

#[test]
fn policy_check_names_each_deviation_with_its_source_and_reason() {
    let home = Home::new();
    let (code, out, _) = home.run(&["policy", "check"]);
    assert_eq!((code, out.as_str()), (0, "ok: the default policy meets nist-aal1\n"));

    let (code, out, _) = home.run(&["policy", "check", "--preset", "asvs-l2"]);
    assert_eq!(code, 3);
    assert!(out.contains("session.absolute_seconds is 43200, should be at most 28800"), "{out}");
    assert!(
        out.contains("Cheat Sheet") && out.contains("no reason given") && out.contains("FAILED"),
        "{out}"
    );

    let reasons = "[policy]\nremembered = false\nmax_sessions = 20\n\
                   [policy.deviation_reasons]\n\"session.absolute_seconds\" = \"night shifts\"\n";
    let file = home.write("reasons.toml", reasons);
    let (code, out, _) = home.run(&["policy", "check", "--config", &file, "--preset", "asvs-l2"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("reason given: night shifts") && out.contains("each with a reason"), "{out}");

    let strict = "preset = \"nist-aal3\"\n[policy]\nremembered = false\n\
                  [policy.session]\nidle_seconds = 900\nabsolute_seconds = 50000\n\
                  [policy.deviation_reasons]\n\"session.absolute_seconds\" = \"night shifts\"\n";
    let file = home.write("strict.toml", strict);
    let (code, out, _) = home.run(&["policy", "check", "--config", &file]);
    assert_eq!(code, 3, "a `must` needs more than a reason: {out}");
    assert!(out.contains("must be at most 43200 (NIST SP 800-63B-4 §2.3.3)"), "{out}");

    let (code, _, err) = home.run(&["policy", "check", "--preset", "x"]);
    assert_eq!(code, 2);
    assert!(err.contains("nist-aal1"), "{err}");
}

#[test]
fn a_policy_that_is_shown_reads_back_as_it_was() {
    let home = Home::new();
    for preset in ["nist-aal1", "nist-aal2", "nist-aal3", "asvs-l2", "asvs-l3"] {
        let (code, shown, _) = home.run(&["policy", "show", "--preset", preset]);
        assert_eq!(code, 0);
        let file = home.write("policy.toml", &shown);
        let (code, out, err) = home.run(&["policy", "check", "--config", &file, "--preset", preset]);
        assert_eq!(code, 0, "{preset}: {out}{err}");
        let (_, again, _) = home.run(&["policy", "show", "--config", &file]);
        assert_eq!(again, shown);
    }
    let (_, shown, _) = home.run(&["policy", "show"]);
    assert!(shown.starts_with("[policy]\n") && shown.contains("touch_threshold_seconds = 60"), "{shown}");
}

#[test]
fn store_verify_tells_a_whole_store_from_a_damaged_one() {
    let home = Home::new();
    let server = home.serve(&[]);
    server.sign_in(&home.api_key(), "u_1");
    let (code, out, _) = home.run(&["store", "verify", "tenure-data"]);
    assert_eq!(code, 0, "also while it is in use: {out}");
    server.stop();
    let (code, out, _) = home.run(&["store", "verify", "tenure-data"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("ok: 1 sessions (0 guests)"), "{out}");
    let database = home.path("tenure-data/tenure.db");
    let mut bytes = std::fs::read(&database).unwrap();
    for page in bytes.chunks_mut(4096).skip(1) {
        page[64..].fill(0x5a);
    }
    std::fs::write(&database, bytes).unwrap();
    let (code, out, err) = home.run(&["store", "verify", "tenure-data"]);
    assert_eq!(code, 3, "{out}{err}");
    let (code, _, err) = home.run(&["store", "verify", "nowhere"]);
    assert_eq!(code, 3);
    assert!(err.contains("nowhere"), "{err}");
}

#[test]
fn a_preset_in_the_file_is_what_the_policy_begins_from() {
    let home = Home::new();
    let text = "preset = \"nist-aal3\"\n[policy.session]\nidle_seconds = 600\n[policy.rotation]\ngrace_seconds = 5\n";
    let file = home.write("tenure.toml", text);
    let (code, shown, _) = home.run(&["policy", "show", "--config", &file]);
    assert_eq!(code, 0);
    for line in ["idle_seconds = 600", "absolute_seconds = 43200", "remembered = false", "grace_seconds = 5"]
    {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    let (code, said, _) = home.run(&["policy", "check", "--config", &file]);
    assert_eq!((code, said.contains("meets nist-aal3")), (0, true), "{said}");

    let server = home.serve(&["--config", &file]);
    let (session, _) = server.sign_in(&home.api_key(), "u_1");
    let lives = |field: &str| {
        let at = |field: &str| session[field].as_str().unwrap().parse::<Timestamp>().unwrap();
        at(field).since(at("created_at")).as_secs()
    };
    assert_eq!((lives("idle_expires_at"), lives("expires_at")), (600, 43_200));
    server.stop();

    let file = home.write("odd.toml", "preset = \"nist-aal3\"\n[policy]\nmax_session = 3\n");
    let (code, _, err) = home.run(&["serve", "--config", &file]);
    assert_eq!((code, err.contains("max_session")), (2, true), "{err}");
}
