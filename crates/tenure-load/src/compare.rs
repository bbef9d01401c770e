//! Two runs beside each other.

use crate::Report;

/// How much a figure may change before it is called so: runs on a busy machine differ by less.
const NOISE: f64 = 0.15;

/// Two runs beside each other.
///
/// # Example
/// ```
/// # fn shown(before: &tenure_load::Report, after: &tenure_load::Report) {
/// let comparison = tenure_load::compare(before, after);
/// println!("{}", comparison.text());
/// if comparison.is_worse() {
///     println!("do not ship");
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    text: String,
    worse: bool,
}

impl Comparison {
    /// A table with ratios, and a judgement below it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the second run is worse than the first.
    pub fn is_worse(&self) -> bool {
        self.worse
    }
}

/// Compares a run with an earlier one.
///
/// # Example
/// See [`Comparison`].
#[expect(clippy::cast_precision_loss, reason = "no run has so many requests")]
pub fn compare(before: &Report, after: &Report) -> Comparison {
    let share = |(some, all): (u64, u64)| some as f64 / all.max(1) as f64 * 100.0;
    let mut rows = vec![("requests a second".to_owned(), before.throughput(), after.throughput(), false)];
    rows.push(("p50 ms".into(), before.total.p50_ms, after.total.p50_ms, true));
    rows.push(("p99 ms".into(), before.total.p99_ms, after.total.p99_ms, true));
    rows.push(("max ms".into(), before.total.max_ms, after.total.max_ms, false));
    for (kind, row) in &before.kinds {
        if let Some(other) = after.kinds.get(kind) {
            rows.push((format!("{kind} p99 ms"), row.p99_ms, other.p99_ms, false));
        }
    }
    rows.push(("errors %".into(), share(before.errors()), share(after.errors()), false));
    rows.push(("not started %".into(), share(before.missed()), share(after.missed()), false));
    rows.push(("wrong".into(), before.wrong() as f64, after.wrong() as f64, false));
    let mut lines = vec![format!("{:<20} {:>10} {:>10} {:>7}", "", "A", "B", "B/A")];
    let mut reasons = Vec::new();
    for (name, a, b, judged) in rows {
        let ratio = if a > 0.0 { format!("{:.2}", b / a) } else { "-".into() };
        lines.push(format!("{name:<20} {a:>10.2} {b:>10.2} {ratio:>7}"));
        if judged && a > 0.0 && b > a * (1.0 + NOISE) {
            reasons.push(format!("{name} is {ratio} times as long"));
        }
    }
    for (name, a, b) in [
        ("errors", share(before.errors()), share(after.errors())),
        ("requests that could not start in time", share(before.missed()), share(after.missed())),
        ("wrong answers", before.wrong() as f64, after.wrong() as f64),
    ] {
        if b > a {
            reasons.push(format!("there are more {name}"));
        }
    }
    if before.settings.get("rate") != after.settings.get("rate")
        || before.settings.get("mix") != after.settings.get("mix")
    {
        lines.push("the runs had another rate or mix: ratios say little".into());
    }
    let faster = after.total.p99_ms < before.total.p99_ms * (1.0 - NOISE);
    let judgement = match (reasons.is_empty(), faster) {
        (false, _) => format!("B is worse: {}", reasons.join("; ")),
        (true, true) => "B is better: its p99 is shorter, and nothing else is worse".into(),
        (true, false) => "no difference beyond what runs differ by (15 %)".into(),
    };
    lines.push(judgement);
    Comparison { text: lines.join("\n"), worse: !reasons.is_empty() }
}
