//! The report as one page.

use std::fmt::Write;

use crate::Report;
use crate::report::Row;
use crate::svg::{Line, lines};

impl Report {
    /// One page that needs nothing else: no script, no font, no other file.
    pub fn to_html(&self) -> String {
        page(self)
    }
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2430;--dim:#667085;--paper:#fff;--card:#f6f7f9;--rule:#e2e6ec;\
--a:#1f6feb;--b:#c2570c;--c:#9aa4b2;--good:#177245;--bad:#b42318}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--dim:#98a2b3;--paper:#12161c;--card:#1b2129;\
--rule:#2d3540;--a:#6ea8fe;--b:#f5a25d;--c:#667085;--good:#5cc48d;--bad:#ff8a80}}\
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\
main{max-width:920px;margin:0 auto;padding:32px 24px 64px}h1{font-size:26px;margin:0}h2{font-size:17px;margin:36px 0 8px}\
p{margin:4px 0}.dim{color:var(--dim)}.verdict{padding:12px 16px;border-radius:8px;background:var(--card);\
border-left:5px solid var(--good);margin:20px 0;font-weight:600}.verdict.bad{border-color:var(--bad)}\
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(240px,1fr));gap:12px}\
.facts div{background:var(--card);border-radius:8px;padding:12px 14px}.facts b{display:block;font-size:21px;\
font-variant-numeric:tabular-nums}.facts span{color:var(--dim);font-size:13px}\
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}td,th{padding:6px 8px;text-align:right;\
border-bottom:1px solid var(--rule)}th{color:var(--dim);font-weight:500;font-size:13px}td:first-child,th:first-child\
{text-align:left}td.text{text-align:left;overflow-wrap:anywhere}svg{width:100%;height:auto;display:block}\
svg text{fill:var(--dim);font-size:12px}.end{text-anchor:end}.mid{text-anchor:middle}.grid{stroke:var(--rule)}\
polyline{fill:none;stroke-width:2;stroke-linejoin:round}.a{stroke:var(--a)}.b{stroke:var(--b)}.c{stroke:var(--c)}\
circle.a{fill:var(--a)}circle.b{fill:var(--b)}circle.c{fill:var(--c)}\
.legend{color:var(--dim);font-size:13px}.key{display:inline-block;width:14px;height:3px;margin:0 6px 4px 12px;\
vertical-align:middle}.key.a{background:var(--a)}.key.b{background:var(--b)}.key.c{background:var(--c)}\
code{font-size:13px}";

/// `text` as it may stand in a page: servers say what they like.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[expect(clippy::cast_precision_loss, reason = "no run has so many requests")]
fn page(report: &Report) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>tenure load, {at}</title><style>{STYLE}</style><main>\
         <h1>tenure load</h1><p class=\"dim\">{at}, {seconds:.1} s counted{early}, tenure {version}</p>",
        at = plain(&report.began_at),
        seconds = report.seconds,
        early = if report.stopped_early { ", stopped early" } else { "" },
        version = plain(&report.version),
    );
    let wrong = report.wrong();
    let (bad, verdict) = match wrong {
        0 if report.total.done == 0 => (" bad", "Nothing was answered.".to_owned()),
        0 => ("", "Every answer was right: no honest user refused, no dead or made-up session accepted, no change lost.".to_owned()),
        1 => (" bad", "1 answer was wrong.".to_owned()),
        _ => (" bad", format!("{wrong} answers were wrong.")),
    };
    put(&mut out, format_args!("<p class=\"verdict{bad}\">{verdict}</p>"));
    let total = &report.total;
    let facts = [
        (format!("{:.1}", report.throughput()), "requests a second"),
        (format!("{:.2} ms", total.p50_ms), "p50"),
        (format!("{:.2} ms", total.p99_ms), "p99"),
        (format!("{:.2} ms", total.max_ms), "max"),
        (format!("{} of {}", total.errors, total.done), "errors"),
        (format!("{} of {}", report.missed, report.intended), "could not start in time"),
    ];
    let facts = facts.map(|(value, name)| format!("<div><b>{value}</b><span>{name}</span></div>"));
    put(&mut out, format_args!("<div class=\"facts\">{}</div>", facts.concat()));
    if wrong > 0 {
        out.push_str("<h2>Wrong answers</h2><table><tr><th>what<th>answers<th>some sessions</tr>");
        for (what, wrong) in &report.wrong {
            let samples = plain(&wrong.samples.join(", "));
            put(
                &mut out,
                format_args!(
                    "<tr><td>{what}<td>{}<td class=\"text\"><code>{samples}</code></tr>",
                    wrong.count
                ),
            );
        }
        out.push_str("</table>");
    }
    plots(&mut out, report);
    out.push_str("<h2>By kind of request</h2><table><tr><th>kind<th>done<th>errors<th>mean<th>p50<th>p90<th>p99<th>p99.9<th>max</tr>");
    for (kind, row) in &report.kinds {
        table_row(&mut out, kind, row);
    }
    table_row(&mut out, "all", total);
    out.push_str(
        "</table><p class=\"dim\">Latencies in milliseconds, from the moment a request was due.</p>",
    );
    out.push_str("<h2>Errors by kind</h2>");
    if report.errors.is_empty() {
        out.push_str("<p>None.</p>");
    } else {
        out.push_str("<table><tr><th>error<th>requests<th>share</tr>");
        for (error, count) in &report.errors {
            let share = *count as f64 / total.done.max(1) as f64 * 100.0;
            put(&mut out, format_args!("<tr><td>{}<td>{count}<td>{share:.3} %</tr>", plain(error)));
        }
        out.push_str("</table>");
    }
    put(&mut out, format_args!("<p class=\"dim\">{} requests were tried again.</p>", report.retries));
    out.push_str("<h2>Settings</h2><table>");
    for (name, value) in &report.settings {
        put(&mut out, format_args!("<tr><td>{}<td class=\"text\">{}</tr>", plain(name), plain(value)));
    }
    out + "</table></main></html>\n"
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a string does not fail");
}

#[expect(clippy::cast_precision_loss, reason = "no run has so many requests")]
fn plots(out: &mut String, report: &Report) {
    let time = &report.timeline;
    let slot = report.slot_seconds.max(1);
    let labels: Vec<_> = (0..time.len() as u64).map(|at| format!("{} s", at * slot)).collect();
    let line = |class, name, values| Line { class, name, values };
    let latency = [
        line("c", "max", time.iter().map(|slot| slot.max_ms).collect()),
        line("b", "p99", time.iter().map(|slot| slot.p99_ms).collect()),
        line("a", "p50", time.iter().map(|slot| slot.p50_ms).collect()),
    ];
    let title = "Latency over time";
    put(out, format_args!("<h2>{title}</h2>{}", lines(title, " ms", &latency, &labels)));
    let rate = |count: u64| count as f64 / slot as f64;
    let through = [
        line("a", "answered", time.iter().map(|slot| rate(slot.done - slot.errors)).collect()),
        line("b", "errors", time.iter().map(|slot| rate(slot.errors)).collect()),
        line("c", "could not start in time", time.iter().map(|slot| rate(slot.missed)).collect()),
    ];
    let title = "Requests a second";
    put(out, format_args!("<h2>{title}</h2>{}", lines(title, "", &through, &labels)));
    let labels: Vec<_> = report.percentiles.iter().map(|(at, _)| format!("{at} %")).collect();
    let all = [line("a", "latency", report.percentiles.iter().map(|(_, ms)| *ms).collect())];
    let title = "Latency by percentile";
    put(out, format_args!("<h2>{title}</h2>{}", lines(title, " ms", &all, &labels)));
}

fn table_row(out: &mut String, name: &str, row: &Row) {
    put(out, format_args!("<tr><td>{}<td>{}<td>{}", plain(name), row.done, row.errors));
    for ms in [row.mean_ms, row.p50_ms, row.p90_ms, row.p99_ms, row.p999_ms, row.max_ms] {
        put(out, format_args!("<td>{ms:.2}"));
    }
    out.push_str("</tr>");
}
