//! The page `docs/sizing.md`: its tables are written from what was measured.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::measured::Measured;
use super::options::Wanted;
use super::plan::Engine;
use super::{plots, tables};

const BEGIN: &str = "<!-- from the measurements: ";
const NAMED: &str = " -->\n";
const END: &str = "<!-- end -->";

/// How a block with a command begins, how blocks end, and how one begins with what the command says.
const COMMAND: &str = "```console\ncargo xtask ";
const FENCE: &str = "\n```\n";
const SAYS: &str = "\n```text";

/// The parts of the page by name.
pub(crate) fn parts(measured: &Measured, wanted: &[Wanted]) -> Result<Vec<(&'static str, String)>> {
    let plan = |engine| Ok::<_, anyhow::Error>(tables::plans(engine, measured, wanted)?.markdown());
    let costs = |engine| Ok::<_, anyhow::Error>(tables::costs(engine, measured)?.markdown());
    let first = wanted.first().context("no plan is asked for")?;
    Ok(vec![
        ("described", format!("{}\n", measured.described)),
        ("sizes", tables::sizes(measured)?.markdown()),
        ("node", tables::node(measured)?.markdown()),
        ("costs of postgres", costs(Engine::Postgres)?),
        ("costs of redis", costs(Engine::Redis)?),
        ("costs of embedded", costs(Engine::Embedded)?),
        ("following", tables::following(measured).markdown()),
        ("outages", tables::outages(measured).markdown()),
        ("incoming", tables::incoming(wanted).markdown()),
        ("most", tables::most(measured, first)?.markdown()),
        ("plan for embedded", plan(Engine::Embedded)?),
        ("plan for postgres", plan(Engine::Postgres)?),
        ("plan for redis", plan(Engine::Redis)?),
        ("routings", tables::routings(measured, wanted)?.markdown()),
    ])
}

/// The page as it is to be: its parts, and what its commands say.
pub(crate) fn page(text: &str, measured: &Measured, wanted: &[Wanted], say: Say<'_>) -> Result<String> {
    answered(&renewed(text, &parts(measured, wanted)?)?, say)
}

/// What a command says, by its words after `cargo xtask`.
pub(crate) type Say<'a> = &'a dyn Fn(&[&str]) -> Result<String>;

/// The page with what its commands say in the blocks that follow them directly.
fn answered(page: &str, say: Say<'_>) -> Result<String> {
    let (mut done, mut rest) = (String::new(), page);
    while let Some((before, block)) = rest.split_once(COMMAND) {
        let (command, after) = block.split_once(FENCE).context("a command has no end")?;
        let words: Vec<&str> = command.split_whitespace().collect();
        let said = say(&words).with_context(|| format!("cargo xtask {command}"))?;
        done.extend([before, COMMAND, command, FENCE]);
        rest = after;
        if let Some(shown) = after.strip_prefix(SAYS) {
            let (_, after) = shown.split_once(FENCE).context("what a command says has no end")?;
            done.extend([SAYS, "\n", said.trim_end(), FENCE]);
            rest = after;
        }
    }
    Ok(done + rest)
}

/// The page with its parts as they are to be.
fn renewed(page: &str, parts: &[(&str, String)]) -> Result<String> {
    let mut text = page.to_owned();
    for (name, part) in parts {
        let begin = format!("{BEGIN}{name}{NAMED}");
        let at = text.find(&begin).with_context(|| format!("the page has no `{}`", begin.trim_end()))?;
        let from = at + begin.len();
        let end = text[from..].find(END).with_context(|| format!("`{name}` has no end"))?;
        text.replace_range(from..from + end, &format!("\n{}\n\n", part.trim_end()));
    }
    Ok(text)
}

/// Writes the page and its plots.
pub(crate) fn write(docs: &Path, measured: &Measured, wanted: &[Wanted], say: Say<'_>) -> Result<()> {
    let file = docs.join("sizing.md");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let page = page(&text, measured, wanted, say)?;
    let plots = plots::all(measured)?;
    let files = plots.into_iter().map(|(name, plot)| (docs.join(name), plot)).chain([(file, page)]);
    for (file, text) in files {
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_page_are_renewed_and_what_is_missing_is_told() {
        let page = "a\n<!-- from the measurements: x -->\n\nold\n\n<!-- end -->\nb\n";
        let with = |name| renewed(page, &[(name, "new\n".to_owned())]);
        assert_eq!(with("x").unwrap(), page.replace("old", "new"));
        assert!(with("y").unwrap_err().to_string().contains("<!-- from the measurements: y -->"));
    }

    #[test]
    fn what_commands_say_stands_after_them_and_nowhere_else() {
        let page = "```console\ncargo xtask sizing --a 1\n```\n\n```text\nold\n```\n\
            b\n```console\ncargo xtask sizing\n```\nwords\n\n```text\nold\n```\n";
        let empty = page.replacen("old\n", "", 1);
        let said = answered(page, &|words| Ok(format!("{}\n", words.join("+")))).unwrap();
        assert_eq!(said, page.replacen("old", "sizing+--a+1", 1));
        assert_eq!(answered(&empty, &|words| Ok(words.join("+"))).unwrap(), said);
        assert!(answered(page, &|_| anyhow::bail!("no")).is_err());
    }
}
