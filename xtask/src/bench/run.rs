//! The parts that can be measured, and a run of some of them.

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::page::Page;
use super::section::{self, Section};
use super::setting::Setting;
use super::{building, check, http, instructions, shared, store, verify};

/// Measure, and write docs/benchmarks.md.
///
/// Builds the package in `bench/` without what tests need, runs each measurement in rounds that
/// take turns with what it is compared with, and writes medians and ratios with the machine, the
/// versions, the date and the command. What a run leaves out stays in the page as it was. Fails
/// when a bound is missed. Leave the machine alone meanwhile. Ten million sessions take about
/// 13 GB of memory; five million in a store, with the copy of it that a part compares with, about
/// 9 GB of disk, which are free again afterwards.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {
    /// What to measure [default: everything]
    #[arg(value_enum)]
    parts: Vec<Part>,
    #[command(flatten)]
    check: check::Options,
    #[command(flatten)]
    instructions: instructions::Options,
    #[command(flatten)]
    http: http::Options,
    #[command(flatten)]
    building: building::Options,
    #[command(flatten)]
    store: store::Options,
    #[command(flatten)]
    shared: shared::Options,
}

/// A part of the page.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A check from memory, token to verdict
    Check,
    /// What a request takes in an axum application, in instructions
    Instructions,
    /// Requests a second of an axum application, reading and counting in memory
    Http,
    /// Requests a second that count durably
    Durable,
    /// What a clean build takes
    Build,
    /// The embedded store with many sessions
    Store,
    /// `POST /v1/sessions/verify`
    Verify,
    /// The stores that nodes share: from memory, from the store, changes, calls for each request
    Shared,
    /// Requests a second of an axum application over Redis
    Redis,
}

impl Part {
    /// Its name on the command line and in the page.
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn measure(self, setting: &Setting, options: &Options) -> Result<Vec<Section>> {
        match self {
            Self::Check => check::measure(setting, &options.check),
            Self::Instructions => instructions::measure(setting, &options.instructions),
            Self::Http => http::measure(setting, &options.http),
            Self::Durable => http::measure_durable(setting, &options.http),
            Self::Build => building::measure(&options.building),
            Self::Store => store::measure(setting, &options.store),
            Self::Verify => verify::measure(setting),
            Self::Shared => shared::measure(setting, &options.shared),
            Self::Redis => http::measure_redis(setting, &options.http),
        }
    }
}

/// Measures and writes. Whether everything was within its bounds.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let asked = |part: &Part| options.parts.is_empty() || options.parts.contains(part);
    let setting = Setting::find()?;
    // What measures whole builds needs nothing built.
    if Part::value_variants().iter().any(|part| asked(part) && *part != Part::Build) {
        setting.build("bench")?;
    }
    let mut all_met = true;
    for part in Part::value_variants().iter().filter(|part| asked(part)) {
        println!("{}", part.name());
        let sections = part.measure(&setting, options)?;
        let text = section::text(&sections, &setting.described()?);
        // Written part by part: what was measured is kept when a later part fails.
        let mut page = Page::read(&setting.page())?;
        page.put(&part.name(), text);
        page.write(&setting.page(), Part::value_variants().iter().map(|part| part.name()))?;
        for section in &sections {
            section.write_plot(&setting.docs())?;
        }
        for bound in sections.iter().flat_map(|section| &section.bounds) {
            println!("  {bound}");
            all_met &= bound.is_met();
        }
    }
    Ok(all_met)
}
