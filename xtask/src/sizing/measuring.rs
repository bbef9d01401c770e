//! Measuring anew.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::measured::{Line, Measured};
use crate::bench::Setting;

/// What `bench/src/bin/verify.rs` prints, as far as it matters here.
#[derive(Deserialize)]
struct Verified {
    micros: f64,
    request_bytes: f64,
    answer_bytes: f64,
}

/// Measures with so many sessions.
pub(crate) fn measure(setting: &Setting, sessions: u64) -> Result<Measured> {
    setting.build("bench")?;
    println!("a check over HTTP");
    let verified = setting.lines::<Verified>("verify", &[])?.pop().context("verify tells nothing")?;
    let Verified { micros, request_bytes, answer_bytes } = verified;
    println!("engines");
    let found = setting.lines_of_long::<Line>("sizing", &[sessions.to_string(), setting.folder()])?;
    let lines = [Line::Verify { micros, request_bytes, answer_bytes }].into_iter().chain(found).collect();
    let measured = Measured { described: setting.described()?, lines };
    // What cannot be planned with is not kept.
    Measured::of(&measured.text()?)
}
