//! What a node that follows a shared store is told.

use crate::clock::Timestamp;
use crate::event::{Event, Position};
use crate::store::EventPage;

/// What is new in the logs of a store that several nodes share: see
/// [`Store::news`](super::Store::news).
///
/// # Example: what happened since one asked
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::event::EventKind;
/// use tenure::store::{News, Store, Tail};
/// use tenure::testing::SharedMemory;
/// use tenure::{Sessions, SignIn};
///
/// let sessions = Sessions::builder(SharedMemory::default()).without_background().open().await?;
/// let store = sessions.store();
/// let store: &dyn Store = &**store;
/// let News { server, confirmed, tails, .. } = store.news(&[None], 100).await?;
/// assert!(confirmed && tails[0].events.is_empty(), "where the log ends, and nothing before");
///
/// sessions.sign_in(None, SignIn::password("u_1".parse()?)).await?;
/// // Where a store can, it says when to ask; otherwise one asks now and then.
/// drop(store.woken());
/// let news = store.news(&[Some(tails[0].next)], 100).await?;
/// assert_eq!(news.server, server, "the same server with the same history");
/// let Tail { partition, events, is_end, gap, .. } = &news.tails[0];
/// assert_eq!((*partition, events[0].body.kind, *is_end, *gap), (0, EventKind::Created, true, false));
///
/// // A store of one log makes it of a page of that.
/// let page = store.events(0, None, 100).await?;
/// assert_eq!(News::of_one_log(news.now, server, tails[0].next, news.tails[0].next, page), news);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News<E = Event> {
    /// The store's time when this was read.
    pub now: Timestamp,
    /// Names the server that answered and its history, for as long as both are the same. When it
    /// changes, for instance after a failover, what was acknowledged shortly before may be gone.
    pub server: u64,
    /// Whether those that could take over the server's place confirmed after the question was asked
    /// that it still is the one; true where there are none.
    pub confirmed: bool,
    /// The partitions with something new; in all others the log still ends where it was asked from.
    pub tails: Vec<Tail<E>>,
}

impl News {
    /// The news of a store of one log that nobody shares, which ends at `end`: `page` is what there is
    /// `from` the position that was asked from.
    pub fn of_one_log(now: Timestamp, server: u64, from: Position, end: Position, page: EventPage) -> Self {
        let (events, gap) = match page {
            EventPage::Events(events) => (events, false),
            EventPage::Truncated { .. } => (Vec::new(), true),
        };
        let next = if gap { end } else { events.last().map_or(from, |event| event.position) };
        let tail = Tail { partition: 0, events, next, is_end: next >= end, gap };
        Self { now, server, confirmed: true, tails: vec![tail] }
    }
}

/// What is new in the log of one partition, as part of [`News`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail<E = Event> {
    /// The partition.
    pub partition: u16,
    /// The events after the position that was asked from, oldest first, without a gap.
    pub events: Vec<E>,
    /// Where to ask from the next time.
    pub next: Position,
    /// Whether that is the end of the log.
    pub is_end: bool,
    /// Whether something before these events cannot be told any more: the position is no longer
    /// kept, or is of another history.
    pub gap: bool,
}
