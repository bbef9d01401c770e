//! What decides an ordinary check, close together in memory.
//!
//! Of millions of sessions the one that is asked for is in no processor cache: what a check
//! costs is how many places it has to look at. So the few facts that nearly every check needs
//! lie in one cache line's worth of bytes at the front of a snapshot, and the record behind is
//! left alone.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::clock::Timestamp;
use crate::record::{Record, State};
use crate::token::Witness;

/// The facts of one session.
pub(crate) struct Front {
    /// The last activity, that which is not written yet included.
    seen: AtomicU64,
    idle_ms: u64,
    deadline: u64,
    /// When the current token came into use, in milliseconds.
    pub(crate) since: u64,
    /// Shows the current token, once it was found genuine, so that it need not be found again.
    genuine: OnceLock<Witness>,
    pub(crate) stage: Stage,
    /// A next token is prepared, or wanted soon.
    pub(crate) rotates: bool,
    /// It was looked up since the cache last made room.
    used: AtomicBool,
}

const _: () = assert!(size_of::<Front>() <= 64, "the front has grown beyond a cache line");

/// The state of a session, as far as a check cares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Guest,
    Pending,
    SignedIn,
    /// Claimed or ended: no token of it is accepted.
    Over,
}

impl Front {
    pub(crate) fn of(record: &Record) -> Self {
        let secrets = &record.secrets;
        Self {
            seen: AtomicU64::new(record.last_seen_at.as_millis()),
            idle_ms: record.idle_ms,
            deadline: record.deadline.as_millis(),
            since: secrets.since.as_millis(),
            genuine: OnceLock::new(),
            stage: match record.state {
                State::Guest => Stage::Guest,
                State::Pending(_) => Stage::Pending,
                State::SignedIn(_) => Stage::SignedIn,
                State::Claimed(_) | State::Ended(_) => Stage::Over,
            },
            rotates: secrets.successor.is_some() || secrets.rotate_soon,
            used: AtomicBool::new(false),
        }
    }

    pub(crate) fn seen(&self) -> Timestamp {
        Timestamp::from_millis(self.seen.load(Ordering::Relaxed))
    }

    /// Activity at `at`; whether that is later than what was known.
    pub(crate) fn see(&self, at: Timestamp) -> bool {
        self.seen.fetch_max(at.as_millis(), Ordering::Relaxed) < at.as_millis()
    }

    /// When the idle limit is reached, the absolute one aside.
    pub(crate) fn idle_at(&self) -> Timestamp {
        Timestamp::from_millis(self.seen().as_millis().saturating_add(self.idle_ms))
    }

    /// When the first of the two limits is reached.
    pub(crate) fn due_at(&self) -> Timestamp {
        self.idle_at().min(Timestamp::from_millis(self.deadline))
    }

    /// Whether `witness` is that of the current token, found genuine before.
    pub(crate) fn knows(&self, witness: &Witness) -> bool {
        self.genuine.get().is_some_and(|known| known == witness)
    }

    /// Remembers that the current token, of this witness, is genuine.
    pub(crate) fn remember(&self, witness: Witness) {
        // Only the first is kept: a session is checked for one realm and cookie.
        self.genuine.get_or_init(|| witness);
    }

    /// Remembers what another front does of the same current token.
    pub(crate) fn inherit(&self, before: &Self) {
        if let Some(witness) = before.genuine.get() {
            self.remember(*witness);
        }
    }

    /// Notes a look-up, writing only where that changes something.
    pub(crate) fn use_now(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was looked up since this was last asked.
    pub(crate) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}
