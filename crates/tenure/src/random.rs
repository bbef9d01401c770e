//! Randomness, from one place.
//!
//! # Example: a secret, and a test that can be run again
//! ```
//! use tenure::random::{Random, SeededRandom, SystemRandom};
//!
//! let mut secret = [0; 32];
//! SystemRandom.fill(&mut secret);
//!
//! // With the feature `testing`: the same seed gives the same bytes.
//! let mut runs = [[0; 32]; 2];
//! for bytes in &mut runs {
//!     SeededRandom::new(7).fill(bytes);
//! }
//! assert_eq!(runs[0], runs[1]);
//! ```

#[cfg(any(test, feature = "testing"))]
use std::{fmt, sync::Mutex};

#[cfg(any(test, feature = "testing"))]
use sha2::{Digest, Sha256};

/// Where random bytes come from. Every secret of Tenure is drawn here.
pub trait Random: Send + Sync + 'static {
    /// Fills `into` with random bytes.
    fn fill(&self, into: &mut [u8]);
}

/// The operating system's generator (ASVS 7.2.3, 11.5.1).
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    /// # Panics
    /// When the operating system refuses to give random bytes: there is no safe way on.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that draws randomness")]
    fn fill(&self, into: &mut [u8]) {
        getrandom::fill(into).expect("the operating system gives random bytes");
    }
}

/// Bytes that follow from a seed, so that a failing test can be run again.
///
/// # Security
/// Predictable: for tests only.
#[cfg(any(test, feature = "testing"))]
pub struct SeededRandom(Mutex<(u64, u64)>);

#[cfg(any(test, feature = "testing"))]
impl SeededRandom {
    /// The sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new((seed, 0)))
    }
}

#[cfg(any(test, feature = "testing"))]
impl fmt::Debug for SeededRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededRandom")
    }
}

#[cfg(any(test, feature = "testing"))]
impl Random for SeededRandom {
    fn fill(&self, into: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in into.chunks_mut(32) {
            state.1 += 1;
            let block = Sha256::new().chain_update(state.0.to_be_bytes()).chain_update(state.1.to_be_bytes());
            chunk.copy_from_slice(&block.finalize()[..chunk.len()]);
        }
    }
}

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut into = [0; N];
    random.fill(&mut into);
    into
}
