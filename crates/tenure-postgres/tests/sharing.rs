//! What several nodes do to one store at the same time.

mod support;

use tenure::clock::SystemClock;
use tenure::event::Position;
use tenure::store::EventPage;
use tenure::{Actor, AtLimit, Check, EndReason, Ending, Key, NewGuest, Policy, Sessions, SignIn, UserId};
use tenure_servers::Postgres as Server;

use support::{active, engine, open, schema};

const HERE: Key<u64> = Key::new("here");
const THERE: Key<u64> = Key::new("there");

/// How often each node changes something.
const TIMES: u64 = 2_000;

fn user() -> UserId {
    UserId::new("ann").unwrap()
}

async fn count_up(sessions: Sessions, token: String, key: Key<u64>) {
    let active = active(&sessions, &token).await;
    for _ in 0..TIMES {
        sessions.update(&active, key, |count| *count += 1).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_two_nodes_to_different_keys_are_all_there_and_told_without_a_gap() {
    let schema = schema();
    let (here, there) = (open(&schema).await, open(&schema).await);
    let token = here.sign_in(None, SignIn::password(user())).await.unwrap().token.expose().to_owned();
    let one = tokio::spawn(count_up(here.clone(), token.clone(), HERE));
    let two = tokio::spawn(count_up(there.clone(), token.clone(), THERE));
    one.await.unwrap();
    two.await.unwrap();
    let third = open(&schema).await;
    let active = active(&third, &token).await;
    assert_eq!(HERE.read(active.session()).unwrap(), Some(TIMES));
    assert_eq!(THERE.read(active.session()).unwrap(), Some(TIMES));
    assert_eq!(active.session().version(), 2 * TIMES);
    let partition = active.session().id().route().partition(1_024);
    assert_eq!(sequences(&third, partition).await, (1..=2 * TIMES + 1).collect::<Vec<u64>>());
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
    let schema = schema();
    let policy = Policy { max_sessions: 5, at_limit: AtLimit::Refuse, ..Policy::default() };
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let node = Sessions::builder(engine(&schema)).policy(policy.clone()).without_background();
        nodes.push(node.open().await.unwrap());
    }
    let sign_ins = (0..50).map(|n| {
        let node: Sessions = nodes[n % 2].clone();
        tokio::spawn(async move { node.sign_in(None, SignIn::password(user())).await })
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
        assert_eq!(node.list(&user()).await.unwrap().len(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_guests_at_once_from_two_nodes_as_many_begin_as_may() {
    let schema = schema();
    let mut policy = Policy::default();
    policy.guest.max = 20;
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let node = Sessions::builder(engine(&schema)).policy(policy.clone()).without_background();
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
    let schema = schema();
    let (here, there) = (open(&schema).await, open(&schema).await);
    let token = here.sign_in(None, SignIn::password(user())).await.unwrap().token.expose().to_owned();
    let partition = active(&there, &token).await.session().id().route().partition(1_024);
    let none = vec![None; 1_024];
    let first = there.store().news(&none, 100).await.unwrap();
    assert!(first.confirmed);
    let mut after = none;
    for tail in first.tails {
        assert!(tail.events.is_empty() && tail.is_end && !tail.gap, "{tail:?}");
        after[usize::from(tail.partition)] = Some(tail.next);
    }
    assert!(there.store().news(&after, 100).await.unwrap().tails.is_empty());
    // It listens from some moment on, and is woken when it begins to.
    there.store().woken().await;
    here.end_all_of(&user(), None, Ending::new(EndReason::Revoked, Actor::application())).await.unwrap();
    there.store().woken().await;
    let news = there.store().news(&after, 100).await.unwrap();
    assert_eq!(news.server, first.server);
    let [tail] = &news.tails[..] else { panic!("{:?}", news.tails) };
    assert_eq!((tail.partition, tail.events.len(), tail.is_end, tail.gap), (partition, 1, true, false));
    assert_eq!(tail.events[0].body.reason, Some(EndReason::Revoked));

    // From another history, or from what was never written, there is no way on but from the end.
    let right = tail.next;
    for wrong in [Position { epoch: right.epoch ^ 1, ..right }, Position { sequence: 99, ..right }] {
        after[usize::from(partition)] = Some(wrong);
        let news = there.store().news(&after, 100).await.unwrap();
        let [tail] = &news.tails[..] else { panic!("{:?}", news.tails) };
        assert_eq!((tail.next, tail.is_end, tail.gap), (right, true, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn news_is_bounded_and_goes_on_where_it_stopped() {
    let schema = schema();
    let sessions = open(&schema).await;
    let start = vec![Some(beginning(&sessions).await); 1_024];
    for n in 0..40 {
        let user = UserId::new(format!("u_{n}")).unwrap();
        sessions.sign_in(None, SignIn::password(user)).await.unwrap();
    }
    let (mut after, mut heard, mut polls) = (start, 0, 0);
    loop {
        let news = sessions.store().news(&after, 15).await.unwrap();
        if news.tails.is_empty() {
            break;
        }
        let events: usize = news.tails.iter().map(|tail| tail.events.len()).sum();
        assert!((1..=15).contains(&events), "{events}");
        for tail in news.tails {
            assert_eq!(tail.is_end, !tail.events.is_empty(), "each log here has one event");
            after[usize::from(tail.partition)] = Some(tail.next);
        }
        (heard, polls) = (heard + events, polls + 1);
    }
    assert_eq!((heard, polls), (40, 3));
}

async fn beginning(sessions: &Sessions) -> Position {
    let news = sessions.store().news(&[None], 1).await.unwrap();
    news.tails.first().map(|tail| tail.next).expect("a partition that was asked for")
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_and_activity_touch_no_index() {
    let schema = schema();
    let url = format!("{}?application_name={schema}", Server::shared().url());
    let engine = tenure_postgres::Postgres::at(url).schema(&schema).master_key(support::key());
    let sessions = Sessions::builder(engine).without_background().open().await.unwrap();
    let token = sessions.sign_in(None, SignIn::password(user())).await.unwrap().token.expose().to_owned();
    let active = active(&sessions, &token).await;
    for _ in 0..100 {
        sessions.update(&active, HERE, |count| *count += 1).await.unwrap();
        let touch = tenure::store::Touch { id: active.session().id(), at: now() };
        sessions.store().touch(&[touch]).await.unwrap();
    }
    sessions.close().await.unwrap();
    let sql = format!(
        "SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
         WHERE schemaname = '{schema}' AND relname IN ('sessions', 'partitions') ORDER BY 1"
    );
    // What a connection counted is there at the latest when it has ended.
    let server = Server::shared();
    let connected = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{schema}'");
    while server.sql(&connected) != "0" {
        tokio::task::yield_now().await;
    }
    let counted = server.sql(&sql);
    for line in counted.lines() {
        let numbers: Vec<u64> = line.split('|').skip(1).map(|number| number.parse().unwrap()).collect();
        assert!(numbers[0] >= 100, "{counted}");
        // When a page is full, one goes to another page.
        assert!(numbers[1] * 100 >= numbers[0] * 95, "{counted}");
    }
    assert_eq!(counted.lines().count(), 2);
}

fn now() -> tenure::clock::Timestamp {
    use tenure::clock::Clock;
    SystemClock.wall()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_moments_of_one_session_count_in_their_order() {
    let schema = schema();
    let sessions = open(&schema).await;
    let token = sessions.sign_in(None, SignIn::password(user())).await.unwrap().token.expose().to_owned();
    let id = active(&sessions, &token).await.session().id();
    let begun = sessions.store().load(id).await.unwrap().unwrap().last_seen_at;
    // Let the place's clock go on for a little: a moment ahead of it counts as now.
    while now().as_millis() <= begun.as_millis() + 20 {
        tokio::task::yield_now().await;
    }
    let at = |ms: u64| tenure::store::Touch {
        id,
        at: tenure::clock::Timestamp::from_millis(begun.as_millis() + ms),
    };
    sessions.store().touch(&[at(5), at(15), at(10)]).await.unwrap();
    let seen = sessions.store().load(id).await.unwrap().unwrap().last_seen_at;
    assert_eq!(seen, at(15).at);
    sessions.store().touch(&[at(3_600_000)]).await.unwrap();
    let seen = sessions.store().load(id).await.unwrap().unwrap().last_seen_at;
    assert!(seen > at(15).at && seen <= now(), "{seen}");
    let check = sessions.check(token.as_bytes(), &Check::signed_in()).await.unwrap();
    assert_eq!(check.as_str(), "ok");
}
