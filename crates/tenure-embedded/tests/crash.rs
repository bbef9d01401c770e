//! A process that is killed at any moment has lost nothing that it acknowledged.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::{Place, begin, end, events, operation, put, session, signed_in, user};
use tenure::event::EventKind;
use tenure::random::{Random, SystemRandom};
use tenure::record::{Claim, Grace, NewSession, NewState, Record, State, Successor};
use tenure::store::conformance::{admission, claim, owner, revoked, sealed, sweep};
use tenure::store::{Mutation, Operation, Outcome, Store};
use tenure::{Actor, EndReason, Ending, SecretHash};
use tenure::{OperationId, SessionId, UserId};
use tenure_embedded::Embedded;

const FOLDER: &str = "TENURE_TEST_CRASH_FOLDER";
/// How many tasks of each kind live in the process that is killed.
const TASKS: usize = 2;

/// A process that is being started holds, for a moment, the files that are open here, and with
/// them the lock on a store. So one test starts processes at a time.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn random() -> u64 {
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes);
    u64::from_be_bytes(bytes)
}

/// Says something in one piece, past the capture of the test harness.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let said = out.write_all(format!("ack {line}\n").as_bytes()).and_then(|()| out.flush());
    // The parent may have heard enough.
    if said.is_err() {
        std::process::exit(0);
    }
}

/// The process that is killed. Each task owns its sessions and says what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let engine = Embedded::at(folder.join("store")).config_dir(folder.join("config"));
    let place = Place::default();
    let store = place.try_open(engine).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(users_come_and_go(Arc::clone(&store), format!("user-{task}")));
        tasks.spawn(guests_sign_in(Arc::clone(&store), format!("user-{task}")));
        tasks.spawn(users_are_disabled(Arc::clone(&store)));
    }
    tasks.spawn(idle_sessions_are_swept(store, place));
    tasks.join_all().await;
}

async fn users_come_and_go(store: Arc<dyn Store>, name: String) {
    loop {
        let id = begun(&*store, signed_in(&name)).await;
        let mut generation = 1;
        for n in 1..=random() % 8 {
            put(&*store, id, "n", &n.to_be_bytes()).await.unwrap();
            say(&format!("put {id} {n}"));
            if random().is_multiple_of(3) {
                generation += 1;
                let hash = SecretHash::from_bytes([u8::try_from(generation).unwrap(); 32]);
                let successor = Successor { hash, sealed: vec![5; 60] };
                let prepare =
                    Mutation::Prepare { generation: generation - 1, successor, grace: Grace { ms: 0 } };
                apply(&*store, id, prepare).await;
                say(&format!("prepared {id} {generation}"));
                if random().is_multiple_of(2) {
                    break;
                }
                apply(&*store, id, Mutation::Confirm { generation }).await;
                say(&format!("rotated {id} {generation}"));
            }
        }
        if random().is_multiple_of(2) {
            end(&*store, id).await.unwrap();
            say(&format!("ended {id} 0"));
        }
    }
}

/// The three steps of a guest's sign-in.
async fn guests_sign_in(store: Arc<dyn Store>, name: String) {
    loop {
        let id = begun(&*store, session(NewState::Guest, 0)).await;
        let n = random() % 1_000;
        put(&*store, id, "n", &n.to_be_bytes()).await.unwrap();
        say(&format!("put {id} {n}"));
        let attempt = OperationId::random(&SystemRandom);
        let target = NewSession { previous: Some(id), ..fresh(signed_in(&name)) };
        let next = target.id;
        let wanted = Claim { attempt, target, carry: None, admission: admission(), receipt: None };
        apply(&*store, id, claim(&wanted, 1)).await;
        say(&format!("claimed {id} 0"));
        let data = BTreeMap::from([("n".to_owned(), sealed(&n.to_be_bytes()).into())]);
        let moved = NewSession { data, ..wanted.target };
        let operation = Operation { id: attempt, ..operation() };
        let reply = store.create(&operation, moved, &admission()).await.unwrap();
        assert_eq!(reply.outcome, Outcome::Applied);
        say(&format!("put {next} {n}"));
        let ending = Ending::new(EndReason::SignedIn, Actor::system());
        apply(&*store, id, Mutation::End { ending, next: Some(next) }).await;
        say(&format!("ended {id} 0"));
        // Each user has room for a hundred.
        end(&*store, next).await.unwrap();
        say(&format!("ended {next} 0"));
    }
}

async fn users_are_disabled(store: Arc<dyn Store>) {
    loop {
        let name = format!("user-{}", random());
        for _ in 0..1 + random() % 3 {
            begun(&*store, signed_in(&name)).await;
        }
        let ended = match random() % 2 {
            0 => store.set_disabled(&operation(), &owner(&user(&name)), true).await.unwrap(),
            _ => store.end_all_of(&operation(), &owner(&user(&name)), None, revoked()).await.unwrap(),
        };
        let is_disabled = store.user(&owner(&user(&name))).await.unwrap().disabled_at.is_some();
        if is_disabled {
            say(&format!("disabled {name} 0"));
        }
        ended.ids.iter().for_each(|id| say(&format!("ended {id} 0")));
    }
}

async fn idle_sessions_are_swept(store: Arc<dyn Store>, place: Place) {
    loop {
        for _ in 0..random() % 4 {
            begun(&*store, NewSession { idle_ms: 1, ..signed_in("idle") }).await;
        }
        place.clock.advance(Duration::from_millis(2));
        let swept = store.sweep(&sweep(500)).await.unwrap();
        swept.ended.iter().for_each(|id| say(&format!("ended {id} 0")));
    }
}

async fn begun(store: &dyn Store, new: NewSession) -> SessionId {
    let id = begin(store, fresh(new)).await.unwrap().id;
    say(&format!("begun {id} 0"));
    id
}

/// With an id that no process before had.
fn fresh(new: NewSession) -> NewSession {
    let mut id = *new.id.as_bytes();
    id[8..].copy_from_slice(&random().to_be_bytes());
    NewSession { id: SessionId::from_bytes(id), ..new }
}

async fn apply(store: &dyn Store, id: SessionId, mutation: Mutation) {
    let reply = store.mutate(&operation(), id, mutation).await.unwrap();
    assert_eq!(reply.outcome, Outcome::Applied);
}

/// What was acknowledged.
#[derive(Default)]
struct Known {
    sessions: BTreeMap<SessionId, Session>,
    disabled: BTreeSet<UserId>,
}

/// What was acknowledged of a session.
#[derive(Default)]
struct Session {
    number: u64,
    /// The token that was prepared at least.
    prepared: u32,
    /// The token that was in use at least.
    generation: u32,
    claimed: bool,
    ended: bool,
}

impl Known {
    /// Notes `WORD NAME NUMBER`.
    fn note(&mut self, words: &str) {
        let words: Vec<&str> = words.split(' ').collect();
        let [word, name, number] = words[..] else { panic!("{words:?}") };
        if word == "disabled" {
            self.disabled.insert(user(name));
            return;
        }
        let session = self.sessions.entry(name.parse().unwrap()).or_default();
        match word {
            "begun" => {}
            "put" => session.number = number.parse().unwrap(),
            "prepared" => session.prepared = number.parse().unwrap(),
            "rotated" => session.generation = number.parse().unwrap(),
            "claimed" => session.claimed = true,
            "ended" => session.ended = true,
            other => panic!("{other}"),
        }
    }
}

/// Starts the child.
fn start(folder: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Starts the child and kills it while it opens the store, sooner or later.
fn kill_while_opening(folder: &Path) {
    let (mut child, mut out) = start(folder);
    let mut line = String::new();
    while !line.contains("running 1 test") {
        out.read_line(&mut line).unwrap();
    }
    for n in 0..random() % 3_000_000 {
        std::hint::black_box(n);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Starts the child, kills it after so many acknowledgements, and notes all it said.
fn run_and_kill(folder: &Path, after: u64, known: &mut Known) -> u64 {
    let (mut child, mut out) = start(folder);
    let mut said = String::new();
    let mut heard = 0;
    while heard < after && out.read_line(&mut said).unwrap() > 0 {
        heard += u64::from(said.rsplit('\n').nth(1).is_some_and(|line| line.contains("ack ")));
    }
    // SIGKILL. What is in the pipe was acknowledged before.
    child.kill().unwrap();
    child.wait().unwrap();
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).unwrap();
    said.push_str(std::str::from_utf8(&rest).unwrap());
    let whole_lines = said.rfind('\n').map_or("", |end| &said[..end]);
    for line in whole_lines.lines() {
        if let Some((_, words)) = line.split_once("ack ") {
            known.note(words);
        }
    }
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_ended_is_alive_after_kill_9() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let rounds = if std::env::var_os("TENURE_SOAK").is_some() { 300 } else { 20 };
    let place = Place::default();
    let mut known = Known::default();
    let mut heard = 0;
    for round in 0..rounds {
        if round % 3 == 2 {
            kill_while_opening(place.folder.path());
        }
        let acknowledged = run_and_kill(place.folder.path(), 1 + random() % 300, &mut known);
        assert!(acknowledged > 0, "round {round}: the store did not open");
        heard += acknowledged;
        let report = Embedded::verify(place.store(), |_| {}).unwrap();
        assert!(report.is_clean(), "round {round}: {report:?}");
        let store = place.open().await;
        check(&*store, &known, round).await;
    }
    eprintln!("{rounds} rounds, {heard} acknowledgements and more heard, {} sessions", known.sessions.len());
    assert!(heard > rounds * 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_making_was_killed_opens_or_is_made_anew() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let rounds = if std::env::var_os("TENURE_SOAK").is_some() { 300 } else { 20 };
    for _ in 0..rounds {
        let place = Place::default();
        kill_while_opening(place.folder.path());
        let store = place.open().await;
        begin(&*store, signed_in("ada")).await.unwrap();
    }
}

async fn check(store: &dyn Store, known: &Known, round: u64) {
    let mut ends: BTreeMap<SessionId, u32> = BTreeMap::new();
    for event in events(store).await {
        if let (EventKind::Ended, Some(id)) = (event.body.kind, event.body.session) {
            *ends.entry(id).or_default() += 1;
        }
    }
    assert!(ends.values().all(|told| *told == 1), "round {round}: an end was told twice");
    for (id, session) in &known.sessions {
        let record = store.load(*id).await.unwrap();
        let record = record.unwrap_or_else(|| panic!("round {round}: {id} is lost"));
        let is_over = record.ended().is_some();
        assert!(is_over || !session.ended, "round {round}: {id} is alive again");
        assert_eq!(is_over, ends.contains_key(id), "round {round}: {id} and its event differ");
        if !is_over {
            goes_on(&record, session, round);
        }
    }
    for name in &known.disabled {
        assert!(
            store.user(&owner(name)).await.unwrap().disabled_at.is_some(),
            "round {round}: {name} is not disabled"
        );
        assert!(store.list(&owner(name)).await.unwrap().is_empty(), "round {round}: {name} has sessions");
    }
}

/// What a session that has not ended must have.
fn goes_on(record: &Record, known: &Session, round: u64) {
    let id = record.id;
    let least = sealed(&known.number.to_be_bytes());
    let found = record.data.get("n").map(|value| value.sealed.clone());
    assert!(
        known.number == 0 || found.is_some_and(|found| found >= least),
        "round {round}: a change of {id} is lost"
    );
    let is_claimed = matches!(record.state, State::Claimed(_));
    assert!(is_claimed || !known.claimed, "round {round}: the claim of {id} is lost");
    let secrets = &record.secrets;
    assert!(secrets.generation >= known.generation, "round {round}: a rotation of {id} is lost");
    let newest = secrets.generation + u32::from(secrets.successor.is_some());
    assert!(newest >= known.prepared, "round {round}: the next token of {id} is lost");
}
