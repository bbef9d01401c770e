//! What can go wrong, by blame.

use std::time::Duration;

use crate::clock::ClockJumped;
use crate::id::{InvalidName, InvalidSessionId};
use crate::policy::InvalidPolicy;
use crate::reason::Reason;
use crate::record::{MAX_DATA, MAX_KEY_LEN, MAX_KEYS};
use crate::store::{Refusal, StoreError};

/// Who has to do something about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blame {
    /// The caller: the request cannot be granted as it is.
    Client,
    /// The store: try again later. Says nothing about any session.
    Store,
    /// The operator.
    Configuration,
    /// The application that holds the library: its code has to change.
    Application,
    /// Tenure.
    Bug,
}

/// Why Tenure did not do what was asked.
///
/// A session that does not exist is no error where `None` or a verdict can say so.
///
/// # Example: what to answer and whom to tell
/// ```
/// use tenure::store::StoreError;
/// use tenure::{Blame, EndReason, Error};
///
/// /// Status, and after how many seconds to try again.
/// fn answer(error: &Error) -> (u16, Option<u64>) {
///     if error.blame() != Blame::Client {
///         eprintln!("{}: {error}", error.code());
///     }
///     (error.status(), error.retry_after_seconds())
/// }
///
/// // An outage is not a logout: the cookie stays, and the next try may succeed.
/// let outage = Error::Store(StoreError::Unavailable("the disk does not answer".into()));
/// assert_eq!(answer(&outage), (503, Some(1)));
/// assert_eq!(answer(&Error::Inactive(EndReason::Logout.into())), (410, None));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The session is not active.
    #[error("{}", describe_inactive(*.0))]
    Inactive(Reason),
    /// The user is signed in but must prove it again first.
    #[error("sign in again first: {0}")]
    StepUp(Reason),
    /// The user is signed in and may not do this.
    #[error("you may not do this: {0}")]
    Forbidden(Reason),
    /// The store's rules refused.
    #[error("{}", describe(.0))]
    Refused(Refusal),
    /// The session belongs to another user, who has to sign out first.
    #[error("another user is signed in in this session; end it first")]
    AnotherUser,
    /// A value does not fit.
    #[error("{detail}")]
    Invalid {
        /// The stable code.
        code: &'static str,
        /// What fits.
        detail: String,
    },
    /// Too much at once from one network.
    #[error("too many requests from this network; try again in {} s", .retry_after.as_secs().max(1))]
    Throttled {
        /// When to try again.
        retry_after: Duration,
    },
    /// A value in the session's data is not what the key's type says.
    #[error("the value of key `{key}` does not read as its type: {detail}")]
    Data {
        /// The key.
        key: String,
        /// What is wrong, without the value.
        detail: String,
    },
    /// Compare-and-set lost against others too often.
    #[error("key `{key}` changes too fast: {tries} tries lost against other requests")]
    Contended {
        /// The key.
        key: String,
        /// How often it was tried.
        tries: u32,
    },
    /// What a check of one realm, or for one cookie, has shown was used in another.
    #[error("a session of one realm was used in another; check its token there")]
    OtherRealm,
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The clock cannot be believed.
    #[error(transparent)]
    Clock(#[from] ClockJumped),
    /// The policy contradicts itself.
    #[error(transparent)]
    Policy(#[from] InvalidPolicy),
    /// What the store holds does not fit the keys or the code.
    #[error("{0}")]
    Bug(&'static str),
}

impl Error {
    /// Who has to do something.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Store(StoreError::Configuration(_)) | Self::Policy(_) => Blame::Configuration,
            Self::Store(_) | Self::Clock(_) => Blame::Store,
            Self::OtherRealm | Self::Data { .. } => Blame::Application,
            Self::Bug(_) => Blame::Bug,
            Self::Inactive(_)
            | Self::StepUp(_)
            | Self::Forbidden(_)
            | Self::Refused(_)
            | Self::AnotherUser
            | Self::Invalid { .. }
            | Self::Throttled { .. }
            | Self::Contended { .. } => Blame::Client,
        }
    }

    /// The stable code, as in answers of the server and in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Inactive(reason) => inactive_code(*reason),
            Self::StepUp(_) => "step_up_required",
            Self::Forbidden(_) => "forbidden",
            Self::Refused(refusal) => refusal_code(refusal),
            Self::AnotherUser => "signed_in_as_another_user",
            Self::Invalid { code, .. } => code,
            Self::Throttled { .. } => "throttled",
            Self::Data { .. } => "data_unreadable",
            Self::Contended { .. } => "contended",
            Self::OtherRealm => "other_realm",
            Self::Store(StoreError::Full(_)) => "store_full",
            Self::Store(StoreError::Corrupt(_)) => "store_damaged",
            Self::Store(StoreError::Blocked(_)) => "store_blocked",
            Self::Store(StoreError::Configuration(_)) => "store_configuration",
            Self::Store(_) => "store_unavailable",
            Self::Clock(_) => "clock_implausible",
            Self::Policy(_) => "invalid_policy",
            Self::Bug(_) => "internal_error",
        }
    }

    /// After how many seconds it can be tried again, where that is known: a `Retry-After`.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::Throttled { retry_after } => Some(retry_after.as_secs().max(1)),
            Self::Refused(Refusal::TooSoon { wait_ms }) => Some(wait_ms.div_ceil(1_000).max(1)),
            _ => (self.status() == 503).then_some(1),
        }
    }

    /// The HTTP status that says it.
    pub fn status(&self) -> u16 {
        match self {
            Self::Inactive(reason) => inactive_status(*reason),
            Self::StepUp(_) | Self::Forbidden(_) => 403,
            Self::Refused(refusal) => refusal_status(refusal),
            Self::AnotherUser => 409,
            Self::Invalid { .. } => 422,
            Self::Throttled { .. } => 429,
            Self::Contended { .. } | Self::Store(_) | Self::Clock(_) => 503,
            Self::Data { .. } | Self::OtherRealm | Self::Policy(_) | Self::Bug(_) => 500,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Ended(reason) => Self::Inactive(reason.into()),
            refusal => Self::Refused(refusal),
        }
    }
}

impl From<InvalidName> for Error {
    fn from(invalid: InvalidName) -> Self {
        Self::Invalid { code: "invalid_name", detail: invalid.to_string() }
    }
}

impl From<InvalidSessionId> for Error {
    fn from(invalid: InvalidSessionId) -> Self {
        Self::Invalid { code: "invalid_session_id", detail: invalid.to_string() }
    }
}

/// A failure has one code, whether a check or the store's rules found it.
fn inactive_code(reason: Reason) -> &'static str {
    match reason {
        Reason::Ended(reason) => refusal_code(&Refusal::Ended(reason)),
        Reason::Superseded => refusal_code(&Refusal::Superseded),
        Reason::Unknown => refusal_code(&Refusal::Missing),
        Reason::Malformed => "invalid_token",
        Reason::NotAccepted
        | Reason::NoToken
        | Reason::InsufficientLevel
        | Reason::StaleAuthentication
        | Reason::MissingRole => "session_inactive",
    }
}

fn inactive_status(reason: Reason) -> u16 {
    match reason {
        Reason::Ended(reason) => refusal_status(&Refusal::Ended(reason)),
        Reason::Superseded => refusal_status(&Refusal::Superseded),
        Reason::Unknown => refusal_status(&Refusal::Missing),
        Reason::Malformed => 422,
        Reason::NotAccepted
        | Reason::NoToken
        | Reason::InsufficientLevel
        | Reason::StaleAuthentication
        | Reason::MissingRole => 401,
    }
}

fn describe_inactive(reason: Reason) -> String {
    match reason {
        Reason::Ended(reason) => describe(&Refusal::Ended(reason)),
        Reason::Superseded => describe(&Refusal::Superseded),
        Reason::Unknown => describe(&Refusal::Missing),
        Reason::Malformed => "the token is none that this server made for this realm and cookie".into(),
        Reason::NotAccepted
        | Reason::NoToken
        | Reason::InsufficientLevel
        | Reason::StaleAuthentication
        | Reason::MissingRole => format!("the session is not active: {reason}"),
    }
}

fn refusal_code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Missing => "session_not_found",
        Refusal::Ended(_) => "session_ended",
        Refusal::Superseded => "token_superseded",
        Refusal::WrongState => "wrong_state",
        Refusal::RolesChanged => "roles_changed",
        Refusal::Conflict { .. } => "data_conflict",
        Refusal::VersionMismatch { .. } => "version_mismatch",
        Refusal::TooManyKeys => "too_many_keys",
        Refusal::KeyTooLong => "key_too_long",
        Refusal::TooMuchData => "data_too_large",
        Refusal::TooSoon { .. } => "rotation_too_soon",
        Refusal::SessionLimit { .. } => "session_limit",
        Refusal::PendingLimit { .. } => "pending_limit",
        Refusal::GuestLimit { .. } => "guest_limit",
        Refusal::UserDisabled => "user_disabled",
        Refusal::SignedOut => "signed_out_meanwhile",
    }
}

fn refusal_status(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::Missing => 404,
        Refusal::Ended(_) => 410,
        Refusal::VersionMismatch { .. } => 412,
        Refusal::TooManyKeys | Refusal::KeyTooLong | Refusal::TooMuchData => 413,
        Refusal::TooSoon { .. } => 429,
        Refusal::UserDisabled | Refusal::SessionLimit { .. } | Refusal::PendingLimit { .. } => 403,
        Refusal::GuestLimit { .. } => 503,
        Refusal::Superseded
        | Refusal::WrongState
        | Refusal::RolesChanged
        | Refusal::Conflict { .. }
        | Refusal::SignedOut => 409,
    }
}

fn describe(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Missing => "there is no such session".into(),
        Refusal::Ended(reason) => format!("the session has ended: {reason}"),
        Refusal::Superseded => "the token was replaced meanwhile; use the newest one".into(),
        Refusal::WrongState => "the session's state does not allow this".into(),
        Refusal::RolesChanged => "the user's roles were changed meanwhile; try again".into(),
        Refusal::Conflict { key, version } => {
            format!("key `{key}` has version {version}, not the expected one; read it again and retry")
        }
        Refusal::VersionMismatch { version } => {
            format!("the data has version {version}, not the expected one; read it again and retry")
        }
        Refusal::TooManyKeys => format!("the data of a session has at most {MAX_KEYS} keys"),
        Refusal::KeyTooLong => format!("a key has 1 to {MAX_KEY_LEN} bytes"),
        Refusal::TooMuchData => {
            format!(
                "the data of a session has at most {MAX_DATA} bytes; keep large things elsewhere and their id here"
            )
        }
        Refusal::TooSoon { wait_ms } => {
            format!("the token was rotated a moment ago; try again in {} s", wait_ms.div_ceil(1_000))
        }
        Refusal::SessionLimit { allowed } => {
            format!("the user has {allowed} sessions, as many as the policy allows; end one first")
        }
        Refusal::PendingLimit { allowed } => {
            format!(
                "the user has {allowed} unfinished sign-ins, as many as the policy allows; finish one, or wait until they expire"
            )
        }
        Refusal::GuestLimit { allowed } => {
            format!("there are {allowed} guest sessions, as many as the policy allows; try again later")
        }
        Refusal::UserDisabled => "the user is disabled".into(),
        Refusal::SignedOut => "the user was signed out everywhere while signing in; sign in again".into(),
    }
}
