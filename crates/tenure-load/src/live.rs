//! How a run goes, while it goes.

use std::time::Duration;

/// How a run goes at a moment.
///
/// # Example
/// ```
/// use tenure_load::Live;
///
/// let live = Live::default();
/// assert!(live.line().contains("0 wrong"));
/// assert_eq!(live.plot(20, 3).lines().count(), 4);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Live {
    pub(crate) phase: &'static str,
    pub(crate) elapsed: Duration,
    pub(crate) whole: Duration,
    pub(crate) people: usize,
    pub(crate) outstanding: usize,
    pub(crate) done: u64,
    pub(crate) errors: u64,
    pub(crate) wrong: u64,
    pub(crate) missed: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    pub(crate) p99s: Vec<f64>,
}

impl Live {
    /// One line for a log.
    pub fn line(&self) -> String {
        format!(
            "{} {} of {} s: {} done, {} errors, {} wrong, {} not started in time; p50 {:.2} ms, p99 {:.2} \
             ms, max {:.2} ms; {} people, {} requests running",
            self.phase,
            self.elapsed.as_secs(),
            self.whole.as_secs(),
            self.done,
            self.errors,
            self.wrong,
            self.missed,
            self.p50_ms,
            self.p99_ms,
            self.max_ms,
            self.people,
            self.outstanding,
        )
    }

    /// A table with a plot of the p99 below it, `width` columns wide.
    pub fn table(&self, width: usize) -> String {
        let bar = width.saturating_sub(24).clamp(10, 60);
        let whole = self.whole.as_millis().max(1);
        let filled = (self.elapsed.as_millis() * bar as u128 / whole).min(bar as u128);
        let filled = usize::try_from(filled).unwrap_or(0);
        format!(
            "{:<9} {}{} {:>4}/{} s\n\n  done {:>12}    p50 {:>10.2} ms\n  errors {:>10}    p99 {:>10.2} ms\n  \
             wrong {:>11}    max {:>10.2} ms\n  not started {:>5}    people {:>7}    running {}\n\n{}",
            self.phase,
            "━".repeat(filled),
            "─".repeat(bar - filled),
            self.elapsed.as_secs(),
            self.whole.as_secs(),
            self.done,
            self.p50_ms,
            self.errors,
            self.p99_ms,
            self.wrong,
            self.max_ms,
            self.missed,
            self.people,
            self.outstanding,
            self.plot(width.saturating_sub(4).clamp(10, 100), 4),
        )
    }

    /// The p99 over time, as bars.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rows of a terminal"
    )]
    pub fn plot(&self, width: usize, height: usize) -> String {
        const PARTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let shown = &self.p99s[self.p99s.len().saturating_sub(width)..];
        let top = shown.iter().copied().fold(0.001, f64::max);
        let mut lines = vec![format!("  p99 over time, up to {top:.1} ms")];
        for row in (0..height).rev() {
            let cells = shown.iter().map(|p99| {
                let eighths = (p99 / top * (height * 8) as f64).ceil() as usize;
                PARTS[eighths.saturating_sub(row * 8).min(8)]
            });
            lines.push(format!("  {}", cells.collect::<String>()));
        }
        lines.join("\n")
    }
}
