//! What the terminal shows: a line for each step that ends, what runs now, and
//! the summary.

#![expect(clippy::disallowed_methods, reason = "paces the progress lines by real time")]

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::steps::{Ended, Running, StepResult};
use crate::tally::Tally;

/// How often a terminal shows what runs, and how often a file or pipe does.
const REFRESH: Duration = Duration::from_secs(1);
const REMIND: Duration = Duration::from_secs(30);
/// The longest progress line, so that a terminal can erase it.
const WIDTH: usize = 79;

/// Standard output.
pub(crate) struct Screen {
    mode: Mode,
    shown: Instant,
    names: usize,
}

#[derive(PartialEq)]
enum Mode {
    Terminal,
    Pipe,
    #[cfg(test)]
    Silent,
}

impl Screen {
    /// For steps whose names have at most `names` characters.
    pub(crate) fn new(names: usize) -> Screen {
        let mode = if std::io::stdout().is_terminal() { Mode::Terminal } else { Mode::Pipe };
        Screen { mode, shown: Instant::now(), names }
    }

    #[cfg(test)]
    pub(crate) fn silent() -> Screen {
        Screen { mode: Mode::Silent, shown: Instant::now(), names: 0 }
    }

    /// One line for a step that has ended, all its output if it failed.
    pub(crate) fn ended(&mut self, step: &Ended, output: &str) {
        if !output.is_empty() && step.result.is_failure() {
            let rule = "-".repeat(WIDTH.saturating_sub(step.name.len() + 8));
            self.print(&format!("-- {} {rule}\n{output}-- end of {}", step.name, step.name));
        }
        self.print(&row(step, self.names));
    }

    /// What runs now and for how long, if it is time to say so again.
    pub(crate) fn progress(&mut self, running: &[Running]) {
        let pause = if self.mode == Mode::Terminal { REFRESH } else { REMIND };
        if self.shown.elapsed() < pause || running.is_empty() {
            return;
        }
        self.shown = Instant::now();
        if self.mode == Mode::Terminal {
            let all: Vec<String> = running.iter().map(now).collect();
            let doing = running[0].log.last_line();
            print!("\r\x1b[2K{}", cut(&format!("{}: {doing}", all.join(" | "))));
            flush();
        } else {
            for step in running {
                self.print(&cut(&format!("...   {}: {}", now(step), step.log.last_line())));
            }
        }
    }

    /// The table of all steps, and the closing line.
    pub(crate) fn summary(&mut self, steps: &[Ended], took: Duration) {
        self.print("\nSummary");
        for step in steps {
            self.print(&row(step, self.names));
        }
        self.print(&format!("total {}\n\n{}", minutes(took), closing(steps)));
    }

    fn print(&mut self, text: &str) {
        match self.mode {
            Mode::Terminal => println!("\r\x1b[2K{text}"),
            Mode::Pipe => println!("{text}"),
            #[cfg(test)]
            Mode::Silent => {}
        }
        flush();
    }
}

/// Whether every step passed or was left out on purpose.
pub(crate) fn all_passed(steps: &[Ended]) -> bool {
    !steps.iter().any(|step| step.result.is_failure())
}

/// Such as `ok    tests         1:02  312 passed`.
fn row(step: &Ended, names: usize) -> String {
    let (word, note) = match &step.result {
        StepResult::Ran(tally) if tally.failed > 0 => {
            ("FAIL", format!("{} passed, {} failed", tally.passed, tally.failed))
        }
        StepResult::Ran(tally) if *tally == Tally::NONE => ("ok", String::new()),
        StepResult::Ran(tally) if tally.skipped > 0 => {
            ("ok", format!("{} passed, {} skipped", tally.passed, tally.skipped))
        }
        StepResult::Ran(tally) => ("ok", format!("{} passed", tally.passed)),
        StepResult::Skipped(why) => ("skip", (*why).to_owned()),
        StepResult::Blocked(name) => ("FAIL", format!("not run: {name} failed")),
    };
    let row = format!("{word:<4}  {:<names$}  {:>6}  {note}", step.name, minutes(step.took));
    row.trim_end().to_owned()
}

/// `N passed, N failed`, by tests where a step runs tests, else by steps.
fn closing(steps: &[Ended]) -> String {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for step in steps {
        match &step.result {
            StepResult::Ran(tally) => {
                passed += tally.passed;
                failed += tally.failed;
                skipped += tally.skipped;
            }
            StepResult::Skipped(_) => skipped += 1,
            StepResult::Blocked(_) => failed += 1,
        }
    }
    let skipped = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    format!("{passed} passed, {failed} failed{skipped}")
}

fn now(step: &Running) -> String {
    format!("{} {}", step.name, minutes(step.started.elapsed()))
}

fn minutes(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    if tenths < 600 {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else {
        format!("{}:{:02}", tenths / 600, tenths / 10 % 60)
    }
}

fn cut(line: &str) -> String {
    line.chars().take(WIDTH).collect()
}

fn flush() {
    // A reader that has gone away is noticed by the next print.
    let _ = std::io::stdout().flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(result: StepResult) -> Ended {
        Ended { name: "tests", result, took: Duration::from_millis(62_900) }
    }

    #[test]
    fn closing_line_counts_tests_and_steps_that_could_not_run() {
        let steps = [
            ended(StepResult::Ran(Tally { passed: 40, failed: 2, skipped: 0 })),
            ended(StepResult::Ran(Tally::PASS)),
            ended(StepResult::Blocked("build")),
        ];
        assert_eq!(closing(&steps), "41 passed, 3 failed");
        assert!(!all_passed(&steps));
    }

    #[test]
    fn skipped_steps_are_told_and_fail_nothing() {
        let steps = [ended(StepResult::Ran(Tally::PASS)), ended(StepResult::Skipped("--quick"))];
        assert_eq!(closing(&steps), "1 passed, 0 failed, 1 skipped");
        assert!(all_passed(&steps));
    }

    #[test]
    fn a_row_names_the_step_its_time_and_its_tests() {
        let row = row(&ended(StepResult::Ran(Tally { passed: 3, failed: 0, skipped: 0 })), 8);
        assert_eq!(row, "ok    tests       1:02  3 passed");
    }
}
