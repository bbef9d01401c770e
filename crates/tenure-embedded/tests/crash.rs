//! A process that is killed at any moment has lost nothing that it acknowledged.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use common::{Place, begin, end, events, put, signed_in};
use tenure::event::EventKind;
use tenure::id::SessionId;
use tenure::random::{Random, SystemRandom};
use tenure::store::Store;
use tenure::store::conformance::sealed;
use tenure_embedded::{Embedded, EmbeddedStore};

const FOLDER: &str = "TENURE_TEST_CRASH_FOLDER";
const TASKS: usize = 4;

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
    let store = Place::default().try_open(engine).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(live(Arc::clone(&store), task));
    }
    tasks.join_all().await;
}

async fn live(store: Arc<EmbeddedStore>, task: usize) {
    loop {
        let mut new = signed_in(&format!("user-{task}"));
        let mut id = *new.id.as_bytes();
        id[8..].copy_from_slice(&random().to_be_bytes());
        new.id = SessionId::from_bytes(id);
        let id = begin(&*store, new).await.unwrap().id;
        say(&format!("begun {id} 0"));
        for n in 1..=random() % 8 {
            put(&*store, id, "n", &n.to_be_bytes()).await.unwrap();
            say(&format!("put {id} {n}"));
        }
        if random().is_multiple_of(2) {
            end(&*store, id).await.unwrap();
            say(&format!("ended {id} 0"));
        }
    }
}

/// What was acknowledged of a session.
#[derive(Default)]
struct Known {
    number: u64,
    ended: bool,
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
fn run_and_kill(folder: &Path, after: u64, known: &mut BTreeMap<SessionId, Known>) -> u64 {
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
        let Some((_, words)) = line.split_once("ack ") else {
            continue;
        };
        let words: Vec<&str> = words.split(' ').collect();
        let one = known.entry(words[1].parse().unwrap()).or_default();
        match words[0] {
            "ended" => one.ended = true,
            _ => one.number = words[2].parse().unwrap(),
        }
    }
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_ended_is_alive_after_kill_9() {
    let rounds = if std::env::var_os("TENURE_SOAK").is_some() { 300 } else { 20 };
    let place = Place::default();
    let mut known = BTreeMap::new();
    let mut heard = 0;
    for round in 0..rounds {
        if round % 3 == 2 {
            kill_while_opening(place.folder.path());
        }
        heard += run_and_kill(place.folder.path(), 1 + random() % 300, &mut known);
        let report = Embedded::verify(place.store(), |_| {}).unwrap();
        assert!(report.is_clean(), "round {round}: {report:?}");
        let store = place.open().await;
        check(&store, &known, round).await;
    }
    eprintln!("{rounds} rounds, {heard} acknowledgements and more heard, {} sessions", known.len());
    assert!(heard > rounds * 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_making_was_killed_opens_or_is_made_anew() {
    let rounds = if std::env::var_os("TENURE_SOAK").is_some() { 300 } else { 20 };
    for _ in 0..rounds {
        let place = Place::default();
        kill_while_opening(place.folder.path());
        let store = place.open().await;
        begin(&*store, signed_in("ada")).await.unwrap();
    }
}

async fn check(store: &EmbeddedStore, known: &BTreeMap<SessionId, Known>, round: u64) {
    let mut ends: BTreeMap<SessionId, u32> = BTreeMap::new();
    for event in events(store).await {
        if let (EventKind::Ended, Some(id)) = (event.body.kind, event.body.session) {
            *ends.entry(id).or_default() += 1;
        }
    }
    assert!(ends.values().all(|told| *told == 1), "round {round}: an end was told twice");
    for (id, known) in known {
        let record = store.load(*id).await.unwrap();
        let record = record.unwrap_or_else(|| panic!("round {round}: {id} is lost"));
        let is_over = record.ended().is_some();
        assert!(is_over || !known.ended, "round {round}: {id} is alive again");
        assert_eq!(is_over, ends.contains_key(id), "round {round}: {id} and its event differ");
        if !is_over {
            let least = sealed(&known.number.to_be_bytes());
            let found = record.data.get("n").map(|value| value.sealed.clone());
            assert!(
                known.number == 0 || found.is_some_and(|found| found >= least),
                "round {round}: a change of {id} is lost"
            );
        }
    }
}
