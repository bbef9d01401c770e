//! A backup that is put back: a node that knew of more does not serve it until its operator decides.

mod support;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tenure::clock::{Clock, TestClock};
use tenure::store::StoreError;
use tenure::{Check, Error, NewGuest, Realm, Sessions, SignIn, Verdict};
use tenure_redis::{AfterRestore, Redis};
use tenure_servers::{Redis as Server, RedisSentinel, Signal, eventually};

use support::{ending, engine, user};

/// More than a node overlooks.
const LONG: Duration = Duration::from_secs(11 * 60);

/// Sessions that all are due at the same moment: more than one look finds.
const MANY: usize = 1_300;

/// A node, and the server that it asks.
struct Place {
    folder: TempDir,
    server: Server,
    clock: TestClock,
}

impl Place {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), server: Server::start(), clock: TestClock::default() }
    }

    fn marks(&self) -> PathBuf {
        self.folder.path().join("marks")
    }

    /// The mark, which is one.
    fn mark(&self) -> PathBuf {
        let files: Vec<_> = fs::read_dir(self.marks()).unwrap().map(|file| file.unwrap().path()).collect();
        let [mark] = &files[..] else { panic!("{files:?}") };
        mark.clone()
    }

    fn engine(&self) -> Redis {
        self.unmarked().mark_dir(self.marks())
    }

    fn unmarked(&self) -> Redis {
        engine(&self.server.url(), "t").partitions(2).by_own_clock()
    }

    async fn open_in(&self, engine: Redis, realm: &str) -> Result<Sessions, Error> {
        let builder = Sessions::builder(engine).cache_bytes(0).without_background().clock(self.clock.clone());
        builder.realm(Realm::new(realm).unwrap()).open().await
    }

    async fn open(&self, engine: Redis) -> Result<Sessions, Error> {
        self.open_in(engine, "one").await
    }

    /// Why the store is not served.
    async fn blocked(&self, engine: Redis) -> String {
        why(self.open(engine).await)
    }

    fn back_up(&self) {
        let copy = "for _,k in ipairs(redis.call('KEYS','*'))do redis.call('COPY',k,k,'DB',1)end";
        // A comment, since the client's words have no spaces.
        self.server.cli(&format!("EVAL {} 0", copy.replace(' ', "--[[]]")));
    }

    fn put_back(&self) {
        assert_eq!(self.server.cli("FLUSHDB"), "OK");
        assert_eq!(self.server.cli("SWAPDB 0 1"), "OK");
    }
}

fn why(opened: Result<Sessions, Error>) -> String {
    match opened {
        Err(Error::Store(StoreError::Blocked(why))) => why,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it is served"),
    }
}

async fn begin(sessions: &Sessions, name: &str) -> String {
    let begun = sessions.sign_in(None, SignIn::password(user(name))).await.unwrap();
    begun.token.expose().to_owned()
}

async fn verdict(sessions: &Sessions, token: &str) -> Verdict {
    sessions.check(token.as_bytes(), &Check::signed_in().touch(false)).await.unwrap()
}

async fn is_alive(sessions: &Sessions, token: &str) -> bool {
    verdict(sessions, token).await.as_str() == "ok"
}

/// A store that ended a session long after a backup of it, and the backup in its place.
async fn restored() -> (Place, String) {
    let place = Place::new();
    let sessions = place.open(place.engine()).await.unwrap();
    let token = begin(&sessions, "ann").await;
    place.back_up();
    place.clock.advance(LONG);
    sessions.end_all_of(&user("ann"), None, ending()).await.unwrap();
    sessions.close().await.unwrap();
    place.put_back();
    (place, token)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_does_not_serve_until_the_operator_decides() {
    let (place, token) = restored().await;
    for _ in 0..2 {
        let why = place.blocked(place.engine()).await;
        for said in [
            "the store at prefix `t` may be older than it was",
            "latest write is of 2026-01-01T00:00:00.000Z",
            "knew of one at 2026-01-01T00:11:00.000Z",
            "`--after-restore end-all-sessions`",
            "`--after-restore accept`",
            &place.mark().display().to_string(),
        ] {
            assert!(why.contains(said), "{said}: {why}");
        }
    }
    let sessions = place.open(place.engine().after_restore(AfterRestore::Accept)).await.unwrap();
    assert!(is_alive(&sessions, &token).await, "as the operator said");
    sessions.close().await.unwrap();
    let sessions = place.open(place.engine()).await.unwrap();
    assert!(is_alive(&sessions, &token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_signed_in_any_more_if_the_operator_says_so() {
    let place = Place::new();
    let mut tokens = Vec::new();
    let one = place.open(place.engine()).await.unwrap();
    for n in 0..MANY {
        tokens.push(begin(&one, &format!("u_{n}")).await);
    }
    let guest = one.create_guest(NewGuest::default()).await.unwrap();
    tokens.push(guest.token.expose().to_owned());
    let other = place.open_in(place.engine(), "other").await.unwrap();
    let elsewhere = begin(&other, "ann").await;
    place.back_up();
    place.clock.advance(LONG);
    one.end_all_of(&user("u_0"), None, ending()).await.unwrap();
    one.close().await.unwrap();
    other.close().await.unwrap();
    place.put_back();

    let ending_all = || place.engine().after_restore(AfterRestore::EndAllSessions);
    // It breaks off, and what is left waits for the decision still, though others ended now.
    let head = place.server.cli("KEYS *}h").lines().next().unwrap().to_owned();
    place.server.cli(&format!("HSET {head} barrier {}", place.clock.wall().as_millis() + 30_000));
    assert!(place.open(ending_all()).await.is_err());
    place.server.cli(&format!("HSET {head} barrier 0"));
    let why = place.blocked(place.engine()).await;
    assert!(why.contains("was not finished"), "{why}");

    let one = place.open(ending_all()).await.unwrap();
    let other = place.open_in(place.engine(), "other").await.unwrap();
    for (sessions, token) in tokens.iter().map(|token| (&one, token)).chain([(&other, &elsewhere)]) {
        let verdict = verdict(sessions, token).await;
        assert!(format!("{verdict:?}").contains("Revoked"), "{verdict:?}");
    }
    one.close().await.unwrap();
    place.open(place.engine()).await.unwrap();
}

/// The ends that the replica had not heard of are lost with the primary, and the log begins a new epoch.
#[tokio::test(flavor = "multi_thread")]
async fn a_failover_that_lost_moments_asks_nobody() {
    let (servers, folder) = (RedisSentinel::start(1), TempDir::new().unwrap());
    let open = async || {
        let engine = engine(&servers.url(), "t").mark_dir(folder.path());
        Sessions::builder(engine).cache_bytes(0).without_background().open().await
    };
    let sessions = open().await.unwrap();
    let token = begin(&sessions, "ann").await;
    let old = servers.primary();
    old.until("WAIT 1 1000", "1");
    // The replica is let in no more.
    old.cli("ACL SETUSER default -psync -sync");
    old.cli("CLIENT KILL TYPE replica");
    old.until("INFO replication", "connected_slaves:0");
    sessions.end_all_of(&user("ann"), None, ending()).await.unwrap();
    sessions.close().await.unwrap();
    old.signal(Signal::Kill);
    eventually(|| servers.primary().port(), |now| *now != old.port());
    let sessions = open().await.unwrap();
    assert!(is_alive(&sessions, &token).await, "the node that knew of the end is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mark_nothing_is_asked() {
    let (place, token) = restored().await;
    let sessions = place.open(place.unmarked()).await.unwrap();
    assert!(is_alive(&sessions, &token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_gone_is_not_made_anew_until_the_operator_says_so() {
    let (place, token) = restored().await;
    place.server.cli("FLUSHDB");
    let why = place.blocked(place.engine()).await;
    assert!(why.contains("is gone, and a store was here") && why.contains("--after-restore accept"), "{why}");
    assert_eq!(place.server.cli("DBSIZE"), "0");
    let sessions = place.open(place.engine().after_restore(AfterRestore::Accept)).await.unwrap();
    assert!(!is_alive(&sessions, &token).await);
    sessions.close().await.unwrap();
    place.open(place.engine()).await.unwrap().close().await.unwrap();
    assert!(place.mark().exists(), "the one of the store that is gone is gone too");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_store_in_its_place_is_not_served_until_the_operator_says_so() {
    let (place, _) = restored().await;
    place.server.cli("FLUSHDB");
    // A node that has no mark makes a new one.
    place.open(place.unmarked()).await.unwrap().close().await.unwrap();
    let why = place.blocked(place.engine()).await;
    assert!(why.contains("is another store") && why.contains("--after-restore accept"), "{why}");
    place.open(place.engine().after_restore(AfterRestore::Accept)).await.unwrap().close().await.unwrap();
    place.open(place.engine()).await.unwrap().close().await.unwrap();
    assert!(place.mark().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_mark_is_told_as_such() {
    let place = Place::new();
    place.open(place.engine()).await.unwrap().close().await.unwrap();
    fs::write(place.mark(), "tenure mark of a shared store 1\n").unwrap();
    let why = place.blocked(place.engine()).await;
    assert!(why.contains("its mark is damaged"), "{why}");
    place.open(place.engine().after_restore(AfterRestore::Accept)).await.unwrap().close().await.unwrap();
    place.open(place.engine()).await.unwrap();
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_cannot_be_written_is_told_once_and_stops_nobody() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let place = Place::new();
    // Nobody makes a folder there, not even root.
    let sessions = place.open(place.unmarked().mark_dir("/proc/tenure-marks")).await.unwrap();
    for n in 0..3 {
        let token = begin(&sessions, &format!("u_{n}")).await;
        assert!(is_alive(&sessions, &token).await);
        place.clock.advance(Duration::from_secs(10));
    }
    sessions.close().await.unwrap();
    let said = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert_eq!(said.matches("the mark could not be written").count(), 1, "{said}");
}
