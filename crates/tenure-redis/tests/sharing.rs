//! What several nodes do to one store at the same time.

mod support;

use tenure::event::Position;
use tenure::store::EventPage;
use tenure::{AtLimit, Check, Key, NewGuest, Policy, Sessions, SignIn};
use tenure_servers::Redis as Server;

use support::{active, ending, engine, open, prefix, user};

const HERE: Key<u64> = Key::new("here");
const THERE: Key<u64> = Key::new("there");

/// How often each node changes something.
const TIMES: u64 = 2_000;

/// In how many parts a store is by default.
const PARTITIONS: u16 = 32;

async fn count_up(sessions: Sessions, token: String, key: Key<u64>) {
    let active = active(&sessions, &token).await;
    for _ in 0..TIMES {
        sessions.update(&active, key, |count| *count += 1).await.unwrap();
    }
}

async fn two(prefix: &str) -> (Sessions, Sessions) {
    let url = Server::shared().url();
    (open(engine(&url, prefix)).await, open(engine(&url, prefix)).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_two_nodes_to_different_keys_are_all_there_and_told_without_a_gap() {
    let prefix = prefix();
    let (here, there) = two(&prefix).await;
    let token = here.sign_in(None, SignIn::password(user("ann"))).await.unwrap().token.expose().to_owned();
    let one = tokio::spawn(count_up(here.clone(), token.clone(), HERE));
    let other = tokio::spawn(count_up(there.clone(), token.clone(), THERE));
    one.await.unwrap();
    other.await.unwrap();
    let active = active(&here, &token).await;
    assert_eq!(HERE.read(active.session()).unwrap(), Some(TIMES));
    assert_eq!(THERE.read(active.session()).unwrap(), Some(TIMES));
    assert_eq!(active.session().version(), 2 * TIMES);
    let partition = active.session().id().route().partition(PARTITIONS);
    assert_eq!(sequences(&there, partition).await, (1..=2 * TIMES + 1).collect::<Vec<u64>>());
}

async fn sequences(sessions: &Sessions, partition: u16) -> Vec<u64> {
    let (mut all, mut after): (Vec<u64>, Option<Position>) = (Vec::new(), None);
    loop {
        let page = sessions.store().events(partition, after, 1_000).await.unwrap();
        let EventPage::Events(events) = page else { panic!("the log is cut") };
        let Some(last) = events.last() else { return all };
        after = Some(last.position);
        all.extend(events.iter().map(|event| event.position.sequence));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_sign_ins_from_two_nodes_as_many_succeed_as_may() {
    let (url, prefix) = (Server::shared().url(), prefix());
    let policy = Policy { max_sessions: 5, at_limit: AtLimit::Refuse, ..Policy::default() };
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let node = Sessions::builder(engine(&url, &prefix)).policy(policy.clone()).without_background();
        nodes.push(node.open().await.unwrap());
    }
    let sign_ins = (0..50).map(|n| {
        let node: Sessions = nodes[n % 2].clone();
        tokio::spawn(async move { node.sign_in(None, SignIn::password(user("ann"))).await })
    });
    let mut succeeded = 0;
    for sign_in in futures_util::future::join_all(sign_ins).await {
        match sign_in.unwrap() {
            Ok(_) => succeeded += 1,
            Err(error) => assert!(matches!(error, tenure::Error::Refused(_)), "{error}"),
        }
    }
    assert_eq!(succeeded, 5);
    for node in nodes {
        assert_eq!(node.list(&user("ann")).await.unwrap().len(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_guests_at_once_from_two_nodes_as_many_begin_as_may() {
    let (url, prefix) = (Server::shared().url(), prefix());
    let mut policy = Policy::default();
    policy.guest.max = 20;
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let node = Sessions::builder(engine(&url, &prefix)).policy(policy.clone()).without_background();
        nodes.push(node.open().await.unwrap());
    }
    let guests = (0..60).map(|n| {
        let node: Sessions = nodes[n % 2].clone();
        tokio::spawn(async move { node.create_guest(NewGuest::default()).await.is_ok() })
    });
    let begun = futures_util::future::join_all(guests).await;
    assert_eq!(begun.into_iter().filter(|begun| *begun.as_ref().unwrap()).count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_ends_wakes_another_and_is_news_to_it() {
    let prefix = prefix();
    let (here, there) = two(&prefix).await;
    let token = here.sign_in(None, SignIn::password(user("ann"))).await.unwrap().token.expose().to_owned();
    let mut after: Vec<Option<Position>> = vec![None; PARTITIONS.into()];
    let first = there.store().news(&after, 100).await.unwrap();
    assert!(first.confirmed);
    assert_eq!(first.tails.len(), usize::from(PARTITIONS));
    for tail in first.tails {
        assert!(tail.events.is_empty() && tail.is_end && !tail.gap, "{tail:?}");
        after[usize::from(tail.partition)] = Some(tail.next);
    }
    assert!(there.store().news(&after, 100).await.unwrap().tails.is_empty());
    // It listens from some moment on, and is woken when it begins to.
    there.store().woken().await;
    here.end_all_of(&user("ann"), None, ending()).await.unwrap();
    there.store().woken().await;
    let news = there.store().news(&after, 100).await.unwrap();
    assert_eq!(news.server, first.server);
    let [tail] = news.tails.as_slice() else { panic!("{:?}", news.tails) };
    assert!(tail.is_end && !tail.gap && !tail.events.is_empty(), "{tail:?}");
    let verdict = there.check(token.as_bytes(), &Check::signed_in()).await.unwrap();
    assert!(verdict.into_active().is_err());
    // What is not told at once is told the next time.
    let little = there.store().news(&after, 0).await.unwrap();
    let [tail] = little.tails.as_slice() else { panic!("{:?}", little.tails) };
    assert_eq!((tail.events.len(), tail.is_end), (0, false));
    assert_eq!(Some(tail.next), after[usize::from(tail.partition)]);
}
