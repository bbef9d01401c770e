//! Random days in the life of a store, against a model that knows none of its rules.
//!
//! 64 days at each run, 2,000 with `TENURE_SOAK=1`.

mod model;
mod session;
mod steps;

use std::collections::BTreeMap;

use proptest::prelude::*;
use tenure::Memory;
use tenure::record::Admission;
use tenure::record::NewSession;
use tenure::store::conformance::{Fixture, owner, sweep};
use tenure::store::{Mutation, Operation, Outcome, PageRequest, Sweep, Touch};
use tenure::{Actor, EndReason, Ending};
use tenure::{Realm, SessionId};

use model::{Answer, Model};
use session::Session;
use steps::{Step, ada_or_bob, step};

/// How long ended sessions and receipts are kept, in milliseconds.
const KEEP_MS: u64 = 120_000;

fn config() -> ProptestConfig {
    let soak = std::env::var_os("TENURE_SOAK").is_some_and(|set| set == "1");
    ProptestConfig {
        cases: if soak { 2_000 } else { 64 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_store_does_what_the_model_says(steps in prop::collection::vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut day = Day::begin().await;
            for step in steps {
                day.live(&step).await;
            }
        });
    }
}

/// A request that may come again.
#[derive(Clone)]
enum Request {
    Create(Operation, Box<NewSession>, Admission),
    Mutate(Operation, SessionId, Mutation),
}

struct Day {
    f: Fixture,
    model: Model,
    /// Every session that was ever asked for.
    known: Vec<SessionId>,
    requests: Vec<Request>,
}

impl Day {
    async fn begin() -> Self {
        Self {
            f: Fixture::open(|| Memory).await,
            model: Model::default(),
            known: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// Takes one step in the store and in the model, and compares what can be seen.
    async fn live(&mut self, step: &Step) {
        // No two steps at one moment: who is oldest is then clear.
        self.f.wait(std::time::Duration::from_millis(1));
        self.model.now = self.f.now().as_millis();
        match step {
            Step::Begin(begin) => {
                let (operation, new, admission) = begin.request(&self.f, &self.model, &self.known);
                self.request(Request::Create(operation, Box::new(new), admission)).await;
            }
            Step::Mutate { session, what } => {
                if let Some(id) = self.session(session) {
                    let mutation = what.mutation(&self.f, self.model.sessions.get(&id));
                    self.request(Request::Mutate(self.f.operation(), id, mutation)).await;
                }
            }
            Step::Again { request } if !self.requests.is_empty() => {
                let request = request.get(&self.requests).clone();
                self.request(request).await;
            }
            Step::Again { .. } => {}
            Step::Wait { seconds } => self.f.wait(std::time::Duration::from_secs(*seconds)),
            Step::Touch { session, seconds, ahead } => self.touch(session, *seconds, *ahead).await,
            Step::Sweep { limit } => self.sweep(*limit).await,
            Step::EndAll { user, except } => self.end_all(*user, except.as_ref()).await,
            Step::SetDisabled { user, disabled } => self.set_disabled(*user, *disabled).await,
        }
        self.compare().await;
    }

    fn session(&self, index: &prop::sample::Index) -> Option<SessionId> {
        (!self.known.is_empty()).then(|| *index.get(&self.known))
    }

    async fn request(&mut self, request: Request) {
        let (expected, outcome) = match &request {
            Request::Create(operation, new, admission) => {
                if !self.known.contains(&new.id) {
                    self.known.push(new.id);
                }
                let store = self.f.store();
                let reply = store.create(operation, (**new).clone(), admission).await;
                let expected = self.model.create(operation, new, admission);
                (expected, reply.expect("the store answers").outcome)
            }
            Request::Mutate(operation, id, mutation) => {
                let reply = self.f.store().mutate(operation, *id, mutation.clone()).await;
                let expected = self.model.mutate(operation, *id, mutation);
                (expected, reply.expect("the store answers").outcome)
            }
        };
        let agrees = match (&outcome, &expected) {
            (Outcome::Applied, Answer::Applied)
            | (Outcome::Unchanged, Answer::Unchanged)
            | (Outcome::Replayed, Answer::Replayed) => true,
            (Outcome::Refused(refusal), Answer::Refused(reasons)) => reasons.contains(refusal),
            _ => false,
        };
        assert!(agrees, "the store says {outcome:?}, the model {expected:?}");
        self.requests.push(request);
    }

    async fn touch(&mut self, session: &prop::sample::Index, seconds: u64, ahead: bool) {
        let by = std::time::Duration::from_secs(seconds);
        let at = if ahead {
            self.f.now().plus(by)
        } else {
            tenure::clock::Timestamp::from_millis(self.model.now - seconds * 1_000)
        };
        if let Some(id) = self.session(session) {
            let touched = self.f.store().touch(&[Touch { id, at }]).await;
            touched.expect("the store answers");
            self.model.touch(id, at.as_millis());
        }
    }

    async fn sweep(&mut self, limit: usize) {
        let keep = Sweep { keep_ended_ms: KEEP_MS, keep_receipts_ms: KEEP_MS, ..sweep(limit) };
        let mut ended = Vec::new();
        let mut more = true;
        for _ in 0..10_000 {
            let swept = self.f.store().sweep(&keep).await.expect("the store answers");
            assert!(swept.ended.len() <= limit);
            ended.extend(swept.ended);
            more = swept.more;
            if !more {
                break;
            }
        }
        assert!(!more, "housekeeping never is done");
        ended.sort();
        assert_eq!(ended, self.model.sweep(KEEP_MS));
    }

    async fn end_all(&mut self, user: bool, except: Option<&prop::sample::Index>) {
        let user = ada_or_bob(user);
        let owner = owner(&user);
        let except = except.and_then(|index| self.session(index));
        let ending = Ending::new(EndReason::Revoked, Actor::system());
        let ended = self.f.store().end_all_of(&self.f.operation(), &owner, except, ending).await;
        let mut ended = ended.expect("the store answers").ids;
        ended.sort();
        assert_eq!(ended, self.model.end_all(&user, except, EndReason::Revoked));
    }

    async fn set_disabled(&mut self, user: bool, disabled: bool) {
        let user = ada_or_bob(user);
        let owner = owner(&user);
        let ended = self.f.store().set_disabled(&self.f.operation(), &owner, disabled).await;
        let mut ended = ended.expect("the store answers").ids;
        ended.sort();
        assert_eq!(ended, self.model.set_disabled(&user, disabled));
    }

    async fn compare(&self) {
        let store = self.f.store();
        for id in &self.known {
            let record = store.load(*id).await.expect("the store answers");
            let seen = record.as_ref().map(Session::seen);
            assert_eq!(seen.as_ref(), self.model.sessions.get(id), "{id}");
        }
        for user in [false, true].map(ada_or_bob) {
            let listed = store.list(&owner(&user)).await.expect("the store answers");
            let listed: Vec<_> = listed.iter().map(|record| record.id).collect();
            assert_eq!(listed, self.model.list(&user));
            let known = store.user(&owner(&user)).await.expect("the store answers");
            let epoch = self.model.epochs.get(&user).copied().unwrap_or(0);
            assert_eq!(
                (known.epoch, known.disabled_at.is_some()),
                (epoch, self.model.disabled.contains(&user))
            );
        }
        let everybody = PageRequest { realm: Realm::default(), after: None, limit: 1_000 };
        let page = store.page(&everybody).await.expect("the store answers");
        let live = self.model.sessions.iter().filter(|(_, s)| !s.has_ended());
        assert!(page.records.iter().map(|record| &record.id).eq(live.map(|(id, _)| id)));
        let mut told: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (event, sequence) in self.f.log(0, None).await.into_iter().zip(1..) {
            assert_eq!(event.position.sequence, sequence);
            let body = event.body;
            told.entry(body.session).or_default().push((body.kind, body.reason));
        }
        assert_eq!(told, self.model.told);
    }
}
