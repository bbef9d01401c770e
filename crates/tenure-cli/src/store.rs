//! Stores: naming them, opening them, looking after them.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::Deserialize;
use tenure::{Memory, Sessions};
use tenure_embedded::Embedded;

use crate::config::Settings;
use crate::{demo, output};

/// Where sessions are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreUrl {
    /// In a folder of this machine.
    Embedded(PathBuf),
    /// In memory, until the process ends.
    Memory,
}

/// Stores that the contract has and this release does not.
const LATER: &[&str] = &["postgres", "postgresql", "redis", "rediss", "redis-sentinel", "redis-cluster"];

impl FromStr for StoreUrl {
    type Err = anyhow::Error;

    /// The address is not quoted in errors: it may hold a password.
    fn from_str(url: &str) -> Result<Self> {
        match url.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("embedded", dir)) if !dir.is_empty() => Ok(Self::Embedded(dir.into())),
            Some((scheme, _)) if LATER.contains(&scheme) => {
                bail!("--store: {scheme} is not in this release; there are embedded:DIR and memory:")
            }
            _ => bail!("--store: say embedded:DIR or memory:"),
        }
    }
}

/// What to do with a store that is older than it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AfterRestore {
    /// Do not serve, and say so
    #[default]
    Refuse,
    /// End all sessions that are alive in it, then serve
    EndAllSessions,
    /// Take it as it is: sessions that ended since are alive again
    Accept,
}

/// What to do when the clock is far ahead of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AfterClockGap {
    /// Do not serve, and say so
    #[default]
    Refuse,
    /// The clock is right, the store was merely not in use
    Accept,
}

impl From<AfterRestore> for tenure_embedded::AfterRestore {
    fn from(decision: AfterRestore) -> Self {
        match decision {
            AfterRestore::Refuse => Self::Refuse,
            AfterRestore::EndAllSessions => Self::EndAllSessions,
            AfterRestore::Accept => Self::Accept,
        }
    }
}

impl From<AfterClockGap> for tenure_embedded::AfterClockGap {
    fn from(decision: AfterClockGap) -> Self {
        match decision {
            AfterClockGap::Refuse => Self::Refuse,
            AfterClockGap::Accept => Self::Accept,
        }
    }
}

/// Opens the store that `settings` name, under their policy.
pub(crate) async fn open(settings: &Settings) -> Result<Sessions> {
    let builder = match &settings.store {
        StoreUrl::Memory => Sessions::builder(Memory),
        StoreUrl::Embedded(dir) => Sessions::builder(embedded(settings, dir.clone())),
    };
    let builder = builder.policy(settings.policy.clone()).cookie(settings.cookie.clone());
    let builder = if settings.demo { builder.realm(demo::realm()?) } else { builder };
    Ok(builder.open().await?)
}

fn embedded(settings: &Settings, dir: PathBuf) -> Embedded {
    let engine = Embedded::at(dir)
        .after_restore(settings.after_restore.into())
        .after_clock_gap(settings.after_clock_gap.into());
    let engine = match &settings.config_dir {
        Some(dir) => engine.config_dir(dir),
        None => engine,
    };
    match &settings.master_key_file {
        Some(file) => engine.master_key_file(file),
        None => engine,
    }
}

/// Reads everything in the store of a folder and says what is damaged.
pub(crate) async fn verify(dir: PathBuf) -> Result<ExitCode> {
    let watched = std::io::stderr().is_terminal();
    let shown = dir.display().to_string();
    let reading = tokio::task::spawn_blocking(move || {
        Embedded::verify(dir, |progress| {
            if watched {
                output::note(format!("{} of {} sessions read", progress.sessions, progress.of));
            }
        })
    });
    let report = reading.await.context("reading broke off")?.with_context(|| shown.clone())?;
    for problem in &report.problems {
        output::say(problem)?;
    }
    let (sessions, guests, events) = (report.sessions, report.guests, report.events);
    let found = format!("{sessions} sessions ({guests} guests) and {events} events in {shown}");
    if report.is_clean() {
        output::say(format!("ok: {found}, all whole"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let count = report.problem_count;
    output::say(format!("DAMAGED: {count} problems among {found}; restore a backup"))?;
    Ok(ExitCode::FAILURE)
}
