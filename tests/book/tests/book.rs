//! The book holds together: every page is in it, every link leads somewhere, every block runs.

use std::collections::BTreeSet;
use std::fs;

use tenure_book::pages::{Page, folder, root};
use tenure_book::shell::unrun;

/// What blocks may be, and what becomes of each.
const KINDS: &[&str] = &[
    // Doc tests, but for those of `IGNORED`.
    "rust",
    "rust,no_run",
    "rust,ignore",
    // Run in a shell, but for `console`, which has a reason.
    "sh",
    "sh fails",
    "sh server",
    "console",
    // What commands say, or nothing that runs.
    "text",
    "json",
    // Files, tried by tests of their own.
    "toml",
    "ini",
];

/// Pages with Rust blocks that are no doc tests: the tests of `src/bin/start.rs`, and programs with
/// libraries that the workspace does not have.
const IGNORED: [&str; 2] = ["start.md", "coming-from.md"];

/// Where the targets of `links` lead to nothing, each with its page and line.
fn broken(pages: &[Page]) -> Vec<String> {
    let mut broken = Vec::new();
    for page in pages {
        for (line, target) in page.links() {
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let leads = match pages.iter().find(|page| page.name == file) {
                Some(page) => anchor.is_empty() || page.anchors().contains(anchor),
                None if file.is_empty() => page.anchors().contains(anchor),
                // In the book there is nothing outside docs/.
                None => anchor.is_empty() && !file.contains("..") && folder().join(file).is_file(),
            };
            if !leads {
                broken.push(format!("{}:{line}: {target}", page.name));
            }
        }
    }
    broken
}

#[test]
fn every_link_and_anchor_leads_somewhere() {
    assert_eq!(broken(&Page::all()), <[String; 0]>::default());
}

/// The paths of the repository that a page names in code: `examples/shop`.
fn paths(page: &Page) -> Vec<String> {
    let is_path =
        |word: &&str| ["crates/", "examples/", "tests/"].iter().any(|begin| word.starts_with(begin));
    let spans = page.text.split('`').skip(1).step_by(2);
    spans.filter(is_path).filter(|path| !path.contains([' ', '\n'])).map(str::to_owned).collect()
}

#[test]
fn every_path_of_the_repository_that_a_page_names_is_there() {
    let mut found = 0;
    for page in Page::all() {
        for path in paths(&page) {
            assert!(root().join(&path).exists(), "{}: {path}", page.name);
            found += 1;
        }
    }
    assert!(found > 3, "{found}");
}

#[test]
fn every_link_of_the_pages_beside_the_book_leads_somewhere() {
    for name in ["README.md", "ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(name)).unwrap();
        for (line, target) in (Page { name: name.into(), text }).links() {
            let (file, _) = target.split_once('#').unwrap_or((&target, ""));
            let leads = target.starts_with("https://") || root().join(file).exists();
            assert!(leads, "{name}:{line}: {target}");
        }
    }
}

#[test]
fn a_link_that_leads_nowhere_is_told() {
    let page = |name: &str, text: &str| Page { name: name.into(), text: text.into() };
    let one = page("one.md", "# A\n[a](two.md#b) [b](#a) [c](lifecycle.svg)\n[d](two.md#c) [e](#b)\n");
    let two = page("two.md", "# B\n[f](three.md) [g](../README.md) [h](lifecycle.svg#x)\n");
    let told = ["one.md:3: two.md#c", "one.md:3: #b", "two.md:2: three.md", "two.md:2: ../README.md"];
    let told: Vec<String> = told.iter().chain(&["two.md:2: lifecycle.svg#x"]).map(|t| (*t).into()).collect();
    assert_eq!(broken(&[one, two]), told);
}

#[test]
fn the_summary_names_every_page_once_and_by_its_title() {
    let summary = Page::named("SUMMARY.md");
    let named: Vec<String> = summary.links().into_iter().map(|(_, target)| target).collect();
    let pages: BTreeSet<String> =
        Page::all().into_iter().map(|page| page.name).filter(|name| name != "SUMMARY.md").collect();
    assert_eq!(named.iter().cloned().collect::<BTreeSet<_>>(), pages);
    assert_eq!(named.len(), pages.len(), "a page is named twice");
    for name in named {
        let text = Page::named(&name).text;
        let title = text.lines().next().and_then(|line| line.strip_prefix("# ")).expect(&name);
        assert!(summary.text.contains(&format!("[{title}]({name})")), "{name} is called `{title}`");
    }
}

#[test]
fn every_block_is_of_a_kind_that_is_tried_and_what_is_not_run_has_a_reason() {
    for page in Page::all() {
        for block in page.blocks() {
            let at = format!("{}:{}", page.name, block.line);
            assert!(
                block.info != "rust,ignore" || IGNORED.contains(&&*page.name),
                "{at}: let it be a doc test"
            );
            assert!(KINDS.contains(&&*block.info), "{at}: what is a block of `{}`?", block.info);
            assert!(block.info != "console" || unrun(&block).is_some(), "{at}: make this a block of `sh`");
        }
    }
}

#[test]
fn the_rust_blocks_of_every_page_are_doc_tests() {
    let mut tested = include_str!("../src/rust_blocks.rs").to_owned();
    for package in fs::read_dir(root().join("crates")).unwrap() {
        // A page about a crate may be doc tests of that crate.
        tested += &fs::read_to_string(package.unwrap().path().join("src/lib.rs")).unwrap_or_default();
    }
    for page in Page::all() {
        let has_rust = page.blocks().iter().any(|block| block.info.starts_with("rust"));
        let included = tested.contains(&format!("include_str!(\"../../../docs/{}\")", page.name));
        assert_eq!(has_rust, included, "{}: include it in src/rust_blocks.rs, or leave it out", page.name);
    }
}
