//! Going over a store, and over what happened in it since.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::census::Census;
use super::{Move, MoveProgress, MoveStage};
use crate::clock::SteadyClock;
use crate::error::Error;
use crate::event::{Event, EventKind, Position};
use crate::id::{Realm, SessionId, UserId};
use crate::store::{Barrier, Export, Fence, Item, KnownUser, Movable, Owner, Part, RecentEnds, StoreError};

/// How many items are taken at once: of the largest sessions, not more than some tens of megabytes.
pub(super) const PAGE: usize = 2_000;

/// How many events are read at once, and how many sessions beside each other.
const EVENTS: usize = 2_000;
const BESIDE: usize = 32;

/// For how long the old store is kept frozen, and how often that is made longer.
const FROZEN_MS: u64 = 30_000;
const LONGER_AFTER: Duration = Duration::from_secs(5);

/// How often a page is tried, and how long to wait before the second time.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(100);

const BROKEN_OFF: Error = Error::Bug("reading broke off; see the log for the panic");

/// Keeps the old store frozen.
pub(super) struct Lease<'a> {
    source: &'a dyn Movable,
    clock: &'a SteadyClock,
    since: Duration,
    held: Barrier,
}

impl<'a> Lease<'a> {
    /// None if it is shut.
    pub(super) async fn begin(
        source: &'a dyn Movable,
        clock: &'a SteadyClock,
    ) -> Result<Option<Self>, StoreError> {
        let since = clock.running();
        let held = source.fence(Fence::Freeze { for_ms: FROZEN_MS }).await?;
        Ok(held.map(|held| Self { source, clock, since, held }))
    }

    /// Makes it longer when it is time. Whether it has been frozen all the time.
    pub(super) async fn holds(&mut self) -> Result<bool, StoreError> {
        let now = self.clock.running();
        if now.saturating_sub(self.since) < LONGER_AFTER {
            return Ok(true);
        }
        self.since = now;
        let longer = Fence::Extend { held: self.held, for_ms: FROZEN_MS };
        let extended = self.source.fence(longer).await?;
        self.held = extended.unwrap_or(self.held);
        Ok(extended.is_some())
    }

    /// Shuts the store. Whether it has been frozen all the time.
    pub(super) async fn shut(&self) -> Result<bool, StoreError> {
        Ok(self.source.fence(Fence::Shut { held: self.held }).await?.is_some())
    }

    /// Lets others write again, unless somebody else has frozen it since.
    pub(super) async fn end(self) {
        if let Err(error) = self.source.fence(Fence::Thaw { held: self.held }).await {
            tracing::warn!(%error, "the old store stays frozen for half a minute");
        }
    }
}

/// One stage of a move.
pub(super) struct Pass<'a, W> {
    house: &'a Move,
    progress: MoveProgress,
    watch: &'a W,
}

impl<'a, W: Fn(&MoveProgress) + Send + Sync> Pass<'a, W> {
    pub(super) fn new(house: &'a Move, stage: MoveStage, watch: &'a W) -> Self {
        Self { house, progress: MoveProgress { stage, done: 0, differed: 0, behind: 0 }, watch }
    }

    pub(super) fn report(&self) {
        (self.watch)(&self.progress);
    }

    /// Makes one part of the new store what it is in the old one. None if the old one thawed.
    pub(super) async fn copy(
        &mut self,
        part: Part,
        mut lease: Option<&mut Lease<'_>>,
    ) -> Result<Option<Census>, Error> {
        let (source, _) = self.house.ends()?;
        let mut census = Census::default();
        let mut page = patiently(|| source.export(part, None, PAGE)).await?;
        loop {
            // The next page is read while this one is written.
            let next = page.next.take().map(|after| tokio::spawn(self.house.read(part, after)));
            let differed = self.house.import(&page.items).await?;
            census.add(&Census::of_items(&page.items));
            self.progress.done += page.items.len() as u64;
            self.progress.differed += differed;
            self.report();
            if let Some(lease) = &mut lease
                && !lease.holds().await?
            {
                return Ok(None);
            }
            match next {
                Some(next) => page = next.await.unwrap_or(Err(BROKEN_OFF))?,
                None => return Ok(Some(census)),
            }
        }
    }

    /// Brings over what happened after these positions, and moves them on. Gives how many events that
    /// were, and whether it was all; what the log does not tell any more, the comparison finds.
    pub(super) async fn follow(&mut self, after: &mut [Option<Position>]) -> Result<(u64, bool), Error> {
        let news = patiently(|| self.house.source.news(after, EVENTS)).await?;
        let (mut sessions, mut users, mut count) = (BTreeSet::new(), BTreeSet::new(), 0);
        let is_end = news.tails.iter().all(|tail| tail.is_end);
        for tail in news.tails {
            if let Some(position) = after.get_mut(usize::from(tail.partition)) {
                *position = Some(tail.next);
            }
            count += tail.events.len() as u64;
            for Event { body, .. } in tail.events {
                sessions.extend(body.session);
                // Whose end is told may have been signed out everywhere.
                let of_user = [EventKind::Ended, EventKind::UserDisabled, EventKind::UserEnabled];
                users.extend(
                    body.user.filter(|_| of_user.contains(&body.kind)).map(|user| (body.realm, user)),
                );
            }
        }
        let mut items = self.house.sessions(sessions).await?;
        for (realm, user) in users {
            items.push(self.house.user(realm, user).await?);
        }
        self.progress.differed += self.house.import(&items).await?;
        self.progress.done += items.len() as u64;
        self.progress.behind = count;
        self.report();
        Ok((count, is_end))
    }
}

impl Move {
    /// Reads a page of the old store, on its own.
    fn read(&self, part: Part, after: Vec<u8>) -> impl Future<Output = Result<Export, Error>> + Send + use<> {
        let store = Arc::clone(&self.source);
        async move {
            let movable = store.movable().ok_or(BROKEN_OFF)?;
            Ok(patiently(|| movable.export(part, Some(&after), PAGE)).await?)
        }
    }

    async fn import(&self, items: &[Item]) -> Result<u64, Error> {
        let (_, target) = self.ends()?;
        let route_of = |realm: &Realm, user: &UserId| self.keys.route(realm, user);
        Ok(patiently(|| target.import(items, &route_of)).await?)
    }

    /// Where all logs of the old store end.
    pub(super) async fn tails(&self) -> Result<Vec<Option<Position>>, Error> {
        let mut ends = vec![None; usize::from(self.source.info().partitions)];
        for tail in patiently(|| self.source.news(&ends, 1)).await?.tails {
            if let Some(end) = ends.get_mut(usize::from(tail.partition)) {
                *end = Some(tail.next);
            }
        }
        Ok(ends)
    }

    /// Reads these sessions, several at once.
    async fn sessions(&self, ids: BTreeSet<SessionId>) -> Result<Vec<Item>, Error> {
        let (mut ids, mut reading, mut items) = (ids.into_iter(), JoinSet::new(), Vec::new());
        loop {
            for id in ids.by_ref().take(BESIDE - reading.len()) {
                let store = Arc::clone(&self.source);
                reading.spawn(async move { patiently(|| store.load(id)).await });
            }
            match reading.join_next().await {
                Some(Ok(read)) => items.extend(read?.map(|record| Item::Session(Box::new(record)))),
                Some(Err(_)) => return Err(BROKEN_OFF),
                None => return Ok(items),
            }
        }
    }

    async fn user(&self, realm: Realm, user: UserId) -> Result<Item, Error> {
        let owner = Owner { route: self.keys.route(&realm, &user), realm, user };
        let record = patiently(|| self.source.user(&owner)).await?;
        let key = RecentEnds::key(&owner.realm, &owner.user);
        let recent = patiently(|| self.source.replay(owner.route, key)).await?;
        let recent_ends = recent.map(|replay| replay.receipt).unwrap_or_default();
        let Owner { realm, user, .. } = owner;
        Ok(Item::User(Box::new(KnownUser { realm, user, record, recent_ends })))
    }
}

/// Tries something several times that may be done twice.
pub(super) async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(
    work: impl Fn() -> F,
) -> Result<T, StoreError> {
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match work().await {
            Err(StoreError::Unavailable(why) | StoreError::Unknown(why)) => {
                tracing::info!(%why, "a page of a move is tried again");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            done => return done,
        }
    }
    work().await
}
