//! What is counted while a run goes on: of bounded size, however long it is.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::{Counter, Histogram};

use crate::plan::Kind;
use crate::report::{Row, Slot, Wrong};

/// How many pieces the time is cut into at most.
const SLOTS: u64 = 600;

/// How many kinds of errors are told apart, and how many ids are kept of each wrong answer.
const NAMES: usize = 32;
const SAMPLES: usize = 10;

/// Longer latencies count as this: ten minutes, in microseconds.
const LONGEST: u64 = 600_000_000;

/// Everything that is counted.
pub(crate) struct Record {
    kinds: BTreeMap<Kind, (u64, Histogram<u64>)>,
    total: (u64, Histogram<u64>),
    errors: BTreeMap<String, u64>,
    wrong: BTreeMap<String, Wrong>,
    slots: Vec<(Slot, Histogram<u32>)>,
    slot: Duration,
    pub(crate) intended: u64,
    pub(crate) missed: u64,
    pub(crate) retries: u64,
}

fn histogram<C: Counter>(digits: u8) -> Histogram<C> {
    Histogram::new_with_bounds(1, LONGEST, digits).expect("the bounds are in order")
}

fn micros(latency: Duration) -> u64 {
    u64::try_from(latency.as_micros()).unwrap_or(LONGEST).clamp(1, LONGEST)
}

#[expect(clippy::cast_precision_loss, reason = "at most ten minutes")]
fn ms(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

fn row((errors, times): &(u64, Histogram<u64>)) -> Row {
    if times.is_empty() {
        return Row::default();
    }
    let at = |quantile| ms(times.value_at_quantile(quantile));
    Row {
        done: times.len(),
        errors: *errors,
        mean_ms: times.mean() / 1_000.0,
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        p99_ms: at(0.99),
        p999_ms: at(0.999),
        max_ms: ms(times.max()),
    }
}

impl Record {
    pub(crate) fn new(duration: Duration) -> Self {
        let slot = Duration::from_secs((duration.as_secs() / SLOTS + 1).max(1));
        Self {
            kinds: BTreeMap::new(),
            total: (0, histogram(3)),
            errors: BTreeMap::new(),
            wrong: BTreeMap::new(),
            slots: Vec::new(),
            slot,
            intended: 0,
            missed: 0,
            retries: 0,
        }
    }

    fn slot(&mut self, intended: Duration) -> &mut (Slot, Histogram<u32>) {
        let at = intended.as_secs() / self.slot.as_secs();
        let at = usize::try_from(at.min(SLOTS)).unwrap_or(0);
        while self.slots.len() <= at {
            self.slots.push((Slot::default(), histogram(2)));
        }
        &mut self.slots[at]
    }

    /// A request has ended; `intended` counts from the end of the warm-up.
    pub(crate) fn done(&mut self, kind: Kind, intended: Duration, latency: Duration, error: Option<&str>) {
        let micros = micros(latency);
        let failed = u64::from(error.is_some());
        let of_kind = self.kinds.entry(kind).or_insert_with(|| (0, histogram(3)));
        for counted in [of_kind, &mut self.total] {
            counted.0 += failed;
            counted.1.saturating_record(micros);
        }
        let (slot, times) = self.slot(intended);
        slot.done += 1;
        slot.errors += failed;
        times.saturating_record(micros);
        if let Some(error) = error {
            let known = self.errors.contains_key(error) || self.errors.len() < NAMES;
            *self.errors.entry(if known { error.into() } else { "other".into() }).or_default() += 1;
        }
    }

    /// A request that was to begin at `intended`.
    pub(crate) fn intended(&mut self, intended: Duration, missed: bool) {
        self.intended += 1;
        if missed {
            self.missed += 1;
            self.slot(intended).0.missed += 1;
        }
    }

    /// A wrong answer about a session, told by its id.
    pub(crate) fn wrong(&mut self, what: &str, id: &str, intended: Duration) {
        let wrong = self.wrong.entry(what.into()).or_default();
        wrong.count += 1;
        if wrong.samples.len() < SAMPLES && !wrong.samples.iter().any(|sample| sample == id) {
            wrong.samples.push(id.chars().take(64).collect());
        }
        self.slot(intended).0.wrong += 1;
    }

    pub(crate) fn total(&self) -> Row {
        row(&self.total)
    }

    pub(crate) fn wrong_so_far(&self) -> u64 {
        self.wrong.values().map(|wrong| wrong.count).sum()
    }

    /// The p99 of each piece of time so far.
    pub(crate) fn p99s(&self) -> Vec<f64> {
        self.slots.iter().map(|(_, times)| ms(times.value_at_quantile(0.99))).collect()
    }

    pub(crate) fn kinds(&self) -> BTreeMap<String, Row> {
        self.kinds.iter().map(|(kind, counted)| (kind.as_str().to_owned(), row(counted))).collect()
    }

    pub(crate) fn errors(&self) -> &BTreeMap<String, u64> {
        &self.errors
    }

    pub(crate) fn wrongs(&self) -> &BTreeMap<String, Wrong> {
        &self.wrong
    }

    /// Percentiles, closer and closer to 100.
    pub(crate) fn percentiles(&self) -> Vec<(f64, f64)> {
        let steps = [0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99, 99.999];
        steps.iter().map(|&step| (step, ms(self.total.1.value_at_quantile(step / 100.0)))).collect()
    }

    pub(crate) fn timeline(&self) -> (Vec<Slot>, u64) {
        let told = self.slots.iter().map(|(slot, times)| Slot {
            p50_ms: ms(times.value_at_quantile(0.5)),
            p99_ms: ms(times.value_at_quantile(0.99)),
            max_ms: ms(times.max()),
            ..slot.clone()
        });
        (told.collect(), self.slot.as_secs())
    }
}
