//! Moving all sessions to another store.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tenure::clock::{Clock, SystemClock};
use tenure::{Move, MoveProgress, MoveStage};

use crate::args::CopyArgs;
use crate::config::Settings;
use crate::exit::{Blame, Exit};
use crate::output::{self, GOOD, say, say_json, styled};
use crate::signals::{self, stopped};
use crate::store;
use crate::store_url::StoreUrl;

/// How often it is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Moves everything from one store to another, or calls that off.
pub(crate) async fn copy(args: CopyArgs) -> Result<Exit> {
    let to: StoreUrl = args.to.parse().blame_usage()?;
    let (call_off, json) = (args.call_off, args.json);
    let settings = Settings::read(args.into()).blame_usage()?;
    let (from, shown) = (settings.store.to_string(), to.to_string());
    if settings.store == StoreUrl::Memory || to == StoreUrl::Memory {
        return Err(anyhow::anyhow!("a store in memory ends with its process: name one that stays"))
            .blame_usage();
    }
    let stop = signals::stop()?;
    let house =
        Move::between(store::engine(&settings, &settings.store), store::engine(&settings, &to), &shown)
            .await?;
    let done = if call_off {
        house.call_off().await.map(|()| None)
    } else {
        tokio::select! {
            moved = house.run(tell()) => moved.map(Some),
            () = stopped(stop) => {
                house.close().await;
                output::note("stopped; the old store takes writes again within half a minute. Run the same command to go on");
                return Ok(Exit::Failed);
            }
        }
    };
    house.close().await;
    let Some(moved) = done? else {
        say(format!("called off: {from} is in use as before, and {shown} has to be emptied"))?;
        return Ok(Exit::Done);
    };
    let (frozen, took) = (moved.frozen.as_millis() as u64, moved.took.as_millis() as u64);
    if json {
        say_json(&json!({
            "from": from, "to": shown, "sessions": moved.sessions, "users": moved.users,
            "checksum": format!("{:016x}", moved.checksum), "frozen_ms": frozen, "took_ms": took,
        }))?;
    } else {
        say(format!(
            "{} {} live sessions and {} users, the same on both sides, in {} s; nobody could write for {} s",
            styled(GOOD, "moved:"),
            moved.sessions,
            moved.users,
            seconds(took),
            seconds(frozen)
        ))?;
        output::note(format!("serve them from now on with --store {shown}"));
    }
    Ok(Exit::Done)
}

fn seconds(millis: u64) -> String {
    format!("{:.1}", millis as f64 / 1_000.0)
}

/// Says how far it is: at each new stage, and once a second to a terminal.
fn tell() -> impl Fn(&MoveProgress) + Send + Sync {
    let watched = std::io::stderr().is_terminal();
    let last: Mutex<Option<(MoveStage, Duration)>> = Mutex::default();
    move |progress| {
        let Ok(mut last) = last.lock() else { return };
        let now = SystemClock.running();
        let is_due = match *last {
            Some((stage, at)) if stage == progress.stage => watched && now.saturating_sub(at) >= TOLD_EVERY,
            _ => true,
        };
        if !is_due {
            return;
        }
        *last = Some((progress.stage, now));
        let MoveProgress { stage, done, differed, behind } = progress;
        output::note(match stage {
            MoveStage::Copying => format!("copying: {done} looked at, {differed} written"),
            MoveStage::Following => format!("following what happened meanwhile: {behind} events behind"),
            MoveStage::Comparing => {
                format!("comparing, and nobody writes: {done} looked at, {differed} differed")
            }
            _ => "handing over".to_owned(),
        });
    }
}
