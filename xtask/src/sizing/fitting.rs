//! As few stores as fit, and how much fits in one.

use anyhow::Result;

use super::limit::nearest;
use super::measured::Measured;
use super::options::Wanted;
use super::plan::{Engine, Plan};
use super::{embedded, postgres, redis};

/// More stores than this are not looked for.
const MOST: u32 = 1 << 16;

/// One store, whether it fits or not.
pub(crate) fn one_store(engine: Engine, measured: &Measured, wanted: &Wanted) -> Result<Plan> {
    match engine {
        Engine::Embedded => embedded::plan(measured, wanted),
        Engine::Postgres => postgres::plan(measured, wanted),
        Engine::Redis => redis::plan(measured, wanted),
    }
}

/// As few stores as fit, with as many sessions each.
pub(crate) fn plan(engine: Engine, measured: &Measured, wanted: &Wanted) -> Result<Plan> {
    let split = |stores: u32| {
        let each = Wanted { sessions: wanted.sessions / f64::from(stores), ..wanted.clone() };
        Ok::<_, anyhow::Error>(Plan { stores: f64::from(stores), ..one_store(engine, measured, &each)? })
    };
    let mut high = 1;
    while high < MOST && !split(high)?.fits() {
        high *= 2;
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = low.midpoint(high);
        if split(middle)?.fits() {
            high = middle;
        } else {
            low = middle;
        }
    }
    let less = if high > 1 { nearest(&split(high - 1)?.limits).what } else { "" };
    Ok(Plan { less, ..split(high)? })
}

/// How many sessions fit in one store, and what does not allow for more.
pub(crate) fn largest(engine: Engine, measured: &Measured, wanted: &Wanted) -> Result<(f64, &'static str)> {
    let of = |sessions: f64| one_store(engine, measured, &Wanted { sessions, ..wanted.clone() });
    let (mut low, mut high) = (1.0_f64, 1e13_f64);
    for _ in 0..60 {
        let middle = (low * high).sqrt();
        if of(middle)?.fits() {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok((low, nearest(&of(high)?.limits).what))
}
