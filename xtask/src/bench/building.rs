//! What a clean build of an axum application takes, with Tenure and without.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::section::{Plot, Section, Table};
use crate::command::Program;
use crate::crates::{OTHER, application, tenure_tower};
use crate::packages::Places;
use crate::plot::Bar;

#[derive(Args)]
#[group(skip)]
pub(crate) struct Options {
    /// build: how many times; each time all applications take turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    builds: u32,
}

const PROFILES: [(&str, &[&str]); 2] = [("debug", &[]), ("release", &["--release"])];

/// Processor time and time that passed of one build, in seconds.
#[derive(Clone, Copy)]
struct Took {
    processor: f64,
    passed: f64,
}

pub(crate) fn measure(options: &Options) -> Result<Vec<Section>> {
    let places = Places::find()?;
    let applications = [
        ("axum alone", application(&places, "axum", "")?),
        ("axum and tenure-tower", application(&places, "tenure-tower", &tenure_tower(&places))?),
        ("axum and tower-sessions", application(&places, "tower-sessions", OTHER)?),
    ];
    let mut rows = Vec::new();
    let mut bars = Vec::new();
    for (profile, args) in PROFILES {
        let mut took = vec![Vec::new(); applications.len()];
        for round in 1..=options.builds {
            for ((name, folder), took) in applications.iter().zip(&mut took) {
                println!("  {profile} {round}: {name}");
                took.push(build(folder, args)?);
            }
        }
        let alone = median(&took[0], |took| took.processor);
        for ((name, _), took) in applications.iter().zip(&took) {
            let processor = median(took, |took| took.processor);
            let passed = median(took, |took| took.passed);
            let seconds = |value: f64| format!("{value:.1} s");
            rows.push(vec![
                (*name).to_owned(),
                profile.to_owned(),
                seconds(processor),
                format!("{:.2}", processor / alone),
                seconds(passed),
            ]);
            let label = format!("{profile}: {name}");
            bars.push(Bar { label, value: processor, ours: name.contains("tenure") });
        }
    }
    let head = ["application", "profile", "processor time", "times axum alone", "time that passed"];
    Ok(vec![Section {
        title: "A clean build",
        text: format!(
            "`cargo build` of an application that depends on axum with its default features and on the crate \
             named, and does nothing yet, from downloaded sources and an empty target folder; median of {}. Each \
             comes with its store in memory. Processor time counts: it is nearly the same on a machine that is \
             busy with other things. `cargo xtask crates` names the crates.",
            options.builds
        ),
        table: Table { head: head.map(Into::into).into(), rows },
        bounds: Vec::new(),
        plot: Some(Plot { name: "build", title: "A clean build, in seconds of processor time", bars }),
    }])
}

fn build(folder: &Path, profile: &[&str]) -> Result<Took> {
    let target = folder.join("target");
    if target.exists() {
        fs::remove_dir_all(&target).with_context(|| format!("cannot empty {}", target.display()))?;
    }
    // What is not there yet is downloaded before the clock runs.
    let fetched = Program::cargo("fetch --quiet").folder(folder).output();
    fetched.with_context(|| format!("cannot download what {} needs", folder.display()))?;
    // The shell's own report of what its children took, since nothing in Rust's library has one.
    let script = "begun=$(date +%s.%N); \"$@\" || exit 1; echo \"$begun $(date +%s.%N)\"; times";
    let words = ["-c", script, "sh", "cargo", "build", "--quiet", "--offline", "--target-dir"];
    let program = Program::new("sh").args(words).args([&target]).args(profile).folder(folder);
    let told = program.output().with_context(|| format!("{} does not build", folder.display()))?;
    fs::remove_dir_all(&target).with_context(|| format!("cannot empty {}", target.display()))?;
    took(&told)
}

/// Reads `BEGUN ENDED`, a line for the shell itself, and one for its children: `1m2.50s 0m3.50s`.
fn took(told: &str) -> Result<Took> {
    let lines: Vec<Vec<&str>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
    let [times, _, children] = &lines[..] else { bail!("the shell's times do not read: {told}") };
    let ([begun, ended], [user, system]) = (&times[..], &children[..]) else {
        bail!("the shell's times do not read: {told}");
    };
    let passed = ended.parse::<f64>()? - begun.parse::<f64>()?;
    let processor = seconds(user)? + seconds(system)?;
    ensure!(passed > 0.0 && processor > 0.0, "a build took no time: {told}");
    Ok(Took { processor, passed })
}

/// Such as `1m2.50s`.
fn seconds(text: &str) -> Result<f64> {
    let parts = text.strip_suffix('s').and_then(|text| text.split_once('m'));
    let (minutes, seconds) = parts.with_context(|| format!("{text} is no time of a shell"))?;
    Ok(minutes.parse::<f64>()? * 60.0 + seconds.parse::<f64>()?)
}

fn median(took: &[Took], of: impl Fn(&Took) -> f64) -> f64 {
    let mut values: Vec<f64> = took.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_shell_are_read() {
        let took = took("100.5 162.0\n0m0.010s 0m0.000s\n1m2.500s 0m3.250s\n").unwrap();
        assert!((took.passed - 61.5).abs() < 1e-9 && (took.processor - 65.75).abs() < 1e-9);
        assert!(super::took("1 2\n").is_err());
    }

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        let took = |processor| Took { processor, passed: 1.0 };
        let median = median(&[took(9.0), took(1.0), took(3.0)], |took| took.processor);
        assert!((median - 3.0).abs() < 1e-9);
    }
}
