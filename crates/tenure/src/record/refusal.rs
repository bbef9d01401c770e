//! Why a change is not made.

use serde::{Deserialize, Serialize};

use crate::reason::EndReason;

/// Why a store did not do what was asked. Nothing changed.
///
/// # Example: a user with too many sessions
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::{AtLimit, Error, Memory, Policy, Refusal, Sessions, SignIn, UserId};
///
/// let one = Policy { max_sessions: 1, at_limit: AtLimit::Refuse, ..Policy::default() };
/// let sessions = Sessions::builder(Memory).policy(one).open().await?;
/// let sign_in = SignIn::password(UserId::new("u_1")?);
/// sessions.sign_in(None, sign_in.clone()).await?;
/// match sessions.sign_in(None, sign_in).await {
///     Err(Error::Refused(Refusal::SessionLimit { allowed })) => assert_eq!(allowed, 1),
///     other => panic!("{other:?}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such session.
    Missing,
    /// It is over.
    Ended(EndReason),
    /// The token under which it was asked was superseded meanwhile.
    Superseded,
    /// Its state does not allow it.
    WrongState,
    /// A key had another version than expected.
    Conflict {
        /// The key.
        key: String,
        /// The version it has; 0 when it is not there.
        version: u64,
    },
    /// The data had another version than expected.
    VersionMismatch {
        /// The version it has.
        version: u64,
    },
    /// More than 64 keys.
    TooManyKeys,
    /// A key of more than 64 bytes, or an empty one.
    KeyTooLong,
    /// More than 32 KiB of data.
    TooMuchData,
    /// The user's roles were changed meanwhile.
    RolesChanged,
    /// The last rotation was a moment ago.
    TooSoon {
        /// After how many milliseconds it can be tried again.
        wait_ms: u64,
    },
    /// The user has as many sessions as allowed.
    SessionLimit {
        /// How many that is.
        allowed: u32,
    },
    /// The user has as many pending sign-ins as allowed.
    PendingLimit {
        /// How many that is.
        allowed: u32,
    },
    /// The store holds as many guests as allowed.
    GuestLimit {
        /// How many that is.
        allowed: u64,
    },
    /// The user is disabled.
    UserDisabled,
    /// The user was signed out everywhere while signing in.
    SignedOut,
}
