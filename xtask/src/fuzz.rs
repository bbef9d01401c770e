//! `cargo fuzz`: what comes from outside, mutated by coverage. With `--soak` only.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::command::{Log, Program};
use crate::packages::{Places, runs};
use crate::tally::Tally;

/// The version that is installed when none is there.
const VERSION: &str = "0.13.2";

/// How long each target runs, in seconds.
const EACH: u32 = 300;

/// Runs each target of `fuzz/` for a while. A sanitizer takes unstable options, which a
/// stable compiler accepts from those who set `RUSTC_BOOTSTRAP`.
pub(crate) fn run(places: &Places, log: &Log) -> Result<Tally> {
    let program = folder(places).join("bin/cargo-fuzz");
    if !runs(&program) {
        let words = format!("install cargo-fuzz --version {VERSION} --locked --force --root");
        log.run(&Program::cargo(&words).args([folder(places)]))?;
    }
    let fuzz = |target: String| {
        log.line(format!("fuzzing {target} for {EACH} s"));
        let words = format!("fuzz run {target} -- -max_total_time={EACH} -max_len=4096 -print_final_stats=1");
        let fuzz =
            Program::new(&program).args(words.split(' ')).folder(&places.root).env("RUSTC_BOOTSTRAP", "1");
        Ok(if log.succeeds(&fuzz)? { Tally::PASS } else { Tally::FAIL })
    };
    targets(places)?
        .into_iter()
        .map(fuzz)
        .collect::<Result<Vec<Tally>>>()
        .map(|tallies| tallies.into_iter().sum())
}

fn targets(places: &Places) -> Result<Vec<String>> {
    let folder = places.root.join("fuzz/fuzz_targets");
    let files = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let stem = |file: fs::DirEntry| file.path().file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let mut targets: Vec<String> = files.filter_map(|file| stem(file.ok()?)).collect();
    targets.sort();
    Ok(targets)
}

fn folder(places: &Places) -> PathBuf {
    places.tool(&format!("cargo-fuzz-{VERSION}"))
}
