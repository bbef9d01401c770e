//! Another server takes over, under load: every answer is right or an error, and nobody has to open
//! the store anew.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tenure::store::{Outcome, Store, StoreError};
use tenure::{SessionId, Sessions, SignIn};
use tenure_servers::{RedisCluster, RedisSentinel, Signal};

use support::{change, end, engine, open, operation, prefix, user};

/// How many errors in a row are no outage any more.
const TOO_MANY: u32 = 3_000;

/// How long to wait after one.
const PAUSE: Duration = Duration::from_millis(10);

/// Errors in a row: an outage comes to its end, and one that does not says what came back.
#[derive(Default)]
struct Outage(u32);

impl Outage {
    async fn met(&mut self, error: &StoreError) {
        outage(error);
        self.0 += 1;
        assert!(self.0 < TOO_MANY, "it does not end: {error}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// What was acknowledged under load.
#[derive(Default)]
struct Acknowledged {
    begun: Vec<SessionId>,
    ended: Vec<SessionId>,
}

/// Sessions that begin, change and mostly end, until it is told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicUsize>,
    workers: Vec<tokio::task::JoinHandle<Acknowledged>>,
}

impl Load {
    fn begin(sessions: &Sessions) -> Self {
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let workers = (0..8).map(|worker| {
            let (sessions, stop, rounds) = (sessions.clone(), Arc::clone(&stop), Arc::clone(&rounds));
            tokio::spawn(async move { work(worker, &sessions, &stop, &rounds).await })
        });
        Self { workers: workers.collect(), stop, rounds }
    }

    /// Waits until so much more was done.
    async fn goes_on(&self, rounds: usize) {
        let until = self.rounds.load(Ordering::Relaxed) + rounds;
        while self.rounds.load(Ordering::Relaxed) < until {
            assert!(
                self.workers.iter().all(|worker| !worker.is_finished()),
                "a worker said why it broke off"
            );
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn end(self) -> Acknowledged {
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

fn outage(error: &StoreError) {
    assert!(matches!(error, StoreError::Unavailable(_) | StoreError::Unknown(_)), "{error}");
}

async fn loaded(store: &Arc<dyn Store>, id: SessionId) -> Option<tenure::record::Record> {
    let mut errors = Outage::default();
    loop {
        match store.load(id).await {
            Ok(found) => return found,
            Err(error) => errors.met(&error).await,
        }
    }
}

/// How many of the acknowledged are not as they were: sessions gone, and ends undone.
async fn lost(sessions: &Sessions, acknowledged: &Acknowledged) -> (usize, usize) {
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

/// Waits until the sentinels name another primary, and gives its port.
fn another_than(servers: &RedisSentinel, port: u16) -> u16 {
    for _ in 0..TOO_MANY {
        let now = servers.primary().port();
        if now != port {
            return now;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("the sentinels name no other primary");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_confirmed_replication_no_end_is_lost_when_the_primary_is_killed() {
    let servers = RedisSentinel::start(1);
    let engine = engine(&servers.url(), "t").replicas(1).timeout(Duration::from_secs(1));
    let sessions = open(engine.partitions(8)).await;
    let load = Load::begin(&sessions);
    load.goes_on(200).await;
    let old = servers.primary();
    old.signal(Signal::Kill);
    another_than(&servers, old.port());
    // As a replica, it confirms again.
    old.start_again();
    load.goes_on(200).await;
    let acknowledged = load.end().await;
    let (_, undone) = lost(&sessions, &acknowledged).await;
    assert!(acknowledged.ended.len() > 200);
    assert_eq!(undone, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_stood_still_is_not_believed_when_another_took_over() {
    let servers = RedisSentinel::start(1);
    let sessions = open(engine(&servers.url(), "t").timeout(Duration::from_millis(500))).await;
    let id = sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap().session.id();
    let old = servers.primary();
    old.until("WAIT 1 1000", "1");
    let before = sessions.store().news(&[None; 32], 1).await.unwrap();
    old.signal(Signal::Stop);
    another_than(&servers, old.port());
    // Ended where the new primary is; the old one does not know.
    let mut errors = Outage::default();
    loop {
        match sessions.store().mutate(&operation(), id, end()).await {
            Ok(reply) => break assert_eq!(reply.outcome, Outcome::Applied),
            Err(error) => errors.met(&error).await,
        }
    }
    old.signal(Signal::Continue);
    for _ in 0..500 {
        match sessions.store().load(id).await {
            Ok(found) => assert!(found.unwrap().ended().is_some(), "the old primary was believed"),
            Err(error) => outage(&error),
        }
    }
    assert_ne!(sessions.store().news(&[None; 32], 1).await.unwrap().server, before.server);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_too_few_replicas_ending_is_an_error_also_when_it_is_tried_again() {
    let servers = RedisSentinel::start(1);
    let engine = engine(&servers.url(), "t").replicas(1).replica_timeout(Duration::from_millis(100));
    let sessions = open(engine).await;
    let id = sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap().session.id();
    let replica = servers.servers().iter().find(|one| one.port() != servers.primary().port()).unwrap();
    replica.signal(Signal::Stop);
    let first = operation();
    for _ in 0..3 {
        let error = sessions.store().mutate(&first, id, end()).await.unwrap_err();
        assert!(matches!(error, StoreError::Unknown(_)), "{error}");
    }
    assert!(!sessions.store().news(&[None; 32], 1).await.unwrap().confirmed);
    // What was confirmed is good for as long as the bound; then nobody knows whether this is the primary.
    let error = loop {
        match sessions.store().load(id).await {
            Ok(record) => assert!(record.unwrap().ended().is_some(), "it has ended where the primary is"),
            Err(error) => break error,
        }
        tokio::time::sleep(PAUSE).await;
    };
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let error = sessions.store().mutate(&operation(), id, change()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let realm = tenure::store::conformance::owner(&user("ann")).realm;
    let page = tenure::store::PageRequest { realm, after: None, limit: 10 };
    let error = sessions.store().page(&page).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let again = sessions.store().mutate(&first, id, end()).await.unwrap_err();
    assert!(matches!(again, StoreError::Unknown(_)), "ends are written where the primary is: {again}");
    replica.signal(Signal::Continue);
    let mut errors = Outage::default();
    loop {
        match sessions.store().mutate(&first, id, end()).await {
            Ok(reply) => break assert_eq!(reply.outcome, Outcome::Replayed),
            Err(error) => errors.met(&error).await,
        }
    }
    assert!(sessions.store().news(&[None; 32], 1).await.unwrap().confirmed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_servers_change_places_loses_nothing() {
    let servers = RedisCluster::shared();
    let sessions = open(engine(&servers.url(), &prefix()).partitions(12)).await;
    let load = Load::begin(&sessions);
    load.goes_on(100).await;
    for replica in servers.replicas() {
        servers.promote(replica);
        load.goes_on(50).await;
    }
    let acknowledged = load.end().await;
    assert_eq!(lost(&sessions, &acknowledged).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_primary_is_killed_goes_on() {
    let servers = RedisCluster::start();
    let engine = engine(&servers.url(), "t").partitions(12).replicas(1).timeout(Duration::from_secs(1));
    let sessions = open(engine).await;
    let load = Load::begin(&sessions);
    load.goes_on(100).await;
    let primaries = servers.primaries();
    let (old, others) = primaries.split_first().unwrap();
    old.signal(Signal::Kill);
    for other in others {
        other.until("CLUSTER NODES", "fail");
        other.until("CLUSTER INFO", "cluster_state:ok");
    }
    old.start_again();
    load.goes_on(300).await;
    let acknowledged = load.end().await;
    let (_, undone) = lost(&sessions, &acknowledged).await;
    assert_eq!(undone, 0);
}
