//! What the book says in numbers and words is what the code says.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use serde_json::Value;
use tenure::{Policy, Preset, record};
use tenure_book::pages::{Page, root};
use tenure_book::tables::{hold, seconds};

/// The fields of a policy, in the order of the book.
const FIELDS: &[&str] = &[
    "session.idle_seconds",
    "session.absolute_seconds",
    "remembered.idle_seconds",
    "remembered.absolute_seconds",
    "pending.absolute_seconds",
    "pending.max_per_user",
    "guest.idle_seconds",
    "guest.absolute_seconds",
    "guest.max",
    "guest.new_per_minute",
    "rotation.interval_seconds",
    "rotation.grace_seconds",
    "touch_threshold_seconds",
    "max_sessions",
    "at_limit",
    "recent_authentication_seconds",
];

/// The fields that are tables of the operator's own.
const TABLES: &[&str] = &["roles", "deviation_reasons"];

fn policies() -> Vec<(&'static str, Value)> {
    let json = |policy: &Policy| serde_json::to_value(policy).unwrap();
    let presets = Preset::ALL.into_iter().map(|preset| (preset.as_str(), json(&preset.policy())));
    std::iter::once(("default", json(&Policy::default()))).chain(presets).collect()
}

/// The fields of a value, with those of its tables.
fn fields(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, value) in value.as_object().unwrap() {
        match value {
            Value::Object(table) if !TABLES.contains(&&**name) => {
                found.extend(table.keys().map(|field| format!("{name}.{field}")));
            }
            _ => drop(found.insert(name.clone())),
        }
    }
    found
}

fn cell(policy: &Value, field: &str) -> String {
    let (table, name) = field.split_once('.').unwrap_or(("", field));
    let value = if table.is_empty() { &policy[name] } else { &policy[table][name] };
    match value {
        Value::Number(number) if field.ends_with("_seconds") => seconds(number.as_u64().unwrap()),
        Value::Number(number) => number.to_string(),
        Value::String(word) => format!("`{word}`"),
        _ => policy[table].to_string(),
    }
}

#[test]
fn the_table_of_fields_and_presets_is_the_codes() {
    let policies = policies();
    let known: BTreeSet<String> = FIELDS.iter().chain(TABLES).map(|field| (*field).to_owned()).collect();
    assert_eq!(fields(&policies[0].1), known, "a field that the book does not have, or has and is none");

    let names: Vec<&str> = policies.iter().map(|(name, _)| *name).collect();
    let mut table = format!("| field | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    let mut others = String::from("| field | default and all presets |\n|---|---|\n");
    for field in FIELDS {
        let cells: Vec<String> = policies.iter().map(|(_, policy)| cell(policy, field)).collect();
        let heading = if field.starts_with("remembered.") { "remembered" } else { field };
        let link = format!("[`{field}`](#{})", heading.replace('.', ""));
        if cells.iter().all(|cell| *cell == cells[0]) {
            writeln!(others, "| {link} | {} |", cells[0]).unwrap();
        } else {
            // In narrow columns.
            writeln!(table, "| {link} | {} |", cells.join(" | ").replace(" (", "<br>(")).unwrap();
        }
    }
    hold("policy.md", "presets", &table);
    hold("policy.md", "others", &others);
}

#[test]
fn each_field_has_its_section_with_its_bounds() {
    let page = Page::named("policy.md");
    for field in FIELDS.iter().chain(TABLES) {
        let heading = if field.starts_with("remembered") { "remembered" } else { field };
        assert!(page.text.contains(&format!("\n### {heading}\n")), "{field}");
    }
    let breaches: &[(&str, &str)] = &[
        ("session", "idle_seconds = 0\nabsolute_seconds = 9"),
        ("session", "idle_seconds = 10\nabsolute_seconds = 9"),
        ("session", "idle_seconds = 1800\nabsolute_seconds = 34560001"),
        ("pending", "max_per_user = 0"),
        ("guest", "idle_seconds = 86401"),
        ("rotation", "interval_seconds = 19"),
        ("rotation", "grace_seconds = 31"),
        ("rotation", "grace_seconds = 0"),
    ];
    let of_tables = breaches.iter().map(|(table, fields)| (*table, format!("[{table}]\n{fields}\n")));
    let of_fields = ["touch_threshold_seconds = 901", "max_sessions = 1001", "max_sessions = 0"];
    let of_fields = of_fields.into_iter().map(|field| {
        let (name, _) = field.split_once(' ').unwrap();
        (name, format!("{field}\n"))
    });
    for (_, text) in of_tables.chain(of_fields) {
        let policy: Policy = toml::from_str(&text).unwrap();
        let invalid = policy.validate().expect_err(&text);
        let begin = page.text.find(&format!("\n### {}\n", invalid.field)).expect(&invalid.field);
        let section = page.text[begin + 5..].split("\n### ").next().unwrap().replace('\n', " ");
        let problem = invalid.problem.strip_prefix("must be ").unwrap_or(&invalid.problem);
        assert!(section.contains(problem), "{}: {}", invalid.field, invalid.problem);
    }
}

#[test]
fn the_table_of_limits_is_the_codes() {
    let server = tenure_server::Limits::default();
    let kib = |bytes: usize| format!("{} KiB", bytes / 1024);
    let rows = [
        ("data of a session, keys included", kib(record::MAX_DATA), "`data_too_large`"),
        ("keys of a session's data", record::MAX_KEYS.to_string(), "`too_many_keys`"),
        ("a key", format!("{} bytes", record::MAX_KEY_LEN), "`key_too_long`"),
        ("sessions of a user, whatever the policy says", "1000".into(), "`session_limit`"),
        ("roles of a user", record::MAX_ROLES.to_string(), "`invalid_request`"),
        ("methods of a sign-in", record::MAX_METHODS.to_string(), "`invalid_request`"),
        ("a user id", "256 bytes".into(), "`invalid_name`"),
        ("a role, a realm", "64 of `A-Z a-z 0-9 . _ : -`".into(), "`invalid_name`"),
        ("the note of an end", format!("{} bytes", tenure::MAX_NOTE), "cut"),
        ("the `User-Agent` that is kept", format!("{} bytes", tenure::MAX_USER_AGENT), "cut"),
        ("a request body of the HTTP API", kib(tenure_server::MAX_BODY), "`body_too_large`"),
        (
            "time for a request's head, and for an idle connection",
            format!("{} s", server.head.as_secs()),
            "closed",
        ),
        ("time for a request's body", format!("{} s", server.body.as_secs()), "`body_timeout`"),
        ("time for a request in all", format!("{} s", server.request.as_secs()), "`request_timeout`"),
        ("requests at once", server.requests.to_string(), "`overloaded`"),
        ("connections at once", server.connections.to_string(), "wait"),
    ];
    let fits = |max_sessions| Policy { max_sessions, ..Policy::default() }.validate().is_ok();
    assert!(fits(1_000) && !fits(1_001));
    let longest = |len: usize| tenure::UserId::new("u".repeat(len));
    assert!(longest(256).is_ok() && longest(257).is_err());
    let longest = |len: usize| tenure::Role::new("r".repeat(len));
    assert!(longest(64).is_ok() && longest(65).is_err());
    let codes: Vec<String> =
        tenure_server::ERROR_CODES.iter().map(|code| format!("`{}`", code.name)).collect();
    let mut table = String::from("| what | at most | beyond |\n|---|---|---|\n");
    for (what, most, beyond) in rows {
        assert!(!beyond.starts_with('`') || codes.iter().any(|code| code == beyond), "{beyond}");
        writeln!(table, "| {what} | {most} | {beyond} |").unwrap();
    }
    hold("policy.md", "limits", &table);
}

/// The words that a file of the core gives its variants: `Self::Logout => "logout"`.
fn words(file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("crates/tenure/src").join(file)).unwrap();
    let of_line = |line: &str| {
        let (_, rest) = line.trim().strip_prefix("Self::")?.split_once(" => \"")?;
        rest.strip_suffix("\",").map(str::to_owned)
    };
    text.lines().filter_map(of_line).collect()
}

/// The words in the first column (or the one after it) of the tables of a page.
fn told(page: &Page, column: usize) -> BTreeSet<String> {
    let rows = page.text.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.split('|').nth(column + 1).map(str::trim));
    let words = cells.filter_map(|cell| cell.strip_prefix('`')?.strip_suffix('`'));
    words.map(str::to_owned).collect()
}

#[test]
fn the_page_on_life_has_every_state_every_reason_and_every_event() {
    let page = Page::named("lifecycle.md");
    let (first, second) = (told(&page, 0), told(&page, 1));
    for word in words("record/session_state.rs") {
        assert!(first.contains(&word), "the state `{word}`");
    }
    let reasons = words("reason.rs");
    assert!(reasons.len() > 15, "{reasons:?}");
    for word in &reasons {
        assert!(first.contains(word) || second.contains(word), "the reason `{word}`");
    }
    let verdicts = ["ok", "step_up", "forbidden", "inactive"];
    assert!(verdicts.iter().all(|word| first.contains(*word)));
    let picture = fs::read_to_string(tenure_book::pages::folder().join("lifecycle.svg")).unwrap();
    for word in words("record/session_state.rs").iter().chain(&reasons) {
        let is_of_a_check = second.contains(word) && !first.contains(word);
        assert!(is_of_a_check || picture.contains(word.as_str()), "`{word}` is not in the picture");
    }
    let events = fs::read_to_string(root().join("crates/tenure/src/event.rs")).unwrap();
    let kinds = events.split("pub enum EventKind {").nth(1).unwrap().split('}').next().unwrap();
    for kind in kinds.lines().filter_map(|line| line.trim().strip_suffix(',')) {
        let mut word = String::new();
        for c in kind.chars() {
            if c.is_uppercase() && !word.is_empty() {
                word.push('_');
            }
            word.push(c.to_ascii_lowercase());
        }
        assert!(page.text.contains(&format!("`{word}`")), "the event `{word}`");
    }
}

#[test]
fn the_table_of_routes_is_the_servers() {
    let document: Value = serde_json::from_str(&tenure_server::openapi_document()).unwrap();
    let mut table = String::from("| route | what it does | scope |\n|---|---|---|\n");
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, about) in methods.as_object().unwrap() {
            let summary = about["summary"].as_str().unwrap().trim_end_matches('.');
            let scope = match about["tags"][0].as_str().unwrap() {
                "health" => "none, and no API key".to_owned(),
                scope => format!("`{scope}`"),
            };
            writeln!(table, "| `{} {path}` | {summary} | {scope} |", method.to_uppercase()).unwrap();
        }
    }
    hold("start-http.md", "routes", &table);
}

#[test]
fn the_page_on_stores_has_every_operation_and_every_group_of_the_suite() {
    let first = told(&Page::named("stores.md"), 0);
    let source = fs::read_to_string(root().join("crates/tenure/src/store/mod.rs")).unwrap();
    let (_, of_trait) = source.split_once("pub trait Store:").unwrap();
    let operations = of_trait.lines().filter_map(|line| {
        let line = line.trim();
        let rest = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
        rest.split_once('(').map(|(name, _)| name.to_owned())
    });
    let groups = tenure::store::conformance::cases().into_iter().map(|case| case.group.to_owned());
    let wanted: BTreeSet<String> = operations.chain(groups).collect();
    assert_eq!(first, wanted);
}
