//! Ending all sessions of a restored copy, before it is served.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use tenure::store::steps::{self, Tables};
use tenure::store::{Part, StoreError};
use tenure::{Actor, EndReason, Ending, SessionId};

use crate::keeper::Keeper;
use crate::place::{Class, Place, Want};
use crate::restore::Judged;
use crate::shared::SharedStore;
use crate::step::Step;

/// How many sessions are looked at in one step, and how many of one partition are ended in one.
const LOOKED_AT: usize = 512;
const AT_ONCE: usize = 64;

/// How many partitions are written in at once.
const BESIDE: usize = 16;

/// How often all sessions are looked at: what ends moves in some orders, so others may be passed over.
const ROUNDS: usize = 20;

impl<P: Place> SharedStore<P> {
    /// Carries out what the operator decided about an older copy, and keeps the mark from now on.
    ///
    /// # Errors
    /// As for every change; then not all sessions have ended, and the mark says so.
    pub async fn marked(mut self, judged: Judged) -> Result<Self, StoreError> {
        let Some((mark, path)) = judged.mark else { return Ok(self) };
        let keeper = self.keeper.insert(Keeper::new(mark, path));
        keeper.decide(judged.end_all).await;
        if judged.end_all {
            self.end_restored().await?;
            if let Some(keeper) = &self.keeper {
                keeper.decide(false).await;
            }
        }
        Ok(self)
    }

    async fn end_restored(&self) -> Result<(), StoreError> {
        for _ in 0..ROUNDS {
            if self.end_what_is_alive().await? == 0 {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable(
            "others begin sessions while all of a restored copy are to end: stop the other nodes".into(),
        ))
    }

    /// Ends what is alive, and gives how many it met.
    async fn end_what_is_alive(&self) -> Result<usize, StoreError> {
        let (mut after, mut met) = (None, 0);
        loop {
            let kept = self.place.export(Part::Sessions, after.as_deref(), LOOKED_AT).await?;
            let mut alive: BTreeMap<u16, Vec<SessionId>> = BTreeMap::new();
            for row in &kept.rows {
                if row.class == Class::Ended {
                    continue;
                }
                match row.record() {
                    Ok(_) => alive.entry(self.partition(row.id.route())).or_default().push(row.id),
                    // It cannot be checked either, so it is as good as ended.
                    Err(error) => tracing::error!(%error, "a restored session cannot be ended"),
                }
            }
            met += alive.values().map(Vec::len).sum::<usize>();
            let parts = alive.iter().flat_map(|(partition, ids)| {
                ids.chunks(AT_ONCE).map(|part| self.end_in(*partition, part.to_vec()))
            });
            let parts: Vec<_> = parts.collect();
            stream::iter(parts).buffer_unordered(BESIDE).try_collect::<()>().await?;
            match kept.next {
                Some(next) => after = Some(next),
                None => return Ok(met),
            }
        }
    }

    async fn end_in(&self, partition: u16, sessions: Vec<SessionId>) -> Result<(), StoreError> {
        let want = Want { partition, sessions: sessions.clone(), ..Want::default() };
        let step = Step { essential: true, ..Step::at(want) };
        self.step(step, None, |draft| {
            for id in &sessions {
                if let Some(record) = draft.session(*id)?.filter(|record| record.ended().is_none()) {
                    let ending = Ending::new(EndReason::Revoked, Actor::system());
                    steps::end(draft, record, ending.note("an older copy of the store was restored"))?;
                }
            }
            Ok(())
        })
        .await
    }
}
