//! Whether everything public is shown in an example that runs.
//!
//! An item is shown by a block of code in its own documentation, or by a line that uses it on a page
//! which its user reads: that of its type or trait, of its module, the crate's first, or one that
//! its own documentation links to. Only lines that a reader sees count, in blocks that rustdoc
//! builds.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::Log;
use crate::rustdoc::{Described, Item};
use crate::tally::Tally;

/// Modules that are shown as one: of the conformance suite a store's author uses a macro and a
/// fixture, with dozens of helpers that read like the tests which they are for.
const AS_ONE: [&str; 1] = ["conformance"];

/// Says for each library what no example shows.
pub(crate) fn check(libraries: &[(&'static str, Described)], log: &Log) -> Tally {
    let mut tally = Tally::NONE;
    for (library, described) in libraries {
        let seen = Seen::of(described);
        // Nothing has so little in it: then the description was not understood.
        let understood = seen.count > 3;
        let passed = understood && seen.missing.is_empty();
        let words = if passed { "shown in examples" } else { "FAIL: no example shows" };
        log.line(format!("{library}: {} public items {words}", seen.count));
        seen.missing.iter().for_each(|missing| log.line(format!("      {missing}")));
        tally.passed += usize::from(passed);
        tally.failed += usize::from(!passed);
    }
    tally
}

/// What was found on a walk through a crate.
struct Seen<'a> {
    described: &'a Described,
    /// How many types have a method of this name: one name says little when there are several.
    owners: BTreeMap<&'a str, usize>,
    /// The type or trait of each method.
    holders: BTreeMap<u64, u64>,
    visited: BTreeSet<u64>,
    count: usize,
    missing: Vec<String>,
}

/// A visible block of code.
type Block = String;

impl<'a> Seen<'a> {
    fn of(described: &'a Described) -> Seen<'a> {
        let (mut owners, mut holders) = (BTreeMap::new(), BTreeMap::new());
        for (id, item) in described.index.iter().filter(|(_, item)| item.crate_id == 0) {
            for method in method_ids(described, item) {
                holders.extend(id.parse().ok().map(|id: u64| (method, id)));
                let name = described.own(method).and_then(|method| method.name.as_deref());
                *owners.entry(name.unwrap_or_default()).or_default() += 1;
            }
        }
        let (visited, missing) = (BTreeSet::new(), Vec::new());
        let mut seen = Seen { described, owners, holders, visited, count: 0, missing };
        seen.module(described.root, &[]);
        seen.missing.sort();
        seen
    }

    fn module(&mut self, id: u64, above: &[Block]) {
        let Some(module) = self.described.own(id) else { return };
        let mut pages = above.to_vec();
        pages.extend(blocks(module));
        for child in numbers(&module.inner["module"]["items"]) {
            self.item(child, &pages);
        }
    }

    /// The blocks on the page of a type, trait or module.
    fn page(&self, id: u64) -> Vec<Block> {
        let Some(item) = self.described.own(id) else { return Vec::new() };
        let mut page = blocks(item);
        page.extend(methods(self.described, item).into_iter().flat_map(blocks));
        page
    }

    /// The blocks on the pages that an item's documentation links to.
    fn linked(&self, item: &Item) -> Vec<Block> {
        let pages = item.links.values().map(|id| self.holders.get(id).unwrap_or(id));
        pages.flat_map(|page| self.page(*page)).collect()
    }

    fn item(&mut self, id: u64, pages: &[Block]) {
        let Some(item) = self.described.own(id) else { return };
        if let Some(target) = item.inner["use"]["id"].as_u64() {
            if item.inner["use"]["is_glob"] == true {
                return self.module(target, pages);
            }
            return self.item(target, pages);
        }
        if !self.visited.insert(id) {
            return;
        }
        let name = item.name.as_deref().unwrap_or_default();
        let is = |kind: &str| !item.inner[kind].is_null();
        if is("module") {
            if !AS_ONE.contains(&name) {
                self.module(id, pages);
            }
        } else if is("struct") || is("enum") || is("union") || is("trait") || is("type_alias") {
            self.holder(id, item, name, &[pages, &self.linked(item)].concat());
        } else if is("function") || is("macro") || is("proc_macro") {
            let call = if is("function") { format!("{name}(") } else { format!("{name}!") };
            let pages = [pages, &self.linked(item)].concat();
            let shown = !blocks(item).is_empty() || pages.iter().any(|page| has(page, &call));
            self.note(item, name, shown);
        }
    }

    /// A type or trait, and its methods.
    fn holder(&mut self, id: u64, item: &Item, name: &str, pages: &[Block]) {
        let page = self.page(id);
        let own = !blocks(item).is_empty();
        let named = own || page.iter().chain(pages).any(|block| has(block, name));
        self.note(item, name, named);
        for method in methods(self.described, item) {
            let short = method.name.as_deref().unwrap_or_default();
            let alone = self.owners.get(short).is_some_and(|types| *types == 1);
            let takes_self = method.inner["function"]["sig"]["inputs"][0][0] == "self";
            let path = format!("{name}::{short}");
            let uses = |block: &Block| {
                has(block, &path) || (takes_self && calls(block, short)) || declares(block, short)
            };
            let elsewhere = |block: &Block| uses(block) && (alone || has(block, name));
            let linked = self.linked(method);
            let shown = !blocks(method).is_empty()
                || page.iter().any(uses)
                || pages.iter().chain(&linked).any(elsewhere);
            self.note(method, &path, shown);
        }
    }

    fn note(&mut self, item: &Item, name: &str, shown: bool) {
        self.count += 1;
        if let (false, Some(span)) = (shown, &item.span) {
            self.missing.push(format!("{}:{} {name}", span.filename, span.begin.0));
        }
    }
}

/// The methods of a trait, or the public ones that a type has of its own.
fn methods<'a>(described: &'a Described, item: &Item) -> Vec<&'a Item> {
    method_ids(described, item).into_iter().filter_map(|id| described.own(id)).collect()
}

fn method_ids(described: &Described, item: &Item) -> Vec<u64> {
    let kinds = ["struct", "enum", "union"].map(|kind| &item.inner[kind]["impls"]);
    let impls = kinds.into_iter().flat_map(numbers).filter_map(|id| described.own(id));
    let impls = impls.map(|block| &block.inner["impl"]).filter(|block| block["trait"].is_null());
    let ids = impls.flat_map(|block| numbers(&block["items"])).chain(numbers(&item.inner["trait"]["items"]));
    let is_method = |id: &u64| described.own(*id).is_some_and(|item| item.inner["function"].is_object());
    ids.filter(is_method).collect()
}

fn numbers(value: &serde_json::Value) -> Vec<u64> {
    value.as_array().into_iter().flatten().filter_map(serde_json::Value::as_u64).collect()
}

/// The blocks of Rust that rustdoc builds, without the lines that it hides.
fn blocks(item: &Item) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(bool, Block)> = None;
    for line in item.docs.as_deref().unwrap_or_default().lines() {
        let text = line.trim_start();
        match (text.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => {
                blocks.extend(open.take().filter(|(built, _)| *built).map(|(_, block)| block));
            }
            (Some(words), None) => open = Some((words.split(',').all(is_built), Block::new())),
            (None, Some((_, block))) if text != "#" && !text.starts_with("# ") => {
                block.push_str(line);
                block.push('\n');
            }
            _ => {}
        }
    }
    blocks
}

/// Whether a word after the fence leaves a block one that is built and, as a rule, run.
fn is_built(word: &str) -> bool {
    let word = word.trim();
    matches!(word, "" | "rust" | "no_run" | "should_panic") || word.starts_with("edition")
}

/// Whether a method is called on something.
fn calls(block: &str, name: &str) -> bool {
    let call = format!(".{name}");
    block.match_indices(&call).any(|(at, _)| block[at + call.len()..].starts_with(['(', ':']))
}

/// Whether a method is written out, as in an implementation of its trait.
fn declares(block: &str, name: &str) -> bool {
    has(block, &format!("fn {name}"))
}

/// Whether a name stands in the text, not as a part of a longer one.
fn has(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let after = &text[at + name.len()..];
        !text[..at].ends_with(part) && (name.ends_with(['(', '!']) || !after.starts_with(part))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A crate with a type of one method, whose pages say this.
    fn described(front: &str, of_type: &str, of_method: &str) -> Described {
        let item = |name: &str, docs: &str, inner: Value| {
            let span = json!({ "filename": "lib.rs", "begin": [7, 1] });
            json!({ "crate_id": 0, "name": name, "docs": docs, "span": span, "links": {}, "inner": inner })
        };
        let method = json!({ "function": { "sig": { "inputs": [["self", {}]] } } });
        let mut described = json!({ "root": 0, "paths": {}, "external_crates": {}, "index": {
            "0": item("krate", front, json!({ "module": { "items": [1, 4] } })),
            "1": item("Door", of_type, json!({ "struct": { "impls": [2] } })),
            "2": item("", "", json!({ "impl": { "trait": null, "items": [3] } })),
            "3": item("open", of_method, method.clone()),
            "4": item("Window", &code("# by itself\nWindow"), json!({ "struct": { "impls": [5] } })),
            "5": item("", "", json!({ "impl": { "trait": null, "items": [6] } })),
            "6": item("open", &code("window.open()"), method),
        } });
        described["index"]["3"]["links"] = json!({ "Window": 4 });
        serde_json::from_value(described).unwrap()
    }

    fn code(lines: &str) -> String {
        format!("What it is.\n```\n{lines}\n```\nMore.")
    }

    fn missing(front: &str, of_type: &str, of_method: &str) -> Vec<String> {
        Seen::of(&described(front, of_type, of_method)).missing
    }

    #[test]
    fn what_no_example_shows_is_told_with_its_place() {
        assert_eq!(missing("", "", ""), ["lib.rs:7 Door", "lib.rs:7 Door::open"]);
        assert_eq!(missing("", &code("let door = 1;"), ""), ["lib.rs:7 Door::open"]);
        assert!(missing("", &code("door.open()"), "").is_empty());
        assert_eq!(missing("", "", &code("door.open()")), ["lib.rs:7 Door"]);
    }

    #[test]
    fn on_another_page_a_name_of_several_types_says_nothing_without_the_type() {
        assert_eq!(missing(&code("x.open()"), &code("Door"), ""), ["lib.rs:7 Door::open"]);
        assert!(missing(&code("Door::at(1).open()"), "", "").is_empty());
        assert!(missing(&code("Door::open(1)"), "", "").is_empty());
    }

    #[test]
    fn lines_and_blocks_that_nobody_sees_or_builds_do_not_count() {
        assert_eq!(missing("", &code("# door.open()\nDoor"), ""), ["lib.rs:7 Door::open"]);
        for fence in ["ignore", "text", "compile_fail", "toml", "no_run,ignore"] {
            let block = format!("```{fence}\ndoor.open()\n```\n");
            assert_eq!(missing("", &block, "").len(), 2, "{fence}");
        }
        for fence in ["", "rust", "no_run", "should_panic", "no_run,edition2024"] {
            let block = format!("```{fence}\ndoor.open()\n```\n");
            assert!(missing("", &block, "").is_empty(), "{fence}");
        }
        assert_eq!(missing("", "Call `door.open()`.", "").len(), 2, "a sentence is no example");
    }

    #[test]
    fn a_part_of_a_longer_name_is_another_name() {
        assert_eq!(missing(&code("Doorway::open(1); x.open_all()"), "", "").len(), 2);
        assert!(calls("x.collect::<Vec<_>>()", "collect") && !calls("x.collected()", "collect"));
        assert!(declares("async fn load(&self)", "load") && !declares("fn loaded()", "load"));
    }

    #[test]
    fn a_description_of_another_form_is_no_success() {
        let mut empty = described("", "", "");
        empty.index.retain(|id, _| id == "0");
        let log = Log::new(false);
        assert_eq!(check(&[("krate", empty)], &log), Tally::FAIL);
    }
}
