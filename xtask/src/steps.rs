//! Runs steps side by side, each as soon as those it waits for have ended.

#![expect(clippy::disallowed_methods, reason = "measures how long real programs take")]

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::command::Log;
use crate::report::Screen;
use crate::tally::Tally;

/// How often to look at the running steps.
const TICK: Duration = Duration::from_millis(50);

type Work = Box<dyn FnOnce(&Log) -> Result<Tally> + Send>;

/// One thing to check. Steps are told apart by their names.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    needs: Vec<&'static str>,
    after: Vec<&'static str>,
    once: Option<(&'static str, &'static str)>,
    plan: Plan,
}

enum Plan {
    Work(Work),
    Skip(&'static str),
}

impl Step {
    /// A step that may start at once.
    pub(crate) fn new(name: &'static str, work: impl FnOnce(&Log) -> Result<Tally> + Send + 'static) -> Step {
        Step::waiting_for_nothing(name, Plan::Work(Box::new(work)))
    }

    /// A step that is only reported.
    pub(crate) fn skipped(name: &'static str, why: &'static str) -> Step {
        Step::waiting_for_nothing(name, Plan::Skip(why))
    }

    fn waiting_for_nothing(name: &'static str, plan: Plan) -> Step {
        Step { name, needs: Vec::new(), after: Vec::new(), once: None, plan }
    }

    /// Starts only when these steps have passed.
    pub(crate) fn needs(mut self, names: &[&'static str]) -> Step {
        self.needs.extend(names);
        self
    }

    /// Starts only when these steps have ended, well or not.
    pub(crate) fn after(mut self, names: &[&'static str]) -> Step {
        self.after.extend(names);
        self
    }

    /// Starts only once that step has printed a line that starts with `words`,
    /// or has ended.
    pub(crate) fn once(mut self, name: &'static str, words: &'static str) -> Step {
        self.once = Some((name, words));
        self
    }

    /// Whether nothing is left to wait for.
    fn is_ready(&self, running: &[Running], ended: &[Ended]) -> bool {
        let has_ended = |name: &str| ended.iter().any(|step| step.name == name);
        let has_printed =
            |name: &str, words| running.iter().any(|step| step.name == name && step.log.has_line(words));
        self.needs.iter().chain(&self.after).all(|name| has_ended(name))
            && self.once.is_none_or(|(name, words)| has_ended(name) || has_printed(name, words))
    }
}

/// A step that has ended.
pub(crate) struct Ended {
    pub(crate) name: &'static str,
    pub(crate) result: StepResult,
    pub(crate) took: Duration,
}

pub(crate) enum StepResult {
    /// It ran; with a failed test or check in the tally, it failed.
    Ran(Tally),
    /// It was not to run.
    Skipped(&'static str),
    /// It could not run, for the named step has failed.
    Blocked(&'static str),
}

impl StepResult {
    pub(crate) fn is_failure(&self) -> bool {
        match self {
            StepResult::Ran(tally) => tally.failed > 0,
            StepResult::Skipped(_) => false,
            StepResult::Blocked(_) => true,
        }
    }
}

/// A step at work.
pub(crate) struct Running {
    pub(crate) name: &'static str,
    pub(crate) log: Log,
    pub(crate) started: Instant,
    thread: JoinHandle<Result<Tally>>,
}

/// Runs every step and returns them in the order in which they ended.
///
/// # Panics
///
/// When steps wait for each other, or for one that does not exist.
pub(crate) fn run(mut waiting: Vec<Step>, soak: bool, screen: &mut Screen) -> Vec<Ended> {
    let mut running: Vec<Running> = Vec::new();
    let mut ended: Vec<Ended> = Vec::new();
    loop {
        while let Some(index) = waiting.iter().position(|step| step.is_ready(&running, &ended)) {
            match start(waiting.remove(index), &ended, soak) {
                Ok(step) => running.push(step),
                Err(step) => {
                    screen.ended(&step, "");
                    ended.push(step);
                }
            }
        }
        if running.is_empty() {
            let names: Vec<&str> = waiting.iter().map(|step| step.name).collect();
            assert!(names.is_empty(), "steps that wait for ever: {names:?}");
            return ended;
        }
        std::thread::sleep(TICK);
        while let Some(index) = running.iter().position(|step| step.thread.is_finished()) {
            let (step, output) = finish(running.remove(index));
            screen.ended(&step, &output);
            ended.push(step);
        }
        screen.progress(&running);
    }
}

/// Starts a step, unless there is nothing to start.
fn start(step: Step, ended: &[Ended], soak: bool) -> Result<Running, Ended> {
    let failed = |name: &&str| ended.iter().any(|end| end.name == *name && end.result.is_failure());
    let not_run = |result| Ended { name: step.name, result, took: Duration::ZERO };
    if let Some(name) = step.needs.iter().copied().find(failed) {
        return Err(not_run(StepResult::Blocked(name)));
    }
    match step.plan {
        Plan::Skip(why) => Err(not_run(StepResult::Skipped(why))),
        Plan::Work(work) => {
            let log = Log::new(soak);
            let shared = log.clone();
            let thread = std::thread::spawn(move || work(&shared));
            Ok(Running { name: step.name, log, started: Instant::now(), thread })
        }
    }
}

/// What a finished step came to, and its output.
fn finish(step: Running) -> (Ended, String) {
    let tally = match step.thread.join() {
        Ok(Ok(tally)) => tally,
        Ok(Err(error)) => {
            step.log.line(format!("error: {error:#}"));
            Tally::FAIL
        }
        Err(_) => {
            step.log.line("error: the step panicked".into());
            Tally::FAIL
        }
    };
    let ended = Ended { name: step.name, result: StepResult::Ran(tally), took: step.started.elapsed() };
    (ended, step.log.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(ended: &[Ended]) -> Vec<&str> {
        ended.iter().map(|step| step.name).collect()
    }

    #[test]
    fn steps_run_after_those_they_wait_for() {
        let steps = vec![
            Step::new("third", |_| Ok(Tally::PASS)).after(&["second"]),
            Step::new("second", |_| Ok(Tally::FAIL)).needs(&["first"]),
            Step::new("first", |_| Ok(Tally::PASS)),
        ];
        let ended = run(steps, false, &mut Screen::silent());
        assert_eq!(names(&ended), ["first", "second", "third"]);
        assert!(!ended[2].result.is_failure());
    }

    #[test]
    fn a_failure_blocks_what_needs_it_and_nothing_else() {
        let steps = vec![
            Step::new("build", |_| anyhow::bail!("does not compile")),
            Step::new("tests", |_| Ok(Tally::PASS)).needs(&["build"]),
            Step::new("lints", |_| Ok(Tally::PASS)).after(&["build"]),
        ];
        let ended = run(steps, false, &mut Screen::silent());
        let result = |name| &ended.iter().find(|step| step.name == name).unwrap().result;
        assert!(result("build").is_failure());
        assert!(matches!(result("tests"), StepResult::Blocked("build")));
        assert!(!result("lints").is_failure());
    }

    #[test]
    fn a_step_that_panics_has_failed() {
        let ended = run(vec![Step::new("odd", |_| panic!("odd"))], false, &mut Screen::silent());
        assert!(ended[0].result.is_failure());
    }
}
