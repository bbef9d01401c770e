//! The population: who has a session, who had one, and what the server acknowledged about it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::chance::Chance;
use crate::plan::Kind;
use crate::who::{Credential, Issued, Who};

/// How many ended sessions are remembered, to present them again.
const GONE: usize = 1_000;

/// How many are looked at for one that fits, before another thing is done.
const TRIES: usize = 16;

/// Somebody with a session.
pub(crate) struct Person {
    pub(crate) who: Who,
    guest: bool,
    /// The newest count whose change was acknowledged, and when.
    pub(crate) acked: u64,
    pub(crate) acked_at: Duration,
    sent: u64,
    writing: bool,
    pub(crate) leaving: bool,
    place: usize,
}

/// A session whose end was acknowledged.
#[derive(Clone)]
pub(crate) struct Gone {
    pub(crate) who: Who,
    pub(crate) at: Duration,
}

/// What one request is to do.
pub(crate) enum Action {
    Guest,
    SignIn { guest: Option<(u64, Who)>, number: u64 },
    Check { serial: u64, who: Who, acked: u64, acked_at: Duration },
    Change { serial: u64, who: Who, count: u64 },
    End { serial: u64, who: Who },
    Ended(Gone),
    Attack,
}

impl Action {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Guest => Kind::Guest,
            Self::SignIn { .. } => Kind::SignIn,
            Self::Check { .. } => Kind::Check,
            Self::Change { .. } => Kind::Change,
            Self::End { .. } => Kind::End,
            Self::Ended(_) => Kind::Ended,
            Self::Attack => Kind::Attack,
        }
    }
}

/// Everybody.
pub(crate) struct People {
    most: usize,
    follows_guests: bool,
    all: HashMap<u64, Person>,
    order: Vec<u64>,
    arriving: usize,
    next: u64,
    /// The numbers of people with accounts that nobody uses; none where accounts have no limit.
    free: Option<VecDeque<u64>>,
    gone: VecDeque<Gone>,
}

impl People {
    pub(crate) fn new(most: usize, accounts: Option<usize>, follows_guests: bool) -> Self {
        Self {
            most: accounts.map_or(most, |accounts| most.min(accounts)),
            follows_guests,
            all: HashMap::new(),
            order: Vec::new(),
            arriving: 0,
            next: 0,
            free: accounts.map(|accounts| (0..accounts as u64).collect()),
            gone: VecDeque::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn most(&self) -> usize {
        self.most
    }

    fn full(&self) -> bool {
        self.order.len() + self.arriving >= self.most
    }

    /// What a request of this kind does now: where nobody fits, the nearest thing that does.
    pub(crate) fn action(&mut self, kind: Kind, chance: &mut Chance) -> Action {
        match kind {
            Kind::Guest if !self.follows_guests => Action::Guest,
            Kind::Guest if !self.full() => {
                self.arriving += 1;
                Action::Guest
            }
            Kind::SignIn => self.sign_in(chance),
            Kind::Check => self.check(chance),
            Kind::Change => match self.pick(chance, |person| !person.writing) {
                Some((serial, person)) => {
                    person.writing = true;
                    person.sent += 1;
                    Action::Change { serial, who: person.who.clone(), count: person.sent }
                }
                None => self.check(chance),
            },
            Kind::Guest | Kind::End => match self.pick(chance, |person| !person.writing) {
                Some((serial, person)) => {
                    person.leaving = true;
                    Action::End { serial, who: person.who.clone() }
                }
                None => self.check(chance),
            },
            Kind::Ended if !self.gone.is_empty() => {
                Action::Ended(self.gone[chance.below(self.gone.len())].clone())
            }
            Kind::Ended | Kind::Attack => Action::Attack,
        }
    }

    fn check(&mut self, chance: &mut Chance) -> Action {
        let full = self.full();
        match self.pick(chance, |_| true) {
            Some((serial, person)) => Action::Check {
                serial,
                who: person.who.clone(),
                acked: person.acked,
                acked_at: person.acked_at,
            },
            None if full => Action::Attack,
            None => self.sign_in(chance),
        }
    }

    fn sign_in(&mut self, chance: &mut Chance) -> Action {
        let guest = self.pick(chance, |person| person.guest && !person.writing).map(|(serial, person)| {
            person.leaving = true;
            (serial, person.who.clone())
        });
        if guest.is_none() && self.full() {
            return self.action(Kind::End, chance);
        }
        self.arriving += 1;
        Action::SignIn { guest, number: self.number() }
    }

    fn number(&mut self) -> u64 {
        if let Some(number) = self.free.as_mut().and_then(VecDeque::pop_front) {
            return number;
        }
        self.next += 1;
        self.next
    }

    fn give_back(&mut self, number: u64) {
        if let Some(free) = &mut self.free {
            free.push_back(number);
        }
    }

    fn pick(&mut self, chance: &mut Chance, fits: impl Fn(&Person) -> bool) -> Option<(u64, &mut Person)> {
        let serial = (0..TRIES).find_map(|_| {
            let serial = *self.order.get(chance.below(self.order.len()))?;
            self.all.get(&serial).is_some_and(|person| !person.leaving && fits(person)).then_some(serial)
        })?;
        Some((serial, self.all.get_mut(&serial)?))
    }

    pub(crate) fn get(&mut self, serial: u64) -> Option<&mut Person> {
        self.all.get_mut(&serial)
    }

    /// Somebody has come, or has not.
    pub(crate) fn arrived(&mut self, issued: Option<Issued>, number: Option<u64>, now: Duration) {
        self.arriving = self.arriving.saturating_sub(1);
        let Some(Issued { id, credential }) = issued else {
            number.into_iter().for_each(|number| self.give_back(number));
            return;
        };
        self.next += 1;
        let serial = self.next;
        let who = Who { id, number: number.unwrap_or(serial), credential };
        let (guest, place) = (number.is_none(), self.order.len());
        self.order.push(serial);
        let person =
            Person { who, guest, acked: 0, acked_at: now, sent: 0, writing: false, leaving: false, place };
        self.all.insert(serial, person);
    }

    /// A change was answered.
    pub(crate) fn changed(&mut self, serial: u64, acked: Option<u64>, now: Duration) {
        if let Some(person) = self.all.get_mut(&serial) {
            person.writing = false;
            if let Some(count) = acked {
                (person.acked, person.acked_at) = (count, now);
            }
        }
    }

    pub(crate) fn renewed(&mut self, serial: u64, credential: Credential) {
        if let Some(person) = self.all.get_mut(&serial) {
            person.who.credential = credential;
        }
    }

    /// Somebody has left; with the moment of the acknowledgement, where there was one.
    pub(crate) fn left(&mut self, serial: u64, acked: Option<Duration>) {
        let Some(person) = self.all.remove(&serial) else { return };
        self.order.swap_remove(person.place);
        if let Some(moved) = self.order.get(person.place)
            && let Some(moved) = self.all.get_mut(moved)
        {
            moved.place = person.place;
        }
        if !person.guest {
            self.give_back(person.who.number);
        }
        if let Some(at) = acked {
            if self.gone.len() == GONE {
                self.gone.pop_front();
            }
            self.gone.push_back(Gone { who: person.who, at });
        }
    }
}
