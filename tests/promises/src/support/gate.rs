//! A place where a call waits until the test lets it go on.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// A gate: shut at first, and open for good once opened. Clones are the same gate.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Both>);

struct Both {
    arrived: Semaphore,
    open: Semaphore,
}

impl Gate {
    pub(crate) fn shut() -> Self {
        Self(Arc::new(Both { arrived: Semaphore::new(0), open: Semaphore::new(0) }))
    }

    /// Waits until somebody stands before the gate; each call waits for one more.
    pub(crate) async fn somebody_waits(&self) {
        self.0.arrived.acquire().await.expect("never closed").forget();
    }

    /// Whether somebody more stands before the gate; each is told of once.
    pub(crate) fn takes_one(&self) -> bool {
        self.0.arrived.try_acquire().map(|arrived| arrived.forget()).is_ok()
    }

    /// Lets everybody through, now and later.
    pub(crate) fn open(&self) {
        self.0.open.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    pub(super) async fn pass(&self) {
        self.0.arrived.add_permits(1);
        self.0.open.acquire().await.expect("never closed").forget();
    }
}
