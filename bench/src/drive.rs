//! Many calls, so many of them at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

/// A call about one of so many things.
pub type Call = Arc<dyn Fn(usize) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Calls about all of these, `at_once` at the same time.
pub async fn drive(call: &Call, about: Vec<usize>, at_once: usize) {
    let (about, next) = (Arc::new(about), Arc::new(AtomicUsize::new(0)));
    let mut under_way = JoinSet::new();
    for _ in 0..at_once {
        let (call, about, next) = (Arc::clone(call), Arc::clone(&about), Arc::clone(&next));
        under_way.spawn(async move {
            while let Some(about) = about.get(next.fetch_add(1, Ordering::Relaxed)) {
                call(*about).await;
            }
        });
    }
    while let Some(done) = under_way.join_next().await {
        done.expect("no panic");
    }
}
