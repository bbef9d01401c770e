//! What a store can do so that its sessions can move to another one, of whatever engine.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Replay, StoreError, UserRecord};
use crate::clock::Timestamp;
use crate::id::{OperationId, Realm, Route, SessionId, UserId};
use crate::record::Record;

/// A store whose sessions can move to another one: what [`Store::movable`](super::Store::movable) gives.
/// [`Move`](crate::Move) does it.
///
/// # Example: what there is, and a store that nobody writes in
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tenure::testing::TestKit;
/// use tenure::store::{Export, Fence, Item, KnownUser, Movable, Part, Phase, RouteOf, Store};
/// use tenure::{Actor, EndReason, Ending, Route};
///
/// # let kit = TestKit::new().await;
/// # let user = "alice".parse()?;
/// kit.sign_in_as("alice").await;
/// kit.sessions.end_all_of(&user, None, Ending::new(EndReason::Logout, Actor::user())).await?;
/// let store: &dyn Movable = kit.sessions.store().movable().ok_or("this one can")?;
///
/// let mut all = Vec::new();
/// for part in Part::ALL {
///     let Export { items, next } = store.export(part, None, 100).await?;
///     assert!(next.is_none(), "that was all");
///     all.extend(items);
/// }
/// let known = |item: &Item| match item {
///     Item::Session(record) => record.user().cloned(),
///     Item::User(known) => Some(KnownUser::clone(known).user),
///     Item::Receipt { .. } => None,
/// };
/// assert_eq!(all.iter().filter_map(known).collect::<Vec<_>>(), [user.clone(), user]);
/// let anywhere: &RouteOf = &|_, _| Route(0);
/// assert_eq!(store.import(&all, anywhere).await?, 0, "it has all of them");
///
/// // For two seconds nobody writes, and checks go on.
/// let held = store.fence(Fence::Freeze { for_ms: 2_000 }).await?.ok_or("it is not shut")?;
/// assert!(kit.sessions.create_guest(tenure::NewGuest::default()).await.is_err());
/// let held = store.fence(Fence::Extend { held, for_ms: 2_000 }).await?.ok_or("it is frozen")?;
/// assert_eq!(store.barrier().await?, held);
/// kit.advance(std::time::Duration::from_secs(3)).await;
/// assert_eq!(store.fence(Fence::Shut { held }).await?, None, "others may have written since");
/// assert_eq!(store.phase().await?, Phase::Open);
/// let of = tenure::OperationId::random(&tenure::random::SystemRandom);
/// assert!(store.change_phase(&Phase::Open, &Phase::Leaving { of }).await?);
/// assert!(!store.change_phase(&Phase::Open, &Phase::Arriving { of }).await?, "it is not open any more");
/// # Ok(()) }
/// ```
///
/// # Errors
/// As for [`Store`](super::Store).
#[async_trait]
pub trait Movable: Send + Sync {
    /// Items of one part in an order of the store's own, after the place that the page before ended
    /// with. What is not written meanwhile is told once; of what is, the log tells.
    async fn export(&self, part: Part, after: Option<&[u8]>, limit: usize) -> Result<Export, StoreError>;

    /// Takes items as they are, in place of what there was of the same name, and appends no event. What
    /// has gone on since is not taken back: a session of a later revision stays, and so does what is
    /// known of a user with a later epoch. `route_of` gives the route of a user. Gives how many were not
    /// there yet or were different.
    async fn import(&self, items: &[Item], route_of: &RouteOf<'_>) -> Result<u64, StoreError>;

    /// Keeps everybody from writing, or from everything. What it says holds for every operation that
    /// begins after the answer, and no write that began before comes through later. Gives the barrier
    /// that there is now; none if that could not be: see [`Fence`].
    async fn fence(&self, fence: Fence) -> Result<Option<Barrier>, StoreError>;

    /// The barrier that there is, and nothing is changed: [`Barrier::SHUT`] only if no part of the store
    /// is open.
    async fn barrier(&self) -> Result<Barrier, StoreError>;

    /// What the store is to those who open it.
    async fn phase(&self) -> Result<Phase, StoreError>;

    /// Writes that down, if it is `from` until then. Whether it was: of two who change it at the same time,
    /// one does.
    async fn change_phase(&self, from: &Phase, to: &Phase) -> Result<bool, StoreError>;
}

/// Gives the [route](crate::SessionId::route) of a user, as [`Movable::import`] takes it.
pub type RouteOf<'f> = dyn Fn(&Realm, &UserId) -> Route + Sync + 'f;

/// The parts of a store, as [`Movable::export`] gives them. The [log](super::Store::events) is none: it
/// stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Sessions, ended ones too.
    Sessions,
    /// What is known of users.
    Users,
    /// Receipts of operations.
    Receipts,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sessions, Self::Users, Self::Receipts];
}

/// Something that moves: see [`Movable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A session.
    Session(Box<Record>),
    /// What is known of a user.
    User(Box<KnownUser>),
    /// What an operation left for its retries.
    Receipt {
        /// The operation.
        operation: OperationId,
        /// What it left.
        replay: Replay,
    },
}

/// What a store knows of a user, with the name: see [`Movable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUser {
    /// The application.
    pub realm: Realm,
    /// Who.
    pub user: UserId,
    /// What is known.
    pub record: UserRecord,
    /// The receipt of [`RecentEnds`](super::RecentEnds); empty if there is none.
    pub recent_ends: Vec<u8>,
}

/// Items, and where the next ones begin, as [`Movable::export`] gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Export {
    /// The items.
    pub items: Vec<Item>,
    /// What to ask the next page with; none after the last.
    pub next: Option<Vec<u8>>,
}

/// What may be done in a store from now on: see [`Movable::fence`]. Whoever has frozen a store holds the
/// barrier that was given then, and with anybody else's nothing can be done: of two who move the same
/// store, one is told that it may have been written in since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// Nobody writes for so many milliseconds of the store's time. Reading goes on. Not possible once it
    /// is shut.
    Freeze {
        /// How long.
        for_ms: u64,
    },
    /// The same for longer, if this freeze has not ended in between.
    Extend {
        /// The barrier of the freeze.
        held: Barrier,
        /// How long from now.
        for_ms: u64,
    },
    /// Nobody writes, reads or exports any more; only if this freeze has held until now, or with [`Barrier::SHUT`] if it is shut already.
    Shut {
        /// The barrier of the freeze.
        held: Barrier,
    },
    /// This freeze ends.
    Thaw {
        /// The barrier of the freeze.
        held: Barrier,
    },
    /// Everything as usual again, whoever has frozen or shut it.
    Lift,
}

/// What a store is while its sessions move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// One like any other.
    #[default]
    Open,
    /// Its sessions are being copied to another, and it is in use.
    Leaving {
        /// Names the move.
        of: OperationId,
    },
    /// Sessions are being copied into it.
    Arriving {
        /// Names the move.
        of: OperationId,
    },
    /// It has them all, and the old store may be in use still.
    Arrived {
        /// Names the move.
        of: OperationId,
    },
    /// Its sessions are in another one.
    Moved {
        /// Names the move.
        of: OperationId,
        /// What the operator calls the other one.
        to: String,
    },
    /// A move into it was called off: it has a part of another's sessions.
    CalledOff {
        /// Names the move.
        of: OperationId,
    },
}

impl Phase {
    /// Whether sessions may be served from it.
    ///
    /// # Errors
    /// What to do instead.
    ///
    /// # Example: the old store after a move
    /// ```
    /// use tenure::OperationId;
    /// use tenure::random::SystemRandom;
    /// use tenure::store::Phase;
    ///
    /// let of = OperationId::random(&SystemRandom);
    /// assert!(Phase::Leaving { of }.may_serve().is_ok());
    /// let moved = Phase::Moved { of, to: "postgres://db.example/shop".into() };
    /// assert!(moved.may_serve().unwrap_err().to_string().contains("postgres://db.example/shop"));
    /// ```
    pub fn may_serve(&self) -> Result<(), StoreError> {
        match self {
            Self::Open | Self::Leaving { .. } => Ok(()),
            Self::Arriving { .. } => Err(StoreError::Configuration(
                "sessions are being copied into it and not all are there; finish with `tenure store copy`, \
                 or serve the old store"
                    .into(),
            )),
            Self::Arrived { .. } => Err(StoreError::Configuration(
                "the copy into it was not handed over; run `tenure store copy` once more, it takes moments"
                    .into(),
            )),
            Self::Moved { to, .. } => {
                Err(StoreError::Blocked(format!("its sessions have moved to {to}; serve that store instead")))
            }
            Self::CalledOff { .. } => Err(StoreError::Configuration(
                "a copy into it was called off, so it has a part of another's sessions; empty it first"
                    .into(),
            )),
        }
    }
}

/// Until when nobody writes in a store: for those who make one, what [`Movable::fence`] changes and
/// every operation looks at.
///
/// # Example: frozen, then shut
/// ```
/// use std::time::Duration;
/// use tenure::clock::Timestamp;
/// use tenure::store::{Barrier, Fence};
///
/// let now: Timestamp = "2026-01-01T09:00:00Z".parse()?;
/// let frozen = Barrier::default().after(Fence::Freeze { for_ms: 500 }, now).ok_or("always possible")?;
/// assert_eq!((frozen.may_write(now), frozen.may_read()), (Err(Barrier::frozen()), Ok(())));
///
/// let later = now.plus(Duration::from_millis(500));
/// assert!(frozen.may_write(later).is_ok());
/// assert_eq!(frozen.after(Fence::Shut { held: frozen }, later), None);
/// assert_eq!(frozen.after(Fence::Shut { held: Barrier::from_millis(1) }, now), None, "it is another's");
/// let shut = frozen.after(Fence::Shut { held: frozen }, now).ok_or("it is frozen")?;
/// assert_eq!((shut, shut.may_read()), (Barrier::SHUT, Err(Barrier::shut())));
/// assert_eq!(Barrier::from_millis(shut.as_millis()), shut);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Barrier(u64);

impl Barrier {
    /// Nobody writes or reads: the largest whole number that every engine can hold.
    pub const SHUT: Self = Self((1 << 53) - 1);

    /// Until this moment of the store's, in milliseconds; 0 for one that is open.
    pub const fn from_millis(until: u64) -> Self {
        Self(until)
    }

    /// The same number.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// What it is after `fence`; none if that is not possible.
    #[must_use]
    pub fn after(self, fence: Fence, now: Timestamp) -> Option<Self> {
        let holds = |held| self == held && self.0 > now.as_millis();
        let until = |for_ms: u64| Self(now.as_millis().saturating_add(for_ms).min(Self::SHUT.0 - 1));
        match fence {
            Fence::Freeze { for_ms } => (self != Self::SHUT).then(|| until(for_ms)),
            Fence::Extend { held, for_ms } => (self != Self::SHUT && holds(held)).then(|| until(for_ms)),
            Fence::Shut { held } => holds(held).then_some(Self::SHUT),
            Fence::Thaw { held } => (self != Self::SHUT && self == held).then(Self::default),
            Fence::Lift => Some(Self::default()),
        }
    }

    /// Whether an operation may write now.
    ///
    /// # Errors
    /// Unavailable while it is frozen, Blocked once it is shut.
    pub fn may_write(self, now: Timestamp) -> Result<(), StoreError> {
        self.may_read()?;
        if self.0 > now.as_millis() { Err(Self::frozen()) } else { Ok(()) }
    }

    /// Whether an operation may read.
    ///
    /// # Errors
    /// Blocked once it is shut.
    pub fn may_read(self) -> Result<(), StoreError> {
        if self == Self::SHUT { Err(Self::shut()) } else { Ok(()) }
    }

    /// What is said to those who want to write in a store that is frozen.
    pub fn frozen() -> StoreError {
        StoreError::Unavailable("its sessions are moving to another store; try again in a moment".into())
    }

    /// What is said to everybody once it is shut.
    pub fn shut() -> StoreError {
        StoreError::Blocked("its sessions have moved to another store; serve that one".into())
    }
}

impl Item {
    /// The id of the session that it is of, if it is of one.
    pub(crate) fn of(&self) -> Option<SessionId> {
        match self {
            Self::Session(record) => Some(record.id),
            Self::Receipt { replay, .. } => Some(replay.session),
            Self::User(_) => None,
        }
    }
}
