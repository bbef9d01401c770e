//! Under which conditions a session may begin.

use serde::{Deserialize, Serialize};

/// How many sessions a user has at the most, whatever the policy says.
pub const MAX_SESSIONS: u32 = 1_000;

/// What happens when a user who has the allowed number of sessions signs in: a part of a
/// [`Policy`](crate::Policy).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtLimit {
    /// The sign-in is refused.
    Refuse,
    /// The oldest session ends.
    EndOldest,
    /// The session that was idle longest ends.
    EndLongestIdle,
}

/// Under which conditions a session may begin: a part of what [`Store::create`] is given.
///
/// [`Store::create`]: crate::store::Store::create
///
/// # Example: by the default policy
/// ```
/// use tenure::{AtLimit, Policy};
/// use tenure::record::{Admission, MAX_SESSIONS};
///
/// let policy = Policy::default();
/// let admission = Admission {
///     max_sessions: policy.max_sessions.min(MAX_SESSIONS),
///     at_limit: AtLimit::EndLongestIdle,
///     max_pending: policy.pending.max_per_user,
///     max_guests: policy.guest.max,
///     epoch: None, // nothing was read of the user before
///     burn: false,
/// };
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// How many signed-in sessions the user may have.
    pub max_sessions: u32,
    /// What happens beyond.
    pub at_limit: AtLimit,
    /// How many pending sessions the user may have; beyond, one is refused.
    pub max_pending: u32,
    /// How many guests the store may hold, of all realms; beyond, one is refused.
    pub max_guests: u64,
    /// The user's epoch when the sign-in began. A later one refuses it.
    pub epoch: Option<u64>,
    /// Whether a refusal uses up the id, so that nobody completes the sign-in later.
    pub burn: bool,
}
