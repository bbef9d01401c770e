//! Plots, as inline SVG.

use std::fmt::Write;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 30.0;
const TOP: f64 = 12.0;

/// One line of a plot: its class in the style sheet, its name, and its points from left to right.
pub(crate) struct Line<'a> {
    pub(crate) class: &'a str,
    pub(crate) name: &'a str,
    pub(crate) values: Vec<f64>,
}

/// A round number at or above `value`.
fn rounded_up(value: f64) -> f64 {
    let scale = 10_f64.powf(value.max(1e-6).log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|step| step * scale >= value);
    step.unwrap_or(10.0) * scale
}

fn number(value: f64) -> String {
    let text = if value >= 10.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// Lines over evenly spaced places, whose labels are below.
#[expect(clippy::cast_precision_loss, reason = "at most some hundred points")]
pub(crate) fn lines(title: &str, unit: &str, lines: &[Line<'_>], labels: &[String]) -> String {
    let top = rounded_up(lines.iter().flat_map(|line| &line.values).copied().fold(0.0, f64::max));
    let count = lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let x = |at: usize| {
        let part = if count > 1 { at as f64 / (count - 1) as f64 } else { 0.5 };
        LEFT + part * (WIDTH - LEFT - 12.0)
    };
    let y = |value: f64| TOP + (1.0 - value / top) * (HEIGHT - TOP - BOTTOM);
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">");
    let mut add = |text: std::fmt::Arguments<'_>| out.write_fmt(text).expect("strings take all");
    for step in 0..=4 {
        let value = top * f64::from(step) / 4.0;
        let at = y(value);
        add(format_args!(
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>",
            WIDTH - 12.0
        ));
        add(format_args!(
            "<text x=\"{}\" y=\"{:.1}\" class=\"end\">{}{unit}</text>",
            LEFT - 8.0,
            at + 4.0,
            number(value)
        ));
    }
    let every = labels.len().div_ceil(12).max(1);
    for (at, label) in labels.iter().enumerate().filter(|(at, _)| at % every == 0) {
        // The last one ends where the plot does.
        let class = if at > 0 && at + 1 == labels.len() { "end" } else { "mid" };
        add(format_args!("<text x=\"{:.1}\" y=\"{}\" class=\"{class}\">{label}</text>", x(at), HEIGHT - 8.0));
    }
    for line in lines {
        let points: Vec<_> = line
            .values
            .iter()
            .enumerate()
            .map(|(at, value)| format!("{:.1},{:.1}", x(at), y(*value)))
            .collect();
        add(format_args!("<polyline class=\"{}\" points=\"{}\"/>", line.class, points.join(" ")));
        if let (true, Some(point)) =
            (points.len() == 1, points.first().and_then(|point| point.split_once(',')))
        {
            add(format_args!(
                "<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"3\"/>",
                line.class, point.0, point.1
            ));
        }
    }
    out.push_str("</svg><p class=\"legend\">");
    for line in lines {
        write!(out, "<span class=\"key {}\"></span>{} ", line.class, line.name).expect("strings take all");
    }
    out + "</p>"
}
