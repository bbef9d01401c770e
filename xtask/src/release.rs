//! `cargo xtask release-check`: what a release needs beyond `cargo xtask test`.

use std::fs;

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;
use clap::Args;

use crate::command::{Log, Program};
use crate::packages::{Places, runs};

/// The version that is installed when none is there.
const SEMVER_CHECKS: &str = "0.51.0";

/// Check what a release needs beyond `cargo xtask test`.
///
/// The changelog names the version; each package builds from what would be uploaded (nothing is); and no
/// public interface breaks what Semantic Versioning promises since the last tag `v…`, by
/// cargo-semver-checks, which is compiled into target/tools the first time. Takes long.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {}

/// Checks and prints. Whether it may be released.
pub(crate) fn run() -> Result<bool> {
    let places = Places::find()?;
    let log = Log::new(true);
    let checks: [(&str, Check); 3] =
        [("changelog", changelog), ("packages", packages), ("semantic version", semantic_version)];
    let mut all_passed = true;
    for (name, check) in checks {
        println!("...   {name}");
        match check(&places, &log) {
            Ok(said) => println!("ok    {name}: {said}"),
            Err(error) => {
                all_passed = false;
                println!("FAIL  {name}: {error:#}\n{}", log.text());
            }
        }
    }
    Ok(all_passed)
}

type Check = fn(&Places, &Log) -> Result<String>;

fn changelog(places: &Places, _: &Log) -> Result<String> {
    let metadata = MetadataCommand::new().current_dir(&places.root).no_deps().exec()?;
    let version = metadata.workspace_packages().first().context("no package here")?.version.to_string();
    let text = fs::read_to_string(places.root.join("CHANGELOG.md")).context("cannot read CHANGELOG.md")?;
    let heading = format!("## {version}");
    let named = text.lines().any(|line| line == heading || line.starts_with(&format!("{heading} ")));
    anyhow::ensure!(
        named,
        "CHANGELOG.md has no `{heading}`: give what is under Unreleased its version and date"
    );
    Ok(format!("has {version}"))
}

fn packages(places: &Places, log: &Log) -> Result<String> {
    log.run(&Program::cargo("publish --workspace --dry-run").folder(&places.root))?;
    Ok("each builds from its archive".into())
}

fn semantic_version(places: &Places, log: &Log) -> Result<String> {
    let words = ["describe", "--tags", "--abbrev=0", "--match", "v*"];
    let Some(last) = Program::new("git").args(words).folder(&places.root).output() else {
        return Ok("no tag v… to compare with, so this is the first release".into());
    };
    let folder = places.tool(&format!("cargo-semver-checks-{SEMVER_CHECKS}"));
    let program = folder.join("bin/cargo-semver-checks");
    if !runs(&program) {
        let words = format!("install cargo-semver-checks --version {SEMVER_CHECKS} --locked --force --root");
        log.run(&Program::cargo(&words).args([&folder]))?;
    }
    let words = ["semver-checks", "--workspace", "--color", "never", "--baseline-rev", &last];
    log.run(&Program::new(&program).args(words).folder(&places.root))?;
    Ok(format!("nothing breaks since {last}"))
}
