//! Why a session ended, and who ended it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a session ended, as an [`Ending`] says it. The words are the same in code, JSON, events and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndReason {
    /// Its user signed out.
    Logout,
    /// Somebody with the right to do so ended it.
    Revoked,
    /// A guest session that went over into one of a user.
    SignedIn,
    /// Nothing happened for the idle limit.
    IdleTimeout,
    /// The absolute limit passed.
    AbsoluteTimeout,
    /// Its user signed in elsewhere and had no room for another session.
    SessionLimit,
    /// A token that had long been replaced was presented: a sign of theft.
    TokenReuse,
    /// A factor of its user was changed or removed.
    FactorChanged,
    /// Its user was disabled.
    UserDisabled,
    /// Its user was erased.
    UserErased,
}

impl EndReason {
    /// The word, as everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Revoked => "revoked",
            Self::SignedIn => "signed_in",
            Self::IdleTimeout => "idle_timeout",
            Self::AbsoluteTimeout => "absolute_timeout",
            Self::SessionLimit => "session_limit",
            Self::TokenReuse => "token_reuse",
            Self::FactorChanged => "factor_changed",
            Self::UserDisabled => "user_disabled",
            Self::UserErased => "user_erased",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who did something: `system`, `user`, `application`, `api_key:NAME`, or `adopted:NAME`.
///
/// # Example: all of them
/// ```
/// use tenure::Actor;
///
/// assert_eq!(Actor::system().as_str(), "system");
/// assert_eq!(Actor::user().as_str(), "user");
/// assert_eq!(Actor::application().as_str(), "application");
/// assert_eq!(Actor::adopted("PHPSESSID").as_str(), "adopted:PHPSESSID");
/// assert_eq!(Actor::api_key("billing\n").as_str(), "api_key:billing_");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(String);

impl Actor {
    /// Tenure itself: a limit, a sweep, a detection.
    pub fn system() -> Self {
        Self("system".into())
    }

    /// The session's own user.
    pub fn user() -> Self {
        Self("user".into())
    }

    /// The application that holds the library.
    pub fn application() -> Self {
        Self("application".into())
    }

    /// A session of another system, by the name of its cookie, whose place one of Tenure's took.
    pub fn adopted(cookie: &str) -> Self {
        Self(format!("adopted:{}", named(cookie)))
    }

    /// A back end, by the name of its API key. Characters that could forge a log line are
    /// replaced, and the name is cut at 64 characters.
    pub fn api_key(name: &str) -> Self {
        Self(format!("api_key:{}", named(name)))
    }

    /// The word, as in events.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Fit for a log line.
fn named(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_control() { '_' } else { c }).collect()
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many bytes of a note are kept.
pub const MAX_NOTE: usize = 256;

/// How a session is to end.
///
/// # Example: what the support desk does
/// ```
/// use tenure::{Actor, EndReason, Ending};
///
/// let ending = Ending::new(EndReason::Revoked, Actor::api_key("support")).note("laptop was stolen");
/// assert_eq!(ending.reason.as_str(), "revoked");
/// assert_eq!(ending.actor.as_str(), "api_key:support");
/// assert!(!format!("{ending:?}").contains("stolen"), "a note may name people");
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ending {
    /// Why.
    pub reason: EndReason,
    /// By whom.
    pub actor: Actor,
    /// What a person wrote about it, at most [`MAX_NOTE`] bytes.
    pub note: Option<String>,
}

impl fmt::Debug for Ending {
    /// Without the note: people write names into notes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ending")
            .field("reason", &self.reason)
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}

impl Ending {
    /// An end without a note.
    pub fn new(reason: EndReason, actor: Actor) -> Self {
        Self { reason, actor, note: None }
    }

    /// With what a person wrote about it; cut at [`MAX_NOTE`] bytes, control characters
    /// replaced.
    #[must_use]
    pub fn note(mut self, note: &str) -> Self {
        let mut kept = String::new();
        for c in note.chars().map(|c| if c.is_control() { ' ' } else { c }) {
            if kept.len() + c.len_utf8() > MAX_NOTE {
                break;
            }
            kept.push(c);
        }
        self.note = Some(kept);
        self
    }
}

/// Why a check does not say yes. The words are the same everywhere.
///
/// # Example: what to tell a visitor
/// ```
/// use tenure::{EndReason, Reason};
///
/// fn text(reason: Reason) -> &'static str {
///     match reason {
///         Reason::Ended(EndReason::IdleTimeout | EndReason::AbsoluteTimeout) => "Please sign in again.",
///         Reason::Ended(EndReason::TokenReuse) => "Your session was used elsewhere. Was that you?",
///         _ => "Please sign in.",
///     }
/// }
///
/// assert_eq!(text(EndReason::IdleTimeout.into()), "Please sign in again.");
/// assert_eq!(Reason::InsufficientLevel.as_str(), "insufficient_level");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// There is no such session, or it ended long ago.
    Unknown,
    /// The token is none that this server made for this realm and cookie.
    Malformed,
    /// The token was replaced by a newer one. The client may hold that already.
    Superseded,
    /// A guest or pending session that was not accepted here.
    NotAccepted,
    /// The assurance level is lower than required.
    InsufficientLevel,
    /// The last authentication is longer ago than required.
    StaleAuthentication,
    /// A required role is missing.
    MissingRole,
    /// No token was presented.
    NoToken,
    /// The session ended.
    #[serde(untagged)]
    Ended(EndReason),
}

impl Reason {
    /// The word, as everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ended(reason) => reason.as_str(),
            Self::Unknown => "unknown",
            Self::Malformed => "malformed",
            Self::Superseded => "superseded",
            Self::NotAccepted => "not_accepted",
            Self::InsufficientLevel => "insufficient_level",
            Self::StaleAuthentication => "stale_authentication",
            Self::MissingRole => "missing_role",
            Self::NoToken => "no_token",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<EndReason> for Reason {
    fn from(reason: EndReason) -> Self {
        Self::Ended(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_in_json_is_the_word_in_code() {
        for reason in [EndReason::Logout, EndReason::SignedIn, EndReason::TokenReuse, EndReason::UserErased] {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }

    #[test]
    fn asvs_16_4_1_a_note_cannot_forge_a_log_line() {
        let ending = Ending::new(EndReason::Revoked, Actor::api_key("a\nb")).note("x\r\nroot signed in");
        assert_eq!(ending.note.as_deref(), Some("x  root signed in"));
        assert_eq!(ending.actor.as_str(), "api_key:a_b");
        let long = Ending::new(EndReason::Revoked, Actor::system()).note(&"ä".repeat(500));
        assert_eq!(long.note.map(|n| n.len()), Some(MAX_NOTE));
    }
}
