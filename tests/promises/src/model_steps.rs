//! Random lives of some people, lived by a model and by Tenure: after every step both say the
//! same of every token (P1), of every user's list (P8) and of all data (P2).

use std::time::Duration;

use proptest::prelude::*;
use tenure::{Active, Actor, Changes, Error, Issued, Key, NewGuest, Sessions, SignIn, Snapshot, Verdict};
use tenure::{AtLimit, GuestPolicy, Limits};

use crate::model::{ABSOLUTE, Data, GUEST_ABSOLUTE, GUEST_IDLE, IDLE, MAX_SESSIONS, Model, Worth};
use crate::support::{Call, HOUR, Trouble, World, look, property_on_each_engine, revoked, user, visit, word};

property_on_each_engine! {
    p1_p2_p8_what_people_see_is_what_a_simple_model_says: proptest::collection::vec(step(), 1..40);
}

const USERS: [&str; 2] = ["ann", "bob"];
const KEYS: [Key<u64>; 2] = [Key::new("a"), Key::new("b")];

#[derive(Clone, Debug)]
enum Step {
    /// A visitor puts something into a cart.
    Guest,
    /// Somebody signs in who comes without a session.
    SignIn(usize),
    /// Somebody comes with a token, counted from the newest, and does something.
    With(usize, Act),
    Disable(usize),
    Enable(usize),
    EndAllOf(usize),
    Advance(u64),
    Maintain,
    Restart,
    /// Nobody comes for days.
    Days,
}

#[derive(Clone, Debug)]
enum Act {
    Visit {
        lost: bool,
    },
    Set(usize, u64),
    Remove(usize),
    Add(usize),
    /// Two write what both read before: the second is refused.
    WriteTwice(usize),
    Rotate {
        lost: bool,
    },
    SignIn(usize),
    SignOut,
    EndOwn(usize),
    EndOthers,
    Everywhere,
}

fn step() -> impl Strategy<Value = Step> {
    let token = prop_oneof![4 => 0..3_usize, 2 => 3..8_usize, 1 => 8..40_usize];
    let seconds = prop_oneof![3 => 1..12_u64, 2 => 12..900_u64, 2 => 900..1_790_u64, 1 => 1_790..2_000_u64];
    let (who, key) = (|| 0..USERS.len(), || 0..KEYS.len());
    let act = prop_oneof![
        4 => any::<bool>().prop_map(|lost| Act::Visit { lost }),
        2 => (key(), 0..100_u64).prop_map(|(key, value)| Act::Set(key, value)),
        1 => key().prop_map(Act::Remove),
        3 => key().prop_map(Act::Add),
        1 => key().prop_map(Act::WriteTwice),
        4 => prop::bool::weighted(0.3).prop_map(|lost| Act::Rotate { lost }),
        3 => who().prop_map(Act::SignIn),
        1 => Just(Act::SignOut),
        1 => (0..8_usize).prop_map(Act::EndOwn),
        1 => Just(Act::EndOthers),
        1 => Just(Act::Everywhere),
    ];
    prop_oneof![
        3 => Just(Step::Guest),
        4 => who().prop_map(Step::SignIn),
        20 => (token, act).prop_map(|(token, act)| Step::With(token, act)),
        1 => who().prop_map(Step::Disable),
        2 => who().prop_map(Step::Enable),
        1 => who().prop_map(Step::EndAllOf),
        8 => seconds.prop_map(Step::Advance),
        1 => Just(Step::Maintain),
        1 => Just(Step::Restart),
        1 => Just(Step::Days),
    ]
}

struct Play {
    world: World,
    sessions: Sessions,
    model: Model,
}

async fn p1_p2_p8_what_people_see_is_what_a_simple_model_says(mut world: World, steps: Vec<Step>) {
    world.policy.session = Limits { idle_seconds: IDLE, absolute_seconds: ABSOLUTE };
    let guest = world.policy.guest;
    world.policy.guest = GuestPolicy { idle_seconds: GUEST_IDLE, absolute_seconds: GUEST_ABSOLUTE, ..guest };
    world.policy.max_sessions = u32::try_from(MAX_SESSIONS).unwrap();
    world.policy.at_limit = AtLimit::EndOldest;
    let sessions = world.open().await;
    let mut play = Play { world, sessions, model: Model::default() };
    for step in steps {
        play.take(step).await;
        play.agree().await;
    }
}

impl Play {
    async fn take(&mut self, step: Step) {
        match step {
            Step::Guest => {
                let data = Changes::default().set("a", 1.into());
                let issued = self.sessions.create_guest(NewGuest::with(data)).await.unwrap();
                self.begin(None, &issued, Data::from([("a".into(), 1)]));
            }
            Step::SignIn(who) => self.sign_in(USERS[who], None).await,
            Step::With(token, act) => self.with(token, act).await,
            Step::Disable(who) => {
                self.write_activity().await;
                self.sessions.disable(&user(USERS[who]), Actor::application()).await.unwrap();
                self.model.disabled.insert(USERS[who]);
                self.model.end_all(USERS[who], None, "user_disabled");
            }
            Step::Enable(who) => {
                self.sessions.enable(&user(USERS[who]), Actor::application()).await.unwrap();
                self.model.disabled.remove(USERS[who]);
            }
            Step::EndAllOf(who) => {
                self.write_activity().await;
                self.sessions.end_all_of(&user(USERS[who]), None, revoked()).await.unwrap();
                self.model.end_all(USERS[who], None, "revoked");
            }
            Step::Advance(seconds) => self.advance(Duration::from_secs(seconds)),
            Step::Maintain => drop(self.sessions.maintain().await.unwrap()),
            Step::Restart => self.sessions = self.world.restart(self.sessions.clone()).await,
            Step::Days => {
                for _ in 0..2 {
                    self.advance(25 * HOUR);
                    self.sessions.maintain().await.unwrap();
                }
                self.sessions = self.world.restart(self.sessions.clone()).await;
                self.model.forget();
            }
        }
    }

    fn advance(&mut self, by: Duration) {
        self.world.clock.advance(by);
        self.model.now += by.as_secs();
    }

    /// Activity is written within a second, as in a process with its background; it only is
    /// not swept.
    async fn write_activity(&self) {
        self.world.faults.once(Call::Sweep, Trouble::unavailable());
        self.sessions.maintain().await.unwrap_err();
    }

    fn begin(&mut self, user: Option<&'static str>, issued: &Issued, data: Data) -> usize {
        self.model.begin(user, issued.session.id(), issued.token.expose(), data)
    }

    /// Somebody comes with a token: what they are told, and what they do then.
    async fn with(&mut self, token: usize, act: Act) {
        let known: Vec<usize> =
            (0..self.model.tokens.len()).filter(|t| !self.model.tokens[*t].lost).collect();
        let Some(token) = known.len().checked_sub(1 + token % known.len().max(1)).map(|at| known[at]) else {
            return;
        };
        if self.model.worth(token) == Worth::Reused {
            self.write_activity().await;
        }
        let worth = self.model.present(token);
        let (session, text) = (self.model.tokens[token].session, self.model.tokens[token].text.clone());
        let verdict = match act {
            Act::Visit { .. } => visit(&self.sessions, &text).await,
            _ => look(&self.sessions, &text).await,
        };
        assert_eq!(word(&verdict), said(worth), "{act:?} with {worth:?}");
        match (act, &verdict) {
            (Act::SignIn(who), _) => self.sign_in(USERS[who], Some((verdict, session, worth))).await,
            (act, Verdict::Ok(active)) => self.act(act, active, session).await,
            _ => {}
        }
    }

    async fn act(&mut self, act: Act, active: &Active, session: usize) {
        let data = &mut self.model.sessions[session].data;
        match act {
            Act::Visit { lost } => {
                let renews = !active.is_in_grace() && self.model.renews(session);
                assert_eq!(active.renewed().is_some(), renews);
                if let Some(renewed) = active.renewed() {
                    self.model.prepare(session, renewed.token.expose(), lost);
                }
                self.model.touch(session);
            }
            Act::Set(key, value) => {
                let changes = Changes::default().set(KEYS[key].name(), value.into());
                self.sessions.change(active, changes).await.unwrap();
                data.insert(KEYS[key].name().into(), value);
            }
            Act::Remove(key) => {
                self.sessions.change(active, Changes::default().remove(KEYS[key].name())).await.unwrap();
                data.remove(KEYS[key].name());
            }
            Act::Add(key) => {
                self.sessions.update(active, KEYS[key], |value| *value += 1).await.unwrap();
                *data.entry(KEYS[key].name().into()).or_default() += 1;
            }
            Act::WriteTwice(key) => {
                let name = KEYS[key].name();
                let read = active.session().value(name).map_or(0, |(_, version)| version);
                let first = Changes::default().set(name, 7.into()).expect(name, read);
                let second = Changes::default().set(name, 8.into()).expect(name, read);
                self.sessions.change(active, first).await.unwrap();
                assert_code(self.sessions.change(active, second).await, "data_conflict");
                data.insert(name.into(), 7);
            }
            Act::Rotate { lost } => {
                let rotated = self.sessions.rotate(active, Actor::application(), None).await;
                match (active.is_in_grace(), self.model.may_rotate(session)) {
                    (true, _) => assert_code(rotated, "token_superseded"),
                    (false, false) => assert_code(rotated, "rotation_too_soon"),
                    (false, true) => self.model.prepare(session, rotated.unwrap().token.expose(), lost),
                }
            }
            Act::SignOut => {
                self.write_activity().await;
                self.sessions.sign_out(active).await.unwrap();
                self.model.end(session, "logout");
            }
            act => self.end_of_own(act, active, session).await,
        }
    }

    /// What takes the current token of somebody who authenticated a moment ago.
    async fn end_of_own(&mut self, act: Act, active: &Active, session: usize) {
        self.write_activity().await;
        let is_recent = self.model.is_recent(session);
        let of = self.model.sessions[session].user;
        let others: Vec<usize> = of.iter().flat_map(|user| self.model.list(user)).collect();
        let other = match act {
            Act::EndOwn(which) => others.get(which % others.len().max(1)).copied().unwrap_or(session),
            _ => session,
        };
        let ended = match act {
            Act::EndOwn(_) => {
                self.sessions.end_own(active, self.model.sessions[other].id).await.map(u64::from)
            }
            Act::EndOthers => self.sessions.end_others(active).await,
            _ => self.sessions.sign_out_everywhere(active).await,
        };
        match (active.is_in_grace(), of, is_recent) {
            (true, _, _) => assert_code(ended, "token_superseded"),
            (false, None, _) => assert_code(ended, "session_inactive"),
            (false, Some(_), false) => assert_code(ended, "step_up_required"),
            (false, Some(user), true) => {
                ended.unwrap();
                match act {
                    Act::EndOwn(_) if other == session => self.model.end(session, "logout"),
                    Act::EndOwn(_) => self.model.end(other, "revoked"),
                    Act::EndOthers => self.model.end_all(user, Some(session), "revoked"),
                    _ => self.model.end_all(user, None, "logout"),
                }
            }
        }
    }

    async fn sign_in(&mut self, name: &'static str, with: Option<(Verdict, usize, Worth)>) {
        self.write_activity().await;
        let verdict = with.as_ref().map(|(verdict, ..)| verdict);
        let answer = self.sessions.sign_in(verdict, SignIn::password(user(name))).await;
        let model = &mut self.model;
        let (in_session, guest, in_grace) = match with {
            Some((_, session, Worth::Dead("superseded"))) => (model.led_to(session, name), None, false),
            None | Some((_, _, Worth::Dead(_) | Worth::Reused)) => (None, None, false),
            Some((_, session, worth)) => match model.sessions[session].user {
                None => (None, Some(session), false),
                Some(user) if user == name => (Some(session), None, worth == Worth::InGrace),
                Some(_) => return assert_code(answer, "signed_in_as_another_user"),
            },
        };
        if in_grace {
            return assert_code(answer, "token_superseded");
        }
        if let Some(session) = in_session {
            return model.authenticated(session, answer.unwrap().token.expose());
        }
        if model.disabled.contains(name) {
            return assert_code(answer, "user_disabled");
        }
        model.make_room(name);
        let data = guest.map(|guest| std::mem::take(&mut model.sessions[guest].data));
        let session = self.begin(Some(name), &answer.unwrap(), data.unwrap_or_default());
        if let Some(guest) = guest {
            self.model.moved(guest, session);
        }
    }

    /// Model and system say the same of everything that can be seen without changing it.
    async fn agree(&self) {
        let Self { sessions, model, .. } = self;
        for (n, token) in model.tokens.iter().enumerate() {
            let worth = model.worth(n);
            if token.lost || matches!(worth, Worth::Prepared | Worth::Reused) {
                continue;
            }
            let verdict = look(sessions, &token.text).await;
            assert_eq!(word(&verdict), said(worth), "token {n}");
            if let Some(active) = verdict.active() {
                assert_eq!(active.is_in_grace(), worth == Worth::InGrace, "token {n}");
                assert_eq!(data(active.session()), model.sessions[token.session].data, "token {n}");
            }
        }
        for name in USERS {
            let list = sessions.list(&user(name)).await.unwrap();
            let expected = model.list(name).into_iter().map(|s| &model.sessions[s]);
            let expected: Vec<_> = expected.map(|s| (s.id, s.generation, s.data.clone())).collect();
            let listed: Vec<_> = list.iter().map(|s| (s.id(), s.generation(), data(s))).collect();
            assert_eq!(listed, expected, "the list of {name}");
        }
    }
}

fn said(worth: Worth) -> &'static str {
    match worth {
        Worth::Current | Worth::InGrace | Worth::Prepared => "ok",
        Worth::Reused => "token_reuse",
        Worth::Dead(word) => word,
    }
}

fn data(session: &Snapshot) -> Data {
    let read = |key: &Key<u64>| Some((key.name().to_owned(), key.read(session).unwrap()?));
    KEYS.iter().filter_map(read).collect()
}

fn assert_code<T>(answer: Result<T, Error>, code: &str) {
    assert_eq!(answer.map(drop).unwrap_err().code(), code);
}
