//! P10, the honest half: whatever a network does to requests and answers, rotation signs
//! nobody out.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;
use tenure::Limits;
use tenure::clock::{Clock, Timestamp};
use tenure::store::StoreError;
use tenure::{Actor, Check, Error, SessionId, Sessions, Verdict};

use crate::support::{
    COUNT, Call, MINUTE, Trouble, World, property_on_each_engine, role, sign_in, user, word,
};

property_on_each_engine! {
    p10_rotation_never_signs_an_honest_client_out: proptest::collection::vec(step(), 1..80);
}

/// How long a request or an answer is on its way at the most: within the grace time.
const ON_ITS_WAY: Duration = Duration::from_secs(9);

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// A tab sends a request with the cookie that the jar holds now. Tabs share the jar, so
    /// what is sent by one is what the other would send.
    Send,
    /// One of the requests on their way reaches the server.
    Arrive { which: usize, passive: bool, can_set_cookie: bool },
    /// One of the answers on their way reaches the browser.
    Deliver { which: usize },
    /// One of the answers on their way never does.
    Lose { which: usize },
    /// A request, its answer and the next one, as on a good day.
    Browse,
    /// Time passes; what was on its way for too long arrives or is lost.
    Wait { seconds: u64, losing: bool },
    /// The application rotates the token.
    Rotate,
    /// The user's rights change, which rotates soon.
    SetRoles { admin: bool },
    /// A handler changes data.
    Count,
    /// The next call of this kind goes wrong.
    Hiccup { call: Call, how: How },
    /// The server does its housekeeping.
    Maintain,
    /// The server starts anew.
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Away,
    Full,
    LostAnswer,
    NeverKnown,
}

fn step() -> impl Strategy<Value = Step> {
    let which = || 0..8_usize;
    let call = prop_oneof![
        4 => Just(Call::Prepare), 4 => Just(Call::Confirm), 2 => Just(Call::Load),
        1 => Just(Call::Touch), 1 => Just(Call::Change), 1 => Just(Call::Sweep)
    ];
    let how = prop_oneof![Just(How::Away), Just(How::Full), Just(How::LostAnswer), Just(How::NeverKnown)];
    let seconds = prop_oneof![3 => 0..9_u64, 2 => 9..12_u64, 2 => 12..900_u64, 3 => 900..1_680_u64];
    prop_oneof![
        6 => Just(Step::Send),
        6 => (which(), any::<bool>(), prop::bool::weighted(0.8))
            .prop_map(|(which, passive, can_set_cookie)| Step::Arrive { which, passive, can_set_cookie }),
        5 => which().prop_map(|which| Step::Deliver { which }),
        2 => which().prop_map(|which| Step::Lose { which }),
        4 => Just(Step::Browse),
        5 => (seconds, any::<bool>()).prop_map(|(seconds, losing)| Step::Wait { seconds, losing }),
        2 => Just(Step::Rotate),
        1 => any::<bool>().prop_map(|admin| Step::SetRoles { admin }),
        1 => Just(Step::Count),
        3 => (call, how).prop_map(|(call, how)| Step::Hiccup { call, how }),
        1 => Just(Step::Maintain),
        1 => Just(Step::Restart),
    ]
}

/// A browser, the network and a server, as far as the test knows them.
struct Play {
    world: World,
    sessions: Sessions,
    id: SessionId,
    /// The cookie that all tabs share.
    jar: String,
    /// Requests on their way: the cookie they carry, and since when.
    requests: VecDeque<(String, Timestamp)>,
    /// Answers on their way: the cookie they set, and since when.
    answers: VecDeque<(String, Timestamp)>,
    seen_at: Timestamp,
    counted: u64,
}

async fn p10_rotation_never_signs_an_honest_client_out(mut world: World, steps: Vec<Step>) {
    world.policy.session = Limits { idle_seconds: 30 * 60, absolute_seconds: 30 * 24 * 3_600 };
    let sessions = world.open().await;
    let issued = sign_in(&sessions, "ann").await;
    let mut play = Play {
        seen_at: world.clock.wall(),
        id: issued.session.id(),
        jar: issued.token.expose().to_owned(),
        requests: VecDeque::new(),
        answers: VecDeque::new(),
        counted: 0,
        sessions,
        world,
    };
    for step in steps {
        play.take(step).await;
    }
    play.world.faults.heal();
    play.wait(Duration::from_secs(1), false).await;
    let last = play.check(&play.jar.clone(), false, true).await.expect("the store is well again");
    assert_eq!(COUNT.read(last.session()).unwrap().unwrap_or_default(), play.counted);
}

impl Play {
    async fn take(&mut self, step: Step) {
        match step {
            Step::Send => self.requests.push_back((self.jar.clone(), self.now())),
            Step::Arrive { which, passive, can_set_cookie } => {
                if let Some((cookie, _)) = take(&mut self.requests, which) {
                    self.arrive(&cookie, passive, can_set_cookie).await;
                }
            }
            Step::Deliver { which } => {
                if let Some((cookie, _)) = take(&mut self.answers, which) {
                    self.jar = cookie;
                }
            }
            Step::Lose { which } => drop(take(&mut self.answers, which)),
            Step::Browse => {
                for _ in 0..2 {
                    self.arrive(&self.jar.clone(), false, true).await;
                    while let Some((cookie, _)) = self.answers.pop_front() {
                        self.jar = cookie;
                    }
                }
            }
            Step::Wait { seconds, losing } => self.wait(Duration::from_secs(seconds), losing).await,
            Step::Rotate => self.rotate().await,
            Step::SetRoles { admin } => {
                let roles = if admin { vec![role("admin")] } else { Vec::new() };
                self.sessions.set_roles(&user("ann"), &roles, Actor::application()).await.ok();
            }
            Step::Count => self.count().await,
            Step::Hiccup { call, how } => self.hiccup(call, how),
            Step::Maintain => drop(self.sessions.maintain().await),
            Step::Restart => {
                self.world.faults.heal();
                self.world.shut_down(self.sessions.clone()).await;
                self.sessions = self.world.open().await;
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.world.clock.wall()
    }

    /// A request reaches the server; the answer sets off.
    async fn arrive(&mut self, cookie: &str, passive: bool, can_set_cookie: bool) {
        let Some(active) = self.check(cookie, passive, can_set_cookie).await else { return };
        if let Some(renewed) = active.renewed() {
            self.answer_with(renewed.token.expose().to_owned()).await;
        }
    }

    /// What the server says: never that the session is over. An outage is no answer.
    async fn check(&mut self, cookie: &str, passive: bool, can_set_cookie: bool) -> Option<tenure::Active> {
        let check = Check::signed_in().touch(!passive).can_set_cookie(can_set_cookie);
        match self.sessions.check(cookie.as_bytes(), &check).await {
            Ok(Verdict::Ok(active)) => {
                if !passive {
                    self.seen_at = self.now();
                }
                Some(active)
            }
            Ok(verdict) => panic!("an honest client is told {}", word(&verdict)),
            Err(Error::Store(_)) => None,
            Err(error) => panic!("an honest client is told {error}"),
        }
    }

    /// An answer sets off with a cookie, which must not be one that was replaced already.
    async fn answer_with(&mut self, cookie: String) {
        let generation = generation(&cookie);
        if let Ok(Some(session)) = self.sessions.get(self.id).await {
            assert!(generation >= session.generation(), "an answer sets a replaced token");
        }
        self.answers.push_back((cookie, self.now()));
    }

    async fn rotate(&mut self) {
        let Some(active) = self.check(&self.jar.clone(), false, false).await else { return };
        match self.sessions.rotate(&active, Actor::application(), None).await {
            Ok(issued) => self.answer_with(issued.token.expose().to_owned()).await,
            Err(Error::Store(_)) => {}
            Err(error) => {
                assert!(["rotation_too_soon", "token_superseded"].contains(&error.code()), "{error:?}");
            }
        }
    }

    async fn count(&mut self) {
        let Some(active) = self.check(&self.jar.clone(), false, false).await else { return };
        match self.sessions.update(&active, COUNT, |count| *count += 1).await {
            Ok(_) => self.counted += 1,
            Err(Error::Store(StoreError::Unknown(_))) => {
                self.world.faults.heal();
                let session = self.sessions.get(self.id).await.unwrap().unwrap();
                self.counted = COUNT.read(&session).unwrap().unwrap_or_default();
            }
            Err(error) => assert!(matches!(error, Error::Store(_)), "{error:?}"),
        }
    }

    fn hiccup(&self, call: Call, how: How) {
        let faults = &self.world.faults;
        match how {
            How::Away => faults.once(call, Trouble::unavailable()),
            How::Full => faults.once(call, Trouble::full()),
            How::LostAnswer => faults.once(call, Trouble::lost_answer()),
            How::NeverKnown => faults.times(3, call, Trouble::lost_answer()),
        }
    }

    /// Time passes, but no request and no answer is on its way for longer than the grace
    /// time, and the person comes back before the idle limit.
    async fn wait(&mut self, by: Duration, losing: bool) {
        let late = |since: Timestamp, now: Timestamp| now.since(since) + by > ON_ITS_WAY;
        while self.requests.front().is_some_and(|(_, since)| late(*since, self.now())) {
            let (cookie, _) = self.requests.pop_front().unwrap();
            self.arrive(&cookie, false, true).await;
        }
        while self.answers.front().is_some_and(|(_, since)| late(*since, self.now())) {
            let (cookie, _) = self.answers.pop_front().unwrap();
            if !losing {
                self.jar = cookie;
            }
        }
        if self.now().since(self.seen_at) + by > 28 * MINUTE {
            self.world.faults.heal();
            self.check(&self.jar.clone(), false, false).await;
        }
        self.world.clock.advance(by);
    }
}

/// The generation that a token says it has.
fn generation(token: &str) -> u32 {
    let raw = data_encoding::BASE64URL_NOPAD.decode(&token.as_bytes()[4..]).unwrap();
    u32::from_be_bytes(raw[17..21].try_into().unwrap())
}

fn take<T>(from: &mut VecDeque<T>, which: usize) -> Option<T> {
    if from.is_empty() { None } else { from.remove(which % from.len()) }
}
