//! How many tests a step ran, read from what its runner printed.

use std::iter::Sum;

/// Passed and failed tests of one step; a step that is one check counts as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// Tests that could not run here; they said so and are no proof of anything.
    pub(crate) skipped: usize,
}

impl Tally {
    /// Nothing was checked: something was installed.
    pub(crate) const NONE: Tally = Tally { passed: 0, failed: 0, skipped: 0 };
    /// A check that passed.
    pub(crate) const PASS: Tally = Tally { passed: 1, failed: 0, skipped: 0 };
    /// A check that failed, or a runner that failed before it ran a test.
    pub(crate) const FAIL: Tally = Tally { passed: 0, failed: 1, skipped: 0 };

    /// Sums the `test result:` lines of `cargo test`, one for each test binary. A test that
    /// could not run passes, and says `skipped: ` and why.
    pub(crate) fn of_cargo_test(output: &str) -> Tally {
        let result = |line: &str| {
            let line = line.strip_prefix("test result: ")?;
            let (passed, failed) = (number_before(line, "passed"), number_before(line, "failed"));
            Some(Tally { passed, failed, skipped: 0 })
        };
        let all: Tally = output.lines().filter_map(result).sum();
        let skipped = output.lines().filter(|line| line.starts_with("skipped: ")).count();
        Tally { passed: all.passed.saturating_sub(skipped), skipped, ..all }
    }

    /// Reads the closing `ℹ pass N` and `ℹ fail N` of `node --test`.
    pub(crate) fn of_node_test(output: &str) -> Tally {
        let last = |word: &str| {
            let number = |line: &str| line.strip_prefix("ℹ ")?.strip_prefix(word)?.parse().ok();
            output.lines().rev().find_map(number).unwrap_or(0)
        };
        Tally { passed: last("pass "), failed: last("fail "), skipped: 0 }
    }

    /// A runner that ended with an error has failed, whatever it counted.
    pub(crate) fn and_success(self, success: bool) -> Tally {
        Tally { failed: if success { self.failed } else { self.failed.max(1) }, ..self }
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Tally>>(tallies: I) -> Tally {
        tallies.fold(Tally::default(), |a, b| Tally {
            passed: a.passed + b.passed,
            failed: a.failed + b.failed,
            skipped: a.skipped + b.skipped,
        })
    }
}

/// The number in front of `word` in a line such as `ok. 3 passed; 1 failed; ...`.
fn number_before(line: &str, word: &str) -> usize {
    let words: Vec<&str> = line.split([' ', ';']).collect();
    let found = words.windows(2).find(|pair| pair[1] == word);
    found.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_test_binaries_add_up() {
        let output = "running 3 tests\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            skipped: no disk to fill\n\
            test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n";
        assert_eq!(Tally::of_cargo_test(output), Tally { passed: 12, failed: 2, skipped: 1 });
    }

    #[test]
    fn node_test_closing_lines_are_read() {
        let output = "✔ opens (4.1ms)\nℹ tests 3\nℹ suites 0\nℹ pass 2\nℹ fail 1\nℹ cancelled 0\n";
        assert_eq!(Tally::of_node_test(output), Tally { passed: 2, failed: 1, skipped: 0 });
    }

    #[test]
    fn a_runner_that_fails_before_its_tests_counts_as_failed() {
        assert_eq!(Tally::of_cargo_test("error: could not compile").and_success(false), Tally::FAIL);
    }
}
