//! P12: no token, key or personal data in `Debug`, errors, logs or panics.

use std::fmt::Debug;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use tenure::store::{Owner, PageRequest, Touch};
use tenure::{
    Actor, Changes, Check, Device, Error, IdempotencyKey, Issued, Key, NewGuest, Realm, Sessions, SignIn,
    UserId, Verdict,
};

use crate::support::{
    Call, HOUR, MINUTE, Parts, Trouble, World, active, look, master_key, on_each_engine, revoked, user, visit,
};

on_each_engine! {
    p12_nothing_secret_or_personal_is_told_by_debug_errors_logs_or_panics;
    p12_a_fault_in_the_store_tells_nothing_and_leaves_the_session;
}

const ANN: &str = "needle-of-a-user";
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) needle-of-a-user-agent Firefox/140.0";
const IP: &str = "203.0.113.77";
const VALUE: &str = "needle-of-a-value";
const IDEMPOTENCY_KEY: &str = "needle-of-an-idempotency-key";

/// Everything that may be found in a log, so that nothing secret may be in it.
#[derive(Default)]
struct Told {
    lines: Vec<String>,
    tokens: Vec<String>,
}

impl Told {
    fn debug(&mut self, value: &impl Debug) {
        self.lines.push(format!("{value:?}"));
        self.lines.push(format!("{value:#?}"));
    }

    fn error(&mut self, error: &Error) {
        self.debug(error);
        self.lines.push(error.to_string());
        let mut source: Option<&dyn std::error::Error> = Some(error);
        while let Some(cause) = source {
            self.lines.push(format!("{cause} {cause:?}"));
            source = cause.source();
        }
    }

    fn answer<T: Debug>(&mut self, answer: Result<T, Error>) -> Option<T> {
        match answer {
            Ok(value) => {
                self.debug(&value);
                Some(value)
            }
            Err(error) => {
                self.error(&error);
                None
            }
        }
    }

    fn issued(&mut self, answer: Result<Issued, Error>) -> Issued {
        let issued = self.answer(answer).expect("issued");
        self.debug(&issued.token);
        self.debug(&issued.set_cookie);
        self.tokens.push(issued.token.expose().to_owned());
        issued
    }

    fn verdict(&mut self, verdict: &Verdict) {
        self.debug(verdict);
        self.debug(&verdict.reason());
        if let Some(renewed) = verdict.active().and_then(|active| active.renewed()) {
            self.tokens.push(renewed.token.expose().to_owned());
        }
        // A handler that panics with what it holds.
        let panicked = catch_unwind(AssertUnwindSafe(|| panic!("cannot go on with {verdict:?}")));
        let message = panicked.unwrap_err().downcast::<String>().expect("a text");
        self.lines.push(*message);
    }
}

/// What all tests of this process write into the log, from the first use on.
fn log() -> Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let log = Arc::<Mutex<Vec<u8>>>::default();
        let writer = Arc::clone(&log);
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || LogWriter(Arc::clone(&writer)))
            .finish();
        tracing::subscriber::set_global_default(subscriber).expect("nobody else sets one");
        log
    });
    Arc::clone(log)
}

struct LogWriter(Arc<Mutex<Vec<u8>>>);

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ann() -> UserId {
    user(ANN)
}

fn device() -> Device {
    Device::from_request(Some(AGENT), IP.parse::<IpAddr>().ok())
}

fn key() -> IdempotencyKey {
    IdempotencyKey::new(IDEMPOTENCY_KEY).unwrap()
}

fn proof() -> SignIn {
    SignIn::password(ann()).device(device()).idempotency_key(Some(key()))
}

/// A day with everything in it that can be logged: work, errors, theft, trouble.
async fn busy_day(world: &World, sessions: &Sessions, told: &mut Told) {
    let data = Changes::default().set("note", VALUE.into()).expect("note", 0);
    told.debug(&data);
    let new = NewGuest::with(data).device(device()).idempotency_key(Some(key()));
    told.debug(&new);
    told.debug(&proof());
    let guest = told.issued(sessions.create_guest(new).await);
    let verdict = look(sessions, guest.token.expose()).await;
    told.verdict(&verdict);
    let check = Check::any().ip(IP.parse().ok()).can_set_cookie(true);
    told.debug(&check);
    world.faults.once(Call::Create, Trouble::unavailable());
    told.answer(sessions.sign_in(Some(&verdict), proof()).await);
    told.verdict(&visit(sessions, guest.token.expose()).await);
    let verdict = look(sessions, guest.token.expose()).await;
    let mut issued = told.issued(sessions.sign_in(Some(&verdict), proof()).await);

    for _ in 0..2 {
        world.clock.advance(16 * MINUTE);
        let verdict = sessions.check(issued.token.expose().as_bytes(), &check).await.unwrap();
        told.verdict(&verdict);
        let holder = verdict.active().unwrap();
        told.answer(
            sessions.change(holder, Changes::default().set("note", VALUE.repeat(9_999).into())).await,
        );
        told.answer(
            sessions.change(holder, Changes::default().set("note", VALUE.into()).expect("note", 9)).await,
        );
        told.answer(sessions.update(holder, Key::<u64>::new("note"), |_| ()).await.map(drop));
        told.answer(sessions.sign_in(Some(&verdict), SignIn::password(user("somebody"))).await);
        let next = told.issued(sessions.rotate(holder, Actor::application(), None).await);
        told.verdict(&look(sessions, next.token.expose()).await);
        issued = next;
    }
    told.answer(sessions.list(&ann()).await);
    told.answer(sessions.page(None, 10).await);
    told.debug(&sessions.get(issued.session.id()).await.unwrap());
    told.debug(&sessions.store().load(issued.session.id()).await.unwrap());
    let owner = Owner { realm: Realm::default(), user: ann(), route: issued.session.id().route() };
    told.debug(&sessions.store().user(&owner).await.unwrap());
    for token in told.tokens.clone() {
        told.verdict(&look(sessions, &token).await);
        told.verdict(&look(sessions, &token[1..]).await);
        told.debug(&sessions.cookie().find([format!("__Host-sid={token}").as_bytes()]));
    }
    told.answer(sessions.disable(&ann(), Actor::application()).await);
    told.answer(sessions.sign_in(None, proof()).await);
    told.answer(sessions.enable(&ann(), Actor::application()).await);
}

/// The same people while the store fails in every way.
async fn bad_day(world: &World, sessions: &Sessions, told: &mut Told) {
    let fresh = || SignIn::password(ann()).device(device());
    let issued = told.issued(sessions.sign_in(None, fresh()).await);
    let holder = active(sessions, issued.token.expose()).await;
    for trouble in [Trouble::unavailable(), Trouble::lost_answer(), Trouble::full()] {
        world.faults.everything(trouble);
        told.answer(sessions.sign_in(None, fresh()).await.map(drop));
        told.answer(sessions.change(&holder, Changes::default().set("note", VALUE.into())).await.map(drop));
        told.answer(sessions.list(&ann()).await.map(drop));
        told.answer(sessions.end_all_of(&ann(), None, revoked()).await.map(drop));
        told.answer(sessions.check(issued.token.expose().as_bytes(), &Check::any()).await.map(drop));
        told.answer(sessions.maintain().await);
        world.faults.heal();
    }
    world.clock.jump_ahead(24 * HOUR);
    told.answer(sessions.check(issued.token.expose().as_bytes(), &Check::any()).await.map(drop));
    told.answer(sessions.sign_in(None, fresh()).await.map(drop));
    world.clock.step_back(24 * HOUR);
    world.clock.advance(HOUR);
    told.answer(sessions.maintain().await);
    for bad in ["", "a\nb", &ANN.repeat(99)] {
        told.debug(&UserId::new(bad));
        told.debug(&Realm::new(bad));
        told.debug(&IdempotencyKey::new(bad));
        told.debug(&tenure::MasterKey::from_hex(bad));
    }
}

async fn p12_nothing_secret_or_personal_is_told_by_debug_errors_logs_or_panics(world: World) {
    let log = log();
    let sessions = world.open().await;
    let mut told = Told::default();
    busy_day(&world, &sessions, &mut told).await;
    bad_day(&world, &sessions, &mut told).await;
    for event in crate::support::told(&sessions).await {
        told.debug(&event);
    }
    told.debug(&sessions);
    told.debug(&(master_key(), ann(), device(), key()));
    let request = PageRequest { realm: Realm::default(), after: None, limit: 1 };
    told.debug(&request);
    told.debug(&Touch {
        id: sessions
            .list(&ann())
            .await
            .unwrap()
            .first()
            .map_or_else(|| tenure::SessionId::from_bytes([0; 16]), |session| session.id()),
        at: sessions.now(),
    });
    world.shut_down(sessions).await;

    told.lines.push(String::from_utf8(log.lock().unwrap().clone()).unwrap());
    let logged = told.lines.last().unwrap();
    assert!(logged.contains("a replaced token was presented"), "the log is caught");
    assert!(told.tokens.len() >= 4);
    let mut needles: Vec<String> =
        [ANN, "needle-of-a-user-agent", IP, VALUE, IDEMPOTENCY_KEY].map(str::to_owned).to_vec();
    needles.push(master_key().to_hex());
    for token in &told.tokens {
        let parts = Parts::of(token);
        needles.push(token[40..].to_owned());
        needles.push(HEXLOWER.encode(&parts.secret));
        needles.push(BASE64URL_NOPAD.encode(&parts.secret));
        needles.push(format!("{:?}", parts.secret));
        needles.push(format!("{:#?}", parts.secret));
    }
    for line in &told.lines {
        for needle in &needles {
            if let Some(at) = line.find(needle.as_str()) {
                let around = &line.as_bytes()[at.saturating_sub(200)..at + needle.len()];
                panic!("{needle} is told in: {}", String::from_utf8_lossy(around));
            }
        }
    }
}

async fn p12_a_fault_in_the_store_tells_nothing_and_leaves_the_session(world: World) {
    let sessions = world.open().await;
    let mut told = Told::default();
    let issued = told.issued(sessions.sign_in(None, proof()).await);
    let holder = active(&sessions, issued.token.expose()).await;
    world.faults.once(Call::Change, Trouble::Panic);
    let broken = sessions.change(&holder, Changes::default().set("note", VALUE.into())).await.unwrap_err();
    assert_eq!((broken.code(), broken.status()), ("internal_error", 500));
    told.error(&broken);
    assert!(told.lines.iter().all(|line| !line.contains(VALUE) && !line.contains(ANN)));

    sessions.change(&holder, Changes::default().set("note", VALUE.into())).await.unwrap();
    assert_eq!(visit(&sessions, issued.token.expose()).await.as_str(), "ok");
    sessions.end(issued.session.id(), revoked()).await.unwrap();
    assert_eq!(look(&sessions, issued.token.expose()).await.as_str(), "inactive");
}
