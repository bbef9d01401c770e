//! Moving out of the store in memory, and into it.

use std::ops::Bound;

use async_trait::async_trait;

use super::{Locked, MemoryStore};
use crate::id::{OperationId, SessionId};
use crate::store::movable::{Barrier, Export, Fence, Item, KnownUser, Movable, Part, Phase, RouteOf};
use crate::store::{RecentEnds, StoreError, steps};

#[async_trait]
impl Movable for MemoryStore {
    async fn export(&self, part: Part, after: Option<&[u8]>, limit: usize) -> Result<Export, StoreError> {
        let (inner, _) = self.read()?;
        let (items, last) = match part {
            Part::Sessions => {
                let after = after.and_then(|id| id.try_into().ok()).map(SessionId::from_bytes);
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let records =
                    inner.sessions.range((from, Bound::Unbounded)).take(limit).map(|(_, record)| record);
                let items: Vec<Item> =
                    records.map(|record| Item::Session(Box::new(record.clone()))).collect();
                let last = items.last().and_then(Item::of).map(|id| id.as_bytes().to_vec());
                (items, last)
            }
            // Few enough for the whole of it to be one page.
            Part::Users => {
                let known = inner.users.iter().map(|((realm, user), record)| {
                    let recent = inner.receipts.get(&RecentEnds::key(realm, user));
                    let recent_ends = recent.map(|(_, replay)| replay.receipt.clone()).unwrap_or_default();
                    let (realm, user, record) = (realm.clone(), user.clone(), record.clone());
                    Item::User(Box::new(KnownUser { realm, user, record, recent_ends }))
                });
                (known.collect(), None)
            }
            Part::Receipts => {
                let of_session =
                    inner.receipts.iter().filter(|(_, (_, replay))| replay.session != steps::NO_SESSION);
                let item = |(operation, (_, replay)): (&OperationId, &(_, super::Replay))| Item::Receipt {
                    operation: *operation,
                    replay: replay.clone(),
                };
                (of_session.map(item).collect(), None)
            }
        };
        let next = last.filter(|_| items.len() == limit);
        Ok(Export { items, next })
    }

    async fn import(&self, items: &[Item], _: &RouteOf<'_>) -> Result<u64, StoreError> {
        let (mut inner, now) = self.lock()?;
        steps::import(&mut Locked { inner: &mut inner, now }, items)
    }

    async fn fence(&self, fence: Fence) -> Result<Option<Barrier>, StoreError> {
        let (mut inner, now) = self.lock()?;
        let after = inner.barrier.after(fence, now);
        inner.barrier = after.unwrap_or(inner.barrier);
        Ok(after)
    }

    async fn barrier(&self) -> Result<Barrier, StoreError> {
        Ok(self.lock()?.0.barrier)
    }

    async fn phase(&self) -> Result<Phase, StoreError> {
        Ok(self.lock()?.0.phase.clone())
    }

    async fn change_phase(&self, from: &Phase, to: &Phase) -> Result<bool, StoreError> {
        let phase = &mut self.lock()?.0.phase;
        let changes = phase == from;
        if changes {
            phase.clone_from(to);
        }
        Ok(changes)
    }
}
