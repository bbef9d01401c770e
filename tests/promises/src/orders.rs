//! Every order in which requests can meet at the store.
//!
//! Where a scheduler would try some interleavings, this goes through all: each request is
//! held before the store acts and again before the answer arrives, and every order of these
//! steps is run in a world of its own. The store's own step is atomic, so nothing lies
//! between; what goes on inside the cache's locks has its own such test in the core.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tenure::testing::every_order;
use tenure::{Active, Changes, Check, Issued, Sessions, Verdict};
use tokio::task::JoinHandle;

use crate::support::{Call, Gate, MINUTE, Trouble, World, active, revoked, said, sign_in, user, visit, word};

/// What somebody asks for: the calls of the store at which it is held, one after the other, and
/// what it saw.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub(crate) held_at: &'static [Call],
    pub(crate) run: fn(Sessions, Arc<Before>) -> BoxFuture<'static, String>,
}

/// What there was before the requests.
pub(crate) struct Before {
    pub(crate) issued: Issued,
    pub(crate) active: Active,
    /// The token that is prepared after that, if one is.
    pub(crate) next: Option<Issued>,
}

/// What became of a request: which one it was, what it saw, whether it had begun after the end
/// was acknowledged.
pub(crate) type Saw = (usize, String, bool);

const CHECK: Request = Request {
    held_at: &[Call::Load],
    run: |sessions, before| {
        Box::pin(async move {
            let check = Check::signed_in().can_set_cookie(true);
            let token = before.issued.token.expose().as_bytes();
            word(&sessions.check(token, &check).await.expect("the store answers"))
        })
    },
};

const REFRESH: Request = Request {
    held_at: &[Call::Load],
    run: |sessions, before| {
        Box::pin(async move { word(&sessions.refresh(before.active.clone()).await.expect("an answer")) })
    },
};

const CHANGE: Request = Request {
    held_at: &[Call::Change],
    run: |sessions, before| {
        Box::pin(async move {
            let changes = Changes::default().set("theme", "dark".into());
            let changed = sessions.change(&before.active, changes).await;
            changed.map_or_else(|error| error.to_string(), |_| "ok".into())
        })
    },
};

const LIST: Request = Request {
    held_at: &[Call::List],
    run: |sessions, _| {
        Box::pin(async move {
            let list = sessions.list(&user("ann")).await.expect("the store answers");
            if list.len() == 1 { "ok".into() } else { format!("{} sessions", list.len()) }
        })
    },
};

const FLUSH: Request = Request {
    held_at: &[Call::Touch],
    run: |sessions, _| {
        Box::pin(async move {
            sessions.maintain().await.expect("the store answers");
            "ok".into()
        })
    },
};

pub(crate) const END: Request = Request {
    held_at: &[Call::EndAllOf],
    run: |sessions, _| {
        Box::pin(async move {
            sessions.end_all_of(&user("ann"), None, revoked()).await.expect("the store answers");
            "ended".into()
        })
    },
};

impl Request {
    /// Before and after each call at which it is held, and to its end.
    fn steps(&self) -> usize {
        2 * self.held_at.len() + 1
    }
}

/// A request on its way: where it is held next, before the store acts or before the answer
/// arrives.
struct OnItsWay {
    held_at: std::slice::Iter<'static, Call>,
    next: Option<(Gate, Gate)>,
    before: bool,
    task: JoinHandle<String>,
}

impl OnItsWay {
    /// Sends it off, until it stands before the store or needs none.
    async fn begin(request: Request, world: &World, sessions: &Sessions, before: &Arc<Before>) -> Self {
        let mut on_its_way = Self {
            held_at: request.held_at.iter(),
            next: None,
            before: false,
            task: tokio::spawn(async { String::new() }),
        };
        let go = || on_its_way.task = tokio::spawn((request.run)(sessions.clone(), Arc::clone(before)));
        Self::holds(&mut on_its_way.held_at, &mut on_its_way.next, world, go);
        on_its_way.reaches(world).await;
        on_its_way
    }

    /// Lets it go on to where it is held next: lets the store act, or gives it the answer.
    async fn go_on(&mut self, world: &World) {
        match self.next.clone() {
            Some((before, _)) if self.before => before.open(),
            Some((_, after)) => Self::holds(&mut self.held_at, &mut self.next, world, || after.open()),
            None => return,
        }
        self.reaches(world).await;
    }

    /// Lets it come to its end: what it saw.
    async fn finish(self) -> String {
        if let Some((_, after)) = &self.next {
            after.open();
        }
        self.task.await.expect("a request does not panic")
    }

    fn holds(
        held_at: &mut std::slice::Iter<'static, Call>,
        next: &mut Option<(Gate, Gate)>,
        world: &World,
        go: impl FnOnce(),
    ) {
        if let Some(call) = held_at.next() {
            let (before, after) = (Gate::shut(), Gate::shut());
            world.faults.once(*call, Trouble::Held(before.clone(), after.clone()));
            *next = Some((before, after));
        }
        go();
    }

    async fn reaches(&mut self, world: &World) {
        self.before = !self.before;
        let (before, after) = self.next.as_ref().expect("each is held somewhere");
        let gate = if self.before { before } else { after };
        while !self.task.is_finished() && !gate.takes_one() {
            tokio::task::yield_now().await;
        }
        // What it did not need must hold nobody else.
        world.faults.heal();
    }
}

/// Runs `requests` in every order. `prepare` makes the world; `holds` gets, in the order in
/// which they ended, who saw what and whether it had begun after the end was acknowledged.
pub(crate) fn in_every_order<P, H>(requests: &[Request], cache_bytes: usize, prepare: P, holds: H)
where
    P: AsyncFn(&World, &Sessions) -> Before,
    H: AsyncFn(&Sessions, &Before, &[Saw], &[usize]),
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let all_steps: Vec<usize> = requests.iter().map(Request::steps).collect();
    every_order(&all_steps, |order| {
        runtime.block_on(async {
            let world = World::memory();
            let sessions = world.open_with(|builder| builder.cache_bytes(cache_bytes)).await;
            let before = Arc::new(prepare(&world, &sessions).await);
            let mut under_way: Vec<Option<OnItsWay>> = requests.iter().map(|_| None).collect();
            let (mut steps, mut late) = (vec![0; requests.len()], vec![false; requests.len()]);
            let mut saw = Vec::new();
            for &who in order {
                let under_way = &mut under_way[who];
                if steps[who] == 0 {
                    late[who] = saw.iter().any(|(_, word, _)| word == "ended");
                    let begun = OnItsWay::begin(requests[who], &world, &sessions, &before).await;
                    *under_way = Some(begun);
                } else if steps[who] + 1 < all_steps[who] {
                    under_way.as_mut().expect("it began").go_on(&world).await;
                } else {
                    let word = under_way.take().expect("it began").finish().await;
                    saw.push((who, word, late[who]));
                }
                steps[who] += 1;
            }
            holds(&sessions, &before, &saw, order).await;
            sessions.close().await.expect("it closes");
        });
    });
}

/// Somebody who is signed in and not in memory yet.
pub(crate) async fn signed_in(world: &World, sessions: &Sessions) -> Before {
    let issued = sign_in(sessions, "ann").await;
    let beside = world.open_beside(sessions).await;
    let active = active(&beside, issued.token.expose()).await;
    Before { issued, active, next: None }
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
