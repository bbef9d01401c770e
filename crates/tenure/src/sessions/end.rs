//! Ending sessions.

use std::sync::Arc;
use std::time::Duration;

use super::Sessions;
use super::core::{Core, detached};
use super::create::granted;
use super::verdict::Active;
use crate::error::Error;
use crate::id::{Realm, SessionId, UserId};
use crate::reason::{Actor, EndReason, Ending, Reason};
use crate::snapshot::Snapshot;
use crate::store::{Mutation, Outcome, PageRequest, Refusal};

/// How many sessions one step of ending a whole realm reads.
const BATCH: usize = 500;

impl Sessions {
    /// The user signs out: this session ends. Fine, too, when it has ended already.
    ///
    /// # Errors
    /// [`Error::Store`]: then it is not ended for sure; answer 503.
    pub async fn sign_out(&self, active: &Active) -> Result<(), Error> {
        self.must_be_ours(active)?;
        self.end(active.session.id(), Ending::new(EndReason::Logout, Actor::user())).await.map(drop)
    }

    /// Ends a session of the realm. Whether this was what ended it: false when it had ended
    /// before.
    ///
    /// # Example: the support desk ends a session from a log line
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tenure::{Actor, EndReason, Ending, Memory, SessionId, Sessions, SignIn, UserId};
    ///
    /// let sessions = Sessions::open(Memory).await?;
    /// let issued = sessions.sign_in(None, SignIn::password(UserId::new("u_1")?)).await?;
    ///
    /// let id: SessionId = issued.session.id().to_string().parse()?;
    /// let ending = Ending::new(EndReason::Revoked, Actor::api_key("support")).note("ticket 1077");
    /// assert!(sessions.end(id, ending.clone()).await?);
    /// assert!(!sessions.end(id, ending).await?, "it had ended before");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Refusal::Missing`] when there is no such session; [`Error::Store`]: then it is not ended
    /// for sure, so repeat it.
    pub async fn end(&self, id: SessionId, ending: Ending) -> Result<bool, Error> {
        self.of_realm(id).await?;
        let operation = self.core.operation(ending.actor.clone());
        let reply = self.core.mutate(operation, id, Mutation::End { ending, next: None }).await?;
        // After a lost answer it is told that it was done before, by the same operation.
        granted(reply).map(|reply| matches!(reply.outcome, Outcome::Applied | Outcome::Replayed))
    }

    /// The user ends one of their own sessions, seen in the list.
    ///
    /// # Example: the page \"your devices\"
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tenure::Error> {
    /// use tenure::{Check, Memory, Sessions, SignIn, UserId};
    ///
    /// let sessions = Sessions::open(Memory).await?;
    /// let user = UserId::new("u_1")?;
    /// let laptop = sessions.sign_in(None, SignIn::password(user.clone())).await?;
    /// let phone = sessions.sign_in(None, SignIn::password(user.clone())).await?;
    /// let tablet = sessions.sign_in(None, SignIn::password(user.clone())).await?;
    ///
    /// let me = sessions.check(laptop.token.expose().as_bytes(), &Check::signed_in()).await?.into_active()?;
    /// assert!(sessions.end_own(&me, phone.session.id()).await?); // a button beside one of them
    /// assert_eq!(sessions.end_others(&me).await?, 1); // "sign out on all other devices"
    /// assert_eq!(sessions.list(&user).await?.len(), 1);
    /// sessions.sign_out(&me).await?;
    /// # assert!(sessions.list(&user).await?.is_empty());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::StepUp`] when the user authenticated too long ago, or only a moment-old token
    /// was presented (ASVS 7.5.2); [`Refusal::Missing`] for a session of somebody else.
    pub async fn end_own(&self, active: &Active, id: SessionId) -> Result<bool, Error> {
        let user = self.recently_authenticated(active).await?;
        if self.of_realm(id).await?.user() != Some(&user) {
            return Err(Refusal::Missing.into());
        }
        let reason = if id == active.session.id() { EndReason::Logout } else { EndReason::Revoked };
        self.end(id, Ending::new(reason, Actor::user())).await
    }

    /// The user ends all their other sessions. Gives how many that were.
    ///
    /// # Errors
    /// As [`end_own`](Self::end_own).
    pub async fn end_others(&self, active: &Active) -> Result<u64, Error> {
        let user = self.recently_authenticated(active).await?;
        let ending = Ending::new(EndReason::Revoked, Actor::user());
        self.end_all_of(&user, Some(active.session.id()), ending).await
    }

    /// The user ends all their sessions, this one included. Gives how many that were.
    ///
    /// # Errors
    /// As [`end_own`](Self::end_own).
    pub async fn sign_out_everywhere(&self, active: &Active) -> Result<u64, Error> {
        let user = self.recently_authenticated(active).await?;
        self.end_all_of(&user, None, Ending::new(EndReason::Logout, Actor::user())).await
    }

    /// Ends all sessions of a user, but one if it is named, and stops sign-ins that are under
    /// way. Gives how many that ended.
    ///
    /// # Example: the password was changed
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tenure::{Actor, EndReason, Ending, Memory, Sessions, SignIn, UserId};
    ///
    /// let sessions = Sessions::open(Memory).await?;
    /// let user = UserId::new("u_1")?;
    /// let here = sessions.sign_in(None, SignIn::password(user.clone())).await?.session;
    /// sessions.sign_in(None, SignIn::password(user.clone())).await?;
    ///
    /// let changed = Ending::new(EndReason::FactorChanged, Actor::user());
    /// assert_eq!(sessions.end_all_of(&user, Some(here.id()), changed).await?, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`]; repeat it then.
    pub async fn end_all_of(
        &self,
        user: &UserId,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Result<u64, Error> {
        let (core, owner) = (Arc::clone(&self.core), self.owner(user));
        detached(async move {
            core.catch_up().await;
            let operation = core.operation(ending.actor.clone());
            let end = || core.store.end_all_of(&operation, &owner, except, ending.clone());
            let (ended, _) = core.repeated(end).await?;
            core.settle_ended(&ended.ids, &ending);
            Ok(ended.count)
        })
        .await
    }

    /// Ends every session of the realm, guests included, in batches. Sessions that begin
    /// meanwhile may go on. Gives how many that ended.
    ///
    /// # Example: after a break-in
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tenure::{Memory, NewGuest, Sessions};
    /// # let sessions = Sessions::open(Memory).await?;
    /// # sessions.create_guest(NewGuest::default()).await?;
    /// use tenure::{Actor, EndReason, Ending};
    ///
    /// let ending = Ending::new(EndReason::Revoked, Actor::api_key("security")).note("keys may have leaked");
    /// assert_eq!(sessions.end_realm(ending).await?, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`]; repeat it then: what has ended stays so.
    pub async fn end_realm(&self, ending: Ending) -> Result<u64, Error> {
        let (mut ended, mut after) = (0, None);
        loop {
            let request = PageRequest { realm: self.realm().clone(), after, limit: BATCH };
            let page = self.core.store.page(&request).await?;
            for record in &page.records {
                let operation = self.core.operation(ending.actor.clone());
                let mutation = Mutation::End { ending: ending.clone(), next: None };
                let reply = self.core.mutate(operation, record.id, mutation).await?;
                ended += u64::from(matches!(reply.outcome, Outcome::Applied | Outcome::Replayed));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(ended),
            }
        }
    }

    /// Disables a user: every session ends, and none begins until they are enabled again
    /// (ASVS 7.4.2). Gives how many sessions ended.
    ///
    /// # Example: somebody leaves, and comes back
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tenure::{Actor, Error, Memory, Refusal, Sessions, SignIn, UserId};
    ///
    /// let sessions = Sessions::open(Memory).await?;
    /// let user = UserId::new("u_1")?;
    /// sessions.sign_in(None, SignIn::password(user.clone())).await?;
    ///
    /// assert_eq!(sessions.disable(&user, Actor::api_key("hr")).await?, 1);
    /// let refused = sessions.sign_in(None, SignIn::password(user.clone())).await;
    /// assert!(matches!(refused, Err(Error::Refused(Refusal::UserDisabled))));
    ///
    /// sessions.enable(&user, Actor::api_key("hr")).await?;
    /// sessions.sign_in(None, SignIn::password(user)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`]; repeat it then.
    pub async fn disable(&self, user: &UserId, actor: Actor) -> Result<u64, Error> {
        self.set_disabled(user, true, actor).await
    }

    /// Lets a disabled user sign in again.
    ///
    /// # Errors
    /// [`Error::Store`]; repeat it then.
    pub async fn enable(&self, user: &UserId, actor: Actor) -> Result<(), Error> {
        self.set_disabled(user, false, actor).await.map(drop)
    }

    async fn set_disabled(&self, user: &UserId, disabled: bool, actor: Actor) -> Result<u64, Error> {
        let (core, owner) = (Arc::clone(&self.core), self.owner(user));
        detached(async move {
            core.catch_up().await;
            let (operation, ending) =
                (core.operation(actor.clone()), Ending::new(EndReason::UserDisabled, actor));
            let (ended, _) = core.repeated(|| core.store.set_disabled(&operation, &owner, disabled)).await?;
            core.settle_ended(&ended.ids, &ending);
            Ok(ended.count)
        })
        .await
    }

    /// The user of a session that is alive now, under its current token, and authenticated not
    /// long ago.
    async fn recently_authenticated(&self, active: &Active) -> Result<UserId, Error> {
        let active = self.refresh(active.clone()).await?.into_active();
        let active = active.map_err(|inactive| match inactive.reason {
            Reason::Superseded => Refusal::Superseded.into(),
            _ => Error::from(inactive),
        })?;
        if active.in_grace {
            return Err(Refusal::Superseded.into());
        }
        let user = active.session.user().filter(|_| active.session.is_signed_in());
        let user = user.ok_or(Error::Inactive(Reason::NotAccepted))?;
        let limit = Duration::from_secs(self.policy().recent_authentication_seconds);
        match self.auth_age(&active.session) {
            Some(age) if age <= limit => Ok(user.clone()),
            _ => Err(Error::StepUp(Reason::StaleAuthentication)),
        }
    }

    /// The session `id`, if it is one of this realm. It may have changed since, but for its realm and its
    /// user.
    pub(super) async fn of_realm(&self, id: SessionId) -> Result<Arc<Snapshot>, Error> {
        let found = match self.core.cached(&id, self.core.clock.running()) {
            Some((session, _)) => Some(session),
            None => self.core.find(id).await?,
        };
        found.filter(|session| session.realm() == self.realm()).ok_or(Refusal::Missing.into())
    }

    /// Waits until the session is over and says why: for handlers that hold a WebSocket or an
    /// event stream open. Holding it open is no activity.
    ///
    /// # Errors
    /// [`Error::Store`] when nobody can say any more whether the session is alive: close then.
    ///
    /// # Cancel safety
    /// Dropping the future stops waiting and does nothing else.
    ///
    /// # Example: a stream that closes when its user signs out
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tenure::{Actor, EndReason, Ending, Memory, Sessions, SignIn, UserId};
    ///
    /// let sessions = Sessions::open(Memory).await?;
    /// let id = sessions.sign_in(None, SignIn::password(UserId::new("u_1")?)).await?.session.id();
    ///
    /// let stream = tokio::spawn({
    ///     let sessions = sessions.clone();
    ///     async move { sessions.ended(id).await } // beside what it sends
    /// });
    /// sessions.end(id, Ending::new(EndReason::Logout, Actor::user())).await?;
    /// assert_eq!(stream.await??, EndReason::Logout.into());
    /// # Ok(()) }
    /// ```
    pub async fn ended(&self, id: SessionId) -> Result<Reason, Error> {
        self.core.ended(id, self.realm()).await
    }
}

impl Core {
    async fn ended(&self, id: SessionId, realm: &Realm) -> Result<Reason, Error> {
        /// How often the session is looked at when nothing tells of it.
        const LOOK: Duration = Duration::from_secs(1);
        loop {
            let watch = self.watchers.watch(id);
            let told = watch.told();
            let now = self.clock.read()?;
            let Some(session) = self.known(id).await?.filter(|session| session.realm() == realm) else {
                return Ok(Reason::Unknown);
            };
            if let Some(reason) = session.dead(now) {
                return Ok(reason.into());
            }
            let left = session.idle_expires_at().since(now);
            drop(session);
            tokio::time::timeout(left.clamp(Duration::from_millis(1), LOOK), told).await.ok();
        }
    }
}
