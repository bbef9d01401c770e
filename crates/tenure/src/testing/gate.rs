//! A place where a call waits until the test lets it go on.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// A gate: shut at first, and open for good once opened. Clones are the same gate.
///
/// # Example: signed out while a request is at the store
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::testing::{Call, Gate, TestKit, Trouble};
/// use tenure::{Actor, Check, EndReason, Ending, UserId};
///
/// let kit = TestKit::new().await;
/// let cookie = kit.sign_in_as("alice").await;
/// let gate = Gate::shut();
/// kit.faults.once(Call::Load, Trouble::HeldAfter(gate.clone()));
/// let check = tokio::spawn({
///     let (sessions, cookie) = (kit.sessions.clone(), cookie.clone());
///     async move { sessions.check_cookie([cookie.as_bytes()], &Check::signed_in()).await }
/// });
/// gate.somebody_waits().await; // the store has answered that she is signed in
///
/// let ending = Ending::new(EndReason::Revoked, Actor::application());
/// kit.sessions.end_all_of(&UserId::new("alice")?, None, ending).await?;
/// assert!(!gate.takes_one(), "nobody else waits");
/// gate.open();
/// check.await??; // asked before the end, so it may say either; it leaves nothing behind
/// assert_eq!(kit.user_of(&cookie).await, None);
/// # Ok(()) }
/// ```
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
