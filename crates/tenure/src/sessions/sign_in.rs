//! Signing in: a guest becomes a session of a user, without losing its cart to a crash.

use std::sync::Arc;
use std::time::Duration;

use super::core::detached;
use super::create::granted;
use super::issue::{Attempt, IdempotencyKey, Issued};
use super::verdict::{Active, Inactive, Verdict};
use super::{Changes, Sessions};
use crate::clock::Timestamp;
use crate::device::Device;
use crate::error::Error;
use crate::id::{Role, SessionId, UserId};
use crate::level::Level;
use crate::policy::{Limits, Stricter};
use crate::reason::{Actor, Reason};
use crate::record::{
    MAX_KEYS, MAX_METHODS, MAX_ROLES, Method, NewIdentity, NewSession, NewState, Record, Secrets, State,
};
use crate::snapshot::Snapshot;
use crate::store::{Admission, Authentication, Mutation, Proof, Refusal, Renewal};

/// How often a second factor is tried against changes of the user's roles.
const TRIES: u32 = 4;

/// A proof of who somebody is, as the application has just checked it.
///
/// # Example: a password, and everything that can be said about it
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::{Actor, Changes, Device, Level, Memory, Method, Role, Sessions, SignIn, UserId};
///
/// let sessions = Sessions::open(Memory).await?;
/// let user = UserId::new("u_1")?;
/// let sign_in = SignIn::with(user.clone(), [Method::password(), Method::new("totp")?])
///     .roles([Role::new("editor")?])
///     .remember(true) // they ticked the box
///     .carry(["cart"]) // nothing else of the guest's comes along
///     .data(Changes::default().set("theme", "dark".into()))
///     .device(Device::from_request(Some("curl/8"), None))
///     .actor(Actor::api_key("login"));
/// assert_eq!(sign_in.user(), &user);
///
/// let session = sessions.sign_in(None, sign_in).await?.session;
/// assert_eq!(session.level(), Some(Level::Two), "two different factors");
/// assert!(session.has_role("editor") && session.is_persistent());
/// # Ok(()) }
/// ```
///
/// # Example: a second factor on the next page
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tenure::Error> {
/// use tenure::{Check, Level, Memory, Method, Sessions, SignIn, UserId};
///
/// let sessions = Sessions::open(Memory).await?;
/// let user = UserId::new("u_1")?;
/// let first = sessions.sign_in(None, SignIn::password(user.clone()).pending()).await?;
/// let token = first.token.expose().as_bytes();
/// assert_eq!(sessions.check(token, &Check::signed_in()).await?.as_str(), "inactive");
///
/// let pending = sessions.check(token, &Check::signed_in().or_pending()).await?.into_active()?;
/// let totp = SignIn::with(user, [Method::new("totp")?]);
/// let done = sessions.step_up(&pending, totp).await?;
/// assert_eq!((done.session.is_signed_in(), done.session.level()), (true, Some(Level::Two)));
/// # Ok(()) }
/// ```
///
/// # Example: a smart card, which the application takes for level three
/// ```
/// use tenure::{Level, Method, SignIn, UserId};
///
/// let sign_in = SignIn::with(UserId::new("u_1")?, [Method::new("smart_card")?]).level(Level::Three);
/// # Ok::<(), tenure::InvalidName>(())
/// ```
#[derive(Clone, Debug)]
pub struct SignIn {
    pub(super) user: UserId,
    methods: Vec<Method>,
    roles: Vec<Role>,
    level: Option<Level>,
    pending: bool,
    remember: bool,
    stricter: Stricter,
    pub(super) carry: Option<Vec<String>>,
    data: Changes,
    device: Device,
    actor: Actor,
    idempotency_key: Option<IdempotencyKey>,
    /// When it was proved, if that was before: the limits count from then.
    pub(super) at: Option<Timestamp>,
}

impl SignIn {
    /// `user` has shown the right password.
    pub fn password(user: UserId) -> Self {
        Self::with(user, [Method::password()])
    }

    /// `user` has proved who they are by `methods`.
    pub fn with(user: UserId, methods: impl IntoIterator<Item = Method>) -> Self {
        Self {
            user,
            methods: methods.into_iter().collect(),
            roles: Vec::new(),
            level: None,
            pending: false,
            remember: false,
            stricter: Stricter::default(),
            carry: None,
            data: Changes::default(),
            device: Device::default(),
            actor: Actor::application(),
            idempotency_key: None,
            at: None,
        }
    }

    /// Who it is.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// What the user may do.
    #[must_use]
    pub fn roles(mut self, roles: impl IntoIterator<Item = Role>) -> Self {
        self.roles = roles.into_iter().collect();
        self
    }

    /// The assurance level, when it is not what the methods say by themselves.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// The user still owes a second factor: the session is pending and good for nothing but
    /// showing that factor.
    #[must_use]
    pub fn pending(mut self) -> Self {
        self.pending = true;
        self
    }

    /// The user asked to be remembered: the longer limits, and a cookie that outlives the
    /// browser, if the policy has that.
    #[must_use]
    pub fn remember(mut self, remember: bool) -> Self {
        self.remember = remember;
        self
    }

    /// [Limits](Stricter) that are stricter than the policy's, for the session that this sign-in gives. A
    /// later authentication in it sets its limits anew.
    #[must_use]
    pub fn stricter(mut self, limits: Stricter) -> Self {
        self.stricter = limits;
        self
    }

    /// Only these keys of the guest's data come along; otherwise all do. What begins with `tenure/`
    /// is Tenure's own and comes along in any case.
    #[must_use]
    pub fn carry<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.carry = Some(keys.into_iter().map(Into::into).collect());
        self
    }

    /// What to keep in a session that begins anew. A guest that signs in brings its own data,
    /// and a session that is authenticated again keeps what it has.
    #[must_use]
    pub fn data(mut self, data: Changes) -> Self {
        self.data = data;
        self
    }

    /// The device, for the list of sessions.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Who reports the proof; the application if nobody is named.
    #[must_use]
    pub fn actor(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }

    /// Repeats an attempt whose answer was lost: the same [key](IdempotencyKey), the same answer.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<Option<IdempotencyKey>>) -> Self {
        self.idempotency_key = key.into();
        self
    }

    fn identity(&self) -> NewIdentity {
        let level = self.level.unwrap_or_else(|| NewIdentity::level_of(&self.methods));
        NewIdentity {
            user: self.user.clone(),
            roles: self.roles.clone(),
            level,
            methods: self.methods.clone(),
            at: self.at,
        }
    }
}

impl Sessions {
    /// Signs a user in.
    ///
    /// `presented` is what a [`check`](Self::check) said of the token that came with the
    /// request. A guest becomes a new session of the user and its token is dead. A session of
    /// the same user is authenticated anew: same id, new token, new limits; whether they are
    /// remembered is taken from this sign-in too. Without an active session a new one begins.
    ///
    /// # Errors
    /// [`Error::AnotherUser`] in somebody else's session;
    /// [`Refusal::SessionLimit`](crate::Refusal::SessionLimit), `PendingLimit`,
    /// `UserDisabled` or `SignedOut` when the
    /// user gets no session. The guest then goes on.
    ///
    /// # Security
    /// Tenure does not check the proof: call this after you have.
    pub async fn sign_in(&self, presented: Option<&Verdict>, sign_in: SignIn) -> Result<Issued, Error> {
        let (sessions, presented) = (self.clone(), presented.cloned());
        detached(async move { sessions.signed_in(presented.as_ref(), sign_in).await }).await
    }

    async fn signed_in(&self, presented: Option<&Verdict>, sign_in: SignIn) -> Result<Issued, Error> {
        if let Some(active) = presented.and_then(Verdict::active) {
            self.must_be_ours(active)?;
        }
        let attempt = self.attempt_of("sign-in", &sign_in)?;
        let route = self.owner(&sign_in.user).route;
        if let Some(issued) = self.first_answer(&attempt, route).await? {
            let guest = presented.and_then(Verdict::session).map(|session| session.record());
            if let Some(claimed) = guest.filter(|guest| matches!(guest.state, State::Claimed(_))) {
                self.complete_soon(claimed.clone());
            }
            return Ok(issued);
        }
        if let Some(active) = presented.and_then(Verdict::active) {
            return match active.session.user() {
                None => self.sign_in_guest(active, &attempt, &sign_in).await,
                Some(user) if *user == sign_in.user => {
                    let now = active.session.record();
                    self.authenticate(now, active.generation, &attempt, &sign_in, true).await
                }
                Some(_) => Err(Error::AnotherUser),
            };
        }
        match presented.and_then(Verdict::inactive) {
            Some(Inactive { reason: Reason::Superseded, session: Some(session), .. })
                if session.realm() == self.realm() =>
            {
                self.sign_in_after(session.record(), &attempt, &sign_in).await
            }
            _ => self.sign_in_anew(&attempt, &sign_in).await,
        }
    }

    /// Adds a proof to the session: its level rises, its token is new, its absolute limit
    /// stays. The user of `proof` must be the session's. [`SignIn`] shows a second factor.
    ///
    /// # Example: confirm that it is still you
    /// ```
    /// # use tenure::{Active, Error, Issued, Method, Sessions, SignIn};
    /// /// After the application has verified the passkey.
    /// async fn confirmed(sessions: &Sessions, active: &Active) -> Result<Issued, Error> {
    ///     let user = active.session().user().expect("only users have passkeys").clone();
    ///     sessions.step_up(active, SignIn::with(user, [Method::new("passkey")?])).await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::AnotherUser`] for another user;
    /// [`Refusal::Superseded`](crate::Refusal::Superseded) when the presented
    /// token is not the current one.
    ///
    /// # Security
    /// Tenure does not check the proof: call this after you have.
    pub async fn step_up(&self, active: &Active, proof: SignIn) -> Result<Issued, Error> {
        if active.session.user() != Some(&proof.user) {
            return Err(Error::AnotherUser);
        }
        let (sessions, active) = (self.clone(), active.clone());
        detached(async move { sessions.stepped_up(&active, proof).await }).await
    }

    async fn stepped_up(&self, active: &Active, proof: SignIn) -> Result<Issued, Error> {
        self.must_be_ours(active)?;
        let attempt = self.attempt_of(&format!("step-up {}", active.session.id()), &proof)?;
        if let Some(issued) = self.first_answer(&attempt, active.session.id().route()).await? {
            return Ok(issued);
        }
        let mut record = active.session.record().clone();
        if proof.pending && !matches!(record.state, State::Pending(_)) {
            let detail = "only a pending session can owe one more factor; sign the user in as pending".into();
            return Err(Error::Invalid { code: "invalid_request", detail });
        }
        for _ in 0..TRIES {
            match self.authenticate(&record, active.generation, &attempt, &proof, false).await {
                Err(Error::Refused(Refusal::RolesChanged)) => {
                    let newer = self.core.find(record.id).await?;
                    record = newer.ok_or(Refusal::Missing)?.record().clone();
                }
                done => return done,
            }
        }
        Err(Refusal::RolesChanged.into())
    }

    /// The attempt that this is. Another request under the same idempotency key is another.
    fn attempt_of(&self, what: &str, sign_in: &SignIn) -> Result<Attempt, Error> {
        at_most(MAX_ROLES, "a user has at most", "roles", sign_in.roles.len())?;
        at_most(MAX_METHODS, "a sign-in names at most", "methods", sign_in.methods.len())?;
        let carried = sign_in.carry.as_ref().map_or(0, Vec::len);
        at_most(MAX_KEYS, "a sign-in carries at most", "keys", carried)?;
        let SignIn { user, methods, roles, level, pending, remember, stricter, carry, data, .. } = sign_in;
        let data = data.plain()?;
        let asked =
            format!("{methods:?} {roles:?} {level:?} {pending} {remember} {stricter:?} {carry:?} {data:?}");
        let what = format!("{what} {} {asked}", user.as_str());
        Ok(self.attempt(&what, sign_in.actor.clone(), sign_in.idempotency_key.clone()))
    }

    pub(super) async fn sign_in_anew(&self, attempt: &Attempt, sign_in: &SignIn) -> Result<Issued, Error> {
        let (new, admission) = self.session_of_user(attempt, sign_in)?;
        let reply = self.core.create(attempt.operation(self, 1), new, admission).await?;
        self.issue(attempt, granted(reply)?, 1).await
    }

    pub(super) async fn authenticate(
        &self,
        record: &Record,
        generation: u32,
        attempt: &Attempt,
        sign_in: &SignIn,
        in_full: bool,
    ) -> Result<Issued, Error> {
        let next = Secrets::replacement_of(generation);
        // A second factor makes a signed-in session of a pending one: with the roles it has, under
        // their limits, and with full limits from now on.
        let pending = record.identity().filter(|_| matches!(record.state, State::Pending(_)));
        let completed = pending.filter(|_| !in_full && !sign_in.pending);
        let proof = match (in_full, completed) {
            (true, _) => Proof::Full,
            (false, None) => Proof::StepUp,
            (false, Some(_)) => Proof::Completes,
        };
        let roles = completed.map_or_else(|| sign_in.roles.clone(), |had| had.roles.clone());
        let identity = NewIdentity { roles: roles.clone(), ..sign_in.identity() };
        let (limits, persistent) = self.limits_of(sign_in, &roles)?;
        let renewal = Renewal {
            idle_ms: limits.idle_seconds * 1_000,
            absolute_ms: limits.absolute_seconds * 1_000,
            persistent,
        };
        let authentication = Authentication {
            generation,
            hash: attempt.secret.hash(),
            identity,
            pending: sign_in.pending,
            proof,
            renewal: (proof != Proof::StepUp).then_some(renewal),
            admission: self.policy().admission(&roles),
        };
        let operation = attempt.operation(self, next);
        let mutation = Mutation::Authenticate(Box::new(authentication));
        let reply = self.core.mutate(operation, record.id, mutation).await?;
        self.issue(attempt, granted(reply)?, next).await
    }

    pub(super) fn session_of_user(
        &self,
        attempt: &Attempt,
        sign_in: &SignIn,
    ) -> Result<(NewSession, Admission), Error> {
        let now: Timestamp = self.core.clock.read()?;
        let route = self.owner(&sign_in.user).route;
        let id = SessionId::new(now, route, &*self.core.random);
        self.session_of_user_as(id, attempt, sign_in)
    }

    pub(super) fn session_of_user_as(
        &self,
        id: SessionId,
        attempt: &Attempt,
        sign_in: &SignIn,
    ) -> Result<(NewSession, Admission), Error> {
        let admission = self.policy().admission(&sign_in.roles);
        let (limits, persistent) = self.limits_of(sign_in, &sign_in.roles)?;
        let identity = sign_in.identity();
        let state = if sign_in.pending { NewState::Pending(identity) } else { NewState::SignedIn(identity) };
        let new = NewSession {
            persistent,
            data: self.sealed(id, &sign_in.data.plain()?),
            ..self.begin(id, state, limits, attempt, &sign_in.device)
        };
        Ok((new, admission))
    }

    /// The limits of the session that this sign-in gives, and whether it is remembered.
    fn limits_of(&self, sign_in: &SignIn, roles: &[Role]) -> Result<(Limits, bool), Error> {
        let seconds = self.policy().pending.absolute_seconds;
        let (limits, persistent) = match sign_in.pending {
            true => (Limits { idle_seconds: seconds, absolute_seconds: seconds }, false),
            false => self.policy().limits(roles, sign_in.remember),
        };
        let limits = self.with_stricter(limits, sign_in.stricter)?;
        Ok((self.what_is_left(limits, sign_in.at)?, persistent))
    }

    /// How long ago the session's user last authenticated in full.
    pub(super) fn auth_age(&self, session: &Arc<Snapshot>) -> Option<Duration> {
        session.authenticated_at().map(|at| self.core.clock.now().since(at))
    }
}

/// Refuses more than a record has room for.
pub(super) fn at_most(limit: usize, whose: &str, what: &str, found: usize) -> Result<(), Error> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::Invalid { code: "invalid_request", detail: format!("{whose} {limit} {what}, not {found}") })
}
