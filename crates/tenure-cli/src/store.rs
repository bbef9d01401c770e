//! Stores: opening them, looking after them.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use tenure::{Memory, Sessions};
use tenure_embedded::Embedded;

use crate::config::Settings;
use crate::output;
use crate::store_url::StoreUrl;

/// Opens the store that `settings` name, under their policy.
pub(crate) async fn open(settings: &Settings) -> Result<Sessions> {
    let builder = match &settings.store {
        StoreUrl::Memory => Sessions::builder(Memory),
        StoreUrl::Embedded(dir) => Sessions::builder(embedded(settings, dir.clone())),
    };
    let builder = builder.policy(settings.policy.clone()).cookie(settings.cookie.clone());
    let builder = builder.realm(settings.realm.clone());
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

/// Copies the store of a folder to a new file.
pub(crate) async fn backup(dir: PathBuf, file: PathBuf) -> Result<ExitCode> {
    let said = format!("{} copied to {}", dir.display(), file.display());
    let copying = tokio::task::spawn_blocking(move || Embedded::backup(dir, file));
    copying.await.context("copying broke off")??;
    output::say(said)?;
    Ok(ExitCode::SUCCESS)
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
