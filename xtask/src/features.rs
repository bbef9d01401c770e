//! Each crate alone, with each set of its features: what is not declared is noticed only there.

use anyhow::{Context, Result};
use cargo_metadata::{MetadataCommand, Package};

use crate::command::{Log, Program};
use crate::packages::Places;
use crate::tally::Tally;

/// How many features of a crate are tried in all combinations; of more, each alone and all together.
const COMBINED: usize = 4;

/// Checks what users build: without what is there for tests only, and without what other crates of
/// the workspace happen to turn on.
pub(crate) fn check(places: &Places, log: &Log) -> Result<Tally> {
    let metadata = MetadataCommand::new()
        .current_dir(&places.root)
        .no_deps()
        .exec()
        .context("cannot read the workspace")?;
    let mut tally = Tally::NONE;
    for package in metadata.workspace_packages().into_iter().filter(|package| package.publish.is_none()) {
        for features in sets(&names(package)) {
            let words = format!("check --quiet --package {} --no-default-features --features", package.name);
            let passed = log.succeeds(&Program::cargo(&words).args([features.join(",")]))?;
            tally.passed += usize::from(passed);
            tally.failed += usize::from(!passed);
        }
    }
    Ok(tally)
}

fn names(package: &Package) -> Vec<&str> {
    package.features.keys().map(String::as_str).filter(|name| *name != "default").collect()
}

/// The sets of features to try.
fn sets<'a>(features: &[&'a str]) -> Vec<Vec<&'a str>> {
    if features.len() <= COMBINED {
        let chosen = |set: usize| {
            let chosen = features.iter().enumerate().filter(move |(at, _)| set & (1 << at) != 0);
            chosen.map(|(_, name)| *name).collect()
        };
        return (0..1 << features.len()).map(chosen).collect();
    }
    let alone = features.iter().map(|name| vec![*name]);
    [Vec::new()].into_iter().chain(alone).chain([features.to_vec()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_features_are_tried_in_all_combinations_and_many_alone_and_together() {
        assert_eq!(sets(&[]), [Vec::<&str>::new()]);
        assert_eq!(sets(&["a", "b"]), [vec![], vec!["a"], vec!["b"], vec!["a", "b"]]);
        let many = ["a", "b", "c", "d", "e"];
        let sets = sets(&many);
        assert_eq!(sets.len(), 7);
        assert_eq!((sets[0].len(), &sets[5], sets[6].len()), (0, &vec!["e"], 5));
    }
}
