//! What a run must keep to.

use std::fmt;
use std::str::FromStr;

use crate::{LoadError, Report};

/// A condition under which a run has failed.
///
/// # Example
/// ```
/// use tenure_load::Threshold;
///
/// let slow: Threshold = "p99>50ms".parse()?;
/// assert_eq!(slow.to_string(), "p99>50ms");
/// let unknown = "p98>50ms".parse::<Threshold>().unwrap_err();
/// assert!(unknown.to_string().contains("p50, p90, p99, p99.9, max, mean, errors, wrong, missed"));
/// # fn judged(slow: &Threshold, report: &tenure_load::Report) {
/// if let Some(why) = slow.crossed_by(report) {
///     println!("{why}"); // p99>50ms: it is 71.25 ms
/// }
/// # }
/// # Ok::<(), tenure_load::LoadError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    text: String,
    what: What,
    limit: f64,
    percent: bool,
    below: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    P50,
    P90,
    P99,
    P999,
    Max,
    Mean,
    Errors,
    Wrong,
    Missed,
    Throughput,
}

const NAMES: [(&str, What); 10] = [
    ("p50", What::P50),
    ("p90", What::P90),
    ("p99", What::P99),
    ("p99.9", What::P999),
    ("max", What::Max),
    ("mean", What::Mean),
    ("errors", What::Errors),
    ("wrong", What::Wrong),
    ("missed", What::Missed),
    ("throughput", What::Throughput),
];

impl FromStr for Threshold {
    type Err = LoadError;

    fn from_str(text: &str) -> Result<Self, LoadError> {
        let names = NAMES.map(|(name, _)| name).join(", ");
        let wrong = || {
            LoadError::Settings(format!(
                "condition `{text}`: say NAME>LIMIT or NAME<LIMIT, such as p99>50ms, errors>0.1%, wrong>0; \
                 names are {names}; times are in us, ms or s, shares in %"
            ))
        };
        let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let at = plain.find(['>', '<']).ok_or_else(wrong)?;
        let (name, limit) = (&plain[..at], &plain[at + 1..]);
        let what = NAMES.iter().find(|(known, _)| *known == name).ok_or_else(wrong)?.1;
        let unit_at = limit.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(limit.len());
        let (number, unit) = limit.split_at(unit_at);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let (factor, percent) = match (what, unit) {
            (What::Errors | What::Wrong | What::Missed, "%") => (1.0, true),
            (What::Errors | What::Wrong | What::Missed | What::Throughput, "") => (1.0, false),
            (What::Errors | What::Wrong | What::Missed | What::Throughput, _) => return Err(wrong()),
            (_, "us") => (0.001, false),
            (_, "ms") => (1.0, false),
            (_, "s") => (1_000.0, false),
            _ => return Err(wrong()),
        };
        let below = plain[at..].starts_with('<');
        Ok(Self { text: plain.clone(), what, limit: number * factor, percent, below })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Threshold {
    /// Says how a run crosses it; none when it does not.
    #[expect(clippy::cast_precision_loss, reason = "no run has so many requests")]
    pub fn crossed_by(&self, report: &Report) -> Option<String> {
        let total = &report.total;
        let (count, of) = match self.what {
            What::Errors => report.errors(),
            What::Wrong => (report.wrong(), total.done),
            What::Missed => report.missed(),
            _ => (0, 0),
        };
        let value = match self.what {
            What::P50 => total.p50_ms,
            What::P90 => total.p90_ms,
            What::P99 => total.p99_ms,
            What::P999 => total.p999_ms,
            What::Max => total.max_ms,
            What::Mean => total.mean_ms,
            What::Throughput => report.throughput(),
            _ if self.percent => count as f64 / of.max(1) as f64 * 100.0,
            _ => count as f64,
        };
        let crossed = if self.below { value < self.limit } else { value > self.limit };
        let unit = match self.what {
            What::Throughput => " a second",
            What::Errors | What::Wrong | What::Missed if self.percent => " %",
            What::Errors | What::Wrong | What::Missed => "",
            _ => " ms",
        };
        // A run that answered nothing has kept to nothing.
        if total.done == 0 {
            return Some(format!("{}: nothing was answered", self.text));
        }
        let value = format!("{value:.3}");
        let value = value.trim_end_matches('0').trim_end_matches('.');
        crossed.then(|| format!("{}: it is {value}{unit}", self.text))
    }
}
