//! Load on a store whose servers fail or change places: every answer is right or an error, and what was
//! acknowledged can be counted afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tenure::store::{Outcome, Store, StoreError};
use tenure::{SessionId, Sessions, SignIn};
use tenure_servers::Patience;

use super::{change, end, operation, user};

/// How many errors in a row are no outage any more.
pub(crate) const TOO_MANY: u32 = 3_000;

/// How long to wait after one.
pub(crate) const PAUSE: Duration = Duration::from_millis(10);

/// Errors in a row: an outage comes to its end, and one that does not says what came back.
#[derive(Default)]
pub(crate) struct Outage(u32);

impl Outage {
    pub(crate) async fn met(&mut self, error: &StoreError) {
        outage(error);
        self.0 += 1;
        assert!(self.0 < TOO_MANY, "it does not end: {error}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// What was acknowledged under load.
#[derive(Default)]
pub(crate) struct Acknowledged {
    pub(crate) begun: Vec<SessionId>,
    pub(crate) ended: Vec<SessionId>,
}

/// Sessions that begin, change and mostly end, until it is told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicUsize>,
    workers: Vec<tokio::task::JoinHandle<Acknowledged>>,
}

impl Load {
    pub(crate) fn begin(sessions: &Sessions) -> Self {
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let workers = (0..8).map(|worker| {
            let (sessions, stop, rounds) = (sessions.clone(), Arc::clone(&stop), Arc::clone(&rounds));
            tokio::spawn(async move { work(worker, &sessions, &stop, &rounds).await })
        });
        Self { workers: workers.collect(), stop, rounds }
    }

    /// Waits until so much more was done.
    pub(crate) async fn goes_on(&self, rounds: usize) {
        let until = self.rounds.load(Ordering::Relaxed) + rounds;
        let mut patience = Patience::default();
        while self.rounds.load(Ordering::Relaxed) < until {
            assert!(
                self.workers.iter().all(|worker| !worker.is_finished()),
                "a worker said why it broke off"
            );
            tokio::time::sleep(patience.pause(self.rounds.load(Ordering::Relaxed))).await;
        }
    }

    pub(crate) async fn end(self) -> Acknowledged {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Acknowledged::default();
        for worker in self.workers {
            let Acknowledged { begun, ended } = worker.await.unwrap();
            all.begun.extend(begun);
            all.ended.extend(ended);
        }
        all
    }
}

async fn work(worker: usize, sessions: &Sessions, stop: &AtomicBool, rounds: &AtomicUsize) -> Acknowledged {
    let (mut acknowledged, mut errors) = (Acknowledged::default(), Outage::default());
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("u{worker}_{round}");
        let begun = match sessions.sign_in(None, SignIn::password(user(&name))).await {
            Ok(begun) => begun,
            Err(tenure::Error::Store(error)) => {
                errors.met(&error).await;
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let id = begun.session.id();
        let store = sessions.store();
        // What was acknowledged may be lost, and is then missing; never is it something else.
        match store.mutate(&operation(), id, change()).await {
            Ok(reply) => assert!(reply.outcome == Outcome::Applied || reply.record.is_none(), "{reply:?}"),
            Err(error) => errors.met(&error).await,
        }
        if round % 4 == 0 {
            acknowledged.begun.push(id);
        } else {
            match store.mutate(&operation(), id, end()).await {
                Ok(reply) if reply.outcome == Outcome::Applied => {
                    acknowledged.ended.push(id);
                    match store.load(id).await {
                        Ok(found) => {
                            assert!(found.is_none_or(|record| record.ended().is_some()), "{id} came back")
                        }
                        Err(error) => errors.met(&error).await,
                    }
                }
                Ok(reply) => assert!(reply.record.is_none(), "{reply:?}"),
                Err(error) => {
                    errors.met(&error).await;
                    continue;
                }
            }
        }
        errors = Outage::default();
        rounds.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}

pub(crate) fn outage(error: &StoreError) {
    assert!(matches!(error, StoreError::Unavailable(_) | StoreError::Unknown(_)), "{error}");
}

/// What is answered when an outage is over.
pub(crate) async fn answered<T>(mut ask: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    let mut errors = Outage::default();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => errors.met(&error).await,
        }
    }
}

pub(crate) async fn loaded(store: &Arc<dyn Store>, id: SessionId) -> Option<tenure::record::Record> {
    answered(async || store.load(id).await).await
}

/// How many of the acknowledged are not as they were: sessions gone, and ends undone.
pub(crate) async fn lost(sessions: &Sessions, acknowledged: &Acknowledged) -> (usize, usize) {
    let (mut gone, mut undone) = (0, 0);
    for id in &acknowledged.begun {
        gone += usize::from(loaded(sessions.store(), *id).await.is_none());
    }
    for id in &acknowledged.ended {
        undone +=
            usize::from(loaded(sessions.store(), *id).await.is_some_and(|record| record.ended().is_none()));
    }
    (gone, undone)
}
