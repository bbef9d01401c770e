//! A store made of a [`Place`].

use async_trait::async_trait;
use tenure::event::{Event, Position};
use tenure::record::{Admission, NewSession, NewState, Record};
use tenure::store::{
    Barrier, EndedSessions, EventPage, Movable, Mutation, News, Operation, Owner, Page, PageRequest,
    RecentEnds, Replay, Reply, Store, StoreError, StoreInfo, Sweep, Swept, Tail, Touch, UserRecord, steps,
};
use tenure::{Ending, OperationId, Route, SessionId};

use crate::place::{Entry, LogPage, Place, Row, Touched, View, Want};
use crate::row::{event_of, owner_key, receipt_key, replay_of, user_key, user_of};
use crate::shared::SharedStore;
use crate::step::Step;

impl<P: Place> SharedStore<P> {
    /// What is wanted of one session.
    fn want(&self, id: SessionId) -> Want {
        Want { partition: self.partition(id.route()), sessions: vec![id], ..Want::default() }
    }

    /// What is wanted of a user's sessions.
    fn want_of(&self, owner: &Owner) -> Want {
        Want {
            partition: self.partition(owner.route),
            owner: Some(owner_key(&owner.realm, &owner.user)),
            ..Want::default()
        }
    }

    async fn change(
        &self,
        operation: &Operation,
        id: SessionId,
        known: Option<&Record>,
        mutation: Mutation,
    ) -> Result<Reply, StoreError> {
        let essential = matches!(mutation, Mutation::End { .. } | Mutation::EndIfDue);
        let mut want = self.want(id);
        want.cells.extend(operation.receipt.is_some().then(|| receipt_key(operation.id)));
        let step = Step { essential, ..Step::at(want) };
        self.step(step, known, |draft| steps::mutate(draft, operation, id, mutation.clone())).await
    }

    /// What is wanted to end all sessions of a user.
    fn ending_all(&self, owner: &Owner) -> Step {
        let mut want = self.want_of(owner);
        let recent = RecentEnds::key(&owner.realm, &owner.user);
        want.cells = vec![user_key(&owner.realm, &owner.user), receipt_key(recent)];
        Step { essential: true, ..Step::at(want) }
    }

    async fn view(&self, want: Want) -> Result<View, StoreError> {
        self.place.view(&want).await
    }
}

fn records(rows: &[Row]) -> Result<Vec<Record>, StoreError> {
    rows.iter().map(Row::record).collect()
}

#[async_trait]
impl<P: Place> Store for SharedStore<P> {
    fn info(&self) -> StoreInfo {
        self.place.info()
    }

    async fn create(
        &self,
        operation: &Operation,
        new: NewSession,
        admission: &Admission,
    ) -> Result<Reply, StoreError> {
        let mut want = self.want(new.id);
        want.cells.push(receipt_key(operation.id));
        want.guests = new.state == NewState::Guest;
        if let Some(user) = new.state.user() {
            want.owner = Some(owner_key(&new.realm, user));
            want.cells.push(user_key(&new.realm, user));
        }
        let max_guests = want.guests.then_some(admission.max_guests);
        let step = Step { max_guests, ..Step::at(want) };
        self.step(step, None, |draft| steps::create(draft, operation, new.clone(), admission)).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<Record>, StoreError> {
        let found = self.place.session(self.partition(id.route()), id).await?;
        found.map(|body| body.record(id)).transpose()
    }

    async fn mutate(
        &self,
        operation: &Operation,
        id: SessionId,
        mutation: Mutation,
    ) -> Result<Reply, StoreError> {
        self.change(operation, id, None, mutation).await
    }

    async fn mutate_known(
        &self,
        operation: &Operation,
        known: &Record,
        mutation: Mutation,
    ) -> Result<Reply, StoreError> {
        self.change(operation, known.id, Some(known), mutation).await
    }

    async fn touch(&self, touches: &[Touch]) -> Result<(), StoreError> {
        let touched = |touch: &Touch| Touched {
            partition: self.partition(touch.id.route()),
            id: touch.id,
            at: touch.at,
        };
        let touches: Vec<Touched> = touches.iter().map(touched).collect();
        self.place.touch(&touches, self.own_time.then(|| self.clock.now())).await
    }

    async fn replay(&self, route: Route, operation: OperationId) -> Result<Option<Replay>, StoreError> {
        let (partition, cells) = (self.partition(route), vec![receipt_key(operation)]);
        let view = self.view(Want { partition, cells, ..Want::default() }).await?;
        view.cells.first().map(replay_of).transpose()
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Record>, StoreError> {
        records(&self.view(self.want_of(owner)).await?.of_owner)
    }

    async fn end_all_of(
        &self,
        operation: &Operation,
        owner: &Owner,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Result<EndedSessions, StoreError> {
        self.step(self.ending_all(owner), None, |draft| {
            steps::end_all_of(draft, operation, owner, except, &ending)
        })
        .await
    }

    async fn user(&self, owner: &Owner) -> Result<UserRecord, StoreError> {
        let cells = vec![user_key(&owner.realm, &owner.user)];
        let view = self.view(Want { owner: None, cells, ..self.want_of(owner) }).await?;
        view.cells.first().map_or(Ok(UserRecord::default()), user_of)
    }

    async fn set_disabled(
        &self,
        operation: &Operation,
        owner: &Owner,
        disabled: bool,
    ) -> Result<EndedSessions, StoreError> {
        self.step(self.ending_all(owner), None, |draft| {
            steps::set_disabled(draft, operation, owner, disabled)
        })
        .await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.must_not_be_shut()?;
        let mut rows = self.place.page(request, request.limit.saturating_add(1)).await?;
        let more = rows.len() > request.limit;
        rows.truncate(request.limit);
        let next = rows.last().map(|row| row.id).filter(|_| more);
        let mut records = records(&rows)?;
        records.retain(|record| record.realm == request.realm);
        Ok(Page { records, next })
    }

    async fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        self.sweep_once(sweep).await
    }

    async fn events(
        &self,
        partition: u16,
        after: Option<Position>,
        limit: usize,
    ) -> Result<EventPage, StoreError> {
        Ok(match self.place.log(partition, after, limit).await? {
            LogPage::Truncated { oldest } => EventPage::Truncated { oldest },
            LogPage::Entries(entries) => {
                EventPage::Events(entries.into_iter().map(event_of).collect::<Result<_, _>>()?)
            }
        })
    }

    async fn news(&self, after: &[Option<Position>], limit: usize) -> Result<News, StoreError> {
        let told = self.place.news(after, limit).await;
        match &told {
            Ok(_) => self.set_shut(false),
            Err(error) if *error == Barrier::shut() => self.set_shut(true),
            Err(_) => {}
        }
        let News { now, server, confirmed, tails } = told?;
        if let Some(keeper) = &self.keeper {
            let events = tails.iter().filter_map(|tail| tail.events.last());
            events.for_each(|event| keeper.note(event.at));
            keeper.tick(self.clock.running());
        }
        let now = if self.own_time { self.clock.now() } else { now };
        Ok(News { now, server, confirmed, tails: tails.into_iter().map(readable).collect() })
    }

    async fn woken(&self) {
        self.place.woken().await;
    }

    fn movable(&self) -> Option<&dyn Movable> {
        Some(self)
    }

    async fn close(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.close().await;
        }
        self.place.close().await;
    }
}

/// The news of a partition. What cannot be read cannot be told, so it is a gap.
fn readable(tail: Tail<Entry>) -> Tail {
    let Tail { partition, events, next, is_end, mut gap } = tail;
    let read: Result<Vec<Event>, StoreError> = events.into_iter().map(event_of).collect();
    let events = read.unwrap_or_else(|error| {
        tracing::error!(partition, %error, "the log cannot be read");
        gap = true;
        Vec::new()
    });
    Tail { partition, events, next, is_end, gap }
}
