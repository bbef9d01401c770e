//! P10 on real threads: a crowd of tabs that share one cookie, with requests that overlap and
//! answers that are lost, late and out of order, and rotation as often as there can be. Nobody
//! is signed out by it; a thief always ends the session.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use tenure::RotationPolicy;
use tenure::clock::{Clock, TestClock, Timestamp};
use tenure::{Active, Actor, Check, EndReason, Error, SessionId, Sessions, Verdict};
use tokio::task::yield_now;

use crate::support::{
    COUNT, Call, SECOND, Trouble, World, active, ends, on_each_engine, role, said, sign_in, soaked, the_end,
    user, word,
};

on_each_engine! {
    p10_a_crowd_of_tabs_is_never_signed_out;
    p10_a_thief_in_a_crowd_always_ends_the_session;
}

const TABS: u64 = 6;

/// How long a request and its answer are on their way together: within the grace time.
const ON_ITS_WAY: std::time::Duration = std::time::Duration::from_secs(9);

/// A browser with its tabs, and the network between it and the server.
struct Crowd {
    sessions: Sessions,
    id: SessionId,
    road: Mutex<Road>,
    generation: AtomicU32,
    counted: AtomicU64,
    done: AtomicBool,
}

struct Road {
    clock: TestClock,
    /// The cookie that all tabs share.
    jar: String,
    /// Who is on the way, and since when.
    under_way: BTreeMap<u64, Timestamp>,
    sent: u64,
}

/// Different for each tab, and the same every time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// A while, in turns for others.
    async fn wait(&mut self) {
        for _ in 0..self.throw(20) {
            yield_now().await;
        }
    }
}

impl Crowd {
    fn new(world: &World, sessions: &Sessions, issued: &tenure::Issued) -> Arc<Self> {
        let jar = issued.token.expose().to_owned();
        let road = Road { clock: world.clock.clone(), jar, under_way: BTreeMap::new(), sent: 0 };
        Arc::new(Self {
            sessions: sessions.clone(),
            id: issued.session.id(),
            road: Mutex::new(road),
            generation: AtomicU32::new(1),
            counted: AtomicU64::new(0),
            done: AtomicBool::new(false),
        })
    }

    /// A request sets off with the cookie of the moment.
    fn send(&self) -> (u64, String) {
        let mut road = self.road.lock().unwrap();
        road.sent += 1;
        let (number, now) = (road.sent, road.clock.wall());
        road.under_way.insert(number, now);
        (number, road.jar.clone())
    }

    /// Its answer arrives with a cookie or without, or never does.
    fn arrive(&self, number: u64, cookie: Option<String>) {
        let mut road = self.road.lock().unwrap();
        road.under_way.remove(&number);
        if let Some(cookie) = cookie {
            road.jar = cookie;
        }
    }

    /// A second passes, unless somebody would be on the way for too long.
    fn tick(&self) {
        let road = self.road.lock().unwrap();
        let now = road.clock.wall();
        if road.under_way.values().all(|since| now.since(*since) + SECOND <= ON_ITS_WAY) {
            road.clock.advance(SECOND);
        }
    }

    async fn tab(self: Arc<Self>, number: u64) {
        let mut dice = Dice(number);
        while !self.done.load(Ordering::SeqCst) {
            let (request, cookie) = self.send();
            dice.wait().await;
            let can_set_cookie = dice.throw(5) > 0;
            let check = Check::signed_in().can_set_cookie(can_set_cookie).touch(dice.throw(2) == 0);
            let answer = match self.sessions.check(cookie.as_bytes(), &check).await {
                Ok(Verdict::Ok(active)) => self.handle(&active, &mut dice).await,
                Ok(verdict) => panic!("an honest client is told {}", word(&verdict)),
                Err(Error::Store(_)) => None,
                Err(error) => panic!("an honest client is told {error}"),
            };
            dice.wait().await;
            self.arrive(request, answer.filter(|_| dice.throw(4) > 0));
        }
    }

    /// The handler, and the cookie that its answer sets.
    async fn handle(&self, active: &Active, dice: &mut Dice) -> Option<String> {
        self.generation.fetch_max(active.session().generation(), Ordering::SeqCst);
        let mut cookie = active.renewed().cloned();
        match dice.throw(12) {
            0 => match self.sessions.update(active, COUNT, |count| *count += 1).await {
                Ok(_) => drop(self.counted.fetch_add(1, Ordering::SeqCst)),
                Err(error) => assert!(matches!(error, Error::Store(_)), "{error:?}"),
            },
            1 => match self.sessions.rotate(active, Actor::application(), None).await {
                Ok(issued) => cookie = Some(issued),
                Err(Error::Store(_)) => {}
                Err(error) => {
                    assert!(["rotation_too_soon", "token_superseded"].contains(&error.code()), "{error:?}")
                }
            },
            _ => {}
        }
        dice.wait().await;
        // A slow answer must not overwrite a newer cookie, as the layer sees to it.
        let cookie = cookie?;
        self.sessions.may_hand_out(&cookie).await.then(|| cookie.token.expose().to_owned())
    }
}

async fn p10_a_crowd_of_tabs_is_never_signed_out(mut world: World) {
    world.policy.rotation = RotationPolicy { interval_seconds: 20, grace_seconds: 10 };
    // Thousands of rotations take more than a day of the test clock.
    world.policy.session.absolute_seconds = 30 * 24 * 3_600;
    let sessions = world.open().await;
    let crowd = Crowd::new(&world, &sessions, &sign_in(&sessions, "ann").await);
    let mut tabs: Vec<_> = (0..TABS).map(|number| tokio::spawn(Arc::clone(&crowd).tab(number))).collect();
    let mut dice = Dice(99);
    while crowd.generation.load(Ordering::SeqCst) < soaked(25, 2_000)
        && !tabs.iter().any(|tab| tab.is_finished())
    {
        crowd.tick();
        let calls = [Call::Prepare, Call::Confirm, Call::Load, Call::Touch];
        let call = calls[usize::try_from(dice.throw(4)).unwrap()];
        match dice.throw(40) {
            0 => world.faults.once(call, Trouble::lost_answer()),
            1 => world.faults.once(call, Trouble::unavailable()),
            2 => drop(sessions.maintain().await),
            3 => {
                let roles = if dice.throw(2) == 0 { vec![role("admin")] } else { Vec::new() };
                sessions.set_roles(&user("ann"), &roles, Actor::application()).await.unwrap();
            }
            _ => {}
        }
        dice.wait().await;
    }
    crowd.done.store(true, Ordering::SeqCst);
    for tab in tabs.drain(..) {
        tab.await.unwrap();
    }
    world.faults.heal();
    let jar = crowd.road.lock().unwrap().jar.clone();
    let last = active(&sessions, &jar).await;
    assert_eq!(COUNT.read(last.session()).unwrap().unwrap_or_default(), crowd.counted.load(Ordering::SeqCst));
    assert!(ends(&sessions, crowd.id).await.is_empty());
}

async fn p10_a_thief_in_a_crowd_always_ends_the_session(mut world: World) {
    world.policy.rotation = RotationPolicy { interval_seconds: 20, grace_seconds: 10 };
    let sessions = world.open().await;
    for round in 0..soaked(15, 500) {
        let issued = sign_in(&sessions, "ann").await;
        let mut stolen = Vec::new();
        let mut jar = issued.token.expose().to_owned();
        for _ in 0..=round % 3 {
            let holder = active(&sessions, &jar).await;
            let next = sessions.rotate(&holder, Actor::application(), None).await.unwrap();
            stolen.push(std::mem::replace(&mut jar, next.token.expose().to_owned()));
            assert_eq!(said(&sessions, &jar).await, "ok");
            // At first just past the grace time, then so long that the next rotation is due.
            world.clock.advance(if round % 2 == 0 { 10 * SECOND } else { 21 * SECOND });
        }
        let caught = Arc::new(AtomicBool::new(false));
        let tabs = (0..TABS).map(|tab| {
            let (sessions, caught, mut jar) = (sessions.clone(), Arc::clone(&caught), jar.clone());
            tokio::spawn(async move {
                let mut dice = Dice(u64::from(round) * TABS + tab);
                loop {
                    dice.wait().await;
                    let is_late = caught.load(Ordering::SeqCst);
                    let check = Check::signed_in().can_set_cookie(true);
                    let verdict = sessions.check(jar.as_bytes(), &check).await.unwrap();
                    match word(&verdict).as_str() {
                        "token_reuse" => return,
                        "ok" if !is_late => {
                            let renewed = verdict.active().and_then(Active::renewed);
                            jar = renewed.map_or(jar, |issued| issued.token.expose().to_owned());
                        }
                        other => panic!("{other} after the thief was told"),
                    }
                }
            })
        });
        let tabs: Vec<_> = tabs.collect();
        let thieves = stolen.iter().map(|token| {
            let (sessions, caught, token) = (sessions.clone(), Arc::clone(&caught), token.clone());
            tokio::spawn(async move {
                Dice(u64::from(round)).wait().await;
                assert_eq!(said(&sessions, &token).await, "token_reuse");
                caught.store(true, Ordering::SeqCst);
            })
        });
        let thieves: Vec<_> = thieves.collect();
        for task in join_all(thieves.into_iter().chain(tabs)).await {
            task.unwrap();
        }
        assert_eq!(the_end(&sessions, issued.session.id()).await, (EndReason::TokenReuse, "system".into()));
        assert!(sessions.list(&user("ann")).await.unwrap().is_empty());
    }
}
