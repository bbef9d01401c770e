//! Standbys that have to confirm, and do not.

mod support;

use std::sync::Arc;

use futures_util::future::join_all;
use tenure::random::SystemRandom;
use tenure::record::{Change, Record};
use tenure::store::{Mutation, Operation, Outcome, Store, StoreError};
use tenure::{Actor, OperationId, SessionId, Sessions, SignIn, UserId};
use tenure_postgres::Postgres;
use tenure_servers::{Postgres as Server, Signal};

use support::key;

/// How many connections a node has for what it is asked, and beside them.
const CONNECTIONS: usize = 4;
const BESIDE: usize = 3;

async fn node(url: String) -> Sessions {
    let engine = Postgres::at(url).master_key(key()).connections(CONNECTIONS);
    Sessions::builder(engine).cache_bytes(0).open().await.unwrap()
}

async fn begun(sessions: &Sessions, count: usize) -> Vec<SessionId> {
    let mut ids = Vec::new();
    for n in 0..count {
        let user = UserId::new(format!("u_{n}")).unwrap();
        ids.push(sessions.sign_in(None, SignIn::password(user)).await.unwrap().session.id());
    }
    ids
}

fn operation() -> Operation {
    Operation { id: OperationId::random(&SystemRandom), actor: Actor::application(), receipt: None }
}

fn removal() -> Mutation {
    Mutation::Change { change: Change { remove: vec!["cart".into()], ..Change::default() } }
}

async fn change(store: &Arc<dyn Store>, id: SessionId) -> Result<Outcome, StoreError> {
    store.mutate(&operation(), id, removal()).await.map(|reply| reply.outcome)
}

/// The same without looking at it first.
async fn change_known(store: &Arc<dyn Store>, known: &Record) -> Result<(), StoreError> {
    store.mutate_known(&operation(), known, removal()).await.map(drop)
}

/// Changes it until that is acknowledged.
async fn changed(store: &Arc<dyn Store>, id: SessionId) {
    for _ in 0..20 {
        match change(store, id).await {
            Ok(outcome) => return assert_eq!(outcome, Outcome::Applied),
            Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("nothing is written any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_stands_still_takes_no_connections_away_and_reading_goes_on() {
    let primary = Server::start();
    let standby = primary.standby();
    primary.set("synchronous_standby_names", "standby");
    primary.until("SELECT sync_state FROM pg_stat_replication", "sync");
    let sessions = node(format!("{}?application_name=node", primary.url())).await;
    let (ids, store) = (begun(&sessions, 40).await, Arc::clone(sessions.store()));
    standby.signal(Signal::Stop);
    for _ in 0..2 {
        for done in join_all(ids.iter().map(|id| change(&store, *id))).await {
            let error = done.unwrap_err();
            assert!(matches!(error, StoreError::Unavailable(_) | StoreError::Unknown(_)), "{error}");
        }
        for id in &ids {
            assert!(store.load(*id).await.unwrap().is_some());
        }
        assert_eq!(sessions.list(&UserId::new("u_0").unwrap()).await.unwrap().len(), 1);
        let used = primary.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'node'");
        assert!(used.parse::<usize>().unwrap() <= CONNECTIONS + BESIDE, "{used} connections");
    }
    standby.signal(Signal::Continue);
    changed(&store, ids[0]).await;
    // What had no answer is over, and all places are free.
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    primary.until(waiting, "0");
    for done in join_all(ids.iter().map(|id| change(&store, *id))).await {
        assert_eq!(done.unwrap(), Outcome::Applied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_server_is_given_up_when_another_has_taken_its_place() {
    let primary = Server::start();
    let standby = primary.standby();
    let (port, other) = (primary.port(), standby.port());
    let sessions = node(format!("postgres://postgres@127.0.0.1:{other},127.0.0.1:{port}/postgres")).await;
    let (ids, store) = (begun(&sessions, 8).await, Arc::clone(sessions.store()));
    standby.until("SELECT count(*) FROM tenure.sessions", "8");
    // All connections that may write are there.
    for done in join_all(ids.iter().map(|id| change(&store, *id))).await {
        done.unwrap();
    }
    let known = join_all(ids.iter().map(|id| store.load(*id))).await;
    let known: Vec<Record> = known.into_iter().map(|found| found.unwrap().unwrap()).collect();
    primary.signal(Signal::Stop);
    for done in join_all(known.iter().map(|record| change_known(&store, record))).await {
        assert!(done.is_err());
    }
    standby.promote();
    for id in ids {
        changed(&store, id).await;
    }
    primary.signal(Signal::Continue);
}
