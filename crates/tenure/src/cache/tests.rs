//! Every order in which loads, changes and checks can meet in the cache.

use std::collections::BTreeMap;

use super::*;
use crate::clock::Timestamp;
use crate::device::Device;
use crate::id::{Realm, Route, UserId};
use crate::keys::{Keys, MasterKey};
use crate::level::Level;
use crate::random::{SeededRandom, SystemRandom};
use crate::record::{Change, Method, NewIdentity, NewSession, NewState, Record};
use crate::testing::every_order;
use crate::token::Secret;
use crate::vault;

struct World {
    keys: Keys,
    record: Record,
}

impl World {
    fn new(user: Option<&str>, data: usize) -> Self {
        let keys = Keys::derive(&MasterKey::generate(&SystemRandom));
        let id = SessionId::new(Timestamp::from_millis(1), Route(1), &SystemRandom);
        let record = Self::record(&keys, id, user, data);
        Self { keys, record }
    }

    fn record(keys: &Keys, id: SessionId, user: Option<&str>, data: usize) -> Record {
        let state = match user {
            None => NewState::Guest,
            Some(user) => NewState::SignedIn(NewIdentity {
                user: UserId::new(user).unwrap(),
                roles: Vec::new(),
                level: Level::One,
                methods: vec![Method::password()],
                at: None,
            }),
        };
        let value = vault::seal_value(keys, &SystemRandom, id, "data", &vec![b'1'; data]);
        let new = NewSession {
            id,
            realm: Realm::default(),
            state,
            previous: None,
            idle_ms: 1_000,
            absolute_ms: 1_000,
            persistent: false,
            hash: Secret::new(&SystemRandom).hash(),
            device: vault::seal_device(keys, &SystemRandom, id, &Device::default()),
            data: BTreeMap::from([("data".to_owned(), value.into())]),
            adopted_until: None,
        };
        new.record(Timestamp::from_millis(1)).unwrap()
    }

    fn at_revision(&self, revision: u64) -> Arc<Snapshot> {
        Snapshot::open(&self.keys, Record { revision, ..self.record.clone() }, None, |_, _| None).unwrap()
    }
}

/// What somebody does next, each step under the shard's lock or in the store.
#[derive(Clone, Copy, Debug)]
enum Step {
    Ticket,
    Read,
    Insert,
    Begin,
    Commit,
    Finish,
    /// The change broke off without an answer.
    Drop,
    Evict,
}

/// The state of one who goes through their steps.
#[derive(Default)]
struct Actor {
    ticket: Option<Ticket>,
    read: Option<u64>,
    changing: Option<Changing>,
    committed: u64,
}

fn run(world: &World, actors: &[&[Step]], order: &[usize]) {
    let cache = Arc::new(Cache::new(1 << 24));
    let id = world.record.id;
    let mut done = vec![0; actors.len()];
    let mut states: Vec<Actor> = actors.iter().map(|_| Actor::default()).collect();
    let (mut stored, mut acknowledged) = (1, 1);
    for &who in order {
        let actor = &mut states[who];
        match actors[who][done[who]] {
            Step::Ticket => actor.ticket = Some(cache.ticket(&id)),
            Step::Read => actor.read = Some(stored),
            Step::Insert => {
                cache.insert(&world.at_revision(actor.read.unwrap()), actor.ticket.unwrap());
            }
            Step::Begin => actor.changing = Some(cache.begin(id)),
            Step::Commit => {
                stored += 1;
                actor.committed = stored;
            }
            Step::Finish => {
                actor.changing.take().unwrap().finish(Some(world.at_revision(actor.committed)));
                acknowledged = acknowledged.max(actor.committed);
            }
            Step::Drop => {
                actor.changing.take();
                acknowledged = acknowledged.max(actor.committed);
            }
            Step::Evict => {
                cache.evict(&id);
                acknowledged = acknowledged.max(actor.committed);
            }
        }
        done[who] += 1;
        let seen = cache.get(&id).map_or(acknowledged, |snapshot| snapshot.record().revision);
        assert!(seen >= acknowledged, "revision {seen} after {acknowledged} was acknowledged: {order:?}");
    }
}

fn in_every_order(actors: &[&[Step]]) -> usize {
    let world = World::new(Some("u_1"), 10);
    let steps: Vec<usize> = actors.iter().map(|steps| steps.len()).collect();
    every_order(&steps, |order| run(&world, actors, order))
}

const LOAD: &[Step] = &[Step::Ticket, Step::Read, Step::Insert];
const CHANGE: &[Step] = &[Step::Begin, Step::Commit, Step::Finish];
const BROKEN_CHANGE: &[Step] = &[Step::Begin, Step::Commit, Step::Drop];
/// Ended together with others: nobody knew before that it would be.
const PUSHED_OUT: &[Step] = &[Step::Commit, Step::Evict];

#[test]
fn p1_no_load_brings_back_what_a_change_has_ended_in_any_order() {
    assert_eq!(in_every_order(&[LOAD, LOAD, CHANGE]), 1_680);
    in_every_order(&[LOAD, CHANGE, PUSHED_OUT]);
    in_every_order(&[LOAD, BROKEN_CHANGE, PUSHED_OUT]);
}

#[test]
fn p1_two_changes_at_once_never_leave_the_older_one_in_any_order() {
    in_every_order(&[CHANGE, CHANGE, LOAD]);
    in_every_order(&[CHANGE, BROKEN_CHANGE, LOAD]);
}

#[test]
fn a_change_of_unknown_outcome_is_not_cached_until_it_is_resolved() {
    let world = World::new(Some("u_1"), 10);
    let cache = Arc::new(Cache::new(1 << 24));
    let id = world.record.id;
    let second = Duration::from_secs(1);
    cache.begin(id).unknown(3 * second);
    cache.begin(id).unknown(5 * second);
    let cached = || {
        let ticket = cache.ticket(&id);
        cache.insert(&world.at_revision(9), ticket);
        cache.get(&id).is_some()
    };
    for (resolved, is_cached) in [(None, false), (Some(2), false), (Some(3), false), (Some(5), true)] {
        resolved.into_iter().for_each(|at| cache.resolve(at * second));
        assert_eq!(cached(), is_cached, "{resolved:?}");
    }
}

#[test]
fn changes_of_unknown_outcome_do_not_fill_the_memory() {
    let keys = Keys::derive(&MasterKey::generate(&SystemRandom));
    let cache = Arc::new(Cache::new(1 << 26));
    let random = SeededRandom::new(1);
    let id = |n| SessionId::new(Timestamp::from_millis(n), Route(1), &random);
    let first = id(0);
    cache.begin(first).unknown(Duration::ZERO);
    for n in 1..200_000 {
        cache.begin(id(n)).unknown(Duration::from_millis(n));
    }
    let remembered = cache.shards.iter().map(|shard| shard.read().unwrap().changing.len()).max();
    assert!(remembered.unwrap() <= MAX_UNKNOWN);
    let cached = |id| {
        let ticket = cache.ticket(&id);
        cache.insert(
            &Snapshot::open(&keys, World::record(&keys, id, Some("u_1"), 10), None, |_, _| None).unwrap(),
            ticket,
        );
        cache.get(&id).is_some()
    };
    assert!(!cached(first), "its change may still have happened");
    // A change that was under way when its shard went blind ends like any other.
    drop(cache.begin(first));
    assert!(!cached(first));
    cache.resolve(Duration::from_millis(199_000));
    assert!(!cached(first), "the last of them is not resolved");
    cache.resolve(Duration::from_millis(200_000));
    assert!(cached(first));
}

fn fill(cache: &Cache, keys: &Keys, user: Option<&str>, count: u64) -> Vec<SessionId> {
    let random = SeededRandom::new(count);
    let new = |n| {
        let id = SessionId::new(Timestamp::from_millis(n), Route(1), &random);
        let ticket = cache.ticket(&id);
        cache.insert(
            &Snapshot::open(keys, World::record(keys, id, user, 100), None, |_, _| None).unwrap(),
            ticket,
        );
        id
    };
    (0..count).map(new).collect()
}

#[test]
fn the_cache_stays_within_its_bytes() {
    let keys = Keys::derive(&MasterKey::generate(&SystemRandom));
    let cache = Cache::new(1 << 20);
    fill(&cache, &keys, Some("u_1"), 3_000);
    let held: usize = cache.shards.iter().map(|shard| shard.read().unwrap().users.bytes).sum();
    assert!((1 << 18..1 << 20).contains(&held), "{held} bytes");
    let longest = cache.shards.iter().map(|shard| shard.read().unwrap().users.order.len()).max();
    assert!(longest.unwrap() < 200, "{longest:?} places in the order");
}

#[test]
fn guests_push_out_no_signed_in_session() {
    let keys = Keys::derive(&MasterKey::generate(&SystemRandom));
    let cache = Cache::new(1 << 21);
    let users = fill(&cache, &keys, Some("u_1"), 150);
    fill(&cache, &keys, None, 3_000);
    assert!(users.iter().all(|id| cache.get(id).is_some()));
}

/// The memory that a cache holds after it was shown so many sessions, against its bound.
fn held(user: Option<&str>, data: usize, sessions: usize, bound: usize) -> f64 {
    let mut cache = None;
    let found = allocation_counter::measure(|| {
        let kept = Arc::new(Cache::new(bound));
        let keys = Keys::derive(&MasterKey::generate(&SystemRandom));
        for n in 0..sessions {
            let id = SessionId::new(Timestamp::from_millis(n as u64), Route(1), &SystemRandom);
            let record = World::record(&keys, id, user, data);
            let ticket = kept.ticket(&id);
            kept.insert(&Snapshot::open(&keys, record, None, |_, _| None).unwrap(), ticket);
        }
        cache = Some(kept);
    });
    assert!(cache.is_some());
    found.bytes_current as f64 / bound as f64
}

#[test]
fn what_the_cache_holds_stays_within_its_bound_in_bytes() {
    const BOUND: usize = 1 << 20;
    for (user, data, sessions) in [
        (Some("u"), 0, 1_500),
        (Some("a-user-whose-name-is-rather-long-0123456789"), 300, 1_200),
        (Some("u"), 1_000, 800),
        (None, 0, 700),
        (None, 300, 500),
    ] {
        let held = held(user, data, sessions, BOUND);
        let room = if user.is_some() { 0.75 } else { 0.25 };
        assert!(held <= room, "{held:.2} of the bound, of {room}, for {user:?} with {data} bytes");
        assert!(held >= 0.6 * room, "{held:.2} of the bound: room is wasted, {user:?}, {data} bytes");
    }
}

#[test]
fn what_was_shown_for_one_token_is_not_taken_for_another() {
    let world = World::new(Some("u_1"), 10);
    let known = world.at_revision(1);
    let digest = |text: &str| {
        let presented = crate::token::Presented::parse(text.as_bytes()).unwrap();
        presented.witness(crate::token::Binding::new(Realm::default(), "__Host-sid").name())
    };
    let witness = digest(&format!("tn1_{}", "A".repeat(92)));
    known.front().remember(witness);

    let changed = Record { revision: 2, version: 1, ..world.record.clone() };
    let changed = Snapshot::open(&world.keys, changed, Some(&known), |_, _| None).unwrap();
    assert!(changed.front().knows(&witness), "the same token after a change");

    let mut rotated = world.record.clone();
    rotated.secrets.generation += 1;
    let next = Snapshot::open(&world.keys, rotated.clone(), Some(&known), |_, _| None).unwrap();
    assert!(!next.front().knows(&witness), "another generation");
    rotated.secrets = Record { ..world.record.clone() }.secrets;
    rotated.secrets.hash = Secret::new(&SystemRandom).hash();
    let next = Snapshot::open(&world.keys, rotated, Some(&known), |_, _| None).unwrap();
    assert!(!next.front().knows(&witness), "another secret");
    let other = World::new(Some("u_1"), 10);
    let mut record = other.record.clone();
    record.secrets = world.record.secrets.clone();
    let other = Snapshot::open(&other.keys, record, Some(&known), |_, _| None).unwrap();
    assert!(!other.front().knows(&witness), "another session");
}

#[test]
fn a_text_that_was_sealed_here_is_taken_only_for_what_the_store_kept_of_it() {
    let world = World::new(Some("u_1"), 10);
    let kept = world.record.data["data"].sealed.clone();
    let sealed_anew = vault::seal_value(&world.keys, &SystemRandom, world.record.id, "data", b"22");
    for (ours, shown) in [(kept, "22"), (sealed_anew, "1111111111")] {
        let set = BTreeMap::from([("data".to_owned(), ours.into())]);
        let change = Change { set, ..Change::default() };
        let made = |key: &str, value: &_| change.is_made_here(key, value).then(|| b"22".to_vec());
        let record = world.record.clone();
        let snapshot = Snapshot::open(&world.keys, record, None, made).unwrap();
        assert_eq!(snapshot.value("data").map(|(value, _)| value), Some(shown.as_bytes()));
    }
}

#[test]
fn a_change_that_was_under_way_when_a_shard_went_blind_does_not_come_after_a_later_one() {
    let world = World::new(Some("u_1"), 10);
    let cache = Arc::new(Cache::new(1 << 24));
    let id = world.record.id;
    let early = cache.begin(id);
    let random = SeededRandom::new(1);
    for n in 0..200_000 {
        cache.begin(SessionId::new(Timestamp::from_millis(n), Route(1), &random)).unknown(Duration::ZERO);
    }
    cache.resolve(Duration::from_secs(1));
    let later = cache.begin(id);
    early.finish(Some(world.at_revision(1)));
    assert!(cache.get(&id).is_none(), "a later change is under way");
    later.finish(None);
    assert!(cache.get(&id).is_none());
    assert!(cache.shards.iter().all(|shard| shard.read().unwrap().changing.is_empty()));
}
