//! Moving all sessions to another store.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use hyper::Method;
use serde_json::{Value, json};
use tenure::clock::{Clock, SystemClock};
use tenure::{Move, MoveProgress, Moved};
use tenure_server::Scope;

use crate::args::CopyArgs;
use crate::client::Server;
use crate::config::Settings;
use crate::exit::{Blame, Exit};
use crate::output::{self, GOOD, printable, say, say_json, styled};
use crate::signals::{self, stopped};
use crate::store;
use crate::store_url::StoreUrl;

/// Where a server is asked.
const PATH: &str = "/v1/store/copy";

/// How often it is asked how far it is, and how often in a row it may say nothing.
const LOOKED_EVERY: Duration = Duration::from_millis(300);
const SILENT: u32 = 20;

/// How often it is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Moves everything from one store to another, or calls that off.
pub(crate) async fn copy(args: CopyArgs) -> Result<Exit> {
    let to: StoreUrl = args.to.parse().blame_usage()?;
    if to == StoreUrl::Memory {
        return Err(anyhow::anyhow!("a store in memory ends with its process: name one that stays"))
            .blame_usage();
    }
    if args.from.is_some() { here(args, &to).await } else { at_server(args).await }
}

/// Does it in this process.
async fn here(args: CopyArgs, to: &StoreUrl) -> Result<Exit> {
    let (call_off, json) = (args.call_off, args.server.json);
    let settings = Settings::read(args.into()).blame_usage()?;
    let stop = signals::stop()?;
    let (from, name) = (store::engine(&settings, &settings.store), to.to_string());
    let house = Move::between(from, store::destination(&settings, to), &name).await?;
    let told = Teller::default();
    let done = if call_off {
        house.call_off().await.map(|()| None)
    } else {
        tokio::select! {
            moved = house.run(|progress| told.tell(&Stage::of(progress))) => moved.map(Some),
            () = stopped(stop) => {
                house.close().await;
                output::note(
                    "stopped; the old store takes writes again within half a minute. Run it again to go on",
                );
                return Ok(Exit::Failed);
            }
        }
    };
    house.close().await;
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match done? {
        None => called_off(json, &name),
        Some(moved) => {
            let Moved { sessions, users, .. } = moved;
            report(json, &name, [sessions, users, ms(moved.frozen), ms(moved.took)])
        }
    }
}

/// Asks a running server to do it, and watches.
async fn at_server(args: CopyArgs) -> Result<Exit> {
    let server = Server::named(&args.server, Scope::Admin)?;
    let asked = json!({ "to": args.to, "call_off": args.call_off });
    let mut state = server.ask(Method::POST, PATH, Some(&asked)).await?;
    let (told, mut silent) = (Teller::default(), 0);
    loop {
        let number = |at: &str| state.pointer(at).and_then(Value::as_u64).unwrap_or(0);
        let text = |field| state.get(field).and_then(Value::as_str).unwrap_or_default();
        match text("state") {
            "running" | "calling_off" => {
                let numbers = ["/done", "/differed", "/behind"].map(number);
                told.tell(&Stage { name: text("stage").to_owned(), numbers });
            }
            "moved" => {
                let numbers = ["/moved/sessions", "/moved/users", "/moved/frozen_ms", "/moved/took_ms"];
                return report(args.server.json, text("to"), numbers.map(number));
            }
            "called_off" => return called_off(args.server.json, text("to")),
            _ => return failed(text("code"), text("error")),
        }
        tokio::time::sleep(LOOKED_EVERY).await;
        // While it changes over to the new store, it may break a connection off.
        state = match server.ask(Method::GET, PATH, None).await {
            Err(error) if silent >= SILENT => return Err(error),
            Err(_) => {
                silent += 1;
                continue;
            }
            Ok(state) => state,
        };
        silent = 0;
    }
}

fn called_off(json: bool, to: &str) -> Result<Exit> {
    if json {
        say_json(&json!({ "to": to, "called_off": true }))?;
    } else {
        say(format!("called off: the old store is in use as before, and {to} has to be emptied"))?;
    }
    Ok(Exit::Done)
}

/// What broke off at the server ends as it would have here.
fn failed(code: &str, error: &str) -> Result<Exit> {
    let error = Err(anyhow::anyhow!("{}", printable(error)));
    match code {
        "store_configuration" | "store_blocked" | "invalid_policy" => error.blame_usage(),
        "store_damaged" => error.blame_found(),
        "store_unavailable" | "clock_implausible" => error.blame_outage(),
        _ => error,
    }
}

fn report(json: bool, to: &str, [sessions, users, frozen_ms, took_ms]: [u64; 4]) -> Result<Exit> {
    if json {
        say_json(&json!({
            "to": to, "sessions": sessions, "users": users, "frozen_ms": frozen_ms, "took_ms": took_ms,
        }))?;
    } else {
        say(format!(
            "{} {sessions} live sessions and {users} users, the same on both sides, in {} s; nobody could write \
             for {} s",
            styled(GOOD, "moved:"),
            seconds(took_ms),
            seconds(frozen_ms)
        ))?;
        output::note(format!("from the next start on, serve them with --store {to}"));
    }
    Ok(Exit::Done)
}

fn seconds(millis: u64) -> String {
    format!("{:.1}", millis as f64 / 1_000.0)
}

/// How far it is.
struct Stage {
    name: String,
    /// Looked at, written or different, behind.
    numbers: [u64; 3],
}

impl Stage {
    fn of(progress: &MoveProgress) -> Self {
        Self {
            name: progress.stage.as_str().to_owned(),
            numbers: [progress.done, progress.differed, progress.behind],
        }
    }
}

/// Says how far it is: at each new stage, and once a second to a terminal.
#[derive(Default)]
struct Teller(Mutex<(String, Duration)>);

impl Teller {
    fn tell(&self, stage: &Stage) {
        let Ok(mut last) = self.0.lock() else { return };
        let now = SystemClock.running();
        let is_old = now.saturating_sub(last.1) >= TOLD_EVERY;
        if stage.name.is_empty() || last.0 == stage.name && !(is_old && std::io::stderr().is_terminal()) {
            return;
        }
        *last = (stage.name.clone(), now);
        let [done, differed, behind] = stage.numbers;
        output::note(match stage.name.as_str() {
            "copying" => format!("copying: {done} looked at, {differed} written"),
            "following" => format!("following what happened meanwhile: {behind} events behind"),
            "comparing" => format!("comparing, and nobody writes: {done} looked at, {differed} differed"),
            _ => "handing over".to_owned(),
        });
    }
}
