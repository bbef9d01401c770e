//! Time, from one place: a [`Clock`] that can be replaced in tests, and the
//! [`SteadyClock`] that keeps sessions honest when the clock is not.
//!
//! # Example: a machine whose clock is set wrong
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use tenure::clock::{ClockJumped, SteadyClock, TestClock};
//!
//! let machine = TestClock::default();
//! let steady = SteadyClock::new(Arc::new(machine.clone()));
//! let start = steady.read()?;
//!
//! machine.advance(Duration::from_secs(60));
//! machine.step_back(Duration::from_secs(3_600)); // is not followed: no session lives longer
//! assert_eq!(steady.read()?.since(start), Duration::from_secs(60));
//!
//! machine.jump_ahead(Duration::from_secs(86_400)); // is not believed: nobody's session ends
//! assert!(matches!(steady.read(), Err(ClockJumped { .. })));
//! assert_eq!(steady.now().since(start), Duration::from_secs(60));
//!
//! // A store that was written to at a later time says so when it is opened.
//! steady.not_before(start.plus(Duration::from_secs(90)));
//! assert_eq!(steady.now().since(start), Duration::from_secs(90));
//! assert_eq!(steady.running(), steady.running(), "a test clock stands still");
//! # Ok::<(), ClockJumped>(())
//! ```

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Shown and serialised for people as RFC 3339 in UTC, in binary formats as the number.
///
/// # Example: a moment of another system's
/// ```
/// use std::time::Duration;
/// use tenure::clock::{InvalidTimestamp, Timestamp};
///
/// let noon: Timestamp = "2026-01-01T12:00:00Z".parse()?;
/// let later = noon.plus(Duration::from_secs(90));
/// assert_eq!(later.since(noon), Duration::from_secs(90));
/// assert_eq!(Timestamp::from_millis(later.as_millis()).to_string(), "2026-01-01T12:01:30.000Z");
/// assert_eq!("noon".parse::<Timestamp>(), Err(InvalidTimestamp));
/// # Ok::<(), InvalidTimestamp>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The moment `by` later; stays at the largest value instead of wrapping.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// How long after `earlier` this moment is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match i64::try_from(self.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()) {
            Some(at) => write!(f, "{at:.3}"),
            None => write!(f, "{} ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no [moment](Timestamp) in RFC 3339, such as `2026-01-01T00:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a moment in RFC 3339, such as `2026-01-01T00:00:00Z`")]
pub struct InvalidTimestamp;

impl std::str::FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Reads RFC 3339. A moment before 1970 reads as 1970.
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let at: jiff::Timestamp = text.parse().map_err(|_| InvalidTimestamp)?;
        Ok(Self(u64::try_from(at.as_millisecond()).unwrap_or(0)))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { to.serialize_u64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            String::deserialize(from)?.parse().map_err(D::Error::custom)
        } else {
            u64::deserialize(from).map(Self)
        }
    }
}

/// Where time comes from.
///
/// Two readings: the wall clock, which people and other machines share but which may be
/// set, and a running count that only moves forward, and also while the machine sleeps.
///
/// # Example: a clock that shows another time of day
/// ```
/// use std::time::Duration;
/// use tenure::clock::{Clock, SystemClock, Timestamp};
///
/// /// For a rehearsal of what happens next month.
/// struct Ahead(Duration);
///
/// impl Clock for Ahead {
///     fn wall(&self) -> Timestamp {
///         SystemClock.wall().plus(self.0)
///     }
///     fn running(&self) -> Duration {
///         SystemClock.running()
///     }
///     fn wall_holds(&self) -> Duration {
///         SystemClock.wall_holds()
///     }
/// }
///
/// let month = Duration::from_secs(30 * 86_400);
/// assert!(Ahead(month).wall() > SystemClock.wall());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no clock for sessions",
    note = "pass `SystemClock`, or in tests a `TestClock`, of `tenure::clock`"
)]
pub trait Clock: Send + Sync + 'static {
    /// The time of day.
    fn wall(&self) -> Timestamp;
    /// Time since some fixed moment, never backwards, suspended time included.
    fn running(&self) -> Duration;
    /// For how long after it was read the wall clock need not be read again. Within that a
    /// correction goes unseen, and the running count carries the time on.
    fn wall_holds(&self) -> Duration {
        Duration::ZERO
    }
}

/// The machine's clocks, for everything but tests: a [`Clock`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(millis(since_epoch.unwrap_or_default()))
    }

    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    fn running(&self) -> Duration {
        // The one that counts suspended time: on Linux that is not the monotonic clock, on
        // Apple's systems it is.
        #[cfg(target_os = "linux")]
        const RUNNING: rustix::time::ClockId = rustix::time::ClockId::Boottime;
        #[cfg(target_vendor = "apple")]
        const RUNNING: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
        let at = rustix::time::clock_gettime(RUNNING);
        Duration::new(at.tv_sec.unsigned_abs(), u32::try_from(at.tv_nsec).unwrap_or(0))
    }

    // Elsewhere the running count stands still while the machine sleeps, so it carries nothing on:
    // the wall clock is read each time.
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    fn wall_holds(&self) -> Duration {
        Duration::from_millis(10)
    }

    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    fn running(&self) -> Duration {
        use std::sync::OnceLock;
        static START: OnceLock<std::time::Instant> = OnceLock::new();
        START.get_or_init(std::time::Instant::now).elapsed()
    }
}

/// A clock that stands still until a test moves it. Clones share the same time.
#[derive(Clone, Debug)]
pub struct TestClock {
    wall: Arc<AtomicU64>,
    running: Arc<AtomicU64>,
}

impl Default for TestClock {
    /// Starts at 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self {
            wall: Arc::new(AtomicU64::new(1_767_225_600_000)),
            running: Arc::new(AtomicU64::new(1_000_000)),
        }
    }
}

impl TestClock {
    /// Lets `by` pass: both readings move.
    pub fn advance(&self, by: Duration) {
        // The running count first, as every clock is read: seen half-way, no time has been set.
        self.running.fetch_add(millis(by), Ordering::SeqCst);
        self.wall.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Sets the wall clock ahead by `by` although no time has passed.
    pub fn jump_ahead(&self, by: Duration) {
        self.wall.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Sets the wall clock back by `by` although no time has passed.
    pub fn step_back(&self, by: Duration) {
        self.wall.fetch_sub(millis(by), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn wall(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::SeqCst))
    }

    fn running(&self) -> Duration {
        Duration::from_millis(self.running.load(Ordering::SeqCst))
    }
}

/// The wall clock jumped ahead further than any correction explains.
///
/// Believing it would end sessions that are alive, not believing it could keep dead ones,
/// so checks are refused until the clock is back or the process is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the clock jumped ahead by {} s while running; set it right, or restart if it is right now",
    .ahead.as_secs()
)]
pub struct ClockJumped {
    /// How far the wall clock is ahead of where it should be.
    pub ahead: Duration,
}

/// Forward corrections up to this much are believed at once.
pub const BELIEVED_CORRECTION: Duration = Duration::from_secs(300);

/// Time that never runs backwards: the wall clock at the start, carried on by the running
/// count (promise P4). A wall clock that steps back is not followed, so no session lives
/// longer; one that jumps ahead is an error, so no session is ended by it.
pub struct SteadyClock {
    clock: Arc<dyn Clock>,
    /// Wall minus running, in ms; only ever grows.
    offset: AtomicI64,
    /// The running count, in ms, up to which the wall clock need not be read again.
    holds_until: AtomicI64,
    /// For how long it need not, in ms.
    holds: i64,
    /// How far ahead of this clock the one it follows was seen, in ms, if that is implausible; -1
    /// while it follows none.
    ahead: AtomicI64,
}

/// What `holds_until` says while the clock follows another one and reads no wall clock.
const FOLLOWS: i64 = i64::MAX;

impl fmt::Debug for SteadyClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SteadyClock").field(&self.now()).finish()
    }
}

impl SteadyClock {
    /// Starts from what `clock` shows now.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let offset = signed(clock.wall().0) - signed(millis(clock.running()));
        let holds = signed(millis(clock.wall_holds()));
        let (offset, holds_until) = (AtomicI64::new(offset), AtomicI64::new(i64::MIN));
        Self { clock, offset, holds_until, holds, ahead: AtomicI64::new(-1) }
    }

    /// Another one over the same clock, for what is to go by a time of its own.
    pub(crate) fn beside(&self) -> Self {
        Self::new(Arc::clone(&self.clock))
    }

    /// The steady time.
    ///
    /// # Errors
    /// [`ClockJumped`] while the wall clock is implausibly far ahead.
    pub fn read(&self) -> Result<Timestamp, ClockJumped> {
        self.read_at(self.clock.running())
    }

    /// The same for one who has read the running count a moment ago.
    pub(crate) fn read_at(&self, running: Duration) -> Result<Timestamp, ClockJumped> {
        let running = signed(millis(running));
        if running < self.holds_until.load(Ordering::Relaxed) {
            return Ok(at(running + self.offset.load(Ordering::Relaxed)));
        }
        self.read_both()
    }

    fn read_both(&self) -> Result<Timestamp, ClockJumped> {
        let ahead = self.ahead.load(Ordering::Relaxed);
        if ahead > 0 {
            return Err(ClockJumped { ahead: Duration::from_millis(ahead.unsigned_abs()) });
        }
        // In this order: a thread that is stopped between the two then sees a wall clock that is
        // behind, which is not followed, and never one that seems to have been corrected.
        let wall = signed(self.clock.wall().0);
        let running = signed(millis(self.clock.running()));
        let offset = self.offset.load(Ordering::Relaxed);
        let drift = wall - running - offset;
        if drift <= 0 {
            self.holds_until.store(running + self.holds, Ordering::Relaxed);
            return Ok(at(running + offset));
        }
        let ahead = Duration::from_millis(drift.unsigned_abs());
        if ahead > BELIEVED_CORRECTION {
            return Err(ClockJumped { ahead });
        }
        let before = self.offset.fetch_max(offset + drift, Ordering::Relaxed);
        Ok(at(running + before.max(offset + drift)))
    }

    /// The steady time also while the wall clock is implausible: then as the running
    /// count carries it on.
    pub fn now(&self) -> Timestamp {
        self.read().unwrap_or_else(|_| {
            at(signed(millis(self.clock.running())) + self.offset.load(Ordering::Relaxed))
        })
    }

    /// Never shows less than `floor` from now on: the latest time a store has recorded.
    pub fn not_before(&self, floor: Timestamp) {
        let offset = signed(floor.0) - signed(millis(self.clock.running()));
        self.offset.fetch_max(offset, Ordering::Relaxed);
    }

    /// From now on the time is that of a store which several nodes share, which showed `now` before
    /// the running count was at `running`; the machine's own wall clock counts no more. Never runs
    /// backwards after the first time; a jump ahead is not believed.
    ///
    /// # Example: a node whose clock is ten minutes fast
    /// ```
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// use tenure::clock::{SteadyClock, TestClock, Timestamp};
    ///
    /// let node = TestClock::default();
    /// let steady = SteadyClock::new(Arc::new(node.clone()));
    /// let store = Timestamp::from_millis(steady.read()?.as_millis() - 600_000);
    /// steady.follow(store, steady.running());
    /// assert_eq!(steady.read()?, store);
    ///
    /// node.step_back(Duration::from_secs(60)); // nobody looks at it any more
    /// assert_eq!(steady.read()?, store);
    /// steady.follow(store.plus(Duration::from_secs(86_400)), steady.running());
    /// assert!(steady.read().is_err(), "a day in no time is not believed");
    /// steady.follow(store, steady.running());
    /// assert_eq!(steady.read()?, store);
    /// # Ok::<(), tenure::clock::ClockJumped>(())
    /// ```
    pub fn follow(&self, now: Timestamp, running: Duration) {
        let offset = signed(now.0) - signed(millis(running));
        if self.ahead.load(Ordering::Relaxed) < 0 {
            self.offset.store(offset, Ordering::Relaxed);
        }
        let drift = offset - self.offset.load(Ordering::Relaxed);
        if drift > signed(millis(BELIEVED_CORRECTION)) {
            self.ahead.store(drift, Ordering::Relaxed);
            self.holds_until.store(i64::MIN, Ordering::Relaxed);
        } else {
            self.offset.fetch_max(offset, Ordering::Relaxed);
            self.ahead.store(0, Ordering::Relaxed);
            self.holds_until.store(FOLLOWS, Ordering::Relaxed);
        }
    }

    /// The running count, for what must not depend on the wall clock.
    pub fn running(&self) -> Duration {
        self.clock.running()
    }
}

fn millis(of: Duration) -> u64 {
    u64::try_from(of.as_millis()).unwrap_or(u64::MAX)
}

fn signed(of: u64) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

fn at(millis: i64) -> Timestamp {
    Timestamp(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests;
