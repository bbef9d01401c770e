//! `docs/start.md` leads to a program that does what it says.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use tenure_book::pages::{Page, root};
use tenure_book::shell::Shell;

#[test]
fn the_program_that_is_tested_is_the_one_on_the_page() {
    let program = include_str!("../src/bin/start.rs");
    let blocks = Page::named("start.md").blocks();
    let rust: Vec<&str> =
        blocks.iter().filter(|block| block.info.starts_with("rust")).map(|block| &*block.text).collect();
    let (_, program) = program.split_once("\n\n").unwrap();
    assert!(program == rust.join("\n"), "src/bin/start.rs and docs/start.md differ");
}

#[test]
fn the_commands_on_the_page_answer_as_it_says() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: there is no curl here");
        return;
    }
    let programs = Path::new(env!("CARGO_BIN_EXE_start")).parent().unwrap();
    Shell::new(programs, &[("LISTEN", "127.0.0.1:0")]).run(&Page::named("start.md"));
}

#[test]
fn the_dependencies_on_the_page_are_those_of_the_program_that_is_tested() {
    let read =
        |path: &str| -> toml::Table { fs::read_to_string(root().join(path)).unwrap().parse().unwrap() };
    let (workspace, book) = (read("Cargo.toml"), read("tests/book/Cargo.toml"));
    let blocks = Page::named("start.md").blocks();
    let page: toml::Table = blocks.iter().find(|block| block.info == "toml").unwrap().text.parse().unwrap();
    for section in ["dependencies", "dev-dependencies"] {
        for (name, wanted) in page[section].as_table().unwrap() {
            let ours = &book[section][name];
            let of_workspace = &workspace["workspace"]["dependencies"][name];
            let versions = [wanted, of_workspace].map(|of| of.get("version").unwrap_or(of).as_str());
            if let [Some(shown), Some(version)] = versions {
                assert!(version.starts_with(shown), "{name}: {shown} and {version}");
            } else {
                let path = wanted["path"].as_str().unwrap().strip_prefix("../tenure/").unwrap();
                assert_eq!(of_workspace["path"].as_str(), Some(path));
            }
            let features = |of: &toml::Value| -> BTreeSet<String> {
                let named = of.get("features").and_then(toml::Value::as_array).into_iter().flatten();
                named.filter_map(toml::Value::as_str).map(str::to_owned).collect()
            };
            assert_eq!(features(wanted), features(ours), "{name}");
        }
    }
}
