//! Every order in which requests can meet at the store.
//!
//! Where a scheduler would try some interleavings, this goes through all: each request is
//! held before the store acts and again before the answer arrives, and every order of these
//! steps is run in a world of its own. The store's own step is atomic, so nothing lies
//! between; what goes on inside the cache's locks has its own such test in the core.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tenure::{Active, Changes, Check, Issued, Sessions, Verdict};
use tokio::task::JoinHandle;

use crate::support::{Call, Gate, MINUTE, Trouble, World, active, revoked, said, sign_in, user, visit, word};

/// What somebody asks for: the call of the store at which it is held, and what it saw.
#[derive(Clone, Copy)]
struct Request {
    held_at: Call,
    run: fn(Sessions, Arc<Before>) -> BoxFuture<'static, String>,
}

/// What there was before the requests.
struct Before {
    issued: Issued,
    active: Active,
}

const CHECK: Request = Request {
    held_at: Call::Load,
    run: |sessions, before| {
        Box::pin(async move {
            let check = Check { can_set_cookie: true, ..Check::default() };
            let token = before.issued.token.expose().as_bytes();
            word(&sessions.check(token, &check).await.expect("the store answers"))
        })
    },
};

const REFRESH: Request = Request {
    held_at: Call::Load,
    run: |sessions, before| {
        Box::pin(async move { word(&sessions.refresh(before.active.clone()).await.expect("an answer")) })
    },
};

const CHANGE: Request = Request {
    held_at: Call::Change,
    run: |sessions, before| {
        Box::pin(async move {
            let changes = Changes::default().set("theme", "dark".into());
            let changed = sessions.change(&before.active, changes).await;
            changed.map_or_else(|error| error.to_string(), |_| "ok".into())
        })
    },
};

const LIST: Request = Request {
    held_at: Call::SessionsOf,
    run: |sessions, _| {
        Box::pin(async move {
            let list = sessions.list(&user("ann")).await.expect("the store answers");
            if list.len() == 1 { "ok".into() } else { format!("{} sessions", list.len()) }
        })
    },
};

const FLUSH: Request = Request {
    held_at: Call::Touch,
    run: |sessions, _| {
        Box::pin(async move {
            sessions.maintain().await.expect("the store answers");
            "ok".into()
        })
    },
};

const END: Request = Request {
    held_at: Call::EndSessionsOf,
    run: |sessions, _| {
        Box::pin(async move {
            sessions.end_all_of(&user("ann"), None, revoked()).await.expect("the store answers");
            "ended".into()
        })
    },
};

/// A request on its way. Its second gate is where the answer waits.
struct OnItsWay {
    task: JoinHandle<String>,
    before: Gate,
    after: Gate,
}

impl OnItsWay {
    /// Sends it off, until it stands before the store or needs none.
    async fn begin(request: Request, world: &World, sessions: &Sessions, before: &Arc<Before>) -> Self {
        let mut on_its_way =
            Self { before: Gate::shut(), after: Gate::shut(), task: tokio::spawn(async { String::new() }) };
        let held = Trouble::Held(on_its_way.before.clone(), on_its_way.after.clone());
        world.faults.once(request.held_at, held);
        on_its_way.task = tokio::spawn((request.run)(sessions.clone(), Arc::clone(before)));
        Self::reaches(&on_its_way.before, &on_its_way.task).await;
        // What it did not need must hold nobody else.
        world.faults.heal();
        on_its_way
    }

    /// Lets the store act.
    async fn act(&self) {
        self.before.open();
        Self::reaches(&self.after, &self.task).await;
    }

    /// Gives it the answer: what it saw.
    async fn finish(self) -> String {
        self.after.open();
        self.task.await.expect("a request does not panic")
    }

    async fn reaches(gate: &Gate, task: &JoinHandle<String>) {
        while !task.is_finished() && !gate.takes_one() {
            tokio::task::yield_now().await;
        }
    }
}

/// Calls `then` with every order of three steps for each of `count` requests.
fn every_order(count: usize, then: &mut impl FnMut(&[usize])) {
    fn go(left: &mut [usize], order: &mut Vec<usize>, then: &mut impl FnMut(&[usize])) {
        if left.iter().all(|steps| *steps == 0) {
            return then(order);
        }
        for who in 0..left.len() {
            if left[who] > 0 {
                left[who] -= 1;
                order.push(who);
                go(left, order, then);
                order.pop();
                left[who] += 1;
            }
        }
    }
    go(&mut vec![3; count], &mut Vec::new(), then);
}

/// Runs `requests` in every order. `prepare` makes the world; `holds` gets, in the order in
/// which they ended, who saw what and whether it had begun after the end was acknowledged.
fn in_every_order<P, H>(requests: &[Request], cache_bytes: usize, prepare: P, holds: H)
where
    P: AsyncFn(&World, &Sessions) -> Before,
    H: AsyncFn(&Sessions, &Before, &[(usize, String, bool)], &[usize]),
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut orders = 0;
    every_order(requests.len(), &mut |order| {
        orders += 1;
        runtime.block_on(async {
            let world = World::memory();
            let sessions = world.open_with(|builder| builder.cache_bytes(cache_bytes)).await;
            let before = Arc::new(prepare(&world, &sessions).await);
            let mut under_way: Vec<Option<OnItsWay>> = requests.iter().map(|_| None).collect();
            let (mut steps, mut late) = (vec![0; requests.len()], vec![false; requests.len()]);
            let mut saw = Vec::new();
            for &who in order {
                match steps[who] {
                    0 => {
                        late[who] = saw.iter().any(|(_, word, _)| word == "ended");
                        let begun = OnItsWay::begin(requests[who], &world, &sessions, &before).await;
                        under_way[who] = Some(begun);
                    }
                    1 => under_way[who].as_ref().expect("it began").act().await,
                    _ => {
                        let word = under_way[who].take().expect("it began").finish().await;
                        saw.push((who, word, late[who]));
                    }
                }
                steps[who] += 1;
            }
            holds(&sessions, &before, &saw, order).await;
            sessions.close().await.expect("it closes");
        });
    });
    assert_eq!(orders, [1, 1, 20, 1_680][requests.len()]);
}

/// Somebody who is signed in and not in memory yet.
async fn signed_in(world: &World, sessions: &Sessions) -> Before {
    let issued = sign_in(sessions, "ann").await;
    let beside = world.open_beside(sessions).await;
    let active = active(&beside, issued.token.expose()).await;
    Before { issued, active }
}

/// Somebody whom the store takes for idle: the last activity is in memory only.
async fn active_in_memory_only(world: &World, sessions: &Sessions) -> Before {
    let before = signed_in(world, sessions).await;
    world.clock.advance(29 * MINUTE);
    let Verdict::Ok(seen) = visit(sessions, before.issued.token.expose()).await else {
        panic!("signed in a moment ago")
    };
    world.clock.advance(2 * MINUTE);
    Before { active: seen, ..before }
}

/// Nobody is taken for idle while the activity that says otherwise is on its way to the store.
fn nobody_is_taken_for_idle(requests: &[Request]) {
    in_every_order(requests, 0, active_in_memory_only, async |sessions, before, saw, order| {
        assert!(saw.iter().all(|(_, word, _)| word == "ok"), "{saw:?} in {order:?}");
        assert_eq!(said(sessions, before.issued.token.expose()).await, "ok", "afterwards, in {order:?}");
    });
}

/// Whoever asks after the end was acknowledged is told so, and in the end everybody is.
fn the_end_wins(requests: &[Request]) {
    in_every_order(requests, 1 << 20, signed_in, async |sessions, before, saw, order| {
        let accepted_late = saw.iter().find(|(_, word, late)| *late && word == "ok");
        assert_eq!(accepted_late, None, "{saw:?} in {order:?}");
        assert_eq!(said(sessions, before.issued.token.expose()).await, "revoked", "{order:?}");
        assert_eq!(sessions.list(&user("ann")).await.unwrap().len(), 0, "{order:?}");
    });
}

#[test]
fn p4_a_check_never_misses_activity_that_is_being_written_in_any_order() {
    nobody_is_taken_for_idle(&[FLUSH, CHECK]);
    nobody_is_taken_for_idle(&[FLUSH, REFRESH]);
    nobody_is_taken_for_idle(&[FLUSH, CHECK, CHECK]);
}

#[test]
fn p4_a_change_never_misses_activity_that_is_being_written_in_any_order() {
    nobody_is_taken_for_idle(&[FLUSH, CHANGE]);
    nobody_is_taken_for_idle(&[FLUSH, CHANGE, CHECK]);
}

#[test]
fn p8_a_list_never_misses_activity_that_is_being_written_in_any_order() {
    nobody_is_taken_for_idle(&[FLUSH, LIST]);
    nobody_is_taken_for_idle(&[FLUSH, LIST, CHANGE]);
}

#[test]
fn p1_nobody_is_let_in_after_the_end_in_any_order() {
    the_end_wins(&[END, CHECK, CHECK]);
    the_end_wins(&[END, CHECK, CHANGE]);
}

#[test]
fn p8_no_list_shows_what_has_ended_in_any_order() {
    the_end_wins(&[END, LIST, CHECK]);
}
