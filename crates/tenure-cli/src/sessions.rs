//! Looking at sessions of a running server, and ending them.

use std::process::ExitCode;

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::{Value, json};

use crate::args::{EndArgs, ListArgs, ShowArgs};
use crate::client::{Server, encoded};
use crate::output::say;

/// What a list shows of each session, and where it is in the answer.
const COLUMNS: [(&str, &str); 6] = [
    ("ID", "/id"),
    ("STATE", "/state"),
    ("USER", "/user"),
    ("DEVICE", "/device/label"),
    ("IP", "/device/ip"),
    ("LAST SEEN", "/last_seen_at"),
];

/// Lists live sessions.
pub(crate) async fn list(args: ListArgs) -> Result<ExitCode> {
    let server = Server::named(&args.server)?;
    let mut path = format!("/v1/sessions?limit={}", args.limit);
    for (name, value) in [("user", &args.user), ("cursor", &args.cursor)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    let page = server.ask(Method::GET, &path, None).await?;
    if args.server.json {
        return shown(&page);
    }
    let sessions = page["sessions"].as_array().context("the answer holds no sessions")?;
    table(sessions)?;
    if let Some(cursor) = page["next_cursor"].as_str() {
        say(format!("there may be more: --cursor {cursor}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows one session.
pub(crate) async fn show(args: ShowArgs) -> Result<ExitCode> {
    let server = Server::named(&args.server)?;
    let path = format!("/v1/sessions/{}", encoded(&args.id));
    let session = server.ask(Method::GET, &path, None).await?;
    if args.server.json {
        return shown(&session);
    }
    let fields = session.as_object().context("the answer is no session")?;
    for (name, value) in fields {
        say(format!("{name:18} {}", text(value)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends a session, all of a user, or all there are.
pub(crate) async fn end(args: EndArgs) -> Result<ExitCode> {
    let server = Server::named(&args.server)?;
    if let Some(id) = &args.id {
        let mut path = format!("/v1/sessions/{}?reason={}", encoded(id), args.reason);
        if let Some(note) = &args.note {
            path.push_str(&format!("&note={}", encoded(note)));
        }
        server.ask(Method::DELETE, &path, None).await?;
        if args.server.json {
            return shown(&json!({ "ended": id }));
        }
        say(format!("{id} has ended"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let filter = args.user.as_ref().map_or_else(|| json!({}), |user| json!({ "user": user }));
    let asked = json!({
        "filter": filter,
        "all": args.all,
        "except": args.except,
        "reason": args.reason,
        "note": args.note,
        "dry_run": args.dry_run,
    });
    let (mut matched, mut ended) = (0, 0);
    loop {
        let done = server.ask(Method::POST, "/v1/sessions/end", Some(&asked)).await?;
        let count = |name: &str| done[name].as_u64().unwrap_or_default();
        matched += count("matched");
        ended += count("ended");
        let more = done["more"].as_bool().unwrap_or_default();
        if !more || args.dry_run {
            let at_least = if more { "at least " } else { "" };
            if args.server.json {
                return shown(&json!({ "matched": matched, "ended": ended, "more": more }));
            }
            say(match args.dry_run {
                true => format!("{at_least}{matched} sessions would end"),
                false => format!("{ended} sessions have ended"),
            })?;
            return Ok(ExitCode::SUCCESS);
        }
    }
}

fn shown(answer: &Value) -> Result<ExitCode> {
    say(serde_json::to_string_pretty(answer)?)?;
    Ok(ExitCode::SUCCESS)
}

fn table(sessions: &[Value]) -> Result<()> {
    let cell = |session: &Value, place| session.pointer(place).map(text).unwrap_or_default();
    let rows: Vec<[String; 6]> =
        sessions.iter().map(|session| COLUMNS.map(|(_, place)| cell(session, place))).collect();
    let widths: [usize; 6] = std::array::from_fn(|at| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        cells.chain([COLUMNS[at].0.len()]).max().unwrap_or_default()
    });
    let line = |cells: [&str; 6]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    say(line(COLUMNS.map(|(name, _)| name)))?;
    for row in &rows {
        say(line(std::array::from_fn(|at| row[at].as_str())))?;
    }
    Ok(())
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
