//! The call that compares and writes all that a step may want.

use tenure::clock::Timestamp;
use tenure::store::StoreError;
use tenure_shared::{MAX_DELAY_MS, Touched, Write, Wrote};

use crate::changes::Change;
use crate::columns::Columns;
use crate::error::{Sent, wrote};
use crate::place::PostgresPlace;
use crate::types::{Id, big, get, millis};

/// How many sessions are touched in one transaction.
const TOUCHED_AT_ONCE: usize = 500;

impl PostgresPlace {
    pub(crate) async fn write_once(&self, write: &Write) -> Result<Wrote, StoreError> {
        let wrote = match Change::of(write) {
            Some(change) => self.changes.make(change).await?,
            None => self.write_all(write).await?,
        };
        if wrote == Wrote::Done && !write.events.is_empty() {
            self.listener.tell();
        }
        Ok(wrote)
    }

    async fn write_all(&self, write: &Write) -> Result<Wrote, StoreError> {
        let partition = i32::from(write.partition);
        let holder = write.holder.map(u64::cast_signed);
        let max_guests = write.max_guests.map(big);
        let (seen_ids, seen_revisions, seen_at): (Vec<_>, Vec<_>, Vec<_>) =
            three(write.seen.iter().map(|s| (Id::from(s.id), big(s.revision), s.seen.map(millis))));
        let owner = write.of_owner.as_ref().map(|(owner, _)| Id(*owner));
        let owned = write.of_owner.iter().flat_map(|(_, rows)| rows);
        let (owner_ids, owner_revisions): (Vec<Id>, Vec<i64>) =
            owned.map(|(id, revision)| (Id::from(*id), big(*revision))).unzip();
        let (cell_kinds, cell_keys, cell_versions) = three(
            write.cells_seen.iter().map(|(key, version)| (key.kind as i16, Id(key.key), big(*version))),
        );
        let put = Columns::of(&write.put);
        let (later_ids, later_due): (Vec<Id>, Vec<i64>) =
            write.reschedule.iter().map(|(id, due)| (Id::from(*id), millis(*due))).unzip();
        let gone: Vec<Id> = write.remove.iter().map(|id| Id::from(*id)).collect();
        let (new_kinds, new_keys, new_versions) = three(
            write.put_cells.iter().map(|cell| (cell.key.kind as i16, Id(cell.key.key), big(cell.version))),
        );
        let (new_at, new_bodies): (Vec<i64>, Vec<&[u8]>) =
            write.put_cells.iter().map(|cell| (millis(cell.at), &cell.body[..])).unzip();
        let events: Vec<&[u8]> = write.events.iter().map(|event| &event[..]).collect();
        let row = self
            .pool
            .query_one(
                Sent::Write,
                &self.sql.write,
                &[
                    &partition,
                    &millis(write.now),
                    &write.now_is_the_time,
                    &big(MAX_DELAY_MS),
                    &holder,
                    &write.guests,
                    &max_guests,
                    &seen_ids,
                    &seen_revisions,
                    &seen_at,
                    &owner,
                    &owner_ids,
                    &owner_revisions,
                    &cell_kinds,
                    &cell_keys,
                    &cell_versions,
                    &put.ids,
                    &put.classes,
                    &put.realms,
                    &put.owners,
                    &put.due,
                    &put.seen,
                    &put.idle,
                    &put.deadlines,
                    &put.revisions,
                    &put.bodies,
                    &later_ids,
                    &later_due,
                    &gone,
                    &new_kinds,
                    &new_keys,
                    &new_versions,
                    &new_at,
                    &new_bodies,
                    &events,
                ],
            )
            .await?;
        wrote(get(&row, 0)?)
    }

    pub(crate) async fn touch_all(
        &self,
        touches: &[Touched],
        now: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let mut touches = touches.to_vec();
        // In the order in which everybody locks rows. The sort keeps the order of each session's.
        touches.sort_by_key(|touch| (touch.partition, touch.id));
        let now = now.map(millis);
        for part in touches.chunks(TOUCHED_AT_ONCE) {
            let (ids, moments): (Vec<Id>, Vec<i64>) =
                part.iter().map(|touch| (Id::from(touch.id), millis(touch.at))).unzip();
            // Activity that is written twice is the same.
            let row = self.pool.query_one(Sent::Again, &self.sql.touch, &[&ids, &moments, &now]).await?;
            wrote(get(&row, 0)?)?;
        }
        Ok(())
    }
}

fn three<A, B, C>(from: impl Iterator<Item = (A, B, C)>) -> (Vec<A>, Vec<B>, Vec<C>) {
    let (mut first, mut second, mut third) = (Vec::new(), Vec::new(), Vec::new());
    for (a, b, c) in from {
        first.push(a);
        second.push(b);
        third.push(c);
    }
    (first, second, third)
}
