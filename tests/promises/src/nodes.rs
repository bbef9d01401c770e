//! Several nodes over one store: what one does the others know within the bound, also when they are
//! cut off or stand still.

use std::time::Duration;

use tenure::clock::TestClock;
use tenure::store::{Mutation, Sweep};
use tenure::testing::{Brittle, Call, Faults, Gate, Passing, SharedMemory, Trouble};
use tenure::{
    Active, Actor, Blame, Changes, Check, EndReason, Ending, Error, Issued, Reason, SessionToken, Sessions,
    SignIn, Verdict,
};

use crate::support::{role, user};

const BOUND: Duration = Duration::from_secs(1);

/// A node, and what happens on its way to the store.
struct Node {
    sessions: Sessions,
    way: Faults,
}

impl Node {
    async fn open(store: &SharedMemory, clock: &TestClock) -> Self {
        let way = Faults::default();
        let engine: Brittle<SharedMemory> = way.before(store.clone()).left_open();
        let builder = Sessions::builder(engine).clock(clock.clone()).without_background();
        Self { sessions: builder.open().await.unwrap(), way }
    }

    async fn check(&self, token: &SessionToken) -> Result<Verdict, Error> {
        self.sessions.check(token.expose().as_bytes(), &Check::signed_in()).await
    }

    async fn accepts(&self, token: &SessionToken) -> Active {
        self.check(token).await.unwrap().into_active().expect("it is accepted")
    }

    async fn refuses(&self, token: &SessionToken, why: Reason) {
        assert_eq!(self.check(token).await.unwrap().into_active().expect_err("it is refused").reason, why);
    }

    /// Reads the log, as it does in the background otherwise.
    async fn follow(&self) {
        self.sessions.maintain().await.unwrap();
    }

    async fn sign_in(&self) -> Issued {
        self.sessions.sign_in(None, SignIn::password(user("ada"))).await.unwrap()
    }
}

async fn two() -> (Node, Node, TestClock) {
    let (store, clock) = (SharedMemory::default(), TestClock::default());
    (Node::open(&store, &clock).await, Node::open(&store, &clock).await, clock)
}

fn logout() -> Ending {
    Ending::new(EndReason::Logout, Actor::user())
}

const LOGOUT: Reason = Reason::Ended(EndReason::Logout);

#[tokio::test]
async fn p1_a_node_that_is_cut_off_answers_from_memory_until_the_bound_and_no_longer() {
    let (one, other, clock) = two().await;
    let token = one.sign_in().await.token;
    other.accepts(&token).await;
    other.follow().await;
    other.way.everything(Trouble::unavailable());
    one.sessions.end_all_of(&user("ada"), None, logout()).await.unwrap();
    one.refuses(&token, LOGOUT).await;

    clock.advance(BOUND - Duration::from_millis(1));
    let active = other.accepts(&token).await;
    assert_eq!(active.cache_for(), Duration::from_millis(1), "what is left of the bound");
    clock.advance(Duration::from_millis(1));
    let error = other.check(&token).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Store, "no word on whether she is signed in");

    other.way.heal();
    other.refuses(&token, LOGOUT).await;
}

#[tokio::test]
async fn p1_a_node_that_is_back_catches_up_before_it_trusts_its_memory() {
    let (one, other, clock) = two().await;
    let token = one.sign_in().await.token;
    other.accepts(&token).await;
    other.follow().await;
    clock.advance(10 * BOUND);
    one.sessions.end_all_of(&user("ada"), None, logout()).await.unwrap();
    // It stood still, and has not read the log yet.
    other.refuses(&token, LOGOUT).await;
    other.follow().await;
    other.refuses(&token, LOGOUT).await;
}

#[tokio::test]
async fn p1_the_bound_counts_from_when_the_log_was_asked_for() {
    let (one, other, clock) = two().await;
    let token = one.sign_in().await.token;
    other.accepts(&token).await;
    // The answer is on its way for most of the bound, and an end comes meanwhile.
    let gate = Gate::shut();
    other.way.once(Call::News, Trouble::HeldAfter(gate.clone()));
    let following = tokio::spawn({
        let sessions = other.sessions.clone();
        async move { sessions.maintain().await.unwrap() }
    });
    gate.somebody_waits().await;
    one.sessions.end_all_of(&user("ada"), None, logout()).await.unwrap();
    clock.advance(BOUND);
    gate.open();
    following.await.unwrap();
    other.refuses(&token, LOGOUT).await;
}

/// A check that asks the store, whose answer arrives after `meanwhile` has happened elsewhere and was
/// read of in the log.
async fn overtaken(other: &Node, token: &SessionToken, meanwhile: impl AsyncFnOnce()) {
    let gate = Gate::shut();
    other.way.once(Call::Load, Trouble::HeldAfter(gate.clone()));
    let checking = tokio::spawn({
        let (sessions, token) = (other.sessions.clone(), token.expose().to_owned());
        async move { sessions.check(token.as_bytes(), &Check::signed_in()).await }
    });
    gate.somebody_waits().await;
    meanwhile().await;
    other.follow().await;
    gate.open();
    // It began before, so it may answer as it was then. What begins after it may not.
    checking.await.unwrap().unwrap();
}

#[tokio::test]
async fn p1_a_load_that_an_end_overtakes_is_not_kept() {
    let (one, other, _) = two().await;
    let token = one.sign_in().await.token;
    overtaken(&other, &token, async || {
        one.sessions.end_all_of(&user("ada"), None, logout()).await.unwrap();
    })
    .await;
    other.refuses(&token, LOGOUT).await;
}

#[tokio::test]
async fn p1_a_load_that_a_change_of_roles_overtakes_is_not_kept() {
    let (one, other, _) = two().await;
    let token = one.sign_in().await.token;
    overtaken(&other, &token, async || {
        one.sessions.set_roles(&user("ada"), &[role("admin")], Actor::application()).await.unwrap();
    })
    .await;
    assert!(other.accepts(&token).await.session().has_role("admin"));
}

#[tokio::test]
async fn p1_a_reader_that_was_away_longer_than_the_log_is_kept_drops_its_memory() {
    let (one, other, clock) = two().await;
    let token = one.sign_in().await.token;
    other.accepts(&token).await;
    one.sessions.end_all_of(&user("ada"), None, logout()).await.unwrap();
    clock.advance(Duration::from_millis(1));
    let forget = Sweep {
        limit: 100,
        keep_ended_ms: 86_400_000,
        keep_receipts_ms: 86_400_000,
        keep_events_ms: 0,
        max_events: 0,
        as_of: one.sessions.now(),
    };
    assert!(one.sessions.store().sweep(&forget).await.unwrap().removed > 0, "the log is gone");
    other.follow().await;
    other.refuses(&token, LOGOUT).await;
}

#[tokio::test]
async fn p9_what_a_node_did_itself_does_not_cost_it_its_memory() {
    let (one, _, _) = two().await;
    let token = one.sign_in().await.token;
    let active = one.accepts(&token).await;
    one.sessions.change(&active, Changes::default().set("cart", 1.into())).await.unwrap();
    let loads = one.way.count(Call::Load);
    for _ in 0..3 {
        one.follow().await;
        one.accepts(&token).await;
    }
    assert_eq!(one.way.count(Call::Load), loads, "its own events tell it nothing new");
}

#[tokio::test]
async fn p9_a_change_elsewhere_costs_one_reading() {
    let (one, other, _) = two().await;
    let token = one.sign_in().await.token;
    let active = one.accepts(&token).await;
    other.accepts(&token).await;
    one.sessions.change(&active, Changes::default().set("cart", 1.into())).await.unwrap();
    other.follow().await;
    let loads = other.way.count(Call::Load);
    for _ in 0..3 {
        let seen = other.accepts(&token).await;
        assert_eq!(seen.session().value("cart").map(|(value, _)| value), Some(b"1".as_slice()));
    }
    assert_eq!(other.way.count(Call::Load), loads + 1);
}

#[tokio::test]
async fn p10_a_token_that_another_node_has_just_rotated_is_accepted() {
    let (one, other, clock) = two().await;
    let first = one.sign_in().await.token;
    let active = one.accepts(&first).await;
    other.accepts(&first).await;
    let next = one.sessions.rotate(&active, Actor::application(), None).await.unwrap().token;
    // The other has an old copy, and has not read of it.
    other.accepts(&next).await;
    other.accepts(&first).await;
    clock.advance(Duration::from_millis(1));
    other.follow().await;
    other.accepts(&next).await;
    assert!(one.sessions.get(active.session().id()).await.unwrap().unwrap().end_reason().is_none());
}

#[tokio::test]
async fn p2_two_nodes_change_different_keys_of_one_session_and_all_are_there() {
    const EACH: u64 = 300;
    let (one, other, _) = two().await;
    let token = one.sign_in().await.token;
    let writes = |node: &Node, key: &'static str, active: Active| {
        let sessions = node.sessions.clone();
        tokio::spawn(async move {
            for count in 1..=EACH {
                sessions.change(&active, Changes::default().set(key, count.into())).await.unwrap();
            }
        })
    };
    let first = writes(&one, "one", one.accepts(&token).await);
    let second = writes(&other, "other", other.accepts(&token).await);
    first.await.unwrap();
    second.await.unwrap();
    one.follow().await;
    let session = one.accepts(&token).await;
    for key in ["one", "other"] {
        let (value, _) = session.session().value(key).unwrap();
        assert_eq!(value, EACH.to_string().as_bytes(), "{key}");
    }
    assert_eq!(session.session().version(), 2 * EACH);
}

/// A server takes over that has not heard of what its predecessor acknowledged last, before any node has
/// read of it in the log.
async fn after_a_failover(node: &Node, store: &SharedMemory, lost: impl AsyncFnOnce(&Node)) {
    let replica = store.replica();
    lost(node).await;
    store.promote(replica);
}

#[tokio::test]
async fn p1_an_end_that_a_failover_has_lost_is_written_again_before_memory_is_trusted() {
    let (store, clock) = (SharedMemory::default(), TestClock::default());
    let (one, other) = (Node::open(&store, &clock).await, Node::open(&store, &clock).await);
    let token = one.sign_in().await.token;
    other.accepts(&token).await;
    after_a_failover(&one, &store, async |one| {
        one.sessions.end_all_of(&user("ada"), None, logout()).await.unwrap();
    })
    .await;
    other.accepts(&token).await;
    one.follow().await;
    other.follow().await;
    other.refuses(&token, LOGOUT).await;
    one.refuses(&token, LOGOUT).await;
}

#[tokio::test]
async fn p1_who_was_told_of_an_end_refuses_whatever_a_server_says_that_took_over() {
    let (store, clock) = (SharedMemory::default(), TestClock::default());
    let one = Node::open(&store, &clock).await;
    let token = one.sign_in().await.token;
    after_a_failover(&one, &store, async |one| {
        let active = one.accepts(&token).await;
        one.sessions.sign_out(&active).await.unwrap();
    })
    .await;
    // It has not noticed yet that the server is another.
    one.refuses(&token, LOGOUT).await;
    one.follow().await;
    one.refuses(&token, LOGOUT).await;
    let events = one.sessions.store().events(0, None, 100).await.unwrap();
    let tenure::store::EventPage::Events(events) = events else { panic!("nothing was asked for") };
    let ends = events.iter().filter(|event| event.body.kind == tenure::event::EventKind::Ended).count();
    assert_eq!(ends, 1, "in the history of the new server it is told once");
}

#[tokio::test]
async fn p1_after_a_failover_memory_is_not_trusted_where_it_knows_more_than_the_store() {
    let (store, clock) = (SharedMemory::default(), TestClock::default());
    let one = Node::open(&store, &clock).await;
    let token = one.sign_in().await.token;
    one.follow().await;
    after_a_failover(&one, &store, async |one| {
        let active = one.accepts(&token).await;
        one.sessions.change(&active, Changes::default().set("cart", 1.into())).await.unwrap();
    })
    .await;
    one.follow().await;
    assert_eq!(one.accepts(&token).await.session().version(), 0, "the change is lost, and nobody pretends");
}

#[tokio::test]
async fn p1_who_lost_a_place_to_the_limit_stays_out_after_a_failover() {
    let (store, clock) = (SharedMemory::default(), TestClock::default());
    let one = Node::open(&store, &clock).await;
    let mut tokens = Vec::new();
    for _ in 0..one.sessions.policy().max_sessions {
        tokens.push(one.sign_in().await.token);
        clock.advance(Duration::from_millis(1));
    }
    one.follow().await;
    after_a_failover(&one, &store, async |one| {
        one.sign_in().await;
    })
    .await;
    one.follow().await;
    one.refuses(&tokens[0], Reason::Ended(EndReason::SessionLimit)).await;
}

#[tokio::test]
async fn p1_a_late_change_comes_after_an_end_that_a_failover_has_lost() {
    let (store, clock) = (SharedMemory::default(), TestClock::default());
    let one = Node::open(&store, &clock).await;
    let token = one.sign_in().await.token;
    let active = one.accepts(&token).await;
    after_a_failover(&one, &store, async |one| {
        one.sessions.end_all_of(&user("ada"), None, logout()).await.unwrap();
    })
    .await;
    let late = one.sessions.change(&active, Changes::default().set("cart", 1.into())).await;
    assert!(matches!(late, Err(Error::Inactive(_) | Error::Refused(_))), "{late:?}");
    assert_eq!(one.sessions.list(&user("ada")).await.unwrap().len(), 0);
}

#[tokio::test]
async fn p5_a_session_that_a_server_did_not_have_is_asked_for_again_once_another_takes_over() {
    let (store, clock) = (SharedMemory::default(), TestClock::default());
    let (one, other) = (Node::open(&store, &clock).await, Node::open(&store, &clock).await);
    for node in [&one, &other] {
        node.follow().await;
    }
    let behind = store.replica();
    let token = one.sign_in().await.token;
    let whole = store.replica();
    store.promote(behind);
    other.refuses(&token, Reason::Unknown).await;
    store.promote(whole);
    other.follow().await;
    other.accepts(&token).await;
}

#[tokio::test]
async fn p1_an_answer_of_the_store_that_was_long_on_its_way_is_relied_upon_for_less() {
    let (one, other, clock) = two().await;
    for (late_by, left) in [(900, 100), (5_000, 0)] {
        let token = one.sign_in().await.token;
        let gate = Gate::shut();
        other.way.once(Call::Load, Trouble::HeldAfter(gate.clone()));
        let checking = tokio::spawn({
            let (sessions, token) = (other.sessions.clone(), token.expose().to_owned());
            async move { sessions.check(token.as_bytes(), &Check::signed_in()).await }
        });
        gate.somebody_waits().await;
        clock.advance(Duration::from_millis(late_by));
        gate.open();
        let active = checking.await.unwrap().unwrap().into_active().unwrap();
        assert_eq!(active.cache_for(), Duration::from_millis(left));
    }
}

#[tokio::test]
async fn p9_a_change_whose_answer_was_lost_costs_memory_only_until_the_log_has_told() {
    let (one, _, clock) = two().await;
    let token = one.sign_in().await.token;
    let active = one.accepts(&token).await;
    one.way.always(Call::Change, Trouble::lost_answer());
    let lost = one.sessions.change(&active, Changes::default().set("cart", 1.into())).await;
    assert!(lost.is_err());
    one.way.heal();
    let loads = async |checks: u64| {
        let before = one.way.count(Call::Load);
        one.follow().await;
        for _ in 0..checks {
            one.accepts(&token).await;
        }
        one.way.count(Call::Load) - before
    };
    assert_eq!(loads(3).await, 3, "nobody knows yet what became of it");
    clock.advance(Duration::from_secs(11));
    assert_eq!(loads(3).await, 1);
}

#[tokio::test]
async fn p1_an_answer_that_waits_for_a_confirmation_is_relied_upon_for_less() {
    let (one, other, clock) = two().await;
    let token = one.sign_in().await.token;
    let active = one.accepts(&token).await;
    let next = one.sessions.rotate(&active, Actor::application(), None).await.unwrap().token;
    other.way.watch(move |passing| {
        if let Passing::Mutation(Mutation::Confirm { .. }) = passing {
            clock.advance(Duration::from_millis(900));
        }
    });
    other.way.always(Call::Confirm, Trouble::unavailable());
    let active = other.accepts(&next).await;
    assert!(active.cache_for() <= Duration::from_millis(100), "{:?}", active.cache_for());
}

#[tokio::test]
async fn p9_what_memory_knows_ends_in_one_call_of_the_store() {
    let (one, _, _) = two().await;
    let token = one.sign_in().await.token;
    one.follow().await;
    let active = one.accepts(&token).await;
    let before = one.way.total();
    one.sessions.sign_out(&active).await.unwrap();
    assert_eq!(one.way.total() - before, 1);
    one.refuses(&token, LOGOUT).await;
}
