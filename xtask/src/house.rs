//! The house rules that no other tool checks.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::semver::Version;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::command::Log;
use crate::tally::Tally;
use crate::test::NEED_SERVERS;
use crate::{circles, manifests};

/// The longest Rust file.
const LONGEST: usize = 450;

/// How high each crate stands: it may depend on those below it, and its tests
/// on those beside it too.
const LEVELS: &[(&str, u8)] = &[
    ("tenure", 0),
    ("tenure-shared", 1),
    ("tenure-servers", 1),
    ("tenure-embedded", 2),
    ("tenure-postgres", 2),
    ("tenure-redis", 2),
    ("tenure-tower", 2),
    ("tenure-tower-sessions", 2),
    ("tenure-server", 3),
    ("tenure-load", 3),
    ("tenure-shop", 3),
    ("tenure-examples", 3),
    ("tenure-nodes", 3),
    ("tenure-promises", 3),
    ("tenure-book", 4),
    ("tenure-cli", 4),
    ("xtask", 4),
];

/// Checks every rule, and writes down each breach with what to do about it.
pub(crate) fn check(root: &Path, log: &Log) -> Result<Tally> {
    let metadata = MetadataCommand::new().current_dir(root).exec().context("cannot read the workspace")?;
    let rules = [
        ("no file is too long", long_files(root)?),
        ("unsafe code is forbidden", unforbidden_unsafe(root, &metadata)?),
        ("dependencies point downward", upward_arrows(&metadata)),
        ("no import goes in a circle", circles::find(root, &["crates", "examples"])?),
        ("our crates name each other with exactly one version", manifests::loose_versions(&metadata)),
        ("what is published needs nothing that is not", manifests::unpublished_dependencies(&metadata)),
        ("no dependency is unused", manifests::unused_dependencies(&metadata)?),
        ("rust-version covers every dependency", too_new_dependencies(&metadata)),
        ("the lock file of the browser tests names no host", named_hosts(root)?),
        ("what takes installed servers can be left out", hidden_servers(root, &metadata)?),
    ];
    let mut tally = Tally::NONE;
    for (rule, breaches) in rules {
        log.line(format!("{}  {rule}", if breaches.is_empty() { "ok  " } else { "FAIL" }));
        if breaches.is_empty() {
            tally.passed += 1;
        } else {
            tally.failed += 1;
        }
        breaches.into_iter().for_each(|breach| log.line(format!("      {breach}")));
    }
    Ok(tally)
}

fn long_files(root: &Path) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for folder in ["bench", "crates", "examples", "fuzz", "tests", "xtask"] {
        for file in rust_files(&root.join(folder))? {
            let text =
                fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let lines = text.lines().count();
            if lines > LONGEST {
                let file = file.strip_prefix(root).unwrap_or(&file).display();
                breaches
                    .push(format!("{file} has {lines} lines, {LONGEST} at most: split it by what it holds"));
            }
        }
    }
    Ok(breaches)
}

/// The Rust files under a folder, its build output left out.
fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

fn unforbidden_unsafe(root: &Path, metadata: &Metadata) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    if !section(&root.join("Cargo.toml"), "[workspace.lints.rust]")?
        .contains(&"unsafe_code=\"forbid\"".into())
    {
        breaches.push("Cargo.toml: [workspace.lints.rust] lacks unsafe_code = \"forbid\"".into());
    }
    for package in metadata.workspace_packages() {
        if !section(package.manifest_path.as_std_path(), "[lints]")?.contains(&"workspace=true".into()) {
            breaches.push(format!("{}: its Cargo.toml lacks [lints] workspace = true", package.name));
        }
    }
    Ok(breaches)
}

/// The lines of one section of a manifest, without spaces.
fn section(manifest: &Path, heading: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let lines = text.lines().skip_while(|line| line.trim() != heading).skip(1);
    Ok(lines.take_while(|line| !line.starts_with('[')).map(|line| line.replace(' ', "")).collect())
}

fn upward_arrows(metadata: &Metadata) -> Vec<String> {
    let ours = metadata.workspace_packages();
    let mut breaches = Vec::new();
    for package in &ours {
        for dependency in &package.dependencies {
            if ours.iter().any(|other| *other.name == dependency.name) {
                breaches.extend(upward(&package.name, &dependency.name, dependency.kind));
            }
        }
    }
    breaches
}

/// What is wrong with one crate of ours depending on another.
fn upward(from: &str, to: &str, kind: DependencyKind) -> Option<String> {
    let (Some(high), Some(low)) = (level(from), level(to)) else {
        return Some(format!("{from} -> {to}: give both a level in xtask/src/house.rs"));
    };
    let fits = if kind == DependencyKind::Development { low <= high } else { low < high };
    (!fits).then(|| format!("{from} -> {to}: {to} does not stand below {from}"))
}

fn level(name: &str) -> Option<u8> {
    LEVELS.iter().find(|(of, _)| *of == name).map(|(_, level)| *level)
}

fn too_new_dependencies(metadata: &Metadata) -> Vec<String> {
    let ours = metadata.workspace_packages();
    let Some(stated) = ours.iter().filter_map(|package| package.rust_version.as_ref()).min() else {
        return vec!["Cargo.toml: [workspace.package] lacks rust-version".into()];
    };
    let newer = |package: &&Package| package.rust_version.as_ref().is_some_and(|version| version > stated);
    let breach = |package: &Package| {
        let needed = package.rust_version.as_ref().map(Version::to_string).unwrap_or_default();
        format!(
            "{} {} needs Rust {needed}, we state {stated}: raise rust-version in Cargo.toml, \
             or take an older {} (cargo update --precise)",
            package.name, package.version, package.name
        )
    };
    metadata.packages.iter().filter(newer).map(breach).collect()
}

fn named_hosts(root: &Path) -> Result<Vec<String>> {
    let file = "tests/browser/package-lock.json";
    let text = fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))?;
    let breach = format!("{file} has \"resolved\" addresses: write it anew with the .npmrc beside it");
    Ok(if text.contains("\"resolved\"") { vec![breach] } else { Vec::new() })
}

/// The files that start servers where `cargo xtask test --quick` does not know it.
fn hidden_servers(root: &Path, metadata: &Metadata) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for package in metadata.workspace_packages() {
        let known = NEED_SERVERS.contains(&package.name.as_str());
        if known || !package.dependencies.iter().any(|one| one.name == "tenure-servers") {
            continue;
        }
        let folder = package.manifest_path.parent().context("a manifest lies in a folder")?;
        for file in rust_files(folder.as_std_path())? {
            let text =
                fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let apart = file.components().any(|part| part.as_os_str() == "needs_servers");
            if text.contains("tenure_servers") && !apart {
                let file = file.strip_prefix(root).unwrap_or(&file).display();
                breaches.push(format!("{file} starts servers: put it into a module `needs_servers`"));
            }
        }
    }
    Ok(breaches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_may_depend_on_those_below_it_only() {
        use DependencyKind::{Development, Normal};
        assert_eq!(upward("tenure-cli", "tenure", Normal), None);
        assert_eq!(upward("tenure-tower", "tenure-embedded", Development), None);
        assert!(upward("tenure-tower", "tenure-embedded", Normal).is_some());
        assert!(upward("tenure", "tenure-tower", Development).is_some());
        assert!(upward("tenure-cli", "tenure-newcomer", Normal).is_some());
    }
}
