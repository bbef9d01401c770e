//! What happened since the sessions were opened, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper ends of the steps of [`Metrics::data_sizes`], in bytes; above the last there is one more.
pub const DATA_SIZE_STEPS: [u64; 6] = [0, 256, 1_024, 4_096, 16_384, 32_768];

/// What happened since the sessions were opened, in numbers: what [`Sessions::metrics`] gives.
///
/// [`Sessions::metrics`]: crate::Sessions::metrics
///
/// # Example: how often memory knew the answer
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tenure::{Check, Memory, Sessions, SignIn};
/// use tenure::metrics::{DATA_SIZE_STEPS, Following, Metrics, StoreCalls};
///
/// let sessions = Sessions::open(Memory).await?;
/// let issued = sessions.sign_in(None, SignIn::password("u_1".parse()?)).await?;
/// for _ in 0..3 {
///     sessions.check(issued.token.expose().as_bytes(), &Check::signed_in()).await?;
/// }
/// let Metrics { memory_hits, memory_misses, sessions_in_memory, memory_bytes, .. } = sessions.metrics();
/// assert_eq!((memory_hits, memory_misses, sessions_in_memory), (2, 1, 1));
/// assert!(memory_bytes > 0);
///
/// let metrics = sessions.metrics();
/// let StoreCalls { count, failed, took, .. } = metrics.store_calls.iter().find(|of| of.call == "load").unwrap();
/// assert_eq!((*count, *failed), (1, 0));
/// assert!(took.as_secs() < 60);
/// assert_eq!(metrics.data_sizes.len(), DATA_SIZE_STEPS.len() + 1);
/// assert_eq!(metrics.data_bytes, 0, "no session with data was read");
/// assert!(metrics.waiting_activity <= 1);
/// let following: Option<Following> = metrics.following;
/// assert_eq!(following, None, "nobody else changes this store");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// How often a session was found in memory.
    pub memory_hits: u64,
    /// How often it was not, or memory could not be trusted.
    pub memory_misses: u64,
    /// How many sessions are in memory.
    pub sessions_in_memory: u64,
    /// How much room they take, in bytes.
    pub memory_bytes: u64,
    /// How many moments of activity wait to be written.
    pub waiting_activity: u64,
    /// The calls of the store, by name.
    pub store_calls: Vec<StoreCalls>,
    /// Of the sessions that were read or changed, how many had data up to each of the
    /// [steps](DATA_SIZE_STEPS), and above the last.
    pub data_sizes: Vec<u64>,
    /// How much data those had in all, in bytes.
    pub data_bytes: u64,
    /// How well this node follows a store that others change too.
    pub following: Option<Following>,
}

/// Calls of one kind: a part of [`Metrics`], which shows it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StoreCalls {
    /// The method of [`Store`](crate::store::Store).
    pub call: &'static str,
    /// How many there were.
    pub count: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How long they took together.
    pub took: Duration,
}

/// How well a node follows a store that others change too: a part of [`Metrics`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Following {
    /// How long ago the question was sent whose answer is all that memory knows.
    pub lag: Duration,
    /// For how long memory could not be trusted, in all.
    pub out_of_touch: Duration,
}

/// A count of calls, with how long they took.
#[derive(Default)]
pub(crate) struct CallCounter {
    count: AtomicU64,
    failed: AtomicU64,
    nanos: AtomicU64,
}

impl CallCounter {
    pub(crate) fn add(&self, failed: bool, took: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn read(&self, call: &'static str) -> StoreCalls {
        StoreCalls {
            call,
            count: self.count.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            took: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)),
        }
    }
}

/// How large the data of sessions is.
#[derive(Default)]
pub(crate) struct DataSizes {
    steps: [AtomicU64; DATA_SIZE_STEPS.len() + 1],
    bytes: AtomicU64,
}

impl DataSizes {
    pub(crate) fn add(&self, bytes: usize) {
        let bytes = bytes as u64;
        let step = DATA_SIZE_STEPS.iter().position(|end| bytes <= *end).unwrap_or(DATA_SIZE_STEPS.len());
        self.steps[step].fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, into: &mut Metrics) {
        into.data_sizes = self.steps.iter().map(|step| step.load(Ordering::Relaxed)).collect();
        into.data_bytes = self.bytes.load(Ordering::Relaxed);
    }
}
