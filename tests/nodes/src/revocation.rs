//! How soon a node knows what another has ended.

use std::io::Write;
use std::time::Duration;

use tenure::clock::{Clock, SystemClock};
use tokio::sync::oneshot;

use crate::support::{Kind, Place, check, logout, sign_in, soaked, user};

/// The bound that the documentation states.
const BOUND: Duration = Duration::from_secs(1);

/// One revocation: from its acknowledgement to the start of the last check that was wrongly accepted.
async fn delay(here: &tenure::Sessions, there: &tenure::Sessions, round: usize) -> Duration {
    let name = format!("user-{round}");
    let token = sign_in(here, &name).await;
    assert_eq!(check(there, &token).await.unwrap().as_str(), "ok");
    let (asked, hammer) = (there.clone(), token.clone());
    let (hammers, begun) = oneshot::channel();
    let hammering = tokio::spawn(async move {
        let (mut last, mut hammers) = (Duration::ZERO, Some(hammers));
        loop {
            let began = SystemClock.running();
            match check(&asked, &hammer).await.unwrap().as_str() {
                "ok" => last = began,
                _ => return last,
            }
            if let Some(hammers) = hammers.take() {
                hammers.send(()).unwrap();
            }
            tokio::task::yield_now().await;
        }
    });
    // Not before checks are under way, or the last of them was none.
    begun.await.unwrap();
    here.end_all_of(&user(&name), None, logout()).await.unwrap();
    let acknowledged = SystemClock.running();
    hammering.await.unwrap().saturating_sub(acknowledged)
}

/// The delays of many revocations, and beside them how long the engine takes to answer a question.
async fn delays(kind: Kind) {
    let place = Place::of(kind);
    let (here, there) = (place.node().await, place.node().await);
    let rounds = soaked(40, 1_000);
    let (mut delays, mut trips) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        delays.push(delay(&here, &there, round).await);
        let began = SystemClock.running();
        here.ready().await.unwrap();
        trips.push(SystemClock.running() - began);
    }
    delays.sort();
    trips.sort();
    let at = |of: &[Duration], percent: usize| of[(of.len() - 1) * percent / 100];
    let figures = format!(
        "{kind:?}, {rounds} revocations: p50 {:?}, p99 {:?}, max {:?}; a question to the engine p50 {:?}, p99 {:?}\n",
        at(&delays, 50),
        at(&delays, 99),
        at(&delays, 100),
        at(&trips, 50),
        at(&trips, 99)
    );
    // Not by a macro: what those print is kept back where the test passes.
    std::io::stderr().write_all(figures.as_bytes()).unwrap();
    assert!(at(&delays, 100) <= BOUND, "{:?} after it was acknowledged", at(&delays, 100));
    here.close().await.unwrap();
    there.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_what_one_node_has_ended_another_refuses_within_the_bound_on_postgres() {
    delays(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_what_one_node_has_ended_another_refuses_within_the_bound_on_redis() {
    delays(Kind::Redis).await;
}
