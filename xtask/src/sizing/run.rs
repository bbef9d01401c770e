//! The command.

use std::fs;

use anyhow::{Context, Result};
use clap::Args;

use super::measured::{Line, Measured};
use super::options::{Wanted, positive};
use super::plan::Engine;
use super::{book, measuring, tables};
use crate::bench::Setting;

/// Work out how many servers so many sessions take, from what was measured.
///
/// Reads docs/sizing.json and says for each engine: nodes, memory, network, servers, disk, and what it costs
/// to lose one. Each figure is worked out as docs/sizing.md says. With other numbers than the defaults it is
/// a plan of your own; with `--measure` the figures are of this machine.
#[derive(Args, Clone)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(crate) struct Options {
    /// How many sessions are alive: signed in, whether or not anybody is there at the moment. Several, with
    /// commas, stand side by side
    #[arg(long, value_delimiter = ',', default_values_t = [1e6, 1e8, 1e9], value_parser = positive, value_name = "NUMBER")]
    sessions: Vec<f64>,
    #[command(flatten)]
    wanted: Wanted,
    /// For which engine [default: all]
    #[arg(long, value_enum)]
    engine: Option<Engine>,
    /// Measure anew, and write docs/sizing.json and the page. It takes about ten minutes; leave the machine
    /// alone meanwhile
    #[arg(long)]
    measure: bool,
    /// Measure with so many sessions in each engine
    #[arg(long, default_value_t = 200_000, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(20_000..))]
    measured_with: u64,
    /// Write the page anew, for one million, 100 million and one billion sessions with all defaults
    #[arg(long)]
    write: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask sizing                                               the plans of docs/sizing.md
  cargo xtask sizing --sessions 5_000_000 --engine redis --every 30
  cargo xtask sizing --measure                                     measure on this machine";

/// Measures if that is asked for, and says the plan.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let setting = Setting::find()?;
    let file = setting.docs().join("sizing.json");
    if options.measure {
        let measured = measuring::measure(&setting, options.measured_with)?;
        fs::write(&file, measured.text()?).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let measured = Measured::read(&file)?;
    if options.measure || options.write {
        let page = Options::of_the_page()?.each();
        book::write(&setting.docs(), &measured, &page, &|words| say(&measured, words))?;
    }
    print!("{}", text(&measured, options)?);
    Ok(true)
}

impl Options {
    /// Those of the page: all defaults.
    pub(super) fn of_the_page() -> Result<Self> {
        Self::parse(&["sizing"])
    }

    /// As somebody would type them.
    pub(super) fn parse(words: &[&str]) -> Result<Self> {
        let command = Self::augment_args(clap::Command::new("sizing"));
        let found = command.try_get_matches_from(words)?;
        Ok(<Self as clap::FromArgMatches>::from_arg_matches(&found)?)
    }

    /// What is wanted, for each number of sessions.
    pub(super) fn each(&self) -> Vec<Wanted> {
        let of = |sessions: &f64| Wanted { sessions: *sessions, ..self.wanted.clone() };
        self.sessions.iter().map(of).collect()
    }
}

/// What the command says to somebody who types these words.
pub(super) fn say(measured: &Measured, words: &[&str]) -> Result<String> {
    text(measured, &Options::parse(words)?)
}

/// What the command says.
fn text(measured: &Measured, options: &Options) -> Result<String> {
    let wanted = options.each();
    let mut parts = vec![tables::incoming(&wanted).for_terminal()];
    for engine in Engine::ALL.into_iter().filter(|engine| options.engine.is_none_or(|only| only == *engine)) {
        parts.push(format!(
            "{}\n{}",
            engine.title(),
            tables::plans(engine, measured, &wanted)?.for_terminal()
        ));
    }
    let versions = measured.lines.iter().find_map(|line| match line {
        Line::Versions { postgres, redis } => Some(format!("PostgreSQL {postgres}, Redis {redis}. ")),
        _ => None,
    });
    parts.push(format!("Measured: {}{}\n", versions.unwrap_or_default(), measured.described));
    Ok(parts.join("\n"))
}
