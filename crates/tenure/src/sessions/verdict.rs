//! What a check says.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::issue::Issued;
use crate::error::Error;
use crate::reason::Reason;
use crate::snapshot::Snapshot;
use crate::token::{BindingName, Secret};

/// What a check says about a token.
///
/// # Example: what each of them is answered
/// ```
/// use tenure::{Inactive, Reason, Verdict};
///
/// /// A status, a text, and whether the browser is to forget its cookie.
/// fn answer(verdict: &Verdict) -> (u16, String, bool) {
///     let user = verdict.session().and_then(|session| session.user());
///     match verdict {
///         Verdict::Ok(_) => (200, format!("hello {user:?}"), false),
///         Verdict::StepUp(_, reason) => (403, format!("confirm that it is you: {reason}"), false),
///         Verdict::Forbidden(_, reason) => (403, reason.to_string(), false),
///         Verdict::Inactive(inactive) => (401, inactive.reason.to_string(), inactive.forget),
///     }
/// }
///
/// let nobody = Verdict::Inactive(Inactive::new(Reason::NoToken));
/// assert_eq!((nobody.as_str(), nobody.reason()), ("inactive", Some(Reason::NoToken)));
/// assert_eq!(answer(&nobody), (401, "no_token".into(), false));
/// ```
///
/// # Example: whoever has a session, or an error
/// ```
/// use tenure::{Active, Error, Inactive, Reason, Verdict};
///
/// fn whoever(verdict: Verdict) -> Result<Active, Error> {
///     Ok(verdict.into_active()?)
/// }
///
/// let replaced = Inactive::new(Reason::Superseded);
/// assert!(replaced.keeps_cookie(), "the browser may have the newer one already");
/// let verdict = Verdict::Inactive(replaced);
/// assert!(verdict.inactive().is_some() && verdict.active().is_none());
/// assert!(matches!(whoever(verdict), Err(Error::Inactive(Reason::Superseded))));
///
/// // It is an error by itself, too.
/// fn of_a_script(verdict: Verdict) -> Result<Active, Box<dyn std::error::Error>> {
///     Ok(verdict.into_active()?)
/// }
/// let error = of_a_script(Verdict::Inactive(Inactive::new(Reason::Unknown))).unwrap_err();
/// assert_eq!(error.to_string(), "no active session: unknown; its client may forget the token");
/// ```
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The session is active and every requirement met.
    Ok(Active),
    /// Its user is signed in, but has to prove it again or more strongly.
    StepUp(Active, Reason),
    /// Its user is signed in and may not do this.
    Forbidden(Active, Reason),
    /// Everything else.
    Inactive(Inactive),
}

/// A token that is good for nothing: one way a [`Verdict`] turns out. As an error it says why, and
/// whether the client may forget it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no active session: {reason}; its client {} the token", if *.forget { "may forget" } else { "keeps" })]
#[non_exhaustive]
pub struct Inactive {
    /// Why.
    pub reason: Reason,
    /// Whether the client may forget its cookie: only when the session is surely over. Not
    /// for a superseded token, whose client may hold the newer one already.
    pub forget: bool,
    /// The session, when it is known: over, replaced, or one that was not accepted here.
    pub session: Option<Arc<Snapshot>>,
}

impl Inactive {
    /// A token that is good for nothing for this reason, of a session that is not known.
    pub fn new(reason: Reason) -> Self {
        Self::of(reason, None)
    }

    pub(super) fn of(reason: Reason, session: Option<Arc<Snapshot>>) -> Self {
        let forget = !matches!(reason, Reason::Superseded | Reason::NotAccepted | Reason::NoToken);
        Self { reason, forget, session }
    }

    /// Whether the client has a cookie that nobody may take from it: its token was replaced, and
    /// the next answer may have brought the newer one already.
    pub fn keeps_cookie(&self) -> bool {
        !self.forget && self.reason != Reason::NoToken
    }
}

/// An active session, as shown by its token. Only a check makes one, so whoever holds one
/// has checked.
///
/// # Example: a token that renews itself
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tenure::testing::TestKit;
/// use tenure::{Active, Check, SignIn, UserId};
///
/// let kit = TestKit::new().await;
/// let first = kit.sessions.sign_in(None, SignIn::password(UserId::new("u_1")?)).await?;
/// let check = async |token: &str| -> Result<Active, tenure::Error> {
///     let verdict = kit.sessions.check(token.as_bytes(), &Check::signed_in().can_set_cookie(true)).await?;
///     Ok(verdict.into_active()?)
/// };
/// assert!(check(first.token.expose()).await?.renewed().is_none(), "it is new");
///
/// kit.clock.advance(Duration::from_secs(16 * 60));
/// let active = check(first.token.expose()).await?;
/// let next = active.renewed().expect("due after a quarter of an hour").token.clone();
/// assert_eq!(active.session().id(), first.session.id());
///
/// check(next.expose()).await?;
/// let late = check(first.token.expose()).await?; // a request that was under way
/// assert!(late.is_in_grace());
/// assert!(late.cache_for() <= Duration::from_secs(10));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Active {
    pub(super) session: Arc<Snapshot>,
    pub(super) generation: u32,
    pub(super) secret: Secret,
    pub(super) in_grace: bool,
    pub(super) renewed: Option<Box<Issued>>,
    pub(super) cache_for: Duration,
    /// The realm and cookie that it was checked for.
    pub(super) binding: BindingName,
}

impl Active {
    /// The session as the check saw it.
    pub fn session(&self) -> &Arc<Snapshot> {
        &self.session
    }

    /// The next token, when one is to be handed to the client now: send its `set_cookie` with the
    /// answer. Only for a check that [could set a cookie](crate::Check::can_set_cookie).
    pub fn renewed(&self) -> Option<&Issued> {
        self.renewed.as_deref()
    }

    /// Whether the presented token was replaced a moment ago. It is good for reading and
    /// changing data, not for what takes the current one.
    pub fn is_in_grace(&self) -> bool {
        self.in_grace
    }

    /// For how long somebody else may go on with this answer before asking again: a second, or
    /// less if the idle limit is nearer.
    pub fn cache_for(&self) -> Duration {
        self.cache_for
    }
}

impl From<Inactive> for Error {
    fn from(inactive: Inactive) -> Self {
        Self::Inactive(inactive.reason)
    }
}

impl fmt::Debug for Active {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Active")
            .field("session", &self.session)
            .field("generation", &self.generation)
            .field("in_grace", &self.in_grace)
            .finish_non_exhaustive()
    }
}

impl Verdict {
    /// The active session, whatever else it lacks, or why there is none.
    ///
    /// # Errors
    /// The [`Inactive`] of [`Verdict::Inactive`]. With `?` it becomes [`Error::Inactive`].
    pub fn into_active(self) -> Result<Active, Inactive> {
        match self {
            Self::Ok(active) | Self::StepUp(active, _) | Self::Forbidden(active, _) => Ok(active),
            Self::Inactive(inactive) => Err(inactive),
        }
    }

    /// Why there is no active session, if there is none.
    pub fn inactive(&self) -> Option<&Inactive> {
        match self {
            Self::Inactive(inactive) => Some(inactive),
            Self::Ok(_) | Self::StepUp(..) | Self::Forbidden(..) => None,
        }
    }

    /// The active session, whatever else it lacks.
    pub fn active(&self) -> Option<&Active> {
        match self {
            Self::Ok(active) | Self::StepUp(active, _) | Self::Forbidden(active, _) => Some(active),
            Self::Inactive(_) => None,
        }
    }

    pub(super) fn active_mut(&mut self) -> Option<&mut Active> {
        match self {
            Self::Ok(active) | Self::StepUp(active, _) | Self::Forbidden(active, _) => Some(active),
            Self::Inactive(_) => None,
        }
    }

    /// The session, active or over, when it is known.
    pub fn session(&self) -> Option<&Arc<Snapshot>> {
        match self {
            Self::Ok(active) | Self::StepUp(active, _) | Self::Forbidden(active, _) => Some(&active.session),
            Self::Inactive(inactive) => inactive.session.as_ref(),
        }
    }

    /// Why it is not [`Ok`](Self::Ok).
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Ok(_) => None,
            Self::StepUp(_, reason) | Self::Forbidden(_, reason) => Some(*reason),
            Self::Inactive(inactive) => Some(inactive.reason),
        }
    }

    /// The word: `ok`, `step_up`, `forbidden` or `inactive`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::StepUp(..) => "step_up",
            Self::Forbidden(..) => "forbidden",
            Self::Inactive(_) => "inactive",
        }
    }
}
