//! The pages of the book as they lie in `docs/`: their blocks, headings and links.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the book.
pub fn folder() -> PathBuf {
    root().join("docs")
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its file in `docs/`.
    pub name: String,
    /// Its Markdown.
    pub text: String,
}

/// A fenced block of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What stands behind the fence: `sh`, `json`, …
    pub info: String,
    /// What it holds.
    pub text: String,
    /// The line of its fence.
    pub line: usize,
}

/// Something that a page holds, in the order of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A fenced block.
    Block(Block),
    /// A comment that readers do not see.
    Comment(String),
    /// A line of prose, with its number.
    Line(usize, String),
}

impl Page {
    /// The page of this file.
    ///
    /// # Panics
    /// When there is none.
    pub fn named(name: &str) -> Self {
        let path = folder().join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { name: name.into(), text }
    }

    /// All pages, by name.
    ///
    /// # Panics
    /// When the folder cannot be read.
    pub fn all() -> Vec<Self> {
        let files = fs::read_dir(folder()).expect("docs/ is there");
        let names = files.map(|file| file.expect("docs/ can be read").file_name());
        let names: BTreeSet<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.iter().filter(|name| name.ends_with(".md")).map(|name| Self::named(name)).collect()
    }

    /// What it holds, in order.
    ///
    /// # Panics
    /// When a block is not closed, or a fence is indented: then readers see something else.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut lines = self.text.lines().zip(1..);
        while let Some((text, line)) = lines.next() {
            assert!(!text.starts_with(' ') || !text.trim_start().starts_with("```"), "{}:{line}", self.name);
            if let Some(info) = text.strip_prefix("```") {
                let mut block = Block { info: info.into(), text: String::new(), line };
                loop {
                    let next = lines.next().map(|(text, _)| text);
                    match next.unwrap_or_else(|| panic!("{}:{line}: the block has no end", self.name)) {
                        "```" => break,
                        inside => block.text.extend([inside, "\n"]),
                    }
                }
                parts.push(Part::Block(block));
            } else if let Some(comment) =
                text.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"))
            {
                parts.push(Part::Comment(comment.into()));
            } else {
                parts.push(Part::Line(line, text.into()));
            }
        }
        parts
    }

    /// Its blocks, in order.
    pub fn blocks(&self) -> Vec<Block> {
        let block = |part| if let Part::Block(block) = part { Some(block) } else { None };
        self.parts().into_iter().filter_map(block).collect()
    }

    /// The anchors of its headings.
    pub fn anchors(&self) -> BTreeSet<String> {
        let heading = |part: Part| match part {
            Part::Line(_, line) if line.starts_with('#') => Some(anchor(line.trim_start_matches('#').trim())),
            _ => None,
        };
        self.parts().into_iter().filter_map(heading).collect()
    }

    /// Where its links and images lead, each with its line.
    pub fn links(&self) -> Vec<(usize, String)> {
        let mut links = Vec::new();
        for part in self.parts() {
            if let Part::Line(line, text) = part {
                let targets = prose(&text).split("](").skip(1).map(str::to_owned).collect::<Vec<_>>();
                let targets = targets.iter().filter_map(|rest| rest.split_once(')'));
                links.extend(targets.map(|(target, _)| (line, target.to_owned())));
            }
        }
        links
    }
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// A line without its code spans: what stands there is no link.
fn prose(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        Page { name: "a.md".into(), text: text.into() }
    }

    #[test]
    fn blocks_comments_headings_and_links_are_found_and_nothing_in_code() {
        let page = page(
            "# A `b`: c-d\n<!-- sh: x -->\n[a](b.md#c) `[no](no.md)` ![i](i.svg)\n```sh\n# no\n[no](no)\n```\n",
        );
        assert_eq!(page.anchors(), BTreeSet::from(["a-b-c-d".to_owned()]));
        assert_eq!(page.links(), [(3, "b.md#c".to_owned()), (3, "i.svg".to_owned())]);
        assert_eq!(page.blocks(), [Block { info: "sh".into(), text: "# no\n[no](no)\n".into(), line: 4 }]);
        assert_eq!(page.parts()[1], Part::Comment("sh: x".into()));
    }

    #[test]
    #[should_panic(expected = "a.md:1: the block has no end")]
    fn a_block_without_an_end_is_told() {
        page("```sh\n").blocks();
    }
}
