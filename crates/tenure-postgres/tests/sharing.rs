//! What nodes hear of each other, and how the tables bear what they write.

mod support;

use tenure::clock::SystemClock;
use tenure::event::Position;
use tenure::{Check, Key, Sessions, SignIn, UserId};
use tenure_servers::Postgres as Server;

use support::{active, open, schema};

const HERE: Key<u64> = Key::new("here");

fn user() -> UserId {
    UserId::new("ann").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_another_history_or_from_what_was_never_written_one_goes_on_at_the_end() {
    let sessions = open(&schema()).await;
    let token = sessions.sign_in(None, SignIn::password(user())).await.unwrap().token.expose().to_owned();
    let partition = active(&sessions, &token).await.session().id().route().partition(1_024);
    let mut after = vec![None; 1_024];
    for tail in sessions.store().news(&after, 100).await.unwrap().tails {
        after[usize::from(tail.partition)] = Some(tail.next);
    }
    let right = after[usize::from(partition)].unwrap();
    for wrong in [Position { epoch: right.epoch ^ 1, ..right }, Position { sequence: 99, ..right }] {
        after[usize::from(partition)] = Some(wrong);
        let news = sessions.store().news(&after, 100).await.unwrap();
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
    server.until(&connected, "0");
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
