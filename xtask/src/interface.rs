//! Types of others in the public interface: an application sees their versions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::Log;
use crate::rustdoc::{Described, LIBRARIES};
use crate::tally::Tally;

/// The heading in ARCHITECTURE.md under which a table says what may be there.
const HEADING: &str = "## Types of others";

/// Which crates show up in an interface, each with a type and where it is.
type Shown = BTreeMap<String, String>;

/// Compares what shows up in each library's interface with what may.
pub(crate) fn check(root: &Path, libraries: &[(&'static str, Described)], log: &Log) -> Result<Tally> {
    let allowed = allowed(root)?;
    let mut tally = Tally::NONE;
    for (library, described) in libraries {
        let shown = shown(described);
        let allowed = allowed.get(*library).cloned().unwrap_or_default();
        let breaches = breaches(&shown, &allowed);
        log.line(format!(
            "{library}: {}",
            if breaches.is_empty() { "as in ARCHITECTURE.md" } else { "FAIL" }
        ));
        tally.passed += usize::from(breaches.is_empty());
        tally.failed += usize::from(!breaches.is_empty());
        breaches.into_iter().for_each(|breach| log.line(format!("      {breach}")));
    }
    Ok(tally)
}

fn breaches(shown: &Shown, allowed: &BTreeSet<String>) -> Vec<String> {
    let new = shown.iter().filter(|(name, _)| !allowed.contains(*name)).map(|(name, example)| {
        format!("{name} is new ({example}): hide it, or put it into the table `{HEADING}` of ARCHITECTURE.md")
    });
    let gone = allowed.iter().filter(|name| !shown.contains_key(*name)).map(|name| {
        format!("{name} is not there any more: take it out of the table `{HEADING}` of ARCHITECTURE.md")
    });
    new.chain(gone).collect()
}

/// What the table says: crates by library.
fn allowed(root: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).context("cannot read ARCHITECTURE.md")?;
    let section =
        text.split(HEADING).nth(1).with_context(|| format!("ARCHITECTURE.md has no `{HEADING}`"))?;
    Ok(table(section.split("\n## ").next().unwrap_or_default()))
}

fn table(section: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows =
        section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let rows = rows.filter(|(library, _)| LIBRARIES.contains(library));
    let names = |cell: &str| cell.split(", ").filter(|name| *name != "none").map(str::to_owned).collect();
    rows.map(|(library, cell)| (library.to_owned(), names(cell))).collect()
}

fn shown(described: &Described) -> Shown {
    let mut shown = Shown::new();
    for item in described.index.values().filter(|item| item.crate_id == 0) {
        let implemented = &item.inner["impl"];
        // Implementations that the compiler or a blanket gives to everything say nothing.
        if implemented["is_synthetic"] == true || implemented["blanket_impl"].is_object() {
            continue;
        }
        let mut ids = BTreeSet::new();
        collect(&item.inner, &mut ids);
        ids.extend(item.inner["use"]["id"].as_u64());
        for id in ids {
            if let Some((name, path)) = of_others(described, id) {
                let place = item.name.as_deref().unwrap_or("an implementation");
                shown.entry(name).or_insert_with(|| format!("{path}, in {place}"));
            }
        }
    }
    shown
}

/// The ids of all types and traits that are named: objects with a path and an id.
fn collect(value: &Value, ids: &mut BTreeSet<u64>) {
    match value {
        Value::Object(fields) => {
            if let (Some(Value::String(_)), Some(id)) = (fields.get("path"), fields.get("id")) {
                ids.extend(id.as_u64());
            }
            fields.values().for_each(|value| collect(value, ids));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, ids)),
        _ => {}
    }
}

/// The crate and the path of an id, unless it is ours or the language's, or a part of a macro's
/// output that nobody else can name.
fn of_others(described: &Described, id: u64) -> Option<(String, String)> {
    let named = described.paths.get(&id.to_string())?;
    let name = &described.external_crates.get(&named.crate_id.to_string())?.name;
    let ours = name == "tenure" || name.starts_with("tenure_");
    let known = ours || matches!(name.as_str(), "std" | "core" | "alloc");
    let hidden = named.path.iter().any(|part| part == "__private");
    (!known && !hidden).then(|| (name.clone(), named.path.join("::")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn described() -> Described {
        let path = |id: u64| json!({ "resolved_path": { "path": "X", "id": id, "args": null } });
        serde_json::from_value(json!({
            "root": 0,
            "index": {
                "1": { "crate_id": 0, "name": "f", "inner": { "function": { "sig": { "output": path(10) } } } },
                "2": { "crate_id": 0, "name": null, "inner": { "impl": {
                    "is_synthetic": false, "blanket_impl": path(11), "trait": { "path": "Into", "id": 11 } } } },
                "3": { "crate_id": 0, "name": null, "inner": { "use": { "source": "y::Y", "id": 12 } } },
                "4": { "crate_id": 0, "name": "g", "inner": { "function": { "sig": { "output": path(13) } } } },
                "5": { "crate_id": 0, "name": null, "inner": { "impl": { "generics": path(14) } } },
            },
            "paths": {
                "10": { "crate_id": 5, "path": ["http", "Request"] },
                "11": { "crate_id": 6, "path": ["blanket", "B"] },
                "12": { "crate_id": 7, "path": ["y", "Y"] },
                "13": { "crate_id": 8, "path": ["tenure", "Session"] },
                "14": { "crate_id": 9, "path": ["pin", "__private", "P"] },
            },
            "external_crates": {
                "5": { "name": "http" }, "6": { "name": "blanket" }, "7": { "name": "y" }, "8": { "name": "tenure" },
                "9": { "name": "pin" },
            },
        }))
        .unwrap()
    }

    #[test]
    fn types_of_others_are_found_in_signatures_and_reexports() {
        let shown = shown(&described());
        assert_eq!(shown.keys().collect::<Vec<_>>(), ["http", "y"]);
        assert_eq!(shown["http"], "http::Request, in f");
    }

    #[test]
    fn what_is_new_and_what_is_gone_is_told() {
        let section =
            "\n| library | crates |\n|---|---|\n| tenure-tower | http, axum_core |\n| tenure | none |\n";
        let allowed = table(section);
        assert!(allowed["tenure"].is_empty());
        let breaches = breaches(&shown(&described()), &allowed["tenure-tower"]);
        assert_eq!(breaches.len(), 2, "{breaches:?}");
        assert!(
            breaches[0].starts_with("y is new (y::Y") && breaches[1].starts_with("axum_core is not there")
        );
    }
}
