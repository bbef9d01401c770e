//! Looking at sessions of a running server, and ending them.

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::{Value, json};
use tenure_server::Scope;

use crate::args::{EndArgs, ListArgs, ShowArgs};
use crate::client::{Server, encoded};
use crate::exit::Exit;
use crate::output::{HEAD, note, printable, say, say_json, styled};

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
pub(crate) async fn list(args: ListArgs) -> Result<Exit> {
    let server = Server::named(&args.server, Scope::Manage)?;
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
    if sessions.is_empty() {
        note("no live sessions");
        return Ok(Exit::Done);
    }
    table(sessions)?;
    if let Some(cursor) = page["next_cursor"].as_str() {
        say(format!("there may be more: --cursor {cursor}"))?;
    }
    Ok(Exit::Done)
}

/// Shows one session.
pub(crate) async fn show(args: ShowArgs) -> Result<Exit> {
    let server = Server::named(&args.server, Scope::Manage)?;
    let path = format!("/v1/sessions/{}", encoded(&args.id));
    let session = server.ask(Method::GET, &path, None).await?;
    if args.server.json {
        return shown(&session);
    }
    let fields = fields(&session);
    let width = fields.iter().map(|(name, _)| name.len()).max().context("the answer is no session")?;
    for (name, value) in &fields {
        say(format!("{}  {value}", styled(HEAD, &format!("{name:width$}"))))?;
    }
    Ok(Exit::Done)
}

/// Ends a session, all of a user, or all there are.
pub(crate) async fn end(args: EndArgs) -> Result<Exit> {
    let server = Server::named(&args.server, Scope::Manage)?;
    if let Some(id) = &args.id {
        let mut path = format!("/v1/sessions/{}?reason={}", encoded(id), args.reason);
        if let Some(note) = &args.note {
            path.push_str(&format!("&note={}", encoded(note)));
        }
        server.ask(Method::DELETE, &path, None).await?;
        if args.server.json {
            return shown(&json!({ "session": id, "state": "ended" }));
        }
        say(format!("{id} has ended"))?;
        return Ok(Exit::Done);
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
                true => format!("{at_least}{} would end", counted(matched)),
                false if ended == 1 => "1 session has ended".to_owned(),
                false => format!("{ended} sessions have ended"),
            })?;
            return Ok(Exit::Done);
        }
    }
}

fn shown(answer: &Value) -> Result<Exit> {
    say_json(answer)?;
    Ok(Exit::Done)
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
    say(styled(HEAD, &line(COLUMNS.map(|(name, _)| name))))?;
    for row in &rows {
        say(line(std::array::from_fn(|at| row[at].as_str())))?;
    }
    Ok(())
}

fn counted(sessions: u64) -> String {
    if sessions == 1 { "1 session".into() } else { format!("{sessions} sessions") }
}

/// What a session holds, each under its name, and below a name with a dot.
fn fields(value: &Value) -> Vec<(String, String)> {
    let Some(object) = value.as_object() else { return Vec::new() };
    let mut all = Vec::new();
    for (name, value) in object {
        match value {
            Value::Object(inner) if !inner.is_empty() && name != "data" => {
                let below = fields(value).into_iter().map(|(below, text)| (format!("{name}.{below}"), text));
                all.extend(below);
            }
            _ => all.push((printable(name), text(value))),
        }
    }
    all
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => printable(text).replace('\n', " "),
        Value::Array(words) if words.is_empty() => "-".into(),
        Value::Array(words) if words.iter().all(Value::is_string) => {
            words.iter().map(text).collect::<Vec<_>>().join(", ")
        }
        other => printable(&other.to_string()),
    }
}
