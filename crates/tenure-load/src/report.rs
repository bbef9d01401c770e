//! What a run has shown: for machines as JSON, for people as a table or a page.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::LoadError;

/// What a run has shown.
///
/// # Example
/// ```
/// use tenure_load::Report;
///
/// let error = Report::from_json("{}").unwrap_err();
/// assert!(error.to_string().contains("no report of `tenure load`"));
/// # fn shown(report: &Report) -> Result<(), tenure_load::LoadError> {
/// std::fs::write("run.html", report.to_html()).ok();
/// std::fs::write("run.json", report.to_json()?).ok();
/// println!("{}", report.to_text());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The form of this document.
    pub(crate) format: u32,
    pub(crate) version: String,
    pub(crate) began_at: String,
    pub(crate) stopped_early: bool,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) seconds: f64,
    /// What was to begin while it counted; each is in `done` or in `missed`.
    pub(crate) intended: u64,
    pub(crate) missed: u64,
    pub(crate) total: Row,
    pub(crate) kinds: BTreeMap<String, Row>,
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) wrong: BTreeMap<String, Wrong>,
    pub(crate) retries: u64,
    pub(crate) percentiles: Vec<(f64, f64)>,
    pub(crate) timeline: Vec<Slot>,
    pub(crate) slot_seconds: u64,
}

/// Requests of one kind; latencies in milliseconds, from the intended start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) done: u64,
    pub(crate) errors: u64,
    pub(crate) mean_ms: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
}

/// Wrong answers of one kind: how many, and some session ids.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Wrong {
    pub(crate) count: u64,
    pub(crate) samples: Vec<String>,
}

/// A piece of the time, by intended starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slot {
    pub(crate) done: u64,
    pub(crate) errors: u64,
    pub(crate) missed: u64,
    pub(crate) wrong: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Report {
    /// The document that `--json` writes.
    ///
    /// # Errors
    /// Never in practice: when the report does not write as JSON.
    pub fn to_json(&self) -> Result<String, LoadError> {
        serde_json::to_string_pretty(self).map_err(|error| LoadError::Report(error.to_string()))
    }

    /// Reads the document that `--json` wrote.
    ///
    /// # Errors
    /// When it is no such document, or one of a newer release.
    pub fn from_json(text: &str) -> Result<Self, LoadError> {
        let what = |error| LoadError::Report(format!("this is no report of `tenure load --json`: {error}"));
        let report: Self = serde_json::from_str(text)
            .map_err(|error| LoadError::Report(format!("this is no report of `tenure load`: {error}")))?;
        if report.format != 1 {
            Err(what(format!("its format is {}, not 1", report.format)))
        } else {
            Ok(report)
        }
    }

    /// How many answers were wrong.
    pub fn wrong(&self) -> u64 {
        self.wrong.values().map(|wrong| wrong.count).sum()
    }

    /// How many requests have failed, and how many have ended, failed ones included.
    pub fn errors(&self) -> (u64, u64) {
        (self.total.errors, self.total.done)
    }

    /// How many requests were to begin, and how many of them could not start in time.
    pub fn missed(&self) -> (u64, u64) {
        (self.missed, self.intended)
    }

    /// Requests answered a second.
    #[expect(clippy::cast_precision_loss, reason = "no run has so many requests")]
    pub(crate) fn throughput(&self) -> f64 {
        if self.seconds > 0.0 { self.total.done as f64 / self.seconds } else { 0.0 }
    }

    /// A table, and below it what went wrong.
    pub fn to_text(&self) -> String {
        let mut lines = vec![format!(
            "{:<10} {:>9} {:>7} {:>9} {:>9} {:>9} {:>9}",
            "KIND", "DONE", "ERRORS", "P50 ms", "P90 ms", "P99 ms", "MAX ms"
        )];
        let total = ("all".to_owned(), self.total.clone());
        for (name, row) in self.kinds.clone().into_iter().chain([total]) {
            lines.push(format!(
                "{name:<10} {:>9} {:>7} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
                row.done, row.errors, row.p50_ms, row.p90_ms, row.p99_ms, row.max_ms
            ));
        }
        lines.push(format!("{:.1} requests a second over {:.1} s", self.throughput(), self.seconds));
        if self.missed > 0 {
            lines.push(format!("could not start in time: {} of {}", self.missed, self.intended));
        }
        let errors = self.errors.iter().map(|(name, count)| format!("error: {name}: {count}"));
        lines.extend(errors);
        for (name, wrong) in &self.wrong {
            lines.push(format!("WRONG: {name}: {}, such as {}", wrong.count, wrong.samples.join(", ")));
        }
        if self.wrong.is_empty() {
            lines.push("no wrong answers".into());
        }
        lines.join("\n")
    }
}
