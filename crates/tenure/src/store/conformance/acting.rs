//! What cases do to a store again and again. A store that gives an error fails the case.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Barrier;

use super::builders::{admission, owner, route, sweep};
use super::fixture::Fixture;
use crate::clock::Timestamp;
use crate::event::{Event, EventKind, Position};
use crate::id::{Realm, SessionId, UserId};
use crate::reason::Ending;
use crate::record::{NewSession, Record};
use crate::store::{
    Admission, EventPage, Mutation, Operation, Outcome, Refusal, Reply, Sweep, Swept, Touch, UserRecord,
};

const ANSWERS: &str = "the store answers";

impl Fixture {
    /// Creates a session under conditions.
    pub async fn create(&self, operation: &Operation, new: NewSession, admission: &Admission) -> Reply {
        self.store().create(operation, new, admission).await.expect(ANSWERS)
    }

    /// Creates a session that nothing stands against.
    pub async fn begin(&self, new: NewSession) -> Record {
        let reply = self.create(&self.operation(), new, &admission()).await;
        assert_eq!(reply.outcome, Outcome::Applied);
        reply.record.expect("the answer has the new session")
    }

    /// Makes a mutation in a new operation.
    pub async fn mutate(&self, id: SessionId, mutation: Mutation) -> Reply {
        self.mutate_as(&self.operation(), id, mutation).await
    }

    /// Makes a mutation in this operation.
    pub async fn mutate_as(&self, operation: &Operation, id: SessionId, mutation: Mutation) -> Reply {
        self.store().mutate(operation, id, mutation).await.expect(ANSWERS)
    }

    /// Makes a mutation that nothing stands against.
    pub async fn apply(&self, id: SessionId, mutation: Mutation) -> Record {
        let what = format!("{mutation:?}");
        let reply = self.mutate(id, mutation).await;
        assert_eq!(reply.outcome, Outcome::Applied, "{what}");
        reply.record.expect("the answer has the session")
    }

    /// Makes a mutation that is to be refused, and sees that it changes and tells nothing.
    pub async fn refuse(&self, id: SessionId, mutation: Mutation) -> Refusal {
        let what = format!("{mutation:?}");
        let before = (self.load(id).await, self.events_at(id).await);
        let reply = self.mutate(id, mutation).await;
        assert_eq!(reply.record, before.0, "{what}");
        assert_eq!(
            (self.load(id).await, self.events_at(id).await),
            before,
            "a refused mutation changed something: {what}"
        );
        match reply.outcome {
            Outcome::Refused(refusal) => refusal,
            other => panic!("{other:?} instead of a refusal: {what}"),
        }
    }

    /// The record of a session, if there is one.
    pub async fn load(&self, id: SessionId) -> Option<Record> {
        self.store().load(id).await.expect(ANSWERS)
    }

    /// The record of a session that is there.
    pub async fn record(&self, id: SessionId) -> Record {
        self.load(id).await.expect("the session is there")
    }

    /// Records activity in a session.
    pub async fn touch(&self, id: SessionId, at: Timestamp) {
        self.store().touch(&[Touch { id, at }]).await.expect(ANSWERS);
    }

    /// The sessions of a user in the default realm.
    pub async fn list(&self, user: &UserId) -> Vec<Record> {
        self.store().list(&owner(user)).await.expect(ANSWERS)
    }

    /// Their ids.
    pub async fn ids_of(&self, user: &UserId) -> Vec<SessionId> {
        self.list(user).await.iter().map(|r| r.id).collect()
    }

    /// Ends the sessions of a user in the default realm.
    pub async fn end_all_of(
        &self,
        user: &UserId,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Vec<SessionId> {
        let operation = Operation { actor: ending.actor.clone(), ..self.operation() };
        let owner = owner(user);
        let end = self.store().end_all_of(&operation, &owner, except, ending);
        let ended = end.await.expect(ANSWERS);
        assert_eq!(ended.count, ended.ids.len() as u64);
        ended.ids
    }

    /// What is known of a user in the default realm.
    pub async fn user(&self, user: &UserId) -> UserRecord {
        self.store().user(&owner(user)).await.expect(ANSWERS)
    }

    /// One step of housekeeping.
    pub async fn sweep(&self, limit: usize) -> Swept {
        self.sweep_by(&sweep(limit)).await
    }

    /// One step of housekeeping, as `sweep` says.
    pub async fn sweep_by(&self, sweep: &Sweep) -> Swept {
        self.store().sweep(sweep).await.expect(ANSWERS)
    }

    /// Housekeeping until there is nothing left to do. Gives the sessions that it ended.
    pub async fn sweep_out(&self, sweep: &Sweep) -> Vec<SessionId> {
        let mut ended = Vec::new();
        for _ in 0..10_000 {
            let swept = self.sweep_by(sweep).await;
            ended.extend(swept.ended);
            if !swept.more {
                return ended;
            }
        }
        panic!("housekeeping says again and again that there is more to do, and never is done");
    }

    /// The partition of a session.
    pub fn partition_of(&self, id: SessionId) -> u16 {
        id.route().partition(self.store().info().partitions)
    }

    /// The partition of a user in the default realm.
    pub fn partition_of_user(&self, user: &UserId) -> u16 {
        route(&Realm::default(), user).partition(self.store().info().partitions)
    }

    /// The events of a partition after a position that is kept, or from the oldest.
    pub async fn log(&self, partition: u16, after: Option<Position>) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let from = events.last().map(|event| event.position).or(after);
            match self.store().events(partition, from, 100).await.expect(ANSWERS) {
                EventPage::Events(page) if page.is_empty() => return events,
                EventPage::Events(page) => {
                    assert!(Some(page[0].position) > from, "a page goes back behind {from:?}");
                    events.extend(page);
                }
                EventPage::Truncated { oldest } => {
                    panic!("{from:?} is kept, but answered as truncated to {oldest:?}")
                }
            }
        }
    }

    /// The events of the partition of a session.
    pub async fn events_at(&self, id: SessionId) -> Vec<Event> {
        self.log(self.partition_of(id), None).await
    }

    /// The events of a session.
    pub async fn events_of(&self, id: SessionId) -> Vec<Event> {
        let mut events = self.events_at(id).await;
        events.retain(|event| event.body.session == Some(id));
        events
    }

    /// The kinds of the events of a session.
    pub async fn kinds_of(&self, id: SessionId) -> Vec<EventKind> {
        self.events_of(id).await.iter().map(|e| e.body.kind).collect()
    }

    /// The one event that tells the end of a session.
    pub async fn end_of(&self, id: SessionId) -> Event {
        let mut ends = self.events_of(id).await;
        ends.retain(|event| event.body.kind == EventKind::Ended);
        assert_eq!(ends.len(), 1, "each end is told once: {id} {ends:?}");
        ends.remove(0)
    }

    /// Runs `tasks` tasks that begin at the same moment, and gives what each came to.
    pub async fn at_once<F, T>(&self, tasks: usize, run: impl Fn(Fixture, usize) -> F) -> Vec<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let barrier = Arc::new(Barrier::new(tasks));
        let running: Vec<_> = (0..tasks)
            .map(|i| {
                let (barrier, work) = (Arc::clone(&barrier), run(self.clone(), i));
                tokio::spawn(async move {
                    barrier.wait().await;
                    work.await
                })
            })
            .collect();
        let mut results = Vec::with_capacity(tasks);
        for task in running {
            results.push(task.await.expect("a task of the case runs to its end"));
        }
        results
    }
}
