//! Moving all sessions to another store, while they are in use.

mod census;
mod pass;
mod phases;
mod run;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Sessions;
use super::core::Core;
use crate::clock::{SteadyClock, SystemClock};
use crate::error::Error;
use crate::keys::Keys;
use crate::random::{Random, SystemRandom};
use crate::store::{BOUND, Context, Engine, Movable, Opened, Store, StoreError};

/// A move of everything in one store to another, of whatever engine: [`Sessions::move_to`] prepares it
/// from a running application, [`Move::between`] without one.
///
/// The new store is opened with the same master key, so tokens stay valid. Everything is copied while
/// the old store is in use, and what happens meanwhile is followed by its log. Then the old store is
/// frozen: checks go on, and what would write is refused as [`StoreError::Unavailable`]. Everything is
/// compared once more and mended, counted, and summed up on both sides; only if both are the same is the
/// old store shut for good and the new one opened. The events stay in the old store.
///
/// It may be stopped at any time, by dropping the future too, and [`run`](Self::run) again: what is
/// there already is only compared. A freeze ends by itself after half a minute.
///
/// # Example: from memory to a store of one's own
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tenure::testing::SharedMemory;
/// use tenure::{Check, Move, MoveProgress, MoveStage, Moved, Sessions, SignIn};
///
/// let (old, new) = (SharedMemory::default(), SharedMemory::default());
/// # let new = old.another();
/// let sessions = Sessions::open(old.clone()).await?;
/// let token = sessions.sign_in(None, SignIn::password("u_1".parse()?)).await?.token;
///
/// let house: Move = sessions.move_to(new.clone(), "the new store").await?.bound(Duration::from_millis(20));
/// let moved: Moved = house
///     .run(|progress: &MoveProgress| {
///         let MoveProgress { stage, done, differed, behind, .. } = progress;
///         println!("{}: {done} looked at, {differed} written, {behind} events behind", stage.as_str());
///         assert_ne!(*stage, MoveStage::HandingOver, "unless it was interrupted there before");
///     })
///     .await?;
/// assert_eq!((moved.sessions, moved.users), (1, 0));
/// assert!(moved.frozen <= moved.took);
///
/// // The old store serves nobody any more, and the new one takes the same token.
/// assert!(sessions.ready().await.is_err());
/// assert!(Sessions::open(old).await.is_err());
/// let sessions = Sessions::open(new).await?;
/// let verdict = sessions.check(token.expose().as_bytes(), &Check::signed_in()).await?;
/// assert_eq!(verdict.as_str(), "ok");
/// # Ok(()) }
/// ```
///
/// # Example: a move that is called off
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::testing::SharedMemory;
/// use tenure::{Move, Sessions};
///
/// let old = SharedMemory::default();
/// let new = old.another(); // with the same master key
/// let house = Move::between(old.clone(), new.clone(), "another store").await?;
/// assert!(house.call_off().await.is_err(), "it was not begun");
/// let begun = tokio::sync::Notify::new();
/// tokio::select! {
///     _ = house.run(|_| begun.notify_one()) => {}
///     () = begun.notified() => {} // it stops here
/// }
/// house.call_off().await?;
/// assert!(house.run(|_| ()).await.is_err(), "the other store has to be emptied first");
/// Sessions::open(old).await?;
/// house.close().await;
/// # Ok(()) }
/// ```
pub struct Move {
    source: Arc<dyn Store>,
    target: Arc<dyn Store>,
    to: String,
    keys: Keys,
    clock: Arc<SteadyClock>,
    random: Arc<dyn Random>,
    bound: Duration,
    /// The sessions that are served from the old store by this process.
    core: Option<Arc<Core>>,
}

/// What a [`Move`] is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MoveStage {
    /// It copies everything.
    Copying,
    /// It follows what happened meanwhile.
    Following,
    /// The old store is frozen, and everything is compared.
    Comparing,
    /// Both are the same, and nodes let go of the old one.
    HandingOver,
}

impl MoveStage {
    /// The word, as in answers of the server.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Copying => "copying",
            Self::Following => "following",
            Self::Comparing => "comparing",
            Self::HandingOver => "handing_over",
        }
    }
}

/// How far a [`Move`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MoveProgress {
    /// What it does.
    pub stage: MoveStage,
    /// How many sessions, users and receipts it has looked at in this stage.
    pub done: u64,
    /// How many of them the new store did not have, or had otherwise.
    pub differed: u64,
    /// How many events the new store was behind at the last look.
    pub behind: u64,
}

/// What a [`Move`] came to. Both stores were the same when the old one was shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// How many sessions were alive.
    pub sessions: u64,
    /// How many users there was something to be known of.
    pub users: u64,
    /// The sum over both, for the record.
    pub checksum: u64,
    /// For how long nobody could write.
    pub frozen: Duration,
    /// How long all of it took.
    pub took: Duration,
}

impl fmt::Debug for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Move").field("to", &self.to).finish_non_exhaustive()
    }
}

impl Sessions {
    /// Prepares a move of all sessions, of all realms, to another store; [`Move`] shows one. `name` is
    /// what operators call it: those who open the old store later are told it, so it holds no password.
    ///
    /// # Errors
    /// Configuration when the new store has another master key, or cannot take sessions.
    pub async fn move_to(&self, engine: impl Engine, name: impl Into<String>) -> Result<Move, Error> {
        let core = Arc::clone(&self.core);
        let clock = Arc::new(core.clock.beside());
        let context = Context { clock, random: Arc::clone(&core.random), bound: core.bound };
        let opened = Box::new(engine).open(context).await?;
        let house = Move {
            source: Arc::clone(&core.store),
            target: opened.store,
            to: name.into(),
            keys: Keys::derive(&opened.master_key),
            clock: Arc::clone(&core.clock),
            random: Arc::clone(&core.random),
            bound: core.bound,
            core: Some(Arc::clone(&core)),
        };
        house.checked(&core.keys).await
    }
}

impl Move {
    /// Prepares a move between two stores that this process does not serve. Nodes may serve the old one
    /// meanwhile, if it is one that nodes share.
    ///
    /// # Errors
    /// As for [`Sessions::move_to`].
    pub async fn between(from: impl Engine, to: impl Engine, name: impl Into<String>) -> Result<Self, Error> {
        let context = || Context::new(Arc::new(SystemClock), Arc::new(SystemRandom));
        let here = context();
        let Opened { store: source, master_key } = Box::new(from).open(here.clone()).await?;
        let opened = Box::new(to).open(context()).await?;
        let house = Self {
            source,
            target: opened.store,
            to: name.into(),
            keys: Keys::derive(&opened.master_key),
            clock: here.clock,
            random: here.random,
            bound: BOUND,
            core: None,
        };
        house.checked(&Keys::derive(&master_key)).await
    }

    /// The largest [bound](crate::Builder::bound) of the nodes that serve the old store; that of the
    /// sessions it was prepared from, or one second.
    #[must_use]
    pub fn bound(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    async fn checked(self, keys: &Keys) -> Result<Self, Error> {
        let fits = if self.keys.are(keys) {
            self.ends().map(drop)
        } else {
            Err(StoreError::Configuration(
                "the new store has another master key, so no token would be valid there; open it with the same"
                    .into(),
            ))
        };
        if let Err(error) = fits {
            self.target.close().await;
            return Err(error.into());
        }
        Ok(self)
    }

    fn ends(&self) -> Result<(&dyn Movable, &dyn Movable), StoreError> {
        let cannot =
            |which| StoreError::Configuration(format!("the {which} store is of an engine that cannot move"));
        let source = self.source.movable().ok_or_else(|| cannot("old"))?;
        Ok((source, self.target.movable().ok_or_else(|| cannot("new"))?))
    }

    /// Lets go of the new store, and of the old one if this process does not serve it.
    pub async fn close(self) {
        self.target.close().await;
        if self.core.is_none() {
            self.source.close().await;
        }
    }
}
