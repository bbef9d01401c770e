//! A check from memory, token to verdict, beside its floor.

use anyhow::Result;
use clap::Args;
use serde::Deserialize;

use super::section::{Allowed, Bound, Plot, Section, Table};
use super::setting::Setting;
use crate::plot::Bar;

#[derive(Args)]
#[group(skip)]
pub(crate) struct Options {
    /// check: among how many live sessions
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000, 10_000_000])]
    sessions: Vec<u64>,
}

/// A check among so many sessions, and its floor.
#[derive(Deserialize)]
struct Checked {
    sessions: u64,
    check_ns: f64,
    floor_ns: f64,
    ratio: f64,
    bytes_each: f64,
}

/// The ratio that a check may have to its floor.
const ALLOWED: Allowed = Allowed::AtMost(2.0);

pub(crate) fn measure(setting: &Setting, options: &Options) -> Result<Vec<Section>> {
    let mut checked: Vec<Checked> = Vec::new();
    for sessions in &options.sessions {
        println!("  among {sessions} sessions");
        checked.extend(setting.lines::<Checked>("check", &[sessions.to_string()])?);
    }
    let head = ["live sessions", "check", "floor", "ratio", "memory a session"];
    Ok(vec![Section {
        title: "A check from memory",
        text: "From the token to the verdict, on one core, of sessions in random order. The floor is what no \
            check can do without: decoding the token, SHA-256 of its secret, one lookup in a map of 64 locked \
            parts and one reading of the clock. A check allocates nothing \
            (`crates/tenure/tests/no_allocation.rs`)."
            .into(),
        table: Table { head: head.map(Into::into).into(), rows: checked.iter().map(row).collect() },
        bounds: checked.iter().map(bound).collect(),
        plot: Some(Plot {
            name: "check",
            title: "A check from memory, in nanoseconds",
            bars: checked.iter().flat_map(bars).collect(),
        }),
    }])
}

fn row(found: &Checked) -> Vec<String> {
    vec![
        found.sessions.to_string(),
        format!("{:.0} ns", found.check_ns),
        format!("{:.0} ns", found.floor_ns),
        format!("{:.2}", found.ratio),
        format!("{:.0} bytes", found.bytes_each),
    ]
}

fn bound(found: &Checked) -> Bound {
    let what = format!("a check among {} sessions, times its floor", found.sessions);
    Bound { what, measured: found.ratio, allowed: ALLOWED }
}

fn bars(found: &Checked) -> [Bar; 2] {
    let bar =
        |what: &str, value, ours| Bar { label: format!("{} sessions: {what}", found.sessions), value, ours };
    [bar("floor", found.floor_ns, false), bar("check", found.check_ns, true)]
}
