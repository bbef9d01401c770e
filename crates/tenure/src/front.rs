//! What decides an ordinary check, close together in memory.
//!
//! Of millions of sessions the one that is asked for is in no processor cache: what a check
//! costs is how many places it has to look at. So the few facts that nearly every check needs
//! lie in two cache lines at the front of a snapshot, and the record behind is left alone.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::clock::Timestamp;
use crate::keys::TAG_LEN;
use crate::record::{Record, State};
use crate::token::{BindingName, Presented, SecretHash};

/// The facts of one session.
pub(crate) struct Front {
    /// The last activity, that which is not written yet included.
    seen: AtomicU64,
    idle_ms: u64,
    deadline: u64,
    hash: SecretHash,
    generation: u32,
    pub(crate) stage: Stage,
    /// A next token is prepared, or wanted soon.
    pub(crate) rotates: bool,
    /// It was looked up since the cache last made room.
    used: AtomicBool,
    /// When the current token came into use, in milliseconds.
    pub(crate) since: u64,
    genuine: OnceLock<Genuine>,
}

/// The state of a session, as far as a check cares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Guest,
    Pending,
    SignedIn,
    /// Claimed or ended: no token of it is accepted.
    Over,
}

/// The tag of the current token that was found genuine, and for which realm and cookie, so that
/// it need not be found again.
struct Genuine {
    key: u8,
    tag: [u8; TAG_LEN],
    binding: BindingName,
}

impl Front {
    pub(crate) fn of(record: &Record) -> Self {
        let secrets = &record.secrets;
        Self {
            seen: AtomicU64::new(record.last_seen_at.as_millis()),
            idle_ms: record.idle_ms,
            deadline: record.deadline.as_millis(),
            hash: secrets.hash,
            generation: secrets.generation,
            stage: match record.state {
                State::Guest => Stage::Guest,
                State::Pending(_) => Stage::Pending,
                State::SignedIn(_) => Stage::SignedIn,
                State::Claimed(_) | State::Ended(_) => Stage::Over,
            },
            rotates: secrets.successor.is_some() || secrets.rotate_soon,
            used: AtomicBool::new(false),
            since: secrets.since.as_millis(),
            genuine: OnceLock::new(),
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

    /// Whether the secret of `presented` is that of the current token.
    pub(crate) fn is_current(&self, presented: &Presented) -> bool {
        self.generation == presented.generation && self.hash == presented.hash
    }

    /// Whether `presented`, which is the current token, was found genuine before.
    pub(crate) fn is_known(&self, presented: &Presented, binding: &BindingName) -> bool {
        let fits = |known: &Genuine| {
            known.key == presented.key && known.tag == presented.tag && known.binding == *binding
        };
        self.genuine.get().is_some_and(fits)
    }

    /// Remembers that `presented`, which is the current token, is genuine.
    pub(crate) fn remember(&self, presented: &Presented, binding: BindingName) {
        // Only the first is kept: a session is checked for one realm and cookie.
        self.genuine.get_or_init(|| Genuine { key: presented.key, tag: presented.tag, binding });
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
