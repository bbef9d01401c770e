//! Moving out of a place, and into it.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use tenure::OperationId;
use tenure::store::{
    Barrier, Export, Fence, Item, KnownUser, Movable, Part, Phase, RecentEnds, RouteOf, StoreError, steps,
};

use crate::place::{Cell, CellKey, LONGEST_FREEZE_MS, Place, Raise, Row, Want};
use crate::row::{known_user, owner_key, receipt_key, replay_of, user_key};
use crate::shared::SharedStore;
use crate::step::Step;

/// How many items of one partition are taken in one step.
const AT_ONCE: usize = 64;

/// How many partitions are written in at once.
const BESIDE: usize = 16;

#[async_trait]
impl<P: Place> Movable for SharedStore<P> {
    async fn export(&self, part: Part, after: Option<&[u8]>, limit: usize) -> Result<Export, StoreError> {
        let kept = self.place.export(part, after, limit).await?;
        let items = match part {
            Part::Sessions => kept.rows.iter().map(session).collect::<Result<_, _>>()?,
            Part::Users => self.users(&kept.cells).await?,
            Part::Receipts => {
                let receipts = kept.cells.iter().map(|(_, cell)| receipt(cell));
                receipts.filter_map(Result::transpose).collect::<Result<_, _>>()?
            }
        };
        Ok(Export { items, next: kept.next })
    }

    async fn import(&self, items: &[Item], route_of: &RouteOf<'_>) -> Result<u64, StoreError> {
        let mut places: BTreeMap<u16, Vec<&Item>> = BTreeMap::new();
        for item in items {
            let route = match item {
                Item::Session(record) => record.id.route(),
                Item::User(known) => route_of(&known.realm, &known.user),
                Item::Receipt { replay, .. } => replay.session.route(),
            };
            places.entry(self.partition(route)).or_default().push(item);
        }
        let parts = places.iter().flat_map(|(partition, items)| {
            items.chunks(AT_ONCE).map(|part| self.import_into(*partition, part))
        });
        // One after the other in a partition would be no faster: the place lets only one in.
        let parts: Vec<_> = parts.collect();
        stream::iter(parts)
            .buffer_unordered(BESIDE)
            .try_fold(0, |sum, more| async move { Ok(sum + more) })
            .await
    }

    async fn fence(&self, fence: Fence) -> Result<Option<Barrier>, StoreError> {
        let Some(raise) = Raise::of(fence) else { return Ok(None) };
        self.place.fence(raise, self.own_time.then(|| self.clock.now())).await
    }

    async fn barrier(&self) -> Result<Barrier, StoreError> {
        self.place.barrier().await
    }

    async fn phase(&self) -> Result<Phase, StoreError> {
        let Some(bytes) = self.place.phase().await? else { return Ok(Phase::Open) };
        rmp_serde::from_slice(&bytes)
            .map_err(|_| StoreError::Corrupt("what says whether sessions have moved cannot be read".into()))
    }

    async fn change_phase(&self, from: &Phase, to: &Phase) -> Result<bool, StoreError> {
        let bytes =
            |phase: &Phase| rmp_serde::to_vec(phase).expect("nothing here that MessagePack cannot hold");
        // Nothing is written before the first move.
        if *from == Phase::Open && self.place.change_phase(None, &bytes(to)).await? {
            return Ok(true);
        }
        self.place.change_phase(Some(&bytes(from)), &bytes(to)).await
    }
}

impl Raise {
    fn of(fence: Fence) -> Option<Self> {
        let (to, held, for_ms) = match fence {
            Fence::Freeze { for_ms } => (None, None, for_ms),
            Fence::Extend { held, for_ms } => (None, Some(held), for_ms),
            Fence::Shut { held } => (Some(Barrier::SHUT), Some(held), 0),
            Fence::Thaw { held } => (Some(Barrier::default()), Some(held), 0),
            Fence::Lift => (Some(Barrier::default()), None, 0),
        };
        // Only what lifts opens what is shut.
        let opens = held == Some(Barrier::SHUT) && to != Some(Barrier::SHUT);
        (!opens).then_some(Self { to, held, for_ms: for_ms.min(LONGEST_FREEZE_MS) })
    }
}

impl<P: Place> SharedStore<P> {
    async fn import_into(&self, partition: u16, items: &[&Item]) -> Result<u64, StoreError> {
        let mut want = Want { partition, ..Want::default() };
        for item in items {
            match item {
                Item::Session(record) => want.sessions.push(record.id),
                Item::User(known) => {
                    let recent = RecentEnds::key(&known.realm, &known.user);
                    want.cells.extend([user_key(&known.realm, &known.user), receipt_key(recent)]);
                }
                Item::Receipt { operation, .. } => want.cells.push(receipt_key(*operation)),
            }
        }
        self.step(Step::at(want), None, |draft| steps::import(draft, items.iter().copied())).await
    }

    /// Users by their cells, with what else is kept of them in their partitions.
    async fn users(&self, cells: &[(u16, Cell)]) -> Result<Vec<Item>, StoreError> {
        let mut wants: BTreeMap<u16, Vec<CellKey>> = BTreeMap::new();
        let mut known = Vec::with_capacity(cells.len());
        for (partition, cell) in cells {
            let (realm, user, record) = known_user(cell)?;
            if cell.key.key != owner_key(&realm, &user) {
                return Err(StoreError::Corrupt("what is known of a user lies under another's key".into()));
            }
            let recent = receipt_key(RecentEnds::key(&realm, &user));
            wants.entry(*partition).or_default().push(recent);
            known.push((recent, KnownUser { realm, user, record, recent_ends: Vec::new() }));
        }
        let views = wants.into_iter().map(|(partition, cells)| {
            let want = Want { partition, cells, ..Want::default() };
            async move { self.place.view(&want).await }
        });
        let views: Vec<_> = views.collect();
        let views: Vec<_> = stream::iter(views).buffer_unordered(BESIDE).try_collect().await?;
        let cells = views.into_iter().flat_map(|view| view.cells);
        let recent: HashMap<CellKey, Cell> = cells.map(|cell| (cell.key, cell)).collect();
        let item = |(key, user): (CellKey, KnownUser)| {
            let replay = recent.get(&key).map(replay_of).transpose()?;
            let recent_ends = replay.map(|replay| replay.receipt).unwrap_or_default();
            Ok(Item::User(Box::new(KnownUser { recent_ends, ..user })))
        };
        known.into_iter().map(item).collect()
    }
}

fn session(row: &Row) -> Result<Item, StoreError> {
    Ok(Item::Session(Box::new(row.record()?)))
}

/// A receipt of a session; those of users go with them.
fn receipt(cell: &Cell) -> Result<Option<Item>, StoreError> {
    let (operation, replay) = (OperationId::from_bytes(cell.key.key), replay_of(cell)?);
    Ok((replay.session != steps::NO_SESSION).then_some(Item::Receipt { operation, replay }))
}
