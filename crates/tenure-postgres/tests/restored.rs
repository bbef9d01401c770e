//! A backup that is put back: a node that knew of more does not serve it until its operator decides.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tenure::clock::{Clock, TestClock};
use tenure::store::StoreError;
use tenure::{Actor, Check, EndReason, Ending, Error, NewGuest, Realm, Sessions, SignIn, UserId, Verdict};
use tenure_postgres::{AfterRestore, Postgres};
use tenure_servers::{PROGRAMS, Postgres as Server};

use support::{engine, schema};

/// More than a node overlooks, and less.
const LONG: Duration = Duration::from_secs(11 * 60);
const SHORT: Duration = Duration::from_secs(30);

/// Sessions that all begin at the same moment: more than end in one step.
const MANY: usize = 150;

/// A node, and the schema that it serves.
struct Place {
    folder: TempDir,
    schema: String,
    clock: TestClock,
}

impl Place {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), schema: schema(), clock: TestClock::default() }
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

    fn engine(&self) -> Postgres {
        self.unmarked().mark_dir(self.marks())
    }

    fn unmarked(&self) -> Postgres {
        engine(&self.schema).partitions(2).by_own_clock()
    }

    async fn open_in(&self, engine: Postgres, realm: &str) -> Result<Sessions, Error> {
        let builder = Sessions::builder(engine).cache_bytes(0).without_background().clock(self.clock.clone());
        builder.realm(Realm::new(realm).unwrap()).open().await
    }

    async fn open(&self, engine: Postgres) -> Result<Sessions, Error> {
        self.open_in(engine, "one").await
    }

    /// Why the store is not served.
    async fn blocked(&self, engine: Postgres) -> String {
        match self.open(engine).await {
            Err(Error::Store(StoreError::Blocked(why))) => why,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it is served"),
        }
    }

    fn dump(&self) -> PathBuf {
        self.folder.path().join("backup.sql")
    }

    fn back_up(&self) {
        let mut program = Command::new(Path::new(PROGRAMS).join("pg_dump"));
        program.arg(format!("--schema={}", self.schema)).arg("--file").arg(self.dump());
        assert!(program.arg(Server::shared().url()).status().unwrap().success());
    }

    fn drop_schema(&self) {
        Server::shared()
            .sql(&format!("SET client_min_messages = error; DROP SCHEMA {} CASCADE", self.schema));
    }

    fn put_back(&self) {
        self.drop_schema();
        let mut psql = Command::new(Path::new(PROGRAMS).join("psql"));
        psql.args(["-X", "-q", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1", "-f"]).arg(self.dump());
        assert!(psql.arg(Server::shared().url()).status().unwrap().success());
    }
}

async fn begin(sessions: &Sessions, user: &str) -> String {
    let begun = sessions.sign_in(None, SignIn::password(UserId::new(user).unwrap())).await.unwrap();
    begun.token.expose().to_owned()
}

async fn verdict(sessions: &Sessions, token: &str) -> Verdict {
    sessions.check(token.as_bytes(), &Check::signed_in().touch(false)).await.unwrap()
}

async fn is_alive(sessions: &Sessions, token: &str) -> bool {
    verdict(sessions, token).await.as_str() == "ok"
}

async fn end(sessions: &Sessions, user: &str) {
    let ending = Ending::new(EndReason::Revoked, Actor::application());
    sessions.end_all_of(&UserId::new(user).unwrap(), None, ending).await.unwrap();
}

/// A store that ended a session so long after a backup of it, and the backup in its place.
async fn restored(lost: Duration) -> (Place, String) {
    let place = Place::new();
    let sessions = place.open(place.engine()).await.unwrap();
    let token = begin(&sessions, "ann").await;
    place.back_up();
    place.clock.advance(lost);
    end(&sessions, "ann").await;
    assert!(!is_alive(&sessions, &token).await);
    sessions.close().await.unwrap();
    place.put_back();
    (place, token)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_does_not_serve_until_the_operator_decides() {
    let (place, token) = restored(LONG).await;
    for _ in 0..2 {
        let why = place.blocked(place.engine()).await;
        for said in [
            format!("the store in schema {} may be older than it was", place.schema),
            "latest write is of 2026-01-01T00:00:00.000Z".into(),
            "knew of one at 2026-01-01T00:11:00.000Z".into(),
            "`--after-restore end-all-sessions`".into(),
            "`--after-restore accept`".into(),
            place.mark().display().to_string(),
        ] {
            assert!(why.contains(&said), "{said}: {why}");
        }
    }
    let sessions = place.open(place.engine().after_restore(AfterRestore::Accept)).await.unwrap();
    assert!(is_alive(&sessions, &token).await, "as the operator said");
    sessions.close().await.unwrap();
    let sessions = place.open(place.engine()).await.unwrap();
    assert!(is_alive(&sessions, &token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_recognised_at_another_address_too() {
    let (place, _) = restored(LONG).await;
    let url = Server::shared().url().replace("127.0.0.1", "localhost");
    let engine = Postgres::at(url).schema(&place.schema).master_key(support::key()).mark_dir(place.marks());
    let why = place.blocked(engine).await;
    assert!(why.contains("may be older than it was"), "{why}");
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
    end(&one, "u_0").await;
    one.close().await.unwrap();
    other.close().await.unwrap();
    place.put_back();

    let ending_all = || place.engine().after_restore(AfterRestore::EndAllSessions);
    // It breaks off, and what is left waits for the decision still, though others ended now.
    let server = Server::shared();
    let now = place.clock.wall().as_millis();
    let second = format!("UPDATE {}.partitions SET barrier = {} WHERE id = 1", place.schema, now + 30_000);
    server.sql(&second);
    assert!(place.open(ending_all()).await.is_err());
    server.sql(&format!("UPDATE {}.partitions SET barrier = 0", place.schema));
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

#[tokio::test(flavor = "multi_thread")]
async fn what_lacks_moments_is_served_whatever_its_log_says() {
    let (place, token) = restored(SHORT).await;
    Server::shared().sql(&format!("UPDATE {}.meta SET epoch = epoch + 1", place.schema));
    let sessions = place.open(place.engine()).await.unwrap();
    assert!(is_alive(&sessions, &token).await, "the node that knew of the end is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mark_nothing_is_asked() {
    let (place, token) = restored(LONG).await;
    let sessions = place.open(place.unmarked()).await.unwrap();
    assert!(is_alive(&sessions, &token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_only_heard_of_a_write_knows_it_too() {
    let place = Place::new();
    let writes = place.open(place.unmarked()).await.unwrap();
    let hears = place.open(place.engine()).await.unwrap();
    let told = hears.store().news(&[None; 2], 10).await.unwrap();
    let after: Vec<_> = told.tails.iter().map(|tail| Some(tail.next)).collect();
    begin(&writes, "ann").await;
    place.back_up();
    place.clock.advance(LONG);
    end(&writes, "ann").await;
    hears.store().news(&after, 10).await.unwrap();
    hears.close().await.unwrap();
    writes.close().await.unwrap();
    place.put_back();
    let why = place.blocked(place.engine()).await;
    assert!(why.contains("2026-01-01T00:11:00"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_gone_is_not_made_anew_until_the_operator_says_so() {
    let (place, token) = restored(LONG).await;
    place.drop_schema();
    let why = place.blocked(place.engine()).await;
    assert!(why.contains("is gone, and a store was here") && why.contains("--after-restore accept"), "{why}");
    let there = format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{}'", place.schema);
    assert_eq!(Server::shared().sql(&there), "0");
    let sessions = place.open(place.engine().after_restore(AfterRestore::Accept)).await.unwrap();
    assert!(!is_alive(&sessions, &token).await);
    sessions.close().await.unwrap();
    place.open(place.engine()).await.unwrap().close().await.unwrap();
    assert!(place.mark().exists(), "the one of the store that is gone is gone too");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_store_in_its_place_is_not_served_until_the_operator_says_so() {
    let (place, _) = restored(LONG).await;
    place.drop_schema();
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
    let (place, _) = restored(SHORT).await;
    fs::write(place.mark(), "tenure mark of a shared store 1\n").unwrap();
    let why = place.blocked(place.engine()).await;
    assert!(why.contains("its mark is damaged"), "{why}");
    place.open(place.engine().after_restore(AfterRestore::Accept)).await.unwrap().close().await.unwrap();
    place.open(place.engine()).await.unwrap();
}
