//! Housekeeping, which several nodes may do at once.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tenure::clock::Timestamp;
use tenure::store::{StoreError, Sweep, Swept, rules, steps};
use tenure::{Actor, Ending, SessionId};

use crate::draft::Draft;
use crate::place::{Place, Prune, Want, Write, Wrote};
use crate::shared::SharedStore;

/// How many partitions are written to at once.
const AT_ONCE: usize = 8;

/// When a session that cannot be read is looked at again.
const LATER: Duration = Duration::from_secs(3_600);

impl<P: Place> SharedStore<P> {
    /// One bounded step of housekeeping. What another node or a change came first with is left to the
    /// next one.
    pub(crate) async fn sweep_once(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        // Not what is only due later, or there would always be more.
        let until = sweep.as_of.min(self.clock.now());
        self.must_not_be_shut()?;
        let rows = self.place.due(until, sweep.limit).await?;
        let (full, mut written) = (rows.len() == sweep.limit, false);
        let mut swept = Swept::default();
        let mut partitions: BTreeMap<u16, Vec<SessionId>> = BTreeMap::new();
        for row in rows {
            partitions.entry(self.partition(row.id.route())).or_default().push(row.id);
        }
        let each = partitions.into_iter().map(|(partition, ids)| self.sweep_rows(partition, ids, sweep));
        let mut done = stream::iter(each).buffer_unordered(AT_ONCE);
        while let Some(part) = done.next().await {
            let Some((ended, removed)) = part? else { continue };
            written = true;
            swept.ended.extend(ended);
            swept.removed += removed;
        }
        // To look again at once at what could not be written would be in vain.
        swept.more = full && written;
        let now = self.clock.now();
        let before = |keep_ms: u64| Timestamp::from_millis(now.as_millis().saturating_sub(keep_ms));
        let (pruned, more) = self
            .place
            .prune(&Prune {
                receipts_until: before(sweep.keep_receipts_ms),
                events_until: before(sweep.keep_events_ms),
                max_events: sweep.max_events,
                limit: sweep.limit,
            })
            .await?;
        swept.removed += pruned;
        swept.more |= more;
        Ok(swept)
    }

    /// Looks at sessions of one partition, by the time of the place: that of this process may be ahead of
    /// it. Gives the ends it wrote and how many it removed, if it wrote anything.
    async fn sweep_rows(
        &self,
        partition: u16,
        sessions: Vec<SessionId>,
        sweep: &Sweep,
    ) -> Result<Option<(Vec<SessionId>, u64)>, StoreError> {
        let want = Want { partition, sessions, essential: true, ..Want::default() };
        let view = self.place.view(&want).await?;
        let now = self.time(&view)?;
        let judged = sweep.as_of.min(now);
        let mut draft = Draft::over(&view, &want, now);
        let (mut ended, mut removed) = (Vec::new(), 0);
        for row in &view.sessions {
            let record = match row.record() {
                Ok(record) => record,
                Err(error) => {
                    tracing::error!(%error, "housekeeping leaves a session alone");
                    draft.reschedule(row, now.plus(LATER));
                    continue;
                }
            };
            match (record.ended().map(|ended| ended.at), record.dead(judged)) {
                (Some(at), _) => {
                    let until = rules::kept_until(&record, at, sweep.keep_ended_ms);
                    if now < until {
                        draft.reschedule(row, until);
                    } else {
                        draft.remove(row);
                        removed += 1;
                    }
                }
                (None, Some(reason)) => {
                    ended.push(row.id);
                    steps::end(&mut draft, record, Ending::new(reason, Actor::system()))?;
                }
                (None, None) if row.due != record.due_at() => draft.reschedule(row, record.due_at()),
                (None, None) => {}
            }
        }
        let Ok(Some(write)) = draft.finish() else { return Ok(None) };
        let write = Write { essential: true, now_is_the_time: self.own_time, ..write };
        match self.put(&write).await? {
            Wrote::Done => Ok(Some((ended, removed))),
            _ => Ok(None),
        }
    }
}
