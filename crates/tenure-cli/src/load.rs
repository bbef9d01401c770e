//! Loading a server with sessions.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tenure::clock::{Clock, SystemClock};
use tenure_load::{Live, LoadError, Report, Scenario, Settings, Target, compare, run};
use tenure_server::Scope;

use crate::args::{LoadArgs, LoadCommand};
use crate::client;
use crate::exit::{Blame, Exit};
use crate::output::{BAD, note, printable, say, styled};
use crate::signals::{self, stopped};

/// What its API key is to be good for.
const SCOPES: [Scope; 3] = [Scope::Check, Scope::Issue, Scope::Manage];

/// How wide the table is.
const WIDTH: usize = 80;

/// How often a line tells how it goes, where there is no terminal.
const LINE: Duration = Duration::from_secs(10);

/// Loads a server, or compares two runs.
pub(crate) async fn load(args: LoadArgs) -> Result<Exit> {
    if let Some(LoadCommand::Compare { before, after }) = &args.command {
        let comparison = compare(&read(before).blame_usage()?, &read(after).blame_usage()?);
        say(printable(comparison.text()))?;
        return Ok(if comparison.is_worse() { Exit::Found } else { Exit::Done });
    }
    let target = target(args.scenario.as_deref()).blame_usage()?;
    let servers = if args.servers.is_empty() { vec![client::SERVER.to_owned()] } else { args.servers };
    let defaults = Settings::of(servers);
    let settings = Settings {
        rate: args.rate,
        duration: args.duration,
        warm_up: args.warm_up,
        population: args.population,
        outstanding: args.outstanding,
        patience: args.timeout,
        mix: args.mix,
        bound: args.bound.unwrap_or(defaults.bound),
        seed: args.seed,
        ..defaults
    };
    let stop = signals::stop()?;
    let mut screen = Screen::new();
    let report = match run(settings, target, stopped(stop), |live| screen.show(live)).await {
        Err(error @ LoadError::Unavailable(_)) => return Err(error).blame_outage(),
        Err(error @ LoadError::Settings(_)) => return Err(error).blame_usage(),
        report => report?,
    };
    say(printable(&report.to_text()))?;
    if let Some(file) = &args.json {
        write(file, &report.to_json()?)?;
    }
    if let Some(file) = &args.html {
        write(file, &report.to_html())?;
    }
    let crossed: Vec<_> = args.fail_if.iter().filter_map(|condition| condition.crossed_by(&report)).collect();
    for why in &crossed {
        note(format!("{} {why}", styled(BAD, "failed:")));
    }
    Ok(if crossed.is_empty() { Exit::Done } else { Exit::Found })
}

fn target(scenario: Option<&Path>) -> Result<Target> {
    let Some(file) = scenario else {
        return Ok(Target::Api { key: client::api_key(&SCOPES)?.as_str().to_owned() });
    };
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let scenario = Scenario::parse(&text).with_context(|| file.display().to_string())?;
    Ok(Target::Web(scenario))
}

fn read(file: &Path) -> Result<Report> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Report::from_json(&text).map_err(|error| anyhow!("{}: {error}", file.display()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Where it is shown how the run goes: in place on a terminal, else now and then in a line.
struct Screen {
    terminal: bool,
    lines: usize,
    told: Duration,
}

impl Screen {
    fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), lines: 0, told: SystemClock.running() }
    }

    fn show(&mut self, live: &Live) {
        if self.terminal {
            let table = live.table(WIDTH);
            let up = if self.lines > 0 { format!("\x1b[{}A", self.lines) } else { String::new() };
            writeln!(std::io::stderr().lock(), "{up}\x1b[J{table}").ok();
            self.lines = table.lines().count();
        } else if SystemClock.running().saturating_sub(self.told) >= LINE {
            self.told = SystemClock.running();
            note(live.line());
        }
    }
}
