//! Following the logs of many partitions.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tenure::SessionId;
use tenure::event::Position;
use tenure::record::NewSession;
use tenure::store::News;
use tenure::store::conformance::{Fixture, admission};
use tenure_servers::Redis as Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use support::empty;

const PARTITIONS: u16 = 1_024;

/// A road to a server that counts how often an answer follows a question: how long something takes where
/// the road is long.
struct Road {
    port: u16,
    trips: Arc<AtomicUsize>,
}

impl Road {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let road = Self { port: listener.local_addr().unwrap().port(), trips: Arc::default() };
        let trips = Arc::clone(&road.trips);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                let (asked, trips) = (Arc::new(AtomicBool::new(false)), Arc::clone(&trips));
                let ask = Arc::clone(&asked);
                tokio::spawn(carry(near_in, far_out, move || ask.store(true, Ordering::SeqCst)));
                tokio::spawn(carry(far_in, near_out, move || {
                    trips.fetch_add(usize::from(asked.swap(false, Ordering::SeqCst)), Ordering::SeqCst);
                }));
            }
        });
        road
    }

    /// How many since this was asked last.
    fn trips(&self) -> usize {
        self.trips.swap(0, Ordering::SeqCst)
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    see: impl Fn(),
) {
    let mut piece = vec![0; 1 << 20];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        see();
        if to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}

/// Begins a session in each partition.
async fn one_in_each(f: &Fixture) {
    for partition in 0..PARTITIONS {
        let new = f.guest();
        let mut id = *new.id.as_bytes();
        id[6..8].copy_from_slice(&(partition * (u16::MAX / PARTITIONS + 1)).to_be_bytes());
        let new = NewSession { id: SessionId::from_bytes(id), ..new };
        f.store().create(&f.operation(), new, &admission()).await.unwrap();
    }
}

/// Moves the positions on, and gives how many events were told.
fn take(after: &mut [Option<Position>], news: &News) -> usize {
    for tail in &news.tails {
        after[usize::from(tail.partition)] = Some(tail.next);
    }
    news.tails.iter().map(|tail| tail.events.len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_news_of_all_partitions_take_as_long_as_those_of_a_few() {
    let server = Server::start();
    let road = Road::to(server.port()).await;
    let f = empty(format!("redis://127.0.0.1:{}", road.port), PARTITIONS).await;
    let mut after = vec![None; usize::from(PARTITIONS)];
    let news = f.store().news(&after, 5_000).await.unwrap();
    take(&mut after, &news);
    one_in_each(&f).await;
    server.cli("SCRIPT FLUSH");
    road.trips();
    let news = f.store().news(&after, 5_000).await.unwrap();
    // A question that is not sent at once is seen as several.
    let trips = road.trips();
    assert!(trips < 50, "{trips} round trips");
    assert_eq!(take(&mut after, &news), usize::from(PARTITIONS));
    assert!(news.tails.iter().all(|tail| tail.is_end && !tail.gap));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_more_than_asked_for_each_partition_has_its_turn() {
    let f = empty(Server::shared().url(), PARTITIONS).await;
    let mut after = vec![None; usize::from(PARTITIONS)];
    let news = f.store().news(&after, 100).await.unwrap();
    take(&mut after, &news);
    let begun = after.clone();
    one_in_each(&f).await;
    let (mut told, mut asked) = (0, 0);
    while told < usize::from(PARTITIONS) {
        let news = f.store().news(&after, 100).await.unwrap();
        asked += 1;
        assert!(news.tails.iter().all(|tail| !tail.gap && tail.is_end != tail.events.is_empty()));
        let more = take(&mut after, &news);
        assert!(more > 0 && more <= 100, "{more} events");
        told += more;
    }
    assert_eq!((told, asked), (1_024, 11));
    assert!(f.store().news(&after, 100).await.unwrap().tails.is_empty());
    // What is not told at once is told the next time.
    let nothing = f.store().news(&begun, 0).await.unwrap();
    for tail in &nothing.tails {
        assert_eq!((tail.events.len(), tail.is_end), (0, false));
        assert_eq!(Some(tail.next), begun[usize::from(tail.partition)]);
    }
    assert_eq!(nothing.tails.len(), usize::from(PARTITIONS));
    // Asked from the beginning again, others come first.
    let first = f.store().news(&begun, 1).await.unwrap();
    let then = f.store().news(&begun, 1).await.unwrap();
    let told = |news: &News| news.tails.iter().find(|tail| !tail.events.is_empty()).unwrap().partition;
    assert_ne!(told(&first), told(&then));
}
