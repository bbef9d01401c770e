//! `cargo xtask bench`: what Tenure costs, beside what it cannot cost less than.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;

use crate::command::{Log, Program};
use crate::packages::Places;
use crate::plot::{self, Bar};

/// Measure, and write docs/benchmarks.md.
///
/// Builds the package in `bench/` without what tests need, runs each measurement in rounds that
/// take turns with its floor, and writes medians and ratios with the machine, the versions, the
/// date and the command. Leave the machine alone meanwhile. Ten million sessions take about
/// 13 GB of memory.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {
    /// How many live sessions to check among
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000, 10_000_000])]
    sessions: Vec<u64>,
}

/// A check from memory among so many sessions, and its floor.
#[derive(Deserialize)]
struct Checked {
    sessions: u64,
    check_ns: f64,
    floor_ns: f64,
    ratio: f64,
    bytes_each: f64,
}

/// The ratio that a check may have to its floor.
const ALLOWED: f64 = 2.0;

/// Measures and writes. Whether everything was within its bounds.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let places = Places::find()?;
    let log = Log::default();
    let manifest = places.root.join("bench/Cargo.toml");
    println!("building");
    let built = log.succeeds(&Program::cargo("build --release --manifest-path").args([&manifest]))?;
    ensure!(built, "bench/ does not build:\n{}", log.text());
    let program = places.root.join("bench/target/release/check");
    let mut checked = Vec::new();
    for sessions in &options.sessions {
        println!("checking among {sessions} sessions");
        let output = Program::new(&program).args([sessions.to_string()]).output();
        let line = output.with_context(|| format!("no measurement among {sessions} sessions"))?;
        checked.push(serde_json::from_str::<Checked>(&line).context("the measurement does not read")?);
    }
    let folder = places.root.join("docs");
    fs::write(folder.join("benchmarks.md"), page(options, &checked)?).context("cannot write the page")?;
    write_plot(&folder, &checked)?;
    for found in &checked {
        let (sessions, ratio) = (found.sessions, found.ratio);
        println!("{sessions}: {:.0} ns, {ratio:.2} times the floor", found.check_ns);
    }
    Ok(checked.iter().all(|found| found.ratio <= ALLOWED))
}

fn page(options: &Options, checked: &[Checked]) -> Result<String> {
    let told = |program: &str, args: &[&str]| {
        let output = Program::new(program).args(args).output();
        output.with_context(|| format!("{program} does not answer"))
    };
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let sizes: Vec<String> = options.sessions.iter().map(u64::to_string).collect();
    let rows: String = checked.iter().map(row).collect();
    Ok(format!(
        "# Benchmarks\n\n\
         {date}, commit {commit}, {rustc}, {model}, {cores} cores, load {load} at the end.\n\
         Measured by `cargo xtask bench --sessions {sizes}`.\n\n\
         Machines are noisy: what counts are the ratios, each the median over rounds in which both sides \
         take turns.\n\n\
         ## A check from memory\n\n\
         From the token to the verdict, on one core, of sessions in random order. The floor is what no check \
         can do without: decoding the token, SHA-256 of its secret, one lookup in a map of 64 locked parts \
         and one reading of the clock. At most {ALLOWED} times that is allowed. A check allocates nothing \
         (`crates/tenure/tests/no_allocation.rs`).\n\n\
         | live sessions | check | floor | ratio | memory a session |\n|---|---|---|---|---|\n{rows}\n\
         ![The same as a plot](benchmarks-check.svg)\n",
        date = told("date", &["-u", "+%F"])?,
        commit = told("git", &["rev-parse", "--short", "HEAD"])?,
        rustc = told("rustc", &["--version"])?,
        load = fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or("?"),
        sizes = sizes.join(","),
    ))
}

fn row(found: &Checked) -> String {
    format!(
        "| {} | {:.0} ns | {:.0} ns | {:.2} | {:.0} bytes |\n",
        found.sessions, found.check_ns, found.floor_ns, found.ratio, found.bytes_each
    )
}

fn write_plot(folder: &Path, checked: &[Checked]) -> Result<()> {
    let bars: Vec<Bar> = checked
        .iter()
        .flat_map(|found| {
            let among = format!("{} sessions", found.sessions);
            [
                Bar { label: format!("{among}: floor"), value: found.floor_ns, ours: false },
                Bar { label: format!("{among}: check"), value: found.check_ns, ours: true },
            ]
        })
        .collect();
    let svg = plot::bars("A check from memory, in nanoseconds", &bars);
    fs::write(folder.join("benchmarks-check.svg"), svg).context("cannot write the plot")
}
