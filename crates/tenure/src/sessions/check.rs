//! Checking a token: the one path that every request takes.

use std::sync::Arc;
use std::time::Duration;

use super::Sessions;
use super::check_settings::{Check, Require};
use super::maintain::KEEP_ENDED;
use super::verdict::{Active, Inactive, Verdict};
use crate::clock::Timestamp;
use crate::cookie::Found;
use crate::error::Error;
use crate::front::Stage;
use crate::reason::{Actor, EndReason, Ending, Reason};
use crate::record::{Standing, State};
use crate::snapshot::Snapshot;
use crate::store::{Mutation, StoreError};
use crate::token::Presented;

/// How often a check starts again because the session changed under it.
const TRIES: u32 = 4;

/// What a genuine token is worth against what is known of its session.
enum Weight {
    Accept { in_grace: bool },
    Confirm,
    Refuse(Reason),
    Due(EndReason),
    Unfinished,
    Reuse,
}

/// What an accepted token still causes. Mostly nothing, and then a check waits for nothing.
#[derive(Clone, Copy, Default)]
struct Chores {
    /// Write the activity now: the idle limit is too near to wait.
    write: bool,
    /// See whether a next token is to be handed out.
    renew: bool,
}

/// When a check began, and for how long from then on what it found may be relied upon.
#[derive(Clone, Copy)]
struct At {
    now: Timestamp,
    left: Duration,
}

impl Chores {
    fn any(self) -> bool {
        self.write || self.renew
    }
}

impl Sessions {
    /// Says what `token` is good for.
    ///
    /// Answered from memory when it can be. A made-up token is refused in memory, always.
    ///
    /// # Errors
    /// [`Error::Store`] and [`Error::Clock`] when nothing can be said: answer 503 and leave
    /// the client's cookie alone. [`Error::Throttled`] when a network asks for too many
    /// sessions that are not there.
    ///
    /// # Security
    /// Only [`Verdict::Ok`] lets a request through.
    pub async fn check(&self, token: &[u8], check: &Check) -> Result<Verdict, Error> {
        let Some(presented) = Presented::parse(token) else {
            return Ok(refuse(Reason::Malformed, None));
        };
        let running = self.core.clock.running();
        let now = self.core.clock.read_at(running)?;
        if let Some((snapshot, left)) = self.core.cached(&presented.id, running) {
            let at = At { now, left: left.min(self.core.bound) };
            if self.is_plainly_good(&snapshot, &presented, now) {
                let (verdict, chores) = self.accept(snapshot, presented, false, check, at);
                if !chores.any() {
                    return Ok(verdict);
                }
                // What waits for the store is rare: it goes to the heap, so that the future of
                // every check stays small.
                return Ok(Box::pin(self.attend(verdict, chores, now)).await);
            }
            if self.is_genuine(&presented, Some(&snapshot)) {
                match self.weigh(&snapshot, &presented, check, now) {
                    Weight::Accept { in_grace } => {
                        let (verdict, chores) = self.accept(snapshot, presented, in_grace, check, at);
                        return Ok(Box::pin(self.attend(verdict, chores, now)).await);
                    }
                    // What has ended or was replaced stays so, for as long as the store knows of it.
                    Weight::Refuse(reason)
                        if snapshot.ended_within(KEEP_ENDED, now) || reason == Reason::Superseded =>
                    {
                        return Ok(refuse(reason, Some(snapshot)));
                    }
                    _ => {}
                }
            }
        }
        Box::pin(self.check_in_store(presented, check, now)).await
    }

    /// Says what the session cookie of a request is good for: finds it in the request's `Cookie`
    /// headers and [`check`](Self::check)s its token.
    ///
    /// Without a cookie it is [`Reason::NoToken`]. Of several of the name none is believed, and
    /// none is to be forgotten: one of them may be the right one.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    ///
    /// # Example: with the headers of the crate `http`
    /// ```
    /// # use tenure::{Check, Error, Sessions, Verdict};
    /// # struct HeaderMap;
    /// # impl HeaderMap { fn get_all(&self, _: &str) -> Vec<Vec<u8>> { vec![] } }
    /// # async fn example(sessions: &Sessions, headers: &HeaderMap) -> Result<Verdict, Error> {
    /// let cookies = headers.get_all("cookie");
    /// sessions.check_cookie(cookies.iter().map(|value| value.as_ref()), &Check::signed_in()).await
    /// # }
    /// ```
    pub async fn check_cookie<'h>(
        &self,
        headers: impl IntoIterator<Item = &'h [u8]>,
        check: &Check,
    ) -> Result<Verdict, Error> {
        match self.realm.cookie.find(headers) {
            Found::One(token) => self.check(token, check).await,
            Found::Missing => Ok(refuse(Reason::NoToken, None)),
            Found::Several => {
                tracing::warn!("a request brought several session cookies; none of them is believed");
                Ok(Verdict::Inactive(Inactive { forget: false, ..Inactive::new(Reason::Malformed) }))
            }
        }
    }

    /// The same session as it is now, for a handler that has changed it. No activity.
    ///
    /// # Example: what a handler sees after it changed something
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tenure::Error> {
    /// # use tenure::{Check, Memory, NewGuest, Sessions};
    /// # let sessions = Sessions::open(Memory).await?;
    /// # let token = sessions.create_guest(NewGuest::default()).await?.token;
    /// use tenure::Key;
    ///
    /// const VISITS: Key<u32> = Key::new("visits");
    ///
    /// let active = sessions.check(token.expose().as_bytes(), &Check::any()).await?.into_active()?;
    /// sessions.update(&active, VISITS, |visits| *visits += 1).await?;
    /// assert_eq!(VISITS.read(active.session())?, None, "what was read does not change");
    /// let active = sessions.refresh(active).await?.into_active()?;
    /// assert_eq!(VISITS.read(active.session())?, Some(1));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub async fn refresh(&self, active: Active) -> Result<Verdict, Error> {
        self.must_be_ours(&active)?;
        let now = self.core.clock.read()?;
        let id = active.session.id();
        let Some(session) = self.core.known(id).await? else {
            return Ok(refuse(Reason::Unknown, None));
        };
        let secrets = &session.record().secrets;
        let before = &active.session.record().secrets;
        let standing = if active.generation == secrets.generation && before.is_same_token(secrets) {
            // What was the current token of the session is so still.
            Standing::Current
        } else {
            let hash = active.secret.hash();
            secrets.standing(active.generation, &hash, self.realm.policy.grace(), now)
        };
        let refused = session.dead(now).map(Reason::Ended).or(match standing {
            _ if matches!(session.record().state, State::Claimed(_)) => Some(Reason::Superseded),
            // That the token was good is shown already; a rotation since takes nothing from that.
            Standing::Current | Standing::Successor | Standing::InGrace | Standing::Reused => None,
            Standing::Superseded => Some(Reason::Superseded),
            Standing::Unknown => Some(Reason::Unknown),
        });
        let in_grace = matches!(standing, Standing::InGrace | Standing::Reused);
        Ok(match refused {
            Some(reason) => refuse(reason, Some(session)),
            None => Verdict::Ok(Active { session, in_grace, ..active }),
        })
    }

    /// Refuses what a check of another realm or for another cookie has shown.
    pub(super) fn must_be_ours(&self, active: &Active) -> Result<(), Error> {
        if active.binding == self.realm.binding.name() { Ok(()) } else { Err(Error::OtherRealm) }
    }

    /// Goes on only if the user has what is [required](Require): a level, a recent authentication,
    /// roles.
    ///
    /// # Errors
    /// [`Error::StepUp`] for what signing in again can mend, [`Error::Forbidden`] for a missing
    /// role.
    pub fn require(&self, active: &Active, require: &Require) -> Result<(), Error> {
        self.must_be_ours(active)?;
        match missing(require, &active.session, self.core.clock.now()) {
            None => Ok(()),
            Some(Reason::MissingRole) => Err(Error::Forbidden(Reason::MissingRole)),
            Some(reason) => Err(Error::StepUp(reason)),
        }
    }

    /// What memory could not accept: the tag first, then the store's word.
    async fn check_in_store(
        &self,
        presented: Presented,
        check: &Check,
        now: Timestamp,
    ) -> Result<Verdict, Error> {
        if !self.is_genuine(&presented, None) {
            return Ok(refuse(Reason::Malformed, None));
        }
        for _ in 0..TRIES {
            let asked = self.core.clock.running();
            let Some(snapshot) = self.core.load(presented.id, check.ip).await? else {
                return Ok(refuse(Reason::Unknown, None));
            };
            self.is_genuine(&presented, Some(&snapshot));
            // What the store said was right when it was asked.
            let at = || {
                let took = self.core.clock.running().saturating_sub(asked);
                At { now, left: self.core.bound.saturating_sub(took) }
            };
            match self.weigh(&snapshot, &presented, check, now) {
                Weight::Accept { in_grace } => {
                    let (verdict, chores) = self.accept(snapshot, presented, in_grace, check, at());
                    return Ok(self.attend(verdict, chores, now).await);
                }
                Weight::Refuse(reason) => return Ok(refuse(reason, Some(snapshot))),
                Weight::Due(reason) => {
                    self.core.end_if_due_soon(presented.id);
                    return Ok(refuse(reason.into(), Some(snapshot)));
                }
                Weight::Unfinished => {
                    self.complete_soon(snapshot.record().clone());
                    return Ok(refuse(Reason::Superseded, Some(snapshot)));
                }
                Weight::Reuse => return self.end_for_reuse(&snapshot).await,
                Weight::Confirm => {
                    let generation = presented.generation;
                    match self.core.automatic(presented.id, Mutation::Confirm { generation }).await {
                        // Without room or connection the prepared token stays prepared, and as
                        // good as the current one.
                        Err(Error::Store(error)) if is_passing(&error) => {
                            let (verdict, chores) = self.accept(snapshot, presented, false, check, at());
                            return Ok(self.attend(verdict, chores, now).await);
                        }
                        done => done.map(drop)?,
                    }
                }
            }
        }
        Err(StoreError::Unavailable("the session changes faster than it can be read".into()).into())
    }

    /// The ordinary case, decided by what lies at the front of the snapshot: the current token,
    /// known to be genuine for this realm and cookie, of a live session. All else is weighed.
    fn is_plainly_good(&self, snapshot: &Snapshot, presented: &Presented, now: Timestamp) -> bool {
        let front = snapshot.front();
        front.stage != Stage::Over
            && now < front.due_at()
            && front.knows(&presented.witness(self.realm.binding.name()))
    }

    fn is_genuine(&self, presented: &Presented, snapshot: Option<&Snapshot>) -> bool {
        let binding = &self.realm.binding;
        let witness = presented.witness(binding.name());
        if snapshot.is_some_and(|snapshot| snapshot.front().knows(&witness)) {
            return true;
        }
        let genuine = presented.is_genuine(&self.core.keys, binding);
        if let Some(snapshot) = snapshot.filter(|_| genuine) {
            let secrets = &snapshot.record().secrets;
            if secrets.generation == presented.generation && secrets.hash == presented.hash() {
                snapshot.front().remember(witness);
            }
        }
        genuine
    }

    fn weigh(&self, snapshot: &Snapshot, presented: &Presented, check: &Check, now: Timestamp) -> Weight {
        let record = snapshot.record();
        if record.realm != self.realm.binding.realm {
            return Weight::Refuse(Reason::Unknown);
        }
        match (snapshot.end_reason(), snapshot.dead(now)) {
            (Some(EndReason::SignedIn), _) => return Weight::Refuse(Reason::Superseded),
            (Some(reason), _) => return Weight::Refuse(reason.into()),
            (None, Some(reason)) => return Weight::Due(reason),
            (None, None) => {}
        }
        if matches!(record.state, State::Claimed(_)) {
            return Weight::Unfinished;
        }
        let grace = self.realm.policy.grace();
        let arrived_at = check.arrived_at.unwrap_or(now).min(now);
        match record.secrets.standing(presented.generation, &presented.hash(), grace, arrived_at) {
            Standing::Current => Weight::Accept { in_grace: false },
            Standing::InGrace => Weight::Accept { in_grace: true },
            Standing::Successor => Weight::Confirm,
            Standing::Superseded => Weight::Refuse(Reason::Superseded),
            Standing::Reused => Weight::Reuse,
            Standing::Unknown => Weight::Refuse(Reason::Unknown),
        }
    }

    /// What `check` says of a good token, and what there is to do before that is answered.
    fn accept(
        &self,
        snapshot: Arc<Snapshot>,
        presented: Presented,
        in_grace: bool,
        check: &Check,
        At { now, left }: At,
    ) -> (Verdict, Chores) {
        let accepted = match snapshot.front().stage {
            Stage::SignedIn => true,
            Stage::Pending => check.pending,
            Stage::Guest => check.guest,
            Stage::Over => false,
        };
        // Only somebody who is signed in can be asked for more, or be forbidden something.
        let lacks = missing(&check.require, &snapshot, now);
        if !accepted || (lacks.is_some() && !snapshot.is_signed_in()) {
            return (refuse(Reason::NotAccepted, Some(snapshot)), Chores::default());
        }
        let write = check.touch && self.record_activity(&snapshot, now);
        let cache_for = snapshot.idle_expires_at().since(now).min(left);
        let chores =
            Chores { write, renew: check.can_set_cookie && !in_grace && self.may_rotate(&snapshot, now) };
        let Presented { generation, secret, .. } = presented;
        let binding = self.realm.binding.name();
        let active =
            Active { session: snapshot, generation, secret, in_grace, renewed: None, cache_for, binding };
        let verdict = match lacks {
            None => Verdict::Ok(active),
            Some(Reason::MissingRole) => Verdict::Forbidden(active, Reason::MissingRole),
            Some(reason) => Verdict::StepUp(active, reason),
        };
        (verdict, chores)
    }

    /// The verdict on an accepted token when what it causes is done.
    async fn attend(&self, mut verdict: Verdict, chores: Chores, now: Timestamp) -> Verdict {
        let began = self.core.clock.running();
        if chores.write {
            self.core.flush_touches().await.ok();
        }
        if let Some(active) = verdict.active_mut().filter(|_| chores.renew) {
            self.renew(active, now).await;
        }
        if let Some(active) = verdict.active_mut() {
            let took = self.core.clock.running().saturating_sub(began);
            active.cache_for = active.cache_for.saturating_sub(took);
        }
        verdict
    }

    async fn end_for_reuse(&self, snapshot: &Arc<Snapshot>) -> Result<Verdict, Error> {
        tracing::warn!(session = %snapshot.id(), "a replaced token was presented: the session ends");
        let ending = Ending::new(EndReason::TokenReuse, Actor::system());
        let reply = self.core.automatic(snapshot.id(), Mutation::End { ending, next: None }).await?;
        let ended = reply.record.map(|record| self.core.snapshot(record)).transpose()?;
        let reason = ended.as_ref().and_then(|ended| ended.end_reason());
        Ok(refuse(reason.map_or(Reason::Unknown, Reason::Ended), ended))
    }
}

fn is_passing(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::Full(_))
}

fn missing(require: &Require, session: &Snapshot, now: Timestamp) -> Option<Reason> {
    if require.roles.is_empty() && require.level.is_none() && require.max_auth_age.is_none() {
        return None;
    }
    if require.roles.iter().any(|role| !session.has_role(role.as_str())) {
        return Some(Reason::MissingRole);
    }
    if require.level.is_some_and(|level| session.level() < Some(level)) {
        return Some(Reason::InsufficientLevel);
    }
    let since = session.authenticated_at().map(|at| now.since(at));
    let stale = |max: Duration| since.is_none_or(|age| age > max);
    require.max_auth_age.is_some_and(stale).then_some(Reason::StaleAuthentication)
}

fn refuse(reason: Reason, session: Option<Arc<Snapshot>>) -> Verdict {
    Verdict::Inactive(Inactive::of(reason, session))
}
