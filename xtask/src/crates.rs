//! `cargo xtask crates`: how many crates Tenure adds to an application.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::command::{Log, Program};
use crate::packages::Places;
use crate::tally::Tally;

/// How many crates `tenure-tower` may add to an application of axum.
const ALLOWED: usize = 40;

/// What Tenure is measured beside.
pub(crate) const OTHER: &str = "tower-sessions = \"0.15\"";

/// Count the crates that Tenure adds to an application of axum.
///
/// Those that `cargo tree --edges normal` names for this machine beside those of axum with its default
/// features; two versions of a crate are two. The store in memory is part of the core. Beside it stands
/// tower-sessions, which comes with a store in memory too. Fails when Tenure adds more than 40.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {}

/// Counts and prints. Whether it is within its bound.
pub(crate) fn run() -> Result<bool> {
    let places = Places::find()?;
    let axum = crates_of(&places, "axum", "")?;
    let ours = crates_of(&places, "tenure-tower", &tenure_tower(&places))?;
    let others = crates_of(&places, "tower-sessions", OTHER)?;
    println!("axum alone is {} crates", axum.len());
    for (name, with) in [("tenure-tower", &ours), ("tower-sessions", &others)] {
        let added: Vec<&str> = with.difference(&axum).map(String::as_str).collect();
        println!("\n{name} adds {}: {}", added.len(), added.join(", "));
        println!("of these, another version is there: {}", or_none(&twice(with)));
    }
    Ok(ours.difference(&axum).count() <= ALLOWED)
}

/// Counts, and says what there is too much of.
pub(crate) fn check(places: &Places, log: &Log) -> Result<Tally> {
    let axum = crates_of(places, "axum", "")?;
    let ours = crates_of(places, "tenure-tower", &tenure_tower(places))?;
    let added: Vec<&str> = ours.difference(&axum).map(String::as_str).collect();
    log.line(format!("tenure-tower adds {} crates, {ALLOWED} at most: {}", added.len(), added.join(", ")));
    log.line(format!("in two versions: {}", or_none(&twice(&ours))));
    Ok(if added.len() <= ALLOWED { Tally::PASS } else { Tally::FAIL })
}

/// The dependency on `tenure-tower` as it is here.
pub(crate) fn tenure_tower(places: &Places) -> String {
    format!("tenure-tower = {{ path = {:?} }}", places.root.join("crates/tenure-tower"))
}

/// The crates of an application that depends on axum and on this.
fn crates_of(places: &Places, name: &str, dependency: &str) -> Result<BTreeSet<String>> {
    let folder = application(places, name, dependency)?;
    let words = "tree --quiet --edges normal --prefix none --no-dedupe --format {p}";
    let tree = Program::cargo(words).folder(&folder).output();
    let tree = tree.with_context(|| format!("cargo tree fails in {}", folder.display()))?;
    Ok(names(&tree))
}

/// The folder of an application that depends on axum and on this, and does nothing yet.
pub(crate) fn application(places: &Places, name: &str, dependency: &str) -> Result<PathBuf> {
    let folder = places.target.join("crates").join(name);
    let write = |file: &str, text: &[u8]| {
        fs::write(folder.join(file), text).with_context(|| format!("cannot write {file} for {name}"))
    };
    fs::create_dir_all(folder.join("src")).context("cannot make a folder for an application")?;
    let manifest = format!(
        "[package]\nname = \"application\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [workspace]\n\n[dependencies]\naxum = \"0.8\"\n{dependency}\n"
    );
    write("Cargo.toml", manifest.as_bytes())?;
    write("src/lib.rs", b"")?;
    // The versions that the tests run with.
    write("Cargo.lock", &fs::read(places.root.join("Cargo.lock")).context("cannot read Cargo.lock")?)?;
    Ok(folder)
}

/// Name and version of each crate but the application.
fn names(tree: &str) -> BTreeSet<String> {
    let words = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    tree.lines().map(words).filter(|name| !name.is_empty() && !name.starts_with("application ")).collect()
}

/// The crates that are there in more than one version.
fn twice(crates: &BTreeSet<String>) -> Vec<String> {
    let name = |of: &str| of.split(' ').next().unwrap_or_default().to_owned();
    let names: Vec<String> = crates.iter().map(|of| name(of)).collect();
    let again = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone());
    again.collect::<BTreeSet<_>>().into_iter().collect()
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_counts_once_for_each_version() {
        let tree = "application v0.0.0 (/tmp/x)\nsyn v2.0.1\nserde v1.0.0\nsyn v3.0.0\n\
                    serde v1.0.0\nserde_derive v1.0.0 (proc-macro)\n";
        let names = names(tree);
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(names.contains("serde_derive v1.0.0"), "{names:?}");
        assert_eq!(twice(&names), ["syn"]);
    }
}
