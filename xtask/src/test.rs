//! `cargo xtask test`: what it checks, and in which order.

#![expect(clippy::disallowed_methods, reason = "measures how long the whole run takes")]

use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::command::{Log, Program};
use crate::packages::{Missing, Places};
use crate::report::{self, Screen};
use crate::steps::{self, Step};
use crate::tally::Tally;
use crate::{book, browser, crates, examples, features, fuzz, house, interface, licences, packages, rustdoc};

const QUICK: &str = "left out by --quick";

/// Run every check and test; what CI runs.
///
/// Formatting, lints, house rules, each crate with each set of its features, docs,
/// types of others in the public interface and an example of everything in it, how many crates Tenure adds to an
/// application, all Rust tests, browser tests, and the licences and sources of the
/// dependencies. Steps run side by side and go on
/// after a failure; the output of a failing step is printed in full. It ends
/// with a table, a line such as `412 passed, 0 failed`, and status 1 if anything
/// failed.
///
/// On Debian it installs what is missing, after asking: Chromium, curl, Node.js,
/// PostgreSQL, Redis and nginx, python3-venv (by apt-get, with sudo unless root), and inside the workspace
/// playwright-core and cargo-deny.
#[derive(Args)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Install what is missing without asking
    #[arg(long, short)]
    yes: bool,
    /// Only what needs no package and no root: no PostgreSQL, Redis or nginx, no browser tests, no cargo-deny
    #[arg(long, conflicts_with = "yes")]
    quick: bool,
    /// Run long: sets TENURE_SOAK=1, by which tests draw far more cases, and fuzzes
    #[arg(long)]
    soak: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask test            everything, asks before it installs something
  cargo xtask test --quick    everything that needs Rust and a C compiler only
  cargo xtask test --yes      what .ci/run does";

/// Runs the steps and reports them: whether all passed.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let started = Instant::now();
    let places = Places::find()?;
    let mut steps = rust_steps(&places, options.quick);
    steps.push(book::step(&places));
    if options.quick {
        steps.push(Step::skipped("licences", QUICK));
        steps.push(Step::skipped("browser tests", QUICK));
    } else {
        let missing = Missing::find(&places);
        missing.ask(options.yes)?;
        steps.extend(package_steps(&places, missing));
    }
    if packages::runs("valkey-server") {
        steps.push(Step::new("tests on Valkey", on_valkey).needs(&["build"]).after(&["tests"]));
    }
    if options.soak {
        let places = places.clone();
        steps.push(Step::new("fuzzing", move |log| fuzz::run(&places, log)).after(&["tests"]));
    }
    let names = steps.iter().map(|step| step.name.len()).max().unwrap_or(0);
    let mut screen = Screen::new(names);
    let ended = steps::run(steps, options.soak, &mut screen);
    screen.summary(&ended, started.elapsed());
    Ok(report::all_passed(&ended))
}

/// The packages whose tests all take servers that are installed. In others, those that do are in a module
/// of the name `needs_servers`.
pub(crate) const NEED_SERVERS: [&str; 3] = ["tenure-postgres", "tenure-redis", "tenure-nodes"];

/// What takes the Rust toolchain and nothing else; the tests also take servers, unless `quick`.
///
/// Cargo lets one command compile at a time, so these stand in one queue, by
/// what others wait for. Tests run beside it: they only need the queue until
/// cargo has seen that everything is built. All name the same packages and
/// targets, so nothing is compiled twice.
fn rust_steps(places: &Places, quick: bool) -> Vec<Step> {
    let installed: &[&str] = if quick { &[] } else { &["packages"] };
    let excluded = NEED_SERVERS.map(|name| format!(" --exclude {name}")).concat();
    // The words before and after what says which tests.
    let (apart, skipped) = if quick { (excluded, " -- --skip needs_servers") } else { (String::new(), "") };
    let docs_apart = apart.clone();
    let [for_house, for_crates, for_features, for_interface] = [(); 4].map(|()| places.clone());
    vec![
        Step::new("format", |log| check(log, &Program::cargo("fmt --all --check -- --color never"))),
        Step::new("house rules", move |log| house::check(&for_house.root, log)),
        Step::new("crates", move |log| crates::check(&for_crates, log)),
        Step::new("build", |log| check(log, &Program::cargo("build --workspace --all-targets --keep-going"))),
        Step::new("tests", move |log| {
            cargo_test(log, &format!("test --workspace{apart} --all-targets --no-fail-fast{skipped}"))
        })
        .needs(&["build"])
        .after(installed),
        Step::new("lints", |log| {
            check(log, &Program::cargo("clippy --workspace --all-targets --keep-going -- -D warnings"))
        })
        .after(&["build"])
        .once("tests", "Running "),
        Step::new("features", move |log| features::check(&for_features, log)).after(&["lints"]),
        Step::new("docs", |log| {
            check(
                log,
                &Program::cargo("doc --workspace --all-features --lib --no-deps")
                    .env("RUSTDOCFLAGS", "-D warnings"),
            )
        })
        .after(&["features"]),
        Step::new("interface", move |log| {
            let libraries = rustdoc::describe(&for_interface, log)?;
            let types = interface::check(&for_interface.root, &libraries, log)?;
            Ok([types, examples::check(&libraries, log)].into_iter().sum())
        })
        .after(&["docs"]),
        Step::new("doc tests", move |log| {
            cargo_test(log, &format!("test --workspace{docs_apart} --doc --no-fail-fast"))
        })
        .needs(&["build"])
        .after(installed)
        .after(&["interface"]),
    ]
}

/// What takes packages, and what installs them.
fn package_steps(places: &Places, missing: Missing) -> Vec<Step> {
    let [for_modules, for_licences, for_browser] = [places.clone(), places.clone(), places.clone()];
    vec![
        Step::new("packages", move |log| missing.install_debian(log).map(|()| Tally::NONE)),
        Step::new("node modules", move |log| browser::install(&for_modules, log).map(|()| Tally::NONE))
            .needs(&["packages"]),
        Step::new("licences", move |log| licences::check(&for_licences, log).map(|()| Tally::PASS))
            .after(&["packages"]),
        Step::new("browser tests", move |log| browser::test(&for_browser, log)).needs(&[
            "build",
            "packages",
            "node modules",
        ]),
    ]
}

fn check(log: &Log, program: &Program) -> Result<Tally> {
    log.run(program).map(|()| Tally::PASS)
}

/// What is tried on Redis, on Valkey.
fn on_valkey(log: &Log) -> Result<Tally> {
    let tests = Program::cargo("test -p tenure-redis -p tenure-nodes --tests --no-fail-fast");
    let success = log.succeeds(&tests.env("TENURE_REDIS_SERVER", "valkey-server"))?;
    Ok(Tally::of_cargo_test(&log.text()).and_success(success))
}

fn cargo_test(log: &Log, words: &str) -> Result<Tally> {
    let success = log.succeeds(&Program::cargo(words))?;
    Ok(Tally::of_cargo_test(&log.text()).and_success(success))
}
