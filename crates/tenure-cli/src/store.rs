//! Stores: opening them, looking after them.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;
use tenure::store::Engine;
use tenure::{Memory, Sessions};
use tenure_embedded::Embedded;
use tenure_postgres::Postgres;
use tenure_redis::Redis;

use crate::config::Settings;
use crate::exit::Exit;
use crate::output::{self, BAD, GOOD, say, say_json, styled};
use crate::store_url::{AfterRestore, StoreUrl};

/// Opens the store that `settings` name, under their policy.
pub(crate) async fn open(settings: &Settings) -> Result<Sessions> {
    let builder = Sessions::builder(engine(settings, &settings.store));
    let builder = builder.policy(settings.policy.clone()).cookie(settings.cookie.clone());
    let builder = builder.realm(settings.realm.clone());
    Ok(builder.open().await?)
}

/// The engine of the store at `url`, with the keys that `settings` name.
pub(crate) fn engine(settings: &Settings, url: &StoreUrl) -> Box<dyn Engine> {
    match url {
        StoreUrl::Memory => Box::new(Memory),
        StoreUrl::Embedded(dir) => Box::new(embedded(settings, dir.clone())),
        StoreUrl::Postgres(address) => Box::new(postgres(settings, address.expose())),
        StoreUrl::Redis(address) => Box::new(redis(settings, address.expose())),
    }
}

/// The engine of a store that sessions are to move to. It is empty, or the move began there, or the move is
/// refused: so one that was here before and had to be emptied is no matter.
pub(crate) fn destination(settings: &Settings, url: &StoreUrl) -> Box<dyn Engine> {
    engine(&Settings { after_restore: AfterRestore::Accept, ..settings.clone() }, url)
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

fn postgres(settings: &Settings, address: &str) -> Postgres {
    let engine = Postgres::at(address).after_restore(settings.after_restore.into());
    let engine = match &settings.config_dir {
        Some(dir) => engine.mark_dir(dir),
        None => engine,
    };
    match master_key_file(settings) {
        Some(file) => engine.master_key_file(file),
        None => engine,
    }
}

fn redis(settings: &Settings, address: &str) -> Redis {
    let engine = Redis::at(address).after_restore(settings.after_restore.into());
    let engine = match &settings.config_dir {
        Some(dir) => engine.mark_dir(dir),
        None => engine,
    };
    match master_key_file(settings) {
        Some(file) => engine.master_key_file(file),
        None => engine,
    }
}

/// Where the master key of a shared store is.
fn master_key_file(settings: &Settings) -> Option<PathBuf> {
    let usual = || settings.config_dir.as_ref().map(|dir| dir.join("master.key"));
    settings.master_key_file.clone().or_else(usual)
}

/// Copies the store of a folder to a new file.
pub(crate) async fn backup(dir: PathBuf, file: PathBuf, json: bool) -> Result<Exit> {
    let (from, to) = (dir.clone(), file.clone());
    let copying = tokio::task::spawn_blocking(move || Embedded::backup(from, to));
    copying.await.context("copying broke off")??;
    let (store, copy) = (dir.display(), file.display());
    if json {
        let bytes = file.metadata().with_context(|| format!("cannot look at {copy}"))?.len();
        say_json(&json!({ "store": store.to_string(), "file": copy.to_string(), "bytes": bytes }))?;
    } else {
        say(format!("{store} copied to {copy}"))?;
    }
    Ok(Exit::Done)
}

/// Reads everything in the store of a folder and says what is damaged.
pub(crate) async fn verify(dir: PathBuf, json: bool) -> Result<Exit> {
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
    let exit = if report.is_clean() { Exit::Done } else { Exit::Found };
    let (sessions, guests, events) = (report.sessions, report.guests, report.events);
    if json {
        say_json(&json!({
            "store": shown,
            "ok": report.is_clean(),
            "sessions": sessions,
            "guests": guests,
            "events": events,
            "problem_count": report.problem_count,
            "problems": report.problems,
        }))?;
        return Ok(exit);
    }
    for problem in &report.problems {
        say(problem)?;
    }
    let found = format!("{sessions} sessions ({guests} guests) and {events} events in {shown}");
    say(match report.problem_count {
        0 => format!("{} {found}, all whole", styled(GOOD, "ok:")),
        count => {
            format!("{} {count} problems among {found}; restore a backup", styled(BAD, "DAMAGED:"))
        }
    })?;
    Ok(exit)
}
