//! Following the log of a store that several nodes share, so that memory never lies for longer than
//! the bound.
//!
//! The log is asked for what is new; what the answer does not tell had not been acknowledged when the
//! question was sent. So when all of it is applied, memory may answer until the bound has passed since
//! then, and not a moment longer: a node that is cut off, or stood still, asks the store instead.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;

use super::core::Core;
use crate::error::Error;
use crate::event::{Event, EventKind, Position};
use crate::id::SessionId;
use crate::reason::Ending;
use crate::store::{Mutation, News, StoreError};

/// How many events one question asks for.
const EVENTS: usize = 5_000;

/// Into how many questions the bound is divided when nothing wakes the follower.
const QUESTIONS: u32 = 8;

/// The shortest time between two questions.
const APART: Duration = Duration::from_millis(5);

/// How long after a change with an unknown outcome the log tells what became of it: no server works on it
/// any more.
const RESOLVED: Duration = Duration::from_secs(10);

/// How many ends are written again at once.
const AT_ONCE: usize = 16;

/// Where a follower is in the logs of all partitions.
pub(super) struct Follower {
    after: Vec<Option<Position>>,
    server: Option<u64>,
}

impl Follower {
    pub(super) fn new(partitions: u16) -> Self {
        Self { after: vec![None; usize::from(partitions)], server: None }
    }
}

impl Core {
    /// Follows the log for as long as somebody holds these sessions.
    pub(super) fn follow_in_background(self: &Arc<Self>) {
        if !self.freshness.is_shared() {
            return;
        }
        let core = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut told = false;
            loop {
                let Some(core) = core.upgrade().filter(|core| !core.closed.load(Ordering::Relaxed)) else {
                    return;
                };
                match core.follow().await {
                    Ok(()) if told => {
                        tracing::info!("in touch with the store again");
                        told = false;
                    }
                    Err(error) if !told => {
                        tracing::warn!(%error, "out of touch with the store: checks ask it, memory does not answer");
                        told = true;
                    }
                    _ => {}
                }
                let pause = core.bound / QUESTIONS;
                let store = Arc::clone(&core.store);
                drop(core);
                tokio::time::sleep(APART).await;
                tokio::time::timeout(pause, store.woken()).await.ok();
            }
        });
    }

    /// Reads the log to its end and does what it says.
    pub(super) async fn follow(self: &Arc<Self>) -> Result<(), Error> {
        if !self.freshness.is_shared() {
            return Ok(());
        }
        let mut follower = self.follower.lock().await;
        loop {
            let sent = self.clock.running();
            let asking = self.store.news(&follower.after, EVENTS);
            let answer = tokio::time::timeout(self.bound, asking).await;
            let slow = |_| StoreError::Unavailable("no news within the bound".into());
            let news = answer.map_err(slow)??;
            self.clock.follow(news.now, self.clock.running());
            let is_end = news.tails.iter().all(|tail| tail.is_end);
            self.apply(&mut follower, news, sent).await?;
            if is_end {
                self.cache.resolve(sent.saturating_sub(RESOLVED));
                return Ok(());
            }
        }
    }

    async fn apply(
        self: &Arc<Self>,
        follower: &mut Follower,
        news: News,
        sent: Duration,
    ) -> Result<(), Error> {
        let other_server = follower.server.is_some_and(|server| server != news.server);
        if other_server || news.tails.iter().any(|tail| tail.gap) {
            self.freshness.lose(self.clock.running());
            self.forget_all();
        }
        if other_server {
            tracing::warn!(
                "the store is another server, or has another history: recent ends are written again"
            );
            self.end_again().await?;
        }
        follower.server = Some(news.server);
        let mut behind = vec![false; follower.after.len()];
        for tail in news.tails {
            let Some(after) = follower.after.get_mut(usize::from(tail.partition)) else { continue };
            tail.events.iter().for_each(|event| self.hear(event));
            *after = Some(tail.next);
            behind[usize::from(tail.partition)] = !tail.is_end;
        }
        if news.confirmed {
            let until = sent + self.bound;
            let in_touch = (0..).zip(&behind).filter(|(_, behind)| !**behind);
            in_touch.for_each(|(partition, _)| self.freshness.renew(partition, until));
            if !behind.contains(&true) {
                self.freshness.all_renewed(sent, until, self.clock.running());
            }
        }
        Ok(())
    }

    /// What another node, or this one, did.
    fn hear(&self, event: &Event) {
        let Some(id) = event.body.session else { return };
        self.cache.evict_older(&id, event.body.revision);
        if event.body.kind == EventKind::Ended {
            if let Some(reason) = event.body.reason {
                let (actor, note) = (event.body.actor.clone(), event.body.note.clone());
                self.remember_end(id, Ending { reason, actor, note });
            }
            self.watchers.wake(&id);
        }
    }

    /// Writes an end that was told before, unless it is there.
    pub(super) async fn end_as_before(&self, id: SessionId, ending: Ending) -> Result<(), Error> {
        let operation = self.operation(ending.actor.clone());
        let end = Mutation::End { ending, next: None };
        self.repeated(|| self.store.mutate(&operation, id, end.clone())).await?;
        self.cache.evict(&id);
        Ok(())
    }

    /// Writes the ends of the last while again, where they are gone: a server that took over may not
    /// have heard of what its predecessor acknowledged.
    async fn end_again(self: &Arc<Self>) -> Result<(), Error> {
        let recent = self.ends.recent(self.clock.running());
        let mut under_way = JoinSet::new();
        for (id, ending) in recent {
            if under_way.len() >= AT_ONCE {
                joined(under_way.join_next().await)?;
            }
            let core = Arc::clone(self);
            under_way.spawn(async move { core.end_as_before(id, ending).await });
        }
        while !under_way.is_empty() {
            joined(under_way.join_next().await)?;
        }
        Ok(())
    }
}

fn joined(done: Option<Result<Result<(), Error>, tokio::task::JoinError>>) -> Result<(), Error> {
    done.map_or(Ok(()), |done| done.unwrap_or(Err(Error::Bug("an end broke off; see the log for the panic"))))
}
