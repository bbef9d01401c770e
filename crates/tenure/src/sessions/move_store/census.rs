//! What there is in a store, in a few numbers.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Moved;
use super::pass::{Lease, PAGE, patiently};
use crate::store::{Item, Movable, Part, StoreError};

/// How many there are, and a sum that does not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    pub(super) sessions: u64,
    pub(super) users: u64,
    sum: u64,
}

impl Census {
    /// Of these. Ended sessions and receipts do not count: each store forgets them by itself.
    pub(super) fn of_items(items: &[Item]) -> Self {
        let mut census = Self::default();
        for item in items {
            let mut sum = Sha256::new();
            match item {
                Item::Session(record) if record.ended().is_none() => {
                    census.sessions += 1;
                    sum.update(record.encode());
                }
                Item::User(known) => {
                    census.users += 1;
                    for name in [known.realm.as_str(), known.user.as_str()] {
                        sum.update((name.len() as u64).to_be_bytes());
                        sum.update(name);
                    }
                    sum.update(known.record.epoch.to_be_bytes());
                    sum.update(known.record.disabled_at.map_or(0, |at| at.as_millis()).to_be_bytes());
                }
                Item::Session(_) | Item::Receipt { .. } => continue,
            }
            let mut first = [0; 8];
            first.copy_from_slice(&sum.finalize()[..8]);
            census.sum = census.sum.wrapping_add(u64::from_be_bytes(first));
        }
        census
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.users += other.users;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// Of a whole store.
    pub(super) async fn of(store: &dyn Movable) -> Result<Self, StoreError> {
        // It is only stopped by who keeps another frozen.
        Ok(Self::count(store, None).await?.unwrap_or_default())
    }

    /// Of a whole store while another is kept frozen. None if that one thawed.
    pub(super) async fn of_while(
        store: &dyn Movable,
        lease: &mut Lease<'_>,
    ) -> Result<Option<Self>, StoreError> {
        Self::count(store, Some(lease)).await
    }

    async fn count(
        store: &dyn Movable,
        mut lease: Option<&mut Lease<'_>>,
    ) -> Result<Option<Self>, StoreError> {
        let mut census = Self::default();
        for part in [Part::Sessions, Part::Users] {
            let mut after: Option<Vec<u8>> = None;
            loop {
                let page = patiently(|| store.export(part, after.as_deref(), PAGE)).await?;
                census.add(&Self::of_items(&page.items));
                if let Some(lease) = &mut lease
                    && !lease.holds().await?
                {
                    return Ok(None);
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(Some(census))
    }

    /// Whether there is nothing in a store.
    pub(super) async fn is_empty(store: &dyn Movable) -> Result<bool, StoreError> {
        for part in Part::ALL {
            let mut after: Option<Vec<u8>> = None;
            loop {
                let page = store.export(part, after.as_deref(), 1).await?;
                if !page.items.is_empty() {
                    return Ok(false);
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(true)
    }

    pub(super) fn moved(&self, frozen: Duration, took: Duration) -> Moved {
        Moved { sessions: self.sessions, users: self.users, checksum: self.sum, frozen, took }
    }
}
