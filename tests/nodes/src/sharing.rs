//! What several nodes do to one store at the same time.

use tenure::event::Position;
use tenure::store::EventPage;
use tenure::{AtLimit, EndReason, Key, NewGuest, Policy, SessionToken, Sessions, SignIn};

use crate::support::{Kind, Place, active, check, logout, sign_in, soaked, user};

const HERE: Key<u64> = Key::new("here");
const THERE: Key<u64> = Key::new("there");

/// How often each node changes something.
fn times() -> u64 {
    soaked(2_000, 10_000) as u64
}

/// Two nodes without memory, so that each check asks the store.
async fn two(place: &Place) -> (Sessions, Sessions) {
    let node = async || place.builder().cache_bytes(0).without_background().open().await.unwrap();
    (node().await, node().await)
}

async fn count_up(sessions: Sessions, token: SessionToken, key: Key<u64>) {
    let active = active(&sessions, &token).await;
    for _ in 0..times() {
        sessions.update(&active, key, |count| *count += 1).await.unwrap();
    }
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

async fn changes_of_two_nodes_are_all_there_and_told_without_a_gap(kind: Kind) {
    let (here, there) = two(&Place::of(kind)).await;
    let token = sign_in(&here, "ann").await;
    let one = tokio::spawn(count_up(here.clone(), token.clone(), HERE));
    let other = tokio::spawn(count_up(there.clone(), token.clone(), THERE));
    one.await.unwrap();
    other.await.unwrap();
    let active = active(&here, &token).await;
    assert_eq!(HERE.read(active.session()).unwrap(), Some(times()));
    assert_eq!(THERE.read(active.session()).unwrap(), Some(times()));
    assert_eq!(active.session().version(), 2 * times());
    let partition = active.session().id().route().partition(here.store().info().partitions);
    assert_eq!(sequences(&there, partition).await, (1..=2 * times() + 1).collect::<Vec<u64>>());
}

/// Two nodes with a policy.
async fn with(place: &Place, policy: &Policy) -> Vec<Sessions> {
    let mut nodes = Vec::new();
    for _ in 0..2 {
        nodes.push(place.builder().policy(policy.clone()).without_background().open().await.unwrap());
    }
    nodes
}

async fn of_fifty_sign_ins_as_many_succeed_as_may(kind: Kind) {
    let policy = Policy { max_sessions: 5, at_limit: AtLimit::Refuse, ..Policy::default() };
    let nodes = with(&Place::of(kind), &policy).await;
    let sign_ins: Vec<_> = (0..50)
        .map(|n| {
            let node = nodes[n % 2].clone();
            tokio::spawn(async move { node.sign_in(None, SignIn::password(user("ann"))).await })
        })
        .collect();
    let mut succeeded = 0;
    for sign_in in sign_ins {
        match sign_in.await.unwrap() {
            Ok(_) => succeeded += 1,
            Err(error) => assert!(matches!(error, tenure::Error::Refused(_)), "{error}"),
        }
    }
    assert_eq!(succeeded, 5);
    for node in nodes {
        assert_eq!(node.list(&user("ann")).await.unwrap().len(), 5);
    }
}

async fn of_sixty_guests_as_many_begin_as_may(kind: Kind) {
    let mut policy = Policy::default();
    policy.guest.max = 20;
    let nodes = with(&Place::of(kind), &policy).await;
    let guests: Vec<_> = (0..60)
        .map(|n| {
            let node = nodes[n % 2].clone();
            tokio::spawn(async move { node.create_guest(NewGuest::default()).await.is_ok() })
        })
        .collect();
    let mut begun = 0;
    for guest in guests {
        begun += usize::from(guest.await.unwrap());
    }
    assert_eq!(begun, 20);
}

async fn what_one_node_ends_wakes_another_and_is_news_to_it(kind: Kind) {
    let (here, there) = two(&Place::of(kind)).await;
    let token = sign_in(&here, "ann").await;
    let partitions = there.store().info().partitions;
    let partition = active(&there, &token).await.session().id().route().partition(partitions);
    let mut after: Vec<Option<Position>> = vec![None; partitions.into()];
    let first = there.store().news(&after, 100).await.unwrap();
    assert!(first.confirmed);
    assert_eq!(first.tails.len(), usize::from(partitions));
    for tail in first.tails {
        assert!(tail.events.is_empty() && tail.is_end && !tail.gap, "{tail:?}");
        after[usize::from(tail.partition)] = Some(tail.next);
    }
    assert!(there.store().news(&after, 100).await.unwrap().tails.is_empty());
    // It listens from some moment on, and is woken when it begins to.
    there.store().woken().await;
    here.end_all_of(&user("ann"), None, logout()).await.unwrap();
    there.store().woken().await;
    let news = there.store().news(&after, 100).await.unwrap();
    assert_eq!(news.server, first.server);
    let [tail] = news.tails.as_slice() else { panic!("{:?}", news.tails) };
    assert_eq!((tail.partition, tail.events.len(), tail.is_end, tail.gap), (partition, 1, true, false));
    assert_eq!(tail.events[0].body.reason, Some(EndReason::Logout));
    assert_eq!(check(&there, &token).await.unwrap().as_str(), "inactive");
}

/// Makes a test of each promise on an engine.
macro_rules! on {
    ($engine:ident, $kind:expr, $($promise:ident)*) => {
        mod $engine {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise($kind).await;
            })*
        }
    };
}

on!(on_postgres, Kind::Postgres,
    changes_of_two_nodes_are_all_there_and_told_without_a_gap
    of_fifty_sign_ins_as_many_succeed_as_may
    of_sixty_guests_as_many_begin_as_may
    what_one_node_ends_wakes_another_and_is_news_to_it
);

on!(on_redis, Kind::Redis,
    changes_of_two_nodes_are_all_there_and_told_without_a_gap
    of_fifty_sign_ins_as_many_succeed_as_may
    of_sixty_guests_as_many_begin_as_may
    what_one_node_ends_wakes_another_and_is_news_to_it
);
