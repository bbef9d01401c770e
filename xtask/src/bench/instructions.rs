//! What a request takes in an axum application, in instructions: no noise, no sockets.

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::section::{Allowed, Bound, Plot, Section, Table};
use super::setting::Setting;
use crate::command::Program;
use crate::packages;
use crate::plot::Bar;

#[derive(Args)]
#[group(skip)]
pub(crate) struct Options {
    /// instructions: how many requests the shorter of two runs has
    #[arg(long, default_value_t = 2_000)]
    requests: u64,
}

const APPS: [&str; 6] = ["bare", "layer", "minimal", "tenure", "tenure-embedded", "tower-sessions"];
const ROUTES: [&str; 2] = ["read", "count"];
/// What Tenure adds to a request, times what tower-sessions adds.
const ALLOWED: Allowed = Allowed::AtMost(0.25);

/// Instructions for one request, on each route.
struct Counted {
    app: &'static str,
    on: [f64; 2],
}

pub(crate) fn measure(setting: &Setting, options: &Options) -> Result<Vec<Section>> {
    ensure!(packages::runs("valgrind"), "instructions are counted by valgrind: apt-get install valgrind");
    let mut counted = Vec::new();
    for app in APPS {
        println!("  {app}");
        let each = |route| for_each_request(setting, app, route, options.requests);
        counted.push(Counted { app, on: [each(ROUTES[0])?, each(ROUTES[1])?] });
    }
    let head = ["application", "read", "added", "count", "added"];
    Ok(vec![Section {
        title: "Instructions a request",
        text: format!(
            "The applications of the next sections, called without a socket, under callgrind: the difference \
             between a run of {} requests and one of twice as many, for each request. Added is what comes on \
             top of the bare application; `layer` is the bare one inside a layer that does nothing. valgrind \
             knows no instructions for SHA-256: there it takes about 3,300, on most processors a few hundred.",
            options.requests
        ),
        table: Table {
            head: head.map(Into::into).into(),
            rows: counted.iter().map(|it| row(it, &counted)).collect(),
        },
        bounds: bounds(&counted)?,
        plot: Some(Plot {
            name: "instructions",
            title: "What reading who is signed in adds to a request, in instructions",
            bars: counted.iter().skip(1).map(|it| bar(it, &counted)).collect(),
        }),
    }])
}

/// What one request takes, begin and end of the program left out.
fn for_each_request(setting: &Setting, app: &str, route: &str, requests: u64) -> Result<f64> {
    let short = collected(setting, app, route, requests)?;
    let long = collected(setting, app, route, requests * 2)?;
    Ok(long.saturating_sub(short) as f64 / requests as f64)
}

fn collected(setting: &Setting, app: &str, route: &str, requests: u64) -> Result<u64> {
    let program = Program::new("valgrind").args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    let program = program.args([setting.program("instructions")]);
    let said = program.args([app, route, &requests.to_string()]).answer()?.stderr;
    let count = said.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
    count.and_then(|count| count.parse().ok()).with_context(|| format!("callgrind counted nothing:\n{said}"))
}

fn bounds(counted: &[Counted]) -> Result<Vec<Bound>> {
    let of = |app| counted.iter().find(|it| it.app == app).with_context(|| format!("{app} was not measured"));
    let (ours, theirs) = (of("tenure")?, of("tower-sessions")?);
    let bound = |at: usize| Bound {
        what: format!("instructions that tenure adds to {}, times those of tower-sessions", ROUTES[at]),
        measured: added(ours, at, counted) / added(theirs, at, counted),
        allowed: ALLOWED,
    };
    Ok(vec![bound(0), bound(1)])
}

/// What comes on top of the bare application, which is the first.
fn added(it: &Counted, at: usize, counted: &[Counted]) -> f64 {
    it.on[at] - counted[0].on[at]
}

fn row(it: &Counted, counted: &[Counted]) -> Vec<String> {
    let figures = (0..ROUTES.len()).flat_map(|at| [it.on[at], added(it, at, counted)]);
    [it.app.to_owned()].into_iter().chain(figures.map(|figure| format!("{figure:.0}"))).collect()
}

fn bar(it: &Counted, counted: &[Counted]) -> Bar {
    Bar { label: it.app.to_owned(), value: added(it, 0, counted), ours: it.app.starts_with("tenure") }
}
