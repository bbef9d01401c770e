//! The public interface of the libraries, as rustdoc describes it.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::command::{Log, Program};
use crate::packages::Places;

/// The libraries that applications hold.
pub(crate) const LIBRARIES: [&str; 6] =
    ["tenure", "tenure-tower", "tenure-tower-sessions", "tenure-embedded", "tenure-postgres", "tenure-redis"];

/// A crate as rustdoc describes it. Its JSON is not stable: those who read it check that they find
/// what must be there, so a format that no longer fits is noticed.
#[derive(Deserialize)]
pub(crate) struct Described {
    pub(crate) root: u64,
    pub(crate) index: BTreeMap<String, Item>,
    pub(crate) paths: BTreeMap<String, Named>,
    pub(crate) external_crates: BTreeMap<String, External>,
}

#[derive(Deserialize)]
pub(crate) struct Item {
    pub(crate) crate_id: u64,
    pub(crate) name: Option<String>,
    pub(crate) docs: Option<String>,
    pub(crate) span: Option<Span>,
    /// What the documentation links to, by the text of the link.
    #[serde(default)]
    pub(crate) links: BTreeMap<String, u64>,
    pub(crate) inner: Value,
}

/// Where an item is in the source.
#[derive(Deserialize)]
pub(crate) struct Span {
    pub(crate) filename: String,
    /// Line and column, both from 1.
    pub(crate) begin: (usize, usize),
}

#[derive(Deserialize)]
pub(crate) struct Named {
    pub(crate) crate_id: u64,
    pub(crate) path: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct External {
    pub(crate) name: String,
}

impl Described {
    /// An item of this crate; `None` for those of others and for what rustdoc does not show.
    pub(crate) fn own(&self, id: u64) -> Option<&Item> {
        self.index.get(&id.to_string()).filter(|item| item.crate_id == 0)
    }
}

/// Lets rustdoc describe all libraries.
pub(crate) fn describe(places: &Places, log: &Log) -> Result<Vec<(&'static str, Described)>> {
    // As in the step `docs`, so that nothing else is built for it. Options that are not stable are
    // accepted by a stable rustdoc from those who set RUSTC_BOOTSTRAP, which the script does for
    // rustdoc alone: everything else would be built anew with it.
    log.run(
        &Program::cargo("doc --workspace --all-features --lib --no-deps")
            .env("RUSTDOC", places.root.join("xtask/rustdoc-unstable"))
            .env("RUSTDOCFLAGS", "-Z unstable-options --output-format json"),
    )?;
    let read = |library: &'static str| {
        let file = places.target.join("doc").join(library.replace('-', "_")).with_extension("json");
        let text = fs::read(&file).with_context(|| format!("rustdoc left no {}", file.display()))?;
        let described = serde_json::from_slice(&text).context("rustdoc's JSON has another form now")?;
        Ok((library, described))
    };
    LIBRARIES.into_iter().map(read).collect()
}
