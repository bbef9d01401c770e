//! The page: what each part said last, in the order of the parts.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};

const TOP: &str = "# Benchmarks\n\n\
    Written by `cargo xtask bench`, part by part. Machines are noisy: what counts are the ratios, each the \
    median over rounds in which all sides take turns, and the counts of instructions.\n";

const BEFORE: &str = "<!-- part: ";
const AFTER: &str = " -->";

/// What the page holds, by the names of parts.
#[derive(Default)]
pub(crate) struct Page {
    parts: BTreeMap<String, String>,
}

impl Page {
    /// The page as it is; empty if there is none.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        match fs::read_to_string(file) {
            Ok(text) => Ok(Self::of(&text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    /// Replaces what the page says of a part.
    pub(crate) fn put(&mut self, part: &str, text: String) {
        self.parts.insert(part.to_owned(), text);
    }

    /// Writes the parts in this order, and no other.
    pub(crate) fn write(&self, file: &Path, order: impl Iterator<Item = String>) -> Result<()> {
        fs::write(file, self.text(order)).with_context(|| format!("cannot write {}", file.display()))
    }

    fn of(text: &str) -> Self {
        let parts = text.split(BEFORE).skip(1).filter_map(|part| part.split_once(AFTER));
        Self { parts: parts.map(|(name, text)| (name.to_owned(), text.trim().to_owned())).collect() }
    }

    fn text(&self, order: impl Iterator<Item = String>) -> String {
        let known = order.filter_map(|name| self.parts.get_key_value(&name));
        let parts: String =
            known.map(|(name, text)| format!("\n{BEFORE}{name}{AFTER}\n\n{text}\n")).collect();
        format!("{TOP}{parts}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_replaced_and_the_others_stay_in_order() {
        let names = || ["a", "b", "c"].map(str::to_owned).into_iter();
        let mut page = Page::default();
        page.put("c", "## C\n\nold".into());
        page.put("a", "## A\n\n| x |".into());
        let mut again = Page::of(&page.text(names()));
        again.put("c", "## C\n\nnew".into());
        again.put("b", "## B".into());
        let text = again.text(names());
        assert!(text.ends_with(
            "\n<!-- part: a -->\n\n## A\n\n| x |\n\n<!-- part: b -->\n\n## B\n\n<!-- part: c -->\n\n## C\n\nnew\n"
        ), "{text}");
        assert!(!text.contains("old"));
    }
}
