//! What two nodes were told while their roads to the store were cut and broke is told as if everything
//! had happened one after the other: histories are recorded and checked for linearisability, session by
//! session (Herlihy and Wing, 1990; the search is that of Wing and Gong, 1993).

mod search;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenure::clock::{Clock, SystemClock};
use tenure::random::{Random, SeededRandom};
use tenure::store::StoreError;
use tenure::{Actor, Changes, Error, Refusal, SessionId, Sessions, SignIn, Snapshot};

use crate::support::{Kind, Place, Road, answered, logout, soaked, user};
use search::{Did, Op, Told, is_linearisable};

/// Writes down what each operation did, and when.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Op>>>);

impl Recorder {
    /// Runs an operation. `Err(true)` is one that may have happened, `Err(false)` one that has not.
    async fn record(&self, did: Did, work: impl Future<Output = Result<Told, bool>>) -> Option<Told> {
        let began = SystemClock.running();
        let told = work.await;
        let ended = SystemClock.running();
        let op = match told {
            Ok(told) => Op { did, told: Some(told), began, ended },
            Err(true) if did != Did::Read => Op { did, told: None, began, ended: Duration::MAX },
            Err(_) => return None,
        };
        self.0.lock().unwrap().push(op);
        op.told
    }
}

/// Whether what failed may have happened.
fn in_doubt(error: &Error) -> bool {
    match error {
        Error::Store(StoreError::Unknown(_)) => true,
        Error::Store(StoreError::Unavailable(_)) => false,
        other => panic!("{other}"),
    }
}

async fn read(sessions: &Sessions, id: SessionId) -> Result<Told, bool> {
    let found = sessions.get(id).await.map_err(|error| in_doubt(&error))?.expect("it is kept after its end");
    if found.end_reason().is_some() {
        return Ok(Told::Ended);
    }
    Ok(Told::Value(number_in(&found)))
}

/// The value and its version.
fn number_in(session: &Snapshot) -> (u64, u64) {
    let read = |(text, version)| (std::str::from_utf8(text).unwrap().parse().unwrap(), version);
    session.value("n").map(read).unwrap_or_default()
}

/// Sets the value if it still has this version.
async fn set(sessions: &Sessions, id: SessionId, value: u64, expected: u64) -> Result<Told, bool> {
    let changes = Changes::default().set("n", value.into()).expect("n", expected);
    match sessions.change_of(id, Actor::system(), changes).await {
        // After a retry the session may have gone on already.
        Ok(session) => Ok(match number_in(&session) {
            (now, version) if now == value => Told::Set(Some(version)),
            _ => Told::Set(None),
        }),
        Err(Error::Refused(Refusal::Conflict { .. })) => Ok(Told::Conflict),
        Err(Error::Inactive(_)) => Ok(Told::Ended),
        Err(error) => Err(in_doubt(&error)),
    }
}

async fn end(sessions: &Sessions, id: SessionId) -> Result<Told, bool> {
    sessions.end(id, logout()).await.map(|_| Told::Ended).map_err(|error| in_doubt(&error))
}

/// One of those who change the same session at the same time.
async fn worker(sessions: Sessions, id: SessionId, recorder: Recorder, number: u64, rounds: u64) {
    let random = SeededRandom::new(number);
    let mut version = 0;
    for round in 0..rounds {
        let mut dice = [0; 2];
        random.fill(&mut dice);
        if dice[0] < 96 {
            if let Some(Told::Value((_, now))) = recorder.record(Did::Read, read(&sessions, id)).await {
                version = now;
            }
        } else {
            // No two set the same, so each value says who set it.
            let value = number * 1_000 + round + 1;
            let did = Did::Set { value, expected: version };
            recorder.record(did, set(&sessions, id, value, version)).await;
            // Sometimes the next one is tried on what was set just now, sometimes on what is old.
            version += u64::from(dice[1] % 2);
        }
    }
    if number == 1 {
        recorder.record(Did::End, end(&sessions, id)).await;
        recorder.record(Did::Read, read(&sessions, id)).await;
    }
}

async fn histories(kind: Kind) {
    let place = Place::of(kind);
    let roads = [Road::to(place.port()).await, Road::to(place.port()).await];
    let nodes = [place.node_by(roads[0].port).await, place.node_by(roads[1].port).await];
    let (mut doubtful, mut seen, least) = (0, 0, soaked(6, 200));
    // Until enough went wrong for it to mean something.
    for session in 0.. {
        if session >= least && seen > 150 && doubtful > 5 {
            break;
        }
        assert!(session < 10 * least, "{seen} operations, {doubtful} of them in doubt");
        let name = user(&format!("h{session}"));
        let begun = answered(async || nodes[0].sign_in(None, SignIn::password(name.clone())).await).await;
        let begun = begun.session.id();
        let recorder = Recorder::default();
        let workers: Vec<_> = (1..=4_u64)
            .map(|number| {
                let node = nodes[usize::from(number % 2 == 0)].clone();
                tokio::spawn(worker(node, begun, recorder.clone(), number, 16))
            })
            .collect();
        // Meanwhile the roads are cut for a moment, and break.
        let mut faults = 0;
        while workers.iter().any(|worker| !worker.is_finished()) {
            let road = &roads[faults % 2];
            if faults % 3 == 0 {
                road.cut();
                tokio::time::sleep(Duration::from_millis(20)).await;
                road.mend();
            } else {
                road.breaks();
            }
            faults += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for worker in workers {
            worker.await.unwrap();
        }
        let mut history = std::mem::take(&mut *recorder.0.lock().unwrap());
        history.sort_unstable_by_key(|op| op.began);
        doubtful += history.iter().filter(|op| op.told.is_none()).count();
        seen += history.len();
        assert!(is_linearisable(&history), "session {session} on {kind:?}: {}", shown(&history));
    }
}

/// A line for each operation, in microseconds since the first began.
fn shown(history: &[Op]) -> String {
    let first = history.first().map_or(Duration::ZERO, |op| op.began);
    let line = |op: &Op| {
        let ended = if op.told.is_some() { (op.ended - first).as_micros().to_string() } else { "?".into() };
        format!("\n{:>7} - {ended:>7}  {:?} -> {:?}", (op.began - first).as_micros(), op.did, op.told)
    };
    history.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_nodes_are_told_is_linearisable_on_postgres() {
    histories(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_nodes_are_told_is_linearisable_on_redis() {
    histories(Kind::Redis).await;
}
