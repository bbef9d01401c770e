//! A server that takes over: what the user may do there, and how it is set, went there from nobody.

mod support;

use std::io;
use std::sync::{Arc, Mutex};

use tenure::SignIn;
use tenure::store::{EventPage, Outcome, StoreError};
use tenure_servers::{RedisSentinel, Signal};

use support::load::{Outage, loaded};
use support::{RIGHTS, change, engine, open, operation, user};

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
async fn a_server_that_takes_over_is_looked_at_before_anything_is_written_there() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let said = |text: &str| String::from_utf8_lossy(&log.0.lock().unwrap()).matches(text).count();

    let servers = RedisSentinel::start(1);
    for server in servers.servers() {
        assert_eq!(server.cli(&RIGHTS), "OK");
    }
    let url = servers.url().replace("://", "://tenure:secret@");
    let sessions = open(engine(&url, "tenure").partitions(1)).await;
    let begun = sessions.sign_in(None, SignIn::password(user("ann"))).await.unwrap();
    let (id, store) = (begun.session.id(), sessions.store());
    assert_eq!(said("Redis"), 0, "it is set as it is to be");

    let old = servers.primary();
    old.until("WAIT 1 1000", "1");
    let other = servers.servers().iter().find(|one| one.port() != old.port()).unwrap();
    assert_eq!(other.cli("ACL SETUSER tenure -xadd"), "OK");
    assert_eq!(other.cli("CONFIG SET appendonly no"), "OK");
    old.signal(Signal::Kill);
    let mut errors = Outage::default();
    let why = loop {
        match store.mutate(&operation(), id, change()).await {
            Err(StoreError::Configuration(why)) => break why,
            Err(error) => errors.met(&error).await,
            Ok(done) => panic!("{done:?}"),
        }
    };
    assert!(why.contains("XADD"), "{why}");
    assert_eq!(other.cli("ACL SETUSER tenure +xadd"), "OK");
    assert_eq!(loaded(store, id).await.unwrap().version, 0, "no part of it was written");
    assert_eq!(store.mutate(&operation(), id, change()).await.unwrap().outcome, Outcome::Applied);
    let EventPage::Events(events) = store.events(0, None, 10).await.unwrap() else { panic!() };
    assert_eq!(events.len(), 2);
    // It may not ask for more.
    assert_eq!(said("Redis does not keep each change on its disk"), 1);

    // With the right to ask, another node can say it better.
    assert_eq!(other.cli("ACL SETUSER tenure +config|get"), "OK");
    open(engine(&url, "tenure")).await;
    assert_eq!(said("Redis keeps a snapshot now and then"), 1);
    assert_eq!(other.cli("CONFIG SET maxmemory-policy allkeys-lru"), "OK");
    assert_eq!(other.cli("CONFIG SET maxmemory 100mb"), "OK");
    open(engine(&url, "tenure")).await;
    assert_eq!(said("Redis throws sessions away"), 1);
}
