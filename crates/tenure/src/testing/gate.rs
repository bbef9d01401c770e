//! A place where a call waits until the test lets it go on.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// A gate: shut at first, and open for good once opened. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Both>);

#[derive(Debug)]
struct Both {
    arrived: Semaphore,
    /// Has no permits; closed when the gate is open.
    shut: Semaphore,
}

impl Gate {
    /// A gate that nobody passes yet.
    pub fn shut() -> Self {
        Self(Arc::new(Both { arrived: Semaphore::new(0), shut: Semaphore::new(0) }))
    }

    /// Waits until somebody stands before the gate; each call waits for one more.
    pub async fn somebody_waits(&self) {
        self.0.arrived.acquire().await.expect("never closed").forget();
    }

    /// Whether somebody more stands before the gate; each is told of once.
    pub fn takes_one(&self) -> bool {
        self.0.arrived.try_acquire().map(|arrived| arrived.forget()).is_ok()
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.0.shut.close();
    }

    pub(super) async fn pass(&self) {
        self.0.arrived.add_permits(1);
        // Fails when the gate opens, which is what is waited for.
        let _ = self.0.shut.acquire().await;
    }
}
