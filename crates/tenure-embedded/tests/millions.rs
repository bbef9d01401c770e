//! Many sessions: a few thousand in the usual run, two million with `TENURE_SOAK=1`.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::{Place, begin, signed_in, user};
use tenure::SessionId;
use tenure::clock::{Clock, SystemClock};
use tenure::event::{EventKind, Position};
use tenure::store::conformance::{owner, sweep};
use tenure::store::{EventPage, Store};
use tenure_embedded::Embedded;

const IDLE: Duration = Duration::from_secs(1_800);

fn count() -> u64 {
    if std::env::var_os("TENURE_SOAK").is_some_and(|on| on == "1") { 1_000_000 } else { 2_000 }
}

/// Begins that many sessions, each of a user of its own.
async fn begin_many(store: &Arc<dyn Store>, whose: &'static str, count: u64) -> Vec<SessionId> {
    let (mut tasks, mut ids) = (tokio::task::JoinSet::new(), Vec::new());
    for n in 0..count {
        let store = Arc::clone(store);
        tasks.spawn(async move { begin(&*store, signed_in(&format!("{whose}-{n}"))).await.unwrap().id });
        if tasks.len() > 500 {
            ids.push(tasks.join_next().await.unwrap().unwrap());
        }
    }
    ids.extend(tasks.join_all().await);
    ids
}

/// Reads sessions in turn until told to stop, and says how many. Those in `ids` are alive.
async fn read_until(store: Arc<dyn Store>, ids: Arc<Vec<SessionId>>, stop: Arc<AtomicBool>) -> u64 {
    let mut reads = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = ids[usize::try_from(reads * 7_919).unwrap() % ids.len()];
        let record = store.load(id).await.unwrap().expect("it was acknowledged");
        assert!(record.ended().is_none(), "{id} is alive");
        reads += 1;
    }
    reads
}

/// How many ends the log tells.
async fn ends_told(store: &dyn Store) -> u64 {
    let (mut after, mut ends) = (None::<Position>, 0);
    loop {
        let EventPage::Events(page) = store.events(0, after, 10_000).await.unwrap() else {
            panic!("nothing was removed yet")
        };
        let Some(last) = page.last() else { return ends };
        after = Some(last.position);
        ends += page.iter().filter(|event| event.body.kind == EventKind::Ended).count() as u64;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_expire_in_small_steps_while_others_are_checked() {
    let place = Place::default();
    let store = place.open().await;
    let start = SystemClock.running();
    let expired = begin_many(&store, "gone", count()).await;
    place.clock.advance(IDLE - Duration::from_secs(60));
    let alive = Arc::new(begin_many(&store, "here", count()).await);
    eprintln!("{} sessions begun in {:?}", 2 * count(), SystemClock.running() - start);
    place.clock.advance(Duration::from_secs(60));

    let stop = Arc::new(AtomicBool::new(false));
    let reading = tokio::spawn(read_until(Arc::clone(&store), Arc::clone(&alive), Arc::clone(&stop)));
    let sweep = sweep(500);
    let (start, commits, ended) = (SystemClock.running(), place.commits(), AtomicU64::new(0));
    while {
        let swept = store.sweep(&sweep).await.unwrap();
        ended.fetch_add(swept.ended.len() as u64, Ordering::Relaxed);
        swept.more
    } {}
    let took = SystemClock.running() - start;
    stop.store(true, Ordering::Relaxed);
    let reads = reading.await.unwrap();
    eprintln!("{} ended in {took:?}, {reads} sessions read meanwhile", count());

    assert_eq!(ended.into_inner(), count());
    assert!(place.commits() - commits >= count() / 500, "in bounded steps");
    assert!(reads > count() / 500, "{reads} reads: readers wait for no sweep");
    assert_eq!(ends_told(&*store).await, count(), "each end is told once");
    for id in expired.iter().step_by(97) {
        assert!(store.load(*id).await.unwrap().unwrap().ended().is_some(), "{id}");
    }
    for n in (0..count()).step_by(97) {
        let of = |whose: &str| user(&format!("{whose}-{n}"));
        let list = async |whose| store.list(&owner(&of(whose))).await.unwrap().len();
        assert_eq!((list("here").await, list("gone").await), (1, 0), "user {n}");
    }
    store.close().await;
    drop(store);

    let start = SystemClock.running();
    let store = place.open().await;
    eprintln!("opened in {:?}", SystemClock.running() - start);
    assert!(store.load(alive[0]).await.unwrap().is_some());
    store.close().await;
    let report = Embedded::verify(place.store(), |_| {}).unwrap();
    assert!(report.is_clean(), "{:?}", report.problems);
    assert_eq!(report.sessions, 2 * count());
}
