//! The pages for when there is nothing to show but what happened.

use askama::Template;

use super::{Shell, local_path};

/// The visitor's session has ended, by whatever cause.
#[derive(Clone, Debug, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOut {
    /// What surrounds the page.
    pub shell: Shell,
    /// Why it ended.
    pub reason: SignedOutReason,
    /// Where to go after signing in again.
    pub return_to: String,
}

/// Why a session is no more, as its owner is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedOutReason {
    /// They signed out in this browser.
    Logout,
    /// It was ended from another device, or by the shop.
    Revoked,
    /// Nothing happened for too long.
    IdleTimeout,
    /// It reached its last day.
    AbsoluteTimeout,
    /// A newer sign-in took its place.
    SessionLimit,
    /// An old copy of its cookie was used.
    TokenReuse,
    /// A password or another factor was changed.
    FactorChanged,
    /// The account was disabled.
    UserDisabled,
    /// The account was erased.
    UserErased,
    /// It never existed, or ended too long ago to tell.
    Unknown,
}

impl SignedOutReason {
    /// All of them.
    pub const ALL: &'static [SignedOutReason] = &[
        SignedOutReason::Logout,
        SignedOutReason::Revoked,
        SignedOutReason::IdleTimeout,
        SignedOutReason::AbsoluteTimeout,
        SignedOutReason::SessionLimit,
        SignedOutReason::TokenReuse,
        SignedOutReason::FactorChanged,
        SignedOutReason::UserDisabled,
        SignedOutReason::UserErased,
        SignedOutReason::Unknown,
    ];

    /// The word for it everywhere in Tenure.
    pub fn code(&self) -> &'static str {
        match self {
            SignedOutReason::Logout => "logout",
            SignedOutReason::Revoked => "revoked",
            SignedOutReason::IdleTimeout => "idle_timeout",
            SignedOutReason::AbsoluteTimeout => "absolute_timeout",
            SignedOutReason::SessionLimit => "session_limit",
            SignedOutReason::TokenReuse => "token_reuse",
            SignedOutReason::FactorChanged => "factor_changed",
            SignedOutReason::UserDisabled => "user_disabled",
            SignedOutReason::UserErased => "user_erased",
            SignedOutReason::Unknown => "unknown",
        }
    }

    /// The reason with that word; any other word is [`SignedOutReason::Unknown`].
    pub fn from_code(code: &str) -> SignedOutReason {
        let known = SignedOutReason::ALL.iter().copied().find(|reason| reason.code() == code);
        known.unwrap_or(SignedOutReason::Unknown)
    }

    /// The page's heading.
    pub fn title(&self) -> &'static str {
        match self {
            SignedOutReason::Logout => "You are signed out",
            SignedOutReason::Revoked => "This device was signed out",
            SignedOutReason::IdleTimeout => "You were away for a while",
            SignedOutReason::AbsoluteTimeout => "Time to sign in again",
            SignedOutReason::SessionLimit => "Another device took this place",
            SignedOutReason::TokenReuse => "Signed out, to be safe",
            SignedOutReason::FactorChanged => "Your way of signing in changed",
            SignedOutReason::UserDisabled => "This account is paused",
            SignedOutReason::UserErased => "This account is gone",
            SignedOutReason::Unknown => "You are not signed in",
        }
    }

    /// What happened, in a sentence or two.
    pub fn sentence(&self) -> &'static str {
        match self {
            SignedOutReason::Logout => {
                "Your session has ended on the server too: a copy of this browser's cookie opens nothing any more."
            }
            SignedOutReason::Revoked => {
                "Its session was ended from another of your devices, or by the shop. Nothing in this browser can bring it back."
            }
            SignedOutReason::IdleTimeout => {
                "A session that nobody uses ends by itself, so that nobody else can pick it up."
            }
            SignedOutReason::AbsoluteTimeout => {
                "Every session has a last day, however busy it is, and this one has reached it."
            }
            SignedOutReason::SessionLimit => {
                "You signed in on more devices than the shop allows at once, so this session ended to make room."
            }
            SignedOutReason::TokenReuse => {
                "An old copy of your cookie was used after a newer one had been handed out. It may have been copied, so the session ended for whoever holds it. Sign in again and look through your devices."
            }
            SignedOutReason::FactorChanged => {
                "A password or another factor of your account was changed, which ends the sessions that began before it."
            }
            SignedOutReason::UserDisabled => {
                "The shop has disabled this account, and every session of it has ended."
            }
            SignedOutReason::UserErased => {
                "The account was erased, and every session of it with it. As a guest you are as welcome as ever."
            }
            SignedOutReason::Unknown => "The session of this browser has ended, or there never was one.",
        }
    }

    fn is_alarm(&self) -> bool {
        *self == SignedOutReason::TokenReuse
    }

    fn may_sign_in(&self) -> bool {
        !matches!(self, SignedOutReason::UserDisabled | SignedOutReason::UserErased)
    }
}

/// 404: there is no such page at [`Shell::path`].
#[derive(Clone, Debug, Template)]
#[template(path = "not_found.html")]
pub struct NotFound {
    /// What surrounds the page.
    pub shell: Shell,
}

/// 503: the session could not be read or written.
///
/// The retry button leads to [`Shell::path`]: for a form that failed, set it to the
/// page the form was on.
#[derive(Clone, Debug, Template)]
#[template(path = "unavailable.html")]
pub struct Unavailable {
    /// What surrounds the page, with [`Visitor::Unknown`](super::Visitor::Unknown).
    pub shell: Shell,
}

impl Unavailable {
    fn retry(&self) -> &str {
        local_path(&self.shell.path)
    }
}

/// Any other failure.
#[derive(Clone, Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The HTTP status.
    pub status: u16,
    /// The stable code of the failure, such as `csrf_failed`.
    pub code: String,
    /// The heading.
    pub title: String,
    /// What happened and what to do about it.
    pub sentence: String,
}
