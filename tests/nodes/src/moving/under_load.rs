//! Sessions begin, change and end while they move.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tenure::store::StoreError;
use tenure::{Error, Key, SessionToken, Sessions};

use super::house::House;
use crate::support::{check, logout, user};

const COUNT: Key<u64> = Key::new("count");

/// What one worker was told.
#[derive(Default)]
struct Told {
    /// How far each session has counted; none once it has ended.
    sessions: BTreeMap<String, (SessionToken, Option<u64>)>,
    /// What was asked last without an answer that says what became of it.
    open: Option<String>,
}

/// Whether to try again: the store is frozen. Once it is shut, there is nothing more to do.
fn is_frozen(error: &Error) -> bool {
    match error {
        Error::Store(StoreError::Unavailable(_)) => true,
        Error::Store(StoreError::Blocked(_)) => false,
        other => panic!("{other}"),
    }
}

async fn until_done<T, F: Future<Output = Result<T, Error>>>(
    stop: &AtomicBool,
    work: impl Fn() -> F,
) -> Option<T> {
    while !stop.load(Ordering::Relaxed) {
        match work().await {
            Ok(done) => return Some(done),
            Err(error) if is_frozen(&error) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(_) => return None,
        }
    }
    None
}

/// Begins sessions, counts in them, and ends every third, until it is told to stop or the store is shut.
async fn work(worker: usize, sessions: Sessions, stop: Arc<AtomicBool>, done: Arc<AtomicUsize>) -> Told {
    let mut told = Told::default();
    for round in 0_u64.. {
        let name = format!("w{worker}-{round}");
        let new = || tenure::SignIn::password(user(&name));
        told.open = Some(name.clone());
        let Some(issued) = until_done(&stop, || sessions.sign_in(None, new())).await else {
            return told;
        };
        told.sessions.insert(name.clone(), (issued.token.clone(), Some(0)));
        for count in 1..=3 {
            let (sessions, token) = (&sessions, &issued.token);
            let step = || async move {
                let active = check(sessions, token).await?.into_active().expect("it is alive");
                sessions.update(&active, COUNT, |number| *number = count).await
            };
            if until_done(&stop, step).await.is_none() {
                return told;
            }
            told.sessions.insert(name.clone(), (issued.token.clone(), Some(count)));
        }
        if round % 3 == 0 {
            let who = user(&name);
            let end = || sessions.end_all_of(&who, None, logout());
            if until_done(&stop, end).await.is_none() {
                return told;
            }
            told.sessions.insert(name.clone(), (issued.token.clone(), None));
        }
        told.open = None;
        done.fetch_add(1, Ordering::Relaxed);
    }
    told
}

pub(super) async fn nothing_is_lost(from: House, to: House) {
    let old = from.sessions().await;
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    // Where nodes share the old store, half of them work elsewhere.
    let beside = if old.store().info().shared { from.sessions().await } else { old.clone() };
    let workers: Vec<_> = (0..6)
        .map(|worker| {
            let node = if worker % 2 == 0 { old.clone() } else { beside.clone() };
            tokio::spawn(work(worker, node, Arc::clone(&stop), Arc::clone(&done)))
        })
        .collect();
    while done.load(Ordering::Relaxed) < 60 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let house = old.move_to(to.engine(), "the other store").await.unwrap();
    house.run(|_| ()).await.unwrap();
    house.close().await;
    stop.store(true, Ordering::Relaxed);
    let mut told = Vec::new();
    for worker in workers {
        told.push(worker.await.unwrap());
    }
    beside.close().await.ok();
    old.close().await.ok();

    let new = to.sessions().await;
    let (mut alive, mut ended) = (0, 0);
    for told in told {
        for (name, (token, count)) in &told.sessions {
            let verdict = check(&new, token).await.unwrap();
            let is_open = told.open.as_ref() == Some(name);
            match (count, verdict.into_active().ok()) {
                (Some(count), Some(active)) => {
                    let found = COUNT.read(active.session()).unwrap().unwrap_or(0);
                    assert!(found == *count || is_open && found == count + 1, "{name}: {found}, not {count}");
                    alive += 1;
                }
                (None, None) => ended += 1,
                (Some(_), None) => assert!(is_open, "{name} was lost"),
                (None, Some(_)) => panic!("{name} came back"),
            }
        }
    }
    assert!(alive > 20 && ended > 10, "{alive} alive, {ended} ended");
    new.close().await.unwrap();
}
