//! Plots as SVG, for pages that people look at rather than read.

use std::fmt::Write;

/// One bar.
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: f64,
    /// Whether it is Tenure's.
    pub(crate) ours: bool,
}

const WIDTH: f64 = 720.0;
const LABELS: f64 = 230.0;
const ROW: f64 = 30.0;
const TOP: f64 = 48.0;

/// Horizontal bars, each with its value, readable on light and dark pages.
pub(crate) fn bars(title: &str, bars: &[Bar]) -> String {
    let most = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let height = TOP + ROW * f64::from(u32::try_from(bars.len()).unwrap_or(u32::MAX)) + 12.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>{title}</title>\n\
         <style>text{{font:14px sans-serif;fill:#1d2b24}}.bg{{fill:#fff}}.ours{{fill:#1f5c45}}.other{{fill:#9db5a9}}\
         @media(prefers-color-scheme:dark){{text{{fill:#e6efe9}}.bg{{fill:#14201a}}.ours{{fill:#5fb88f}}.other{{fill:#55685e}}}}</style>\n\
         <rect class=\"bg\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>\n\
         <text x=\"16\" y=\"28\" font-weight=\"bold\">{title}</text>\n"
    );
    let mut y = TOP;
    for Bar { label, value, ours } in bars {
        let long = (WIDTH - LABELS - 90.0) * value / most;
        let class = if *ours { "ours" } else { "other" };
        let (text, after) = (y + 15.0, LABELS + long + 8.0);
        writeln!(
            svg,
            "<text x=\"16\" y=\"{text}\">{label}</text>\
             <rect class=\"{class}\" x=\"{LABELS}\" y=\"{y}\" width=\"{long:.1}\" height=\"20\" rx=\"3\"/>\
             <text x=\"{after:.1}\" y=\"{text}\">{value:.0}</text>"
        )
        .expect("writing to a string does not fail");
        y += ROW;
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_room_and_others_are_in_proportion() {
        let bar = |value| Bar { label: format!("{value} of it"), value, ours: true };
        let svg = bars("Some", &[bar(50.0), bar(100.0)]);
        assert!(svg.contains("width=\"400.0\"") && svg.contains("width=\"200.0\""), "{svg}");
        assert!(svg.contains(">100</text>"), "{svg}");
    }
}
