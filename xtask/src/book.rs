//! Building the book, where there is an mdbook. What it says is tested by `tests/book`.

use anyhow::{Result, bail};

use crate::command::{Log, Program};
use crate::packages::Places;
use crate::steps::Step;
use crate::tally::Tally;

/// Builds the book, or says that nobody can here.
pub(crate) fn step(places: &Places) -> Step {
    if Program::new("mdbook").args(["--version"]).output().is_none() {
        return Step::skipped("book", "there is no mdbook here");
    }
    let root = places.root.clone();
    Step::new("book", move |log| build(log, &Program::new("mdbook").args(["build"]).folder(&root)))
}

/// Builds it, and fails when there is something to warn of.
fn build(log: &Log, program: &Program) -> Result<Tally> {
    log.run(program)?;
    let text = log.text();
    if let Some(warning) = text.lines().find(|line| line.contains("WARN") || line.contains("ERROR")) {
        bail!("{warning}");
    }
    Ok(Tally::PASS)
}
