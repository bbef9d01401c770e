//! What a part found: tables, bounds, plots.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::plot::{self, Bar};

/// One thing that was measured.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    /// What was measured, and beside what.
    pub(crate) text: String,
    pub(crate) table: Table,
    pub(crate) bounds: Vec<Bound>,
    pub(crate) plot: Option<Plot>,
}

/// Figures in columns.
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Bars in a file of their own, `benchmarks-NAME.svg`.
pub(crate) struct Plot {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) bars: Vec<Bar>,
}

/// A figure and what it may be.
pub(crate) struct Bound {
    pub(crate) what: String,
    pub(crate) measured: f64,
    pub(crate) allowed: Allowed,
}

/// What a figure may be.
#[derive(Clone, Copy)]
pub(crate) enum Allowed {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    /// Whether the figure is what it may be. One that is not a number is not.
    pub(crate) fn is_met(&self) -> bool {
        match self.allowed {
            Allowed::AtMost(most) => self.measured <= most,
            Allowed::AtLeast(least) => self.measured >= least,
        }
    }

    fn verdict(&self) -> &'static str {
        if self.is_met() { "met" } else { "**missed**" }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:.2}, {}: {}", self.what, self.measured, self.allowed, self.verdict())
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "at most {most}"),
            Self::AtLeast(least) => write!(f, "at least {least}"),
        }
    }
}

impl Section {
    /// Writes the plot beside the page.
    pub(crate) fn write_plot(&self, folder: &Path) -> Result<()> {
        let Some(Plot { name, title, bars }) = &self.plot else {
            return Ok(());
        };
        let file = folder.join(file_name(name));
        fs::write(&file, plot::bars(title, bars)).with_context(|| format!("cannot write {}", file.display()))
    }

    fn text(&self, described: &str) -> String {
        let mut blocks = vec![format!("## {}", self.title), self.text.clone(), described.to_owned()];
        blocks.push(self.table.text());
        if !self.bounds.is_empty() {
            blocks.push(bounds(&self.bounds).text());
        }
        if let Some(plot) = &self.plot {
            blocks.push(format!("![{}]({})", plot.title, file_name(plot.name)));
        }
        blocks.join("\n\n")
    }
}

impl Table {
    fn text(&self) -> String {
        let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
        let rule = vec!["---".to_owned(); self.head.len()];
        let lines = [&self.head, &rule].into_iter().chain(&self.rows);
        lines.map(|cells| line(cells)).collect::<Vec<_>>().join("\n")
    }
}

fn bounds(bounds: &[Bound]) -> Table {
    let row = |bound: &Bound| {
        let measured = format!("{:.2}", bound.measured);
        vec![bound.what.clone(), measured, bound.allowed.to_string(), bound.verdict().to_owned()]
    };
    Table {
        head: ["bound", "measured", "allowed", ""].map(Into::into).into(),
        rows: bounds.iter().map(row).collect(),
    }
}

fn file_name(plot: &str) -> String {
    format!("benchmarks-{plot}.svg")
}

/// What the page says of a part, each section with when and how it was measured.
pub(crate) fn text(sections: &[Section], described: &str) -> String {
    sections.iter().map(|section| section.text(described)).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(measured: f64, allowed: Allowed) -> Bound {
        Bound { what: "it".into(), measured, allowed }
    }

    #[test]
    fn a_bound_is_met_at_its_edge_and_not_beyond() {
        assert!(bound(2.0, Allowed::AtMost(2.0)).is_met());
        assert!(!bound(2.01, Allowed::AtMost(2.0)).is_met());
        assert!(bound(1.2, Allowed::AtLeast(1.2)).is_met());
        assert!(!bound(1.19, Allowed::AtLeast(1.2)).is_met());
        assert!(!bound(f64::NAN, Allowed::AtMost(2.0)).is_met());
        assert!(!bound(f64::NAN, Allowed::AtLeast(2.0)).is_met());
    }

    #[test]
    fn a_missed_bound_stands_out_in_the_text() {
        let section = Section {
            title: "Some",
            text: "What it is.".into(),
            table: Table { head: vec!["a".into(), "b".into()], rows: vec![vec!["1".into(), "2".into()]] },
            bounds: vec![bound(3.0, Allowed::AtMost(2.0)), bound(1.0, Allowed::AtMost(2.0))],
            plot: None,
        };
        let text = text(&[section], "Today.");
        assert!(
            text.starts_with("## Some\n\nWhat it is.\n\nToday.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"),
            "{text}"
        );
        assert!(
            text.contains("| it | 3.00 | at most 2 | **missed** |\n| it | 1.00 | at most 2 | met |"),
            "{text}"
        );
    }
}
