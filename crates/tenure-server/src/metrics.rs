//! What happened, in numbers, for Prometheus and what reads its format.

use std::fmt;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use tenure::metrics::{DATA_SIZE_STEPS, Metrics};

use crate::app::App;

/// The format of the answer: OpenMetrics, which Prometheus reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How memory, store and log are used, in the OpenMetrics format. No names, no ids.
#[utoipa::path(get, operation_id = "metrics", path = "/metrics", tag = "health", security(()),
    responses((status = 200, description = "Numbers.", body = String,
        content_type = "application/openmetrics-text")))]
pub(crate) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPEN_METRICS)], page(app.sessions.metrics()))
}

fn page(metrics: Metrics) -> String {
    let mut registry = Registry::with_prefix("tenure");
    registry.register_collector(Box::new(Numbers(metrics)));
    let mut page = String::new();
    text::encode(&mut page, &registry).expect("a text takes what is written to it");
    page
}

#[derive(Debug)]
struct Numbers(Metrics);

impl Collector for Numbers {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let of = &self.0;
        count(&mut to, "memory_hits", "Sessions found in memory", of.memory_hits)?;
        count(
            &mut to,
            "memory_misses",
            "Sessions not found in memory, or not to be trusted",
            of.memory_misses,
        )?;
        level(&mut to, "memory_sessions", "Sessions in memory", None, of.sessions_in_memory as f64)?;
        level(&mut to, "memory", "Room that they take", Some(&Unit::Bytes), of.memory_bytes as f64)?;
        level(
            &mut to,
            "activity_waiting",
            "Moments of activity to be written",
            None,
            of.waiting_activity as f64,
        )?;
        calls(&mut to, of)?;
        sizes(&mut to, of)?;
        if let Some(following) = of.following {
            let (lag, out) = (following.lag.as_secs_f64(), following.out_of_touch.as_secs_f64());
            let seconds = Some(&Unit::Seconds);
            level(&mut to, "follower_lag", "Age of what memory knows of the store", seconds, lag)?;
            let help = "Time for which memory could not be trusted";
            let encoder = to.encode_descriptor("out_of_touch", help, seconds, MetricType::Counter)?;
            ConstCounter::new(out).encode(encoder)?;
        }
        Ok(())
    }
}

fn count(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    ConstCounter::new(value).encode(to.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn level(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: f64,
) -> fmt::Result {
    ConstGauge::new(value).encode(to.encode_descriptor(name, help, unit, MetricType::Gauge)?)
}

/// The calls of the store, by name.
fn calls(to: &mut DescriptorEncoder<'_>, of: &Metrics) -> fmt::Result {
    let help = "Calls of the store";
    let mut all = to.encode_descriptor("store_calls", help, None, MetricType::Counter)?;
    for calls in &of.store_calls {
        ConstCounter::new(calls.count).encode(all.encode_family(&[("call", calls.call)])?)?;
    }
    let help = "Calls of the store that failed";
    let mut failed = to.encode_descriptor("store_failures", help, None, MetricType::Counter)?;
    for calls in &of.store_calls {
        ConstCounter::new(calls.failed).encode(failed.encode_family(&[("call", calls.call)])?)?;
    }
    let help = "How long calls of the store took in all";
    let mut took = to.encode_descriptor("store_time", help, Some(&Unit::Seconds), MetricType::Counter)?;
    for calls in &of.store_calls {
        let seconds = ConstCounter::new(calls.took.as_secs_f64());
        seconds.encode(took.encode_family(&[("call", calls.call)])?)?;
    }
    Ok(())
}

/// The data of sessions that were read or changed, by size.
fn sizes(to: &mut DescriptorEncoder<'_>, of: &Metrics) -> fmt::Result {
    let ends = DATA_SIZE_STEPS.iter().map(|end| *end as f64).chain([f64::INFINITY]);
    let steps: Vec<(f64, u64)> = ends.zip(of.data_sizes.iter().copied()).collect();
    let help = "Data of sessions that were read or changed";
    let mut histogram =
        to.encode_descriptor("session_data", help, Some(&Unit::Bytes), MetricType::Histogram)?;
    histogram.encode_histogram::<NoLabelSet>(of.data_bytes as f64, of.data_sizes.iter().sum(), &steps, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure::testing::SharedMemory;
    use tenure::{Changes, Check, NewGuest, Sessions};

    #[tokio::test]
    async fn what_happened_is_told_and_nobody_is_named() {
        let builder = Sessions::builder(SharedMemory::default()).without_background();
        let sessions = builder.open().await.unwrap();
        let cart = Changes::default().set("cart", "x".repeat(300).into());
        let issued = sessions.create_guest(NewGuest::with(cart)).await.unwrap();
        for _ in 0..3 {
            sessions.check(issued.token.expose().as_bytes(), &Check::any()).await.unwrap();
        }
        let page = page(sessions.metrics());
        for line in [
            "tenure_memory_hits_total 2",
            "tenure_memory_misses_total 1",
            "tenure_memory_sessions 1.0",
            "tenure_store_calls_total{call=\"create\"} 1",
            "tenure_store_calls_total{call=\"news\"} 1",
            "tenure_store_failures_total{call=\"load\"} 0",
            "tenure_session_data_bytes_bucket{le=\"256.0\"} 0",
            "tenure_session_data_bytes_bucket{le=\"+Inf\"} 2",
            "# EOF",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        assert!(page.contains("tenure_follower_lag_seconds "), "{page}");
        let id = issued.session.id().to_string();
        assert!(!page.contains(&id) && !page.contains("tn1_"), "{page}");
    }
}
