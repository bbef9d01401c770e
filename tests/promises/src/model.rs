//! What people should see of their sessions, told in the plainest words: whole seconds, whole
//! sessions, one thing after the other. No rule of the crates is used here.

use std::collections::{BTreeMap, BTreeSet};

use tenure::SessionId;

pub(crate) const IDLE: u64 = 30 * 60;
pub(crate) const ABSOLUTE: u64 = 2 * 3_600;
pub(crate) const GUEST_IDLE: u64 = 3_600;
pub(crate) const GUEST_ABSOLUTE: u64 = 3 * 3_600;
pub(crate) const MAX_SESSIONS: usize = 3;
pub(crate) const ROTATE_EVERY: u64 = 15 * 60;
const GRACE: u64 = 10;
const TOUCH_EVERY: u64 = 60;
const RECENT: u64 = 15 * 60;

pub(crate) type Data = BTreeMap<String, u64>;

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) now: u64,
    pub(crate) sessions: Vec<Session>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) disabled: BTreeSet<&'static str>,
}

pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) user: Option<&'static str>,
    pub(crate) data: Data,
    created: u64,
    seen: u64,
    authenticated: u64,
    deadline: u64,
    pub(crate) generation: u32,
    /// Tokens below this generation were replaced by a sign-in.
    floor: u32,
    /// Since when the current token is in use.
    since: u64,
    /// The current token came by rotation, so that the one before has a grace time.
    rotated: bool,
    pub(crate) prepared: bool,
    /// The word that a check has for it since its end.
    over: Option<&'static str>,
    moved_to: Option<usize>,
}

pub(crate) struct Token {
    pub(crate) session: usize,
    pub(crate) generation: u32,
    pub(crate) text: String,
    /// Its answer never arrived, so nobody can present it.
    pub(crate) lost: bool,
}

/// What a token is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Worth {
    Current,
    InGrace,
    /// Good, and in use from now on.
    Prepared,
    /// A check ends the session.
    Reused,
    Dead(&'static str),
}

impl Model {
    pub(crate) fn worth(&self, token: usize) -> Worth {
        let Token { session, generation, .. } = self.tokens[token];
        let s = &self.sessions[session];
        match self.dead(session) {
            Some(word) => Worth::Dead(word),
            None if generation == s.generation => Worth::Current,
            None if generation > s.generation => Worth::Prepared,
            None if generation < s.floor => Worth::Dead("superseded"),
            None if s.rotated && generation + 1 == s.generation && self.now - s.since < GRACE => {
                Worth::InGrace
            }
            None => Worth::Reused,
        }
    }

    /// A check with this token, and what it brings about.
    pub(crate) fn present(&mut self, token: usize) -> Worth {
        let (worth, session) = (self.worth(token), self.tokens[token].session);
        match worth {
            Worth::Prepared => {
                let s = &mut self.sessions[session];
                (s.generation, s.since, s.rotated, s.prepared) = (s.generation + 1, self.now, true, false);
            }
            Worth::Reused => self.end(session, "token_reuse"),
            _ => {}
        }
        worth
    }

    /// Why nobody can go on in it, if so.
    pub(crate) fn dead(&self, session: usize) -> Option<&'static str> {
        let s = &self.sessions[session];
        let idle_at = s.seen + if s.user.is_some() { IDLE } else { GUEST_IDLE };
        match s.over {
            Some(word) => Some(word),
            None if self.now < idle_at.min(s.deadline) => None,
            None if idle_at < s.deadline => Some("idle_timeout"),
            None => Some("absolute_timeout"),
        }
    }

    pub(crate) fn begin(
        &mut self,
        user: Option<&'static str>,
        id: SessionId,
        text: &str,
        data: Data,
    ) -> usize {
        let session = self.sessions.len();
        self.sessions.push(Session {
            id,
            user,
            data,
            created: self.now,
            seen: self.now,
            authenticated: self.now,
            deadline: self.now + if user.is_some() { ABSOLUTE } else { GUEST_ABSOLUTE },
            generation: 1,
            floor: 1,
            since: self.now,
            rotated: false,
            prepared: false,
            over: None,
            moved_to: None,
        });
        self.tokens.push(Token { session, generation: 1, text: text.to_owned(), lost: false });
        session
    }

    pub(crate) fn end(&mut self, session: usize, word: &'static str) {
        self.sessions[session].over = Some(self.dead(session).unwrap_or(word));
    }

    /// A user's live sessions, newest first.
    pub(crate) fn list(&self, user: &str) -> Vec<usize> {
        let of_user = |s: &usize| self.sessions[*s].user == Some(user) && self.dead(*s).is_none();
        let mut list: Vec<usize> = (0..self.sessions.len()).filter(of_user).collect();
        list.sort_by_key(|s| std::cmp::Reverse((self.sessions[*s].created, self.sessions[*s].id)));
        list
    }

    pub(crate) fn end_all(&mut self, user: &str, but: Option<usize>, word: &'static str) {
        for session in self.list(user) {
            if Some(session) != but {
                self.end(session, word);
            }
        }
    }

    /// The oldest go when a user has no room for one more.
    pub(crate) fn make_room(&mut self, user: &str) {
        while self.list(user).len() >= MAX_SESSIONS {
            self.end(*self.list(user).last().expect("there are some"), "session_limit");
        }
    }

    /// Where a sign-in with a token that another sign-in replaced goes on.
    pub(crate) fn led_to(&self, session: usize, user: &str) -> Option<usize> {
        let to = self.sessions[session].moved_to.unwrap_or(session);
        (self.dead(to).is_none() && self.sessions[to].user == Some(user)).then_some(to)
    }

    pub(crate) fn moved(&mut self, guest: usize, to: usize) {
        (self.sessions[guest].over, self.sessions[guest].moved_to) = (Some("superseded"), Some(to));
    }

    /// The user signs in again in this session: new token, new limits.
    pub(crate) fn authenticated(&mut self, session: usize, text: &str) {
        let (now, s) = (self.now, &mut self.sessions[session]);
        // The number between may belong to a prepared token.
        s.generation += 2;
        (s.floor, s.rotated, s.prepared) = (s.generation, false, false);
        (s.since, s.seen, s.authenticated, s.deadline) = (now, now, now, now + ABSOLUTE);
        let generation = s.generation;
        self.tokens.push(Token { session, generation, text: text.to_owned(), lost: false });
    }

    pub(crate) fn touch(&mut self, session: usize) {
        let s = &mut self.sessions[session];
        if self.now - s.seen >= TOUCH_EVERY {
            s.seen = self.now;
        }
    }

    /// Whether a request with the current token gets the next one along.
    pub(crate) fn renews(&self, session: usize) -> bool {
        let s = &self.sessions[session];
        s.prepared || self.now - s.since >= ROTATE_EVERY
    }

    pub(crate) fn may_rotate(&self, session: usize) -> bool {
        let s = &self.sessions[session];
        s.prepared || !s.rotated || self.now - s.since >= GRACE
    }

    /// The next token is on its way, the same again if there is one already.
    pub(crate) fn prepare(&mut self, session: usize, text: &str, lost: bool) {
        let generation = self.sessions[session].generation + 1;
        let is_it = |t: &&mut Token| (t.session, t.generation) == (session, generation);
        match self.tokens.iter_mut().find(is_it) {
            Some(token) => {
                assert_eq!(token.text, text, "a lost answer is given again");
                token.lost &= lost;
            }
            None => self.tokens.push(Token { session, generation, text: text.to_owned(), lost }),
        }
        self.sessions[session].prepared = true;
    }

    pub(crate) fn is_recent(&self, session: usize) -> bool {
        self.now - self.sessions[session].authenticated <= RECENT
    }

    /// So long a time passes that nothing is known of any session.
    pub(crate) fn forget(&mut self) {
        self.sessions.iter_mut().for_each(|s| s.over = Some("unknown"));
    }
}
