//! The commands of the book do what it says.
#![cfg(unix)]

mod common;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use common::{Home, Server};
use tenure_book::pages::{Page, root};
use tenure_book::shell::{Shell, has_commands};

/// Runs a page with the built `tenure`, on a free port.
fn run(name: &str) {
    if Command::new("curl").arg("--version").output().is_err() {
        std::io::stderr().write_all(b"skipped: there is no curl here\n").unwrap();
        return;
    }
    let programs = Path::new(env!("CARGO_BIN_EXE_tenure")).parent().unwrap();
    Shell::new(programs, &[("TENURE_LISTEN", "127.0.0.1:0")]).run(&Page::named(name));
}

#[test]
fn start_http() {
    run("start-http.md");
}

#[test]
fn policy() {
    run("policy.md");
}

#[test]
fn operating() {
    run("operating.md");
}

#[test]
fn testing() {
    run("testing.md");
}

#[test]
fn trouble() {
    run("trouble.md");
}

#[test]
fn load() {
    run("load.md");
}

/// The pages whose commands another test runs.
const ELSEWHERE: [&str; 1] = ["start.md"];

#[test]
fn no_page_with_commands_is_left_out() {
    let here = include_str!("book.rs").split("run(\"").skip(1);
    let with_servers = include_str!("needs_servers/pages.rs").split("Page::named(\"").skip(1);
    let run: Vec<&str> = here.chain(with_servers).collect();
    let is_run = |name: &str| run.iter().any(|rest| rest.starts_with(&format!("{name}\"")));
    for page in Page::all().iter().filter(|page| has_commands(page)) {
        let name = &*page.name;
        assert_ne!(is_run(name), ELSEWHERE.contains(&name), "{name}");
    }
}

/// The words of a text that look so: `--flag`, `TENURE_…`.
fn words<'t>(text: &'t str, begin: &str) -> BTreeSet<&'t str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    words
        .filter(|word| {
            word.strip_prefix(begin).is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric()))
        })
        .collect()
}

#[test]
fn the_table_of_settings_has_every_flag_and_variable_of_serve() {
    let home = Home::new();
    let (_, help, _) = home.run(&["serve", "--help"]);
    // As it is before it is wrapped.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = Page::named("operating.md");
    let (_, settings) = page.text.split_once("\n## Settings\n").unwrap();
    let settings = settings.split("\n## ").next().unwrap();
    let mut flags = words(&help, "--");
    flags.remove("--help");
    let rows = settings.lines().filter(|line| line.starts_with("| `--"));
    let cells = rows.map(|row| row.split('|').map(|cell| cell.trim().trim_matches('`')).collect::<Vec<_>>());
    let shown: Vec<(&str, &str)> = cells.map(|cells| (cells[1], cells[2])).collect();
    assert_eq!(shown.iter().map(|(flag, _)| *flag).collect::<BTreeSet<_>>(), flags);

    let of_flag = |flag: &&str| flag.trim_start_matches('-').replace('-', "_");
    let by_rule: BTreeSet<String> =
        flags.iter().map(|flag| format!("TENURE_{}", of_flag(flag).to_uppercase())).collect();
    let variables = words(&help, "TENURE_").into_iter().filter(|name| !by_rule.contains(*name));
    let rows = settings.lines().filter(|line| line.starts_with("| `TENURE_"));
    let shown_variables = rows.filter_map(|row| row.split('`').nth(1));
    assert_eq!(shown_variables.collect::<BTreeSet<_>>(), variables.collect());

    for (flag, default) in shown.into_iter().filter(|(flag, _)| *flag != "--config") {
        let field = of_flag(&flag);
        let file = home.write("one.toml", &format!("{field} = 0.5\n"));
        let (_, _, err) = home.run(&["policy", "show", "--config", &file]);
        assert!(err.contains(&field) && !err.contains("unknown field"), "{field}: {err}");
        let begin = default.split('`').next().unwrap();
        assert!(flag == "--demo" || help.contains(&format!("[default: {begin}")), "{flag}: {default}");
    }
}

#[test]
fn the_unit_and_the_file_of_operating_start_a_server() {
    let home = Home::new();
    let blocks = Page::named("operating.md").blocks();
    let block = |info: &str| &blocks.iter().find(|block| block.info == info).unwrap().text;
    let here = |text: &str| {
        text.replace("/var/lib/", &format!("{}/", home.path("").display())).replace(":8700", ":0")
    };
    let config = home.write("tenure.toml", &here(block("toml")));
    let unit = block("ini");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/tenure ")).unwrap();
    let start = start.replace("/etc/tenure/tenure.toml", &config);
    let args: Vec<&str> = start.split(' ').collect();
    let server = Server::start(home.tenure(&args), home.path("stderr.log"));
    assert!(home.path("tenure/tenure.db").is_file());
    assert!(home.path("tenure-keys/admin-api-key").is_file(), "where the page has it read");
    assert!(unit.contains("StateDirectory=tenure tenure-keys\n"), "the folders that the file names");
    let (code, took, _) = server.stop();
    let limit = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
    assert_eq!(code, Some(0));
    assert!(took.as_secs() < limit.parse().unwrap());
}

#[test]
fn the_file_of_a_node_is_one() {
    let blocks = Page::named("nodes.md").blocks();
    let file = blocks.iter().find(|block| block.info == "toml").unwrap();
    let home = Home::new();
    let (code, _, err) = home.run(&["policy", "show", "--config", &home.write("tenure.toml", &file.text)]);
    assert_eq!(code, 0, "{err}");
}

/// What the crates are made of, texts that go over lines as one.
fn sources() -> String {
    let mut sources = String::new();
    for folder in std::fs::read_dir(root().join("crates")).unwrap() {
        read(&folder.unwrap().path().join("src"), &mut sources);
    }
    let mut parts = sources.split("\\\n");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + part.trim_start())
}

fn read(folder: &Path, to: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, to);
        } else {
            to.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// What the log says as a warning or an error and no table has: it says itself what to do, or is for
/// those who write an application.
const TELL_THEMSELVES: &[&str] = &[
    // At the start and at the end.
    "the store that was here is gone; beginning anew",
    "others can write in {0}; run `chmod go-w {0}`",
    "a draft of the master key was left behind; remove it",
    "{VARIABLE} is set to a key that this server does not know; it counts at the first start only",
    "connections did not finish in time and are cut",
    "connections to the shop did not finish in time and are cut",
    "a connection could not be taken in",
    "the old store stays frozen for half a minute",
    // Beside another message, or of a fault in Tenure.
    "a restored session cannot be ended",
    "activity was not recorded",
    "the reserve could not be given up",
    "a reading thread had panicked",
    "a read panicked; this is a bug in Tenure, please report it",
    "no fresh connection to read with",
    "the writing thread had panicked",
    "a transaction could not be rolled back",
    "the database was not closed tidily",
    "the write-ahead log could not be emptied",
    "no thread to close with; closing here",
    // To who writes the application.
    "a cookie from elsewhere came twice; neither is believed",
    "a session that ended here could not be ended elsewhere",
    "the name, path or domain fits no cookie",
    "a request failed for its session",
    "the layers of a route do not fit",
    "a session elsewhere is not adopted: its id must have 1 to {MAX_OLD_ID} bytes",
    "a session elsewhere is not adopted: it begins in over 400 days",
    "a session elsewhere is not adopted: its id is taken",
    "a session elsewhere is not adopted",
    "a request brought several session cookies; none of them is believed",
    "session cookies go over plain HTTP: for development only",
    "browsers keep a cookie for 400 days at the most",
];

/// The messages that the log can have at a level: the first text of each call.
fn messages<'t>(sources: &'t str, level: &str) -> BTreeSet<&'t str> {
    let call = format!("tracing::{level}!(");
    let calls: Vec<&str> = sources.split(&*call).skip(1).collect();
    calls.iter().filter_map(|call| call.split('"').nth(1)).collect()
}

#[test]
fn the_log_says_what_operating_names_and_no_other_warnings() {
    let page = Page::named("operating.md");
    let sources = sources();
    let levels = ["WARN", "INFO", "ERROR"];
    let begins = levels.map(|level| format!("| {level}"));
    let rows = page.text.lines().filter(|line| begins.iter().any(|begin| line.starts_with(begin)));
    let mut named = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        // Some quote a setting themselves.
        let (level, message) = (cells[1].to_lowercase(), &cells[2][1..cells[2].len() - 1]);
        assert!(messages(&sources, &level).contains(message), "nobody says {level}: {message}");
        named.insert(message);
    }
    assert!(named.len() > 20, "{named:?}");
    for message in ["warn", "error"].iter().flat_map(|level| messages(&sources, level)) {
        let is_known = named.contains(message) != TELL_THEMSELVES.contains(&message);
        assert!(is_known, "put `{message}` into the table of operating.md, or into the list here");
    }
}

#[test]
fn what_one_sees_in_trouble_is_what_is_said() {
    let page = Page::named("trouble.md");
    let sources = sources();
    let (_, signs) = page.text.split_once("| you see | go to |").unwrap();
    let signs =
        signs.lines().filter(|line| line.starts_with("| ")).map(|row| row.split(" | ").next().unwrap());
    let seen = page.text.split("\n\n").filter(|paragraph| paragraph.starts_with("*You see*"));
    let mut found = 0;
    for text in signs.chain(seen) {
        let text = text.replace('\n', " ").replace('"', "`");
        let said = text.split('`').skip(1).step_by(2).flat_map(|said| said.split('…'));
        for said in said.map(str::trim).filter(|said| !said.is_empty() && !said.starts_with('/')) {
            let said = said.trim_start_matches(':').trim_end_matches([',', '.']).trim();
            assert!(sources.contains(said), "nobody says `{said}`");
            found += 1;
        }
    }
    assert!(found > 30, "{found}");
}
