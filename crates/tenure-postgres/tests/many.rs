//! Many changes at once, which go to the server together.

mod support;

use std::sync::Arc;

use tenure::event::Position;
use tenure::store::{EventPage, Outcome, Store};
use tenure::{Key, NewGuest, SessionId, Sessions, SignIn, UserId};
use tenure_servers::Postgres as Server;

use support::{Blocker, active, change, open, operation, schema};

const HERE: Key<u64> = Key::new("here");
const THERE: Key<u64> = Key::new("there");

/// How many sessions there are, and how often each node changes each of them.
const SESSIONS: usize = 100;
const TIMES: u64 = 20;

async fn sign_in(sessions: &Sessions, n: usize) -> String {
    let user = UserId::new(format!("u_{n}")).unwrap();
    sessions.sign_in(None, SignIn::password(user)).await.unwrap().token.expose().to_owned()
}

async fn count_up(sessions: Sessions, token: String, key: Key<u64>) {
    let active = active(&sessions, &token).await;
    for _ in 0..TIMES {
        sessions.update(&active, key, |count| *count += 1).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_go_together_are_each_made_once_and_told_without_a_gap() {
    let schema = schema();
    let (here, there) = (open(&schema).await, open(&schema).await);
    let (mut tokens, mut nodes) = (Vec::new(), Vec::new());
    for n in 0..SESSIONS {
        tokens.push(sign_in(&here, n).await);
    }
    for token in &tokens {
        nodes.push(tokio::spawn(count_up(here.clone(), token.clone(), HERE)));
        nodes.push(tokio::spawn(count_up(there.clone(), token.clone(), THERE)));
    }
    for node in nodes {
        node.await.unwrap();
    }
    let mut logs = vec![0; 1_024];
    for token in &tokens {
        let active = active(&there, token).await;
        assert_eq!(HERE.read(active.session()).unwrap(), Some(TIMES));
        assert_eq!(THERE.read(active.session()).unwrap(), Some(TIMES));
        assert_eq!(active.session().version(), 2 * TIMES, "each change counts once");
        logs[usize::from(active.session().id().route().partition(1_024))] += 1 + 2 * TIMES;
    }
    for (partition, expected) in (0..).zip(logs) {
        let sequences = sequences(here.store(), partition).await;
        assert_eq!(sequences, (1..=expected).collect::<Vec<u64>>(), "the log of partition {partition}");
    }
}

async fn sequences(store: &Arc<dyn Store>, partition: u16) -> Vec<u64> {
    let (mut all, mut after): (Vec<u64>, Option<Position>) = (Vec::new(), None);
    loop {
        let EventPage::Events(events) = store.events(partition, after, 1_000).await.unwrap() else {
            panic!("the log is cut")
        };
        let Some(last) = events.last() else { return all };
        after = Some(last.position);
        all.extend(events.iter().map(|event| event.position.sequence));
    }
}

async fn changed(store: Arc<dyn Store>, id: SessionId) -> Outcome {
    store.mutate(&operation(), id, change()).await.unwrap().outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_somebody_keeps_locked_holds_no_other_change_up() {
    let schema = schema();
    let sessions = open(&schema).await;
    let mut ids = Vec::new();
    for n in 0..SESSIONS {
        let token = sign_in(&sessions, n).await;
        ids.push(active(&sessions, &token).await.session().id());
    }
    let locked = ids[SESSIONS / 2].route();
    let partition = |id: &SessionId| id.route().partition(1_024);
    let blocker = Blocker::of(&schema, locked.partition(1_024));
    let (mut waiting, mut others) = (Vec::new(), Vec::new());
    for id in &ids {
        let call = tokio::spawn(changed(Arc::clone(sessions.store()), *id));
        let is_locked = partition(id) == locked.partition(1_024);
        if is_locked { waiting.push(call) } else { others.push(call) }
    }
    for other in others {
        assert_eq!(other.await.unwrap(), Outcome::Applied);
    }
    assert!(!waiting.is_empty() && waiting.iter().all(|call| !call.is_finished()));
    drop(blocker);
    for call in waiting {
        assert_eq!(call.await.unwrap(), Outcome::Applied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_that_were_made_of_empty_tables_do_not_read_full_ones() {
    let (schema, server) = (schema(), Server::shared());
    let sessions = open(&schema).await;
    for n in 0..SESSIONS {
        sign_in(&sessions, n).await;
        sessions.create_guest(NewGuest::default()).await.unwrap();
    }
    sessions.close().await.unwrap();
    // A server tells what a connection read when that is over.
    let open =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{schema}.%' AND pid <> pg_backend_pid()";
    server.until(&open.replace("{schema}", &schema), "0");
    let read = |table: &str| -> usize {
        let sql = format!(
            "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables
             WHERE schemaname = '{schema}' AND relname = '{table}'"
        );
        server.sql(&sql).parse().unwrap()
    };
    for table in ["sessions", "cells"] {
        let rows = read(table);
        assert!(rows < 10 * SESSIONS, "{rows} rows of {table} were read to begin {} sessions", 2 * SESSIONS);
    }
}
