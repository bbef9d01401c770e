//! Whether a store that nodes share is older than it was, and what its operator decided about that.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tenure::clock::Timestamp;
use tenure::store::StoreError;

use crate::mark::{Found, Mark, digits, place_of};

/// How much may be missing that a node knew of. A server that takes over without having heard everything
/// lacks moments, and the nodes write the ends of as long again.
const TOLERANCE: Duration = Duration::from_secs(600);

/// What to do with a store that is older than it was: a restored backup, a copied folder, a
/// disk set back to a snapshot. Sessions that had ended may be alive in it. A store that is gone
/// altogether waits for the same decision, and begins anew after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterRestore {
    /// Do not serve, and say so: the operator decides.
    #[default]
    Refuse,
    /// End all sessions that are alive in it, then serve.
    EndAllSessions,
    /// Take it as it is.
    ///
    /// # Security
    /// Sessions that ended after the copy was made are alive again.
    Accept,
}

/// Where the marks of a node are, and what to do if they say that a store is older than it was.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    dir: Option<PathBuf>,
    decision: AfterRestore,
}

impl Marks {
    /// The folder for them. Without one nothing is asked.
    #[must_use]
    pub fn with_dir(self, dir: PathBuf) -> Self {
        Self { dir: Some(dir), ..self }
    }

    /// What to do with an older store.
    #[must_use]
    pub fn with_decision(self, decision: AfterRestore) -> Self {
        Self { decision, ..self }
    }

    /// The marks about one place: `address` tells it from all others and holds no password, `name` is for
    /// people, as the subject of a sentence.
    pub fn at(&self, address: &str, name: String) -> MarksAt<'_> {
        MarksAt { marks: self, place: place_of(address), name }
    }
}

/// What the marks of a node say of one place.
#[derive(Debug)]
pub struct MarksAt<'m> {
    marks: &'m Marks,
    place: String,
    name: String,
}

/// What was made out of a store's age, for [`SharedStore::marked`](crate::SharedStore::marked).
#[derive(Debug)]
pub struct Judged {
    /// The mark to write, and where, if there are marks.
    pub(crate) mark: Option<(Mark, PathBuf)>,
    /// All sessions are to be ended first.
    pub(crate) end_all: bool,
}

impl MarksAt<'_> {
    /// To be asked before a store is made where there is none.
    ///
    /// # Errors
    /// Blocked when there was one.
    pub fn may_be_made(&self) -> Result<(), StoreError> {
        let Some(dir) = &self.marks.dir else { return Ok(()) };
        let others = Mark::others_at(dir, &self.place, "")?;
        let Some(other) = others.first() else { return Ok(()) };
        if self.marks.decision == AfterRestore::Refuse {
            return Err(StoreError::Blocked(format!(
                "{} is gone, and a store was here (its mark is {}): is this the wrong database, or was it \
                 emptied? Name the right one, restore a backup, or start once with `--after-restore accept` to \
                 begin with an empty store (in Rust: `after_restore`)",
                self.name,
                other.display()
            )));
        }
        tracing::warn!("the store that was here is gone; beginning anew");
        forget(&others);
        Ok(())
    }

    /// Compares what the node knew with what the store is: its random name, and the latest time of a write
    /// that it has.
    ///
    /// # Errors
    /// Blocked when it is older, or another one, and the operator has not decided.
    pub fn judge(&self, store: &[u8], latest: Timestamp) -> Result<Judged, StoreError> {
        let Some(dir) = &self.marks.dir else { return Ok(Judged { mark: None, end_all: false }) };
        let store = digits(store);
        let path = Mark::path(dir, &store);
        let found = Mark::read(&path)?;
        let others = Mark::others_at(dir, &self.place, &store)?;
        let why = match (&found, others.first()) {
            (_, Some(other)) => Some(self.is_another(other)),
            (found, None) => why_older(found, latest).map(|why| self.is_older(&why, &path)),
        };
        match (&why, self.marks.decision) {
            (Some(why), AfterRestore::Refuse) => return Err(StoreError::Blocked(why.clone())),
            (Some(_), decision) => {
                tracing::warn!(?decision, "serving an older copy of the store");
                forget(&others);
            }
            (None, _) => {}
        }
        let known = match found {
            // What is missing of it is little, and others may know it still.
            Found::Mark(mark) if why.is_none() => mark.latest.max(latest),
            _ => latest,
        };
        let mark = Mark { store, place: self.place.clone(), latest: known, undecided: false };
        let end_all = why.is_some() && self.marks.decision == AfterRestore::EndAllSessions;
        Ok(Judged { mark: Some((mark, path)), end_all })
    }

    fn is_older(&self, why: &str, path: &Path) -> String {
        format!(
            "{} may be older than it was: {why} (the mark is {}). Sessions that had ended may be alive in it. \
             Start once with `--after-restore end-all-sessions`, or with `--after-restore accept` if nothing had \
             ended since (in Rust: `after_restore`), or put the current store back",
            self.name,
            path.display()
        )
    }

    fn is_another(&self, mark: &Path) -> String {
        format!(
            "{} is another store than the one that was here (its mark is {}): is this the wrong database, or was \
             the other one emptied? Name the right one, or start once with `--after-restore accept` to serve this \
             one as it is, or with `--after-restore end-all-sessions` (in Rust: `after_restore`)",
            self.name,
            mark.display()
        )
    }
}

/// Why a store is older than its mark says, if it is.
fn why_older(found: &Found, latest: Timestamp) -> Option<String> {
    match found {
        Found::Nothing => None,
        Found::Damaged => Some("its mark is damaged, so how far it had come is not known".into()),
        Found::Mark(mark) if mark.undecided => {
            Some("ending the sessions of an older copy was not finished".into())
        }
        Found::Mark(mark) if mark.latest.since(latest) <= TOLERANCE => None,
        Found::Mark(mark) if latest == Timestamp::default() => {
            Some(format!("nothing was ever written in it, and this node knew of a write at {}", mark.latest))
        }
        Found::Mark(mark) => {
            Some(format!("its latest write is of {latest}, and this node knew of one at {}", mark.latest))
        }
    }
}

/// Removes marks that count no more.
fn forget(marks: &[PathBuf]) {
    for path in marks {
        if let Err(error) = fs::remove_file(path) {
            tracing::warn!(%error, file = %path.display(), "the mark of another store could not be removed: it asks again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_lacks_moments_is_not_older_and_one_that_lacks_more_is() {
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        let mark = |latest, undecided| {
            Found::Mark(Mark { store: String::new(), place: String::new(), latest, undecided })
        };
        for (found, latest) in [
            (Found::Nothing, at(0)),
            (mark(at(5_000), false), at(5_000)),
            (mark(at(5_000), false), at(9_000)),
            (mark(at(5_000), false), at(4_400)),
        ] {
            assert_eq!(why_older(&found, latest), None, "{found:?}");
        }
        for (found, latest, said) in [
            (
                mark(at(5_000), false),
                at(4_399),
                "1970-01-01T01:13:19.000Z, and this node knew of one at 1970-01-01T01:23:20",
            ),
            (mark(at(5_000), false), at(0), "nothing was ever written"),
            (mark(at(5_000), true), at(9_000), "not finished"),
            (Found::Damaged, at(9_000), "damaged"),
        ] {
            let why = why_older(&found, latest).unwrap();
            assert!(why.contains(said), "{why}");
        }
    }
}
