//! `POST /v1/sessions/verify`, beside a bare hyper server.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::section::{Allowed, Bound, Plot, Section, Table};
use super::setting::Setting;
use crate::plot::Bar;

/// Answers of both servers.
#[derive(Deserialize)]
struct Measured {
    request_bytes: u64,
    answer_bytes: u64,
    connections: u64,
    per_second: f64,
    bare_per_second: f64,
    micros: f64,
    bare_micros: f64,
    ratio_per_second: f64,
    ratio: f64,
}

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Section>> {
    let found = setting.lines::<Measured>("verify", &[])?.pop().context("the servers tell nothing")?;
    let figures = |title: &str, ours: String, bare: String, ratio: f64| {
        vec![title.to_owned(), ours, bare, format!("{ratio:.2}")]
    };
    let micros = |micros: f64| format!("{micros:.2} µs");
    let head = ["", "verify", "bare hyper", "ratio"];
    Ok(vec![Section {
        title: "Checking over HTTP",
        text: format!(
            "`POST /v1/sessions/verify` of a signed-in session with a device and 300 bytes of data, with an \
             API key, over {connections} connections that are kept open. Beside it a server of hyper alone \
             that reads the same request ({request} bytes) and answers the same bytes ({answer} of them), \
             made before. Each has one thread and always something to do. What counts is how long that thread \
             is on a processor for an answer: answers a second also depend on how fast somebody asks.\n\n{NOTES}",
            connections = found.connections,
            request = found.request_bytes,
            answer = found.answer_bytes,
        ),
        table: Table {
            head: head.map(Into::into).into(),
            rows: vec![
                figures(
                    "time of the server's thread",
                    micros(found.micros),
                    micros(found.bare_micros),
                    found.ratio,
                ),
                figures(
                    "answers a second",
                    format!("{:.0}", found.per_second),
                    format!("{:.0}", found.bare_per_second),
                    found.ratio_per_second,
                ),
            ],
        },
        bounds: vec![Bound {
            what: "answers of a thread, times those of bare hyper".into(),
            measured: found.ratio,
            allowed: Allowed::AtLeast(0.75),
        }],
        plot: Some(Plot {
            name: "verify",
            title: "Answers that a thread can give in a second",
            bars: vec![
                Bar { label: "bare hyper".into(), value: 1e6 / found.bare_micros, ours: false },
                Bar { label: "verify".into(), value: 1e6 / found.micros, ours: true },
            ],
        }),
    }])
}

/// Where the rest goes.
const NOTES: &str = "Where the rest goes, by samples of the server's thread taken on 2026-11-25 (`perf record \
    -e cpu-clock --call-graph dwarf` of `verify tenure`), not in this run: about two thirds are the kernel's, most of it sending the answer \
    and receiving the request, as for the bare server. About a fifth is Tenure's: the larger half of that \
    writes the answer as JSON (a third of it times as RFC 3339, a quarter escaping text), the rest reads the \
    request's JSON, compares the API key, checks the token and sets a timer for the body. What is left is \
    hyper's own, with its timer for the head of each request.";
