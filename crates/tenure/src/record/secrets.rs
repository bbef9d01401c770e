//! The generations of a session's tokens, and what a presented one is worth.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::token::SecretHash;

/// What a store keeps of a session's tokens: hashes, never a secret.
///
/// # Example: a rotation, from the side of the store
/// ```
/// use std::time::Duration;
/// use tenure::SecretHash;
/// use tenure::clock::Timestamp;
/// use tenure::record::{Grace, Secrets, Standing, Successor, Superseded};
///
/// let [first, second] = [1, 2].map(|secret| SecretHash::from_bytes([secret; 32]));
/// let (start, grace) = (Timestamp::from_millis(0), Grace { ms: 10_000 });
/// let prepared = Secrets {
///     generation: 1,
///     hash: first,
///     since: start,
///     floor: 1,
///     successor: Some(Successor { hash: second, sealed: vec![] }),
///     superseded: None,
///     rotate_soon: false,
/// };
/// // Both are good until the second is used; then it takes over.
/// assert_eq!(prepared.standing(1, &first, grace, start), Standing::Current);
/// assert_eq!(prepared.standing(2, &second, grace, start), Standing::Successor);
/// let rotated = Secrets {
///     generation: 2,
///     hash: second,
///     successor: None,
///     superseded: Some(Superseded { generation: 1, hash: first, since: start }),
///     ..prepared
/// };
/// assert_eq!(rotated.standing(1, &first, grace, start), Standing::InGrace);
/// assert_eq!(rotated.must_wait(grace, start), Some(Duration::from_secs(10)));
/// let later = start.plus(Duration::from_secs(10));
/// assert_eq!(rotated.standing(1, &first, grace, later), Standing::Reused, "theft, from now on");
/// assert_eq!(rotated.must_wait(grace, later), None);
///
/// // A sign-in leaves a number out: a successor may be prepared under it.
/// assert_eq!(Secrets::replacement_of(2), 4);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    /// The generation that was presented last.
    pub generation: u32,
    /// The hash of its secret.
    pub hash: SecretHash,
    /// When it came into use.
    pub since: Timestamp,
    /// Tokens below this generation were replaced by a sign-in or step-up, not by rotation:
    /// they answer `superseded` and never count as reuse.
    pub floor: u32,
    /// The next token, prepared but not yet presented.
    pub successor: Option<Successor>,
    /// The token that this one replaced, for its grace time.
    pub superseded: Option<Superseded>,
    /// Something about the user's rights changed: rotate at the next occasion.
    pub rotate_soon: bool,
}

/// A prepared token, as a part of [`Secrets`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Successor {
    /// The hash of its secret.
    pub hash: SecretHash,
    /// Its secret, encrypted under a key that needs the previous secret, so that a lost
    /// answer can be given again and no copy of the store can give it.
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
}

/// A replaced token, as a part of [`Secrets`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    /// Its generation.
    pub generation: u32,
    /// The hash of its secret.
    pub hash: SecretHash,
    /// When its successor was first presented.
    pub since: Timestamp,
}

/// How long a replaced token of [`Secrets`] is still accepted after its successor was first presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grace {
    /// Milliseconds.
    pub ms: u64,
}

impl Grace {
    fn covers(self, since: Timestamp, now: Timestamp) -> bool {
        now.since(since) < Duration::from_millis(self.ms)
    }
}

/// What a genuine token of a session is worth now, as [`Secrets::standing`] says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The current token.
    Current,
    /// The successor, presented for the first time.
    Successor,
    /// Replaced a moment ago: good for the rest of the grace time, and for nothing that
    /// needs the current token.
    InGrace,
    /// Replaced by a sign-in or step-up.
    Superseded,
    /// Replaced by rotation longer ago than the grace time: a sign of theft.
    Reused,
    /// Of no generation this session knows; a store that was set back can show this.
    Unknown,
}

impl Secrets {
    pub(crate) fn first(hash: SecretHash, now: Timestamp) -> Self {
        Self {
            generation: 1,
            hash,
            since: now,
            floor: 1,
            successor: None,
            superseded: None,
            rotate_soon: false,
        }
    }

    /// Whether the current token of both is one.
    pub(crate) fn is_same_token(&self, other: &Self) -> bool {
        self.generation == other.generation && self.hash == other.hash
    }

    /// What the token of `generation` with this secret is worth.
    pub fn standing(&self, generation: u32, hash: &SecretHash, grace: Grace, now: Timestamp) -> Standing {
        if generation == self.generation {
            return if *hash == self.hash { Standing::Current } else { Standing::Unknown };
        }
        if generation > self.generation {
            let successor = self.successor.as_ref().filter(|_| generation == self.generation + 1);
            return match successor {
                Some(successor) if successor.hash == *hash => Standing::Successor,
                _ => Standing::Unknown,
            };
        }
        if generation < self.floor {
            return Standing::Superseded;
        }
        match &self.superseded {
            Some(old) if old.generation == generation && grace.covers(old.since, now) => {
                if old.hash == *hash { Standing::InGrace } else { Standing::Unknown }
            }
            _ => Standing::Reused,
        }
    }

    /// Whether a request whose token of `generation` was found good may still change things: until
    /// a sign-in or step-up supersedes it.
    pub(crate) fn admits(&self, generation: u32) -> bool {
        let newest = self.generation + u32::from(self.successor.is_some());
        (self.floor..=newest).contains(&generation)
    }

    /// How long a rotation must wait, if it must. While the grace of the last one runs none may
    /// be prepared: an answer of that one may still be on its way, and must not arrive after the
    /// next.
    pub fn must_wait(&self, grace: Grace, now: Timestamp) -> Option<Duration> {
        let old = self.superseded.as_ref().filter(|old| grace.covers(old.since, now))?;
        Some(Duration::from_millis(grace.ms).saturating_sub(now.since(old.since)))
    }

    /// The successor was presented: it takes over, and its sealed copy is wiped.
    pub(crate) fn confirmed(mut self, now: Timestamp) -> Option<Self> {
        let successor = self.successor.take()?;
        let old = Superseded { generation: self.generation, hash: self.hash, since: now };
        Some(Self {
            generation: self.generation + 1,
            hash: successor.hash,
            since: now,
            superseded: Some(old),
            successor: None,
            ..self
        })
    }

    /// A sign-in or step-up: a new token at once, no grace for any older one.
    pub(crate) fn replaced(self, hash: SecretHash, now: Timestamp) -> Self {
        let generation = Self::replacement_of(self.generation);
        Self { generation, floor: generation, ..Self::first(hash, now) }
    }

    /// The generation that a sign-in or step-up gives after `generation`. The one between is
    /// left out: a successor may be prepared under it, and two secrets never share a number.
    pub const fn replacement_of(generation: u32) -> u32 {
        generation + 2
    }
}
