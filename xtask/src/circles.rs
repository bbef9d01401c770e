//! Circles of imports between the modules of a crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Which modules at the top of a crate each of them names.
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The circles in each crate of a folder.
pub(crate) fn find(root: &Path, folders: &[&str]) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for folder in folders {
        for krate in fs::read_dir(root.join(folder)).with_context(|| format!("cannot read {folder}"))? {
            let krate = krate?.path();
            if krate.join("src").is_dir() {
                let name = krate.strip_prefix(root).unwrap_or(&krate).display();
                let circle = circle(&arrows(&krate.join("src"))?);
                breaches.extend(circle.map(|path| format!("{name}: {}", path.join(" -> "))));
            }
        }
    }
    Ok(breaches)
}

fn arrows(src: &Path) -> Result<Arrows> {
    let mut arrows = Arrows::new();
    for entry in fs::read_dir(src)? {
        let path = entry?.path();
        let module = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        // The face of a crate names everything.
        if !matches!(module.as_str(), "lib" | "main") {
            collect(&path, arrows.entry(module).or_default())?;
        }
    }
    let modules: BTreeSet<String> = arrows.keys().cloned().collect();
    for (module, named) in &mut arrows {
        named.retain(|other| modules.contains(other) && other != module);
    }
    Ok(arrows)
}

/// Adds what the Rust files at a path name of their crate, tests and comments left out.
fn collect(path: &Path, named: &mut BTreeSet<String>) -> Result<()> {
    let is_tests = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
    if path.is_dir() {
        // A suite of tests that a crate offers to others is no part of its house.
        if !path.ends_with("conformance") {
            for entry in fs::read_dir(path)? {
                collect(&entry?.path(), named)?;
            }
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") && !is_tests {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        named.extend(names(&text));
    }
    Ok(())
}

/// The names after `crate::`.
fn names(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut found = Vec::new();
    for after in code.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            None => found.push(word(after)),
            Some(list) => {
                let mut depth = 0;
                for part in list.split_inclusive(['{', '}', ',']) {
                    if depth == 0 {
                        found.push(word(part.trim_start()));
                    }
                    match part.chars().last() {
                        Some('{') => depth += 1,
                        Some('}') if depth == 0 => break,
                        Some('}') => depth -= 1,
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// A circle, if there is one.
fn circle(arrows: &Arrows) -> Option<Vec<String>> {
    arrows.keys().find_map(|start| way_back(arrows, start, &mut vec![start.clone()], &mut BTreeSet::new()))
}

fn way_back(
    arrows: &Arrows,
    start: &str,
    path: &mut Vec<String>,
    seen: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    for next in arrows.get(path.last()?)? {
        path.push(next.clone());
        if next == start {
            return Some(path.clone());
        }
        if seen.insert(next.clone())
            && let Some(circle) = way_back(arrows, start, path, seen)
        {
            return Some(circle);
        }
        path.pop();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_paths_and_lists() {
        let text = "use crate::a::B;\n// use crate::no;\nuse crate::{c, d::{E, F}, g};\n\
                    fn f() { crate::h::i() }\n#[cfg(test)]\nmod tests { use crate::late; }";
        let mut names = names(text);
        names.retain(|name| !name.is_empty());
        assert_eq!(names, ["a", "c", "d", "g", "h"]);
    }

    #[test]
    fn a_circle_is_found_over_several_modules_and_a_diamond_is_none() {
        let arrows = |pairs: &[(&str, &str)]| {
            let mut arrows = Arrows::new();
            for (from, to) in pairs {
                arrows.entry((*from).into()).or_default().insert((*to).into());
            }
            arrows
        };
        let diamond = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")];
        assert_eq!(circle(&arrows(&diamond)), None);
        let mut round = diamond.to_vec();
        round.push(("d", "a"));
        assert_eq!(circle(&arrows(&round)).unwrap(), ["a", "b", "d", "a"]);
    }
}
