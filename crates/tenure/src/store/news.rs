//! What a node that follows a shared store is told.

use crate::clock::Timestamp;
use crate::event::{Event, Position};

/// What is new in the logs of a store that several nodes share: see
/// [`Store::news`](super::Store::news), which shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News<E = Event> {
    /// The store's time when this was read.
    pub now: Timestamp,
    /// Names the server that answered and its history, for as long as both are the same. When it
    /// changes, for instance after a failover, what was acknowledged shortly before may be gone.
    pub server: u64,
    /// Whether those that could take over the server's place confirmed after the question was asked
    /// that it still is the one; true where there are none.
    pub confirmed: bool,
    /// The partitions with something new; in all others the log still ends where it was asked from.
    pub tails: Vec<Tail<E>>,
}

/// What is new in the log of one partition, as part of [`News`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail<E = Event> {
    /// The partition.
    pub partition: u16,
    /// The events after the position that was asked from, oldest first, without a gap.
    pub events: Vec<E>,
    /// Where to ask from the next time.
    pub next: Position,
    /// Whether that is the end of the log.
    pub is_end: bool,
    /// Whether something before these events cannot be told any more: the position is no longer
    /// kept, or is of another history.
    pub gap: bool,
}
