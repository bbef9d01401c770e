//! Where it is measured: the built programs, the machine, the versions.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;

use crate::command::{Log, Program};
use crate::packages::Places;

/// The packages that measure, on this machine.
pub(crate) struct Setting {
    root: PathBuf,
}

impl Setting {
    pub(crate) fn find() -> Result<Self> {
        Ok(Self { root: Places::find()?.root })
    }

    /// Builds one of the packages. The programs of all of them lie in one folder.
    pub(crate) fn build(&self, package: &str) -> Result<()> {
        println!("building {package}");
        let log = Log::default();
        let (manifest, target) = (self.root.join(package).join("Cargo.toml"), self.root.join("bench/target"));
        let build = Program::cargo("build --release --manifest-path").args([&manifest]);
        let built = log.succeeds(&build.args(["--target-dir".as_ref(), target.as_os_str()]))?;
        ensure!(built, "{package} does not build:\n{}", log.text());
        Ok(())
    }

    /// The version of a crate that a package measures beside.
    pub(crate) fn version(&self, package: &str, name: &str) -> Result<String> {
        let file = self.root.join(package).join("Cargo.lock");
        let lock = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\""));
        let version = lines.nth(1).and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
        version.map(str::to_owned).with_context(|| format!("{} has no {name}", file.display()))
    }

    /// One of the programs.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.root.join("bench/target/release").join(name)
    }

    /// Runs one of the programs, and reads each line that it prints as JSON.
    pub(crate) fn lines<T: DeserializeOwned>(&self, name: &str, args: &[String]) -> Result<Vec<T>> {
        Self::read(name, &Program::new(self.program(name)).args(args).answer()?.stdout)
    }

    /// The same of a program that takes long: what it says of its progress is shown as it comes.
    pub(crate) fn lines_of_long<T: DeserializeOwned>(&self, name: &str, args: &[String]) -> Result<Vec<T>> {
        let output = Program::new(self.program(name)).args(args).output_of_long();
        Self::read(name, &output.with_context(|| format!("{name} {} failed", args.join(" ")))?)
    }

    fn read<T: DeserializeOwned>(name: &str, output: &str) -> Result<Vec<T>> {
        let read = |line| serde_json::from_str(line).with_context(|| format!("{name} printed {line}"));
        output.lines().map(read).collect()
    }

    /// A folder on the disk that the project lies on, for what is measured there.
    pub(crate) fn folder(&self) -> String {
        self.root.join("bench/target").to_string_lossy().into_owned()
    }

    pub(crate) fn docs(&self) -> PathBuf {
        self.root.join("docs")
    }

    pub(crate) fn page(&self) -> PathBuf {
        self.docs().join("benchmarks.md")
    }

    /// When, what, on what and how: one paragraph.
    pub(crate) fn described(&self) -> Result<String> {
        let told = |program: &str, args: &[&str]| {
            let output = Program::new(program).args(args).folder(&self.root).output();
            output.with_context(|| format!("{program} does not answer"))
        };
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Ok(format!(
            "{date}, commit {commit}, {rustc}, {model}, {cores} cores, load {load} at the end. Measured by \
             `cargo xtask {command}`.",
            date = told("date", &["-u", "+%F"])?,
            commit = told("git", &["rev-parse", "--short", "HEAD"])?,
            rustc = told("rustc", &["--version"])?,
            model = model.map_or("an unknown processor", |(_, model)| model),
            cores = std::thread::available_parallelism().map_or(1, usize::from),
            load = load.split(' ').next().unwrap_or("?"),
            command = std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        ))
    }
}
