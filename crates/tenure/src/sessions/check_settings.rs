//! What a check is asked to accept and to do.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::Role;
use crate::level::Level;

/// What a check is to accept and to do. It accepts signed-in sessions, counts as activity and
/// delivers no new token, unless it is told otherwise.
///
/// # Example: what a page for administrators takes
/// ```
/// # fn example() -> Result<(), tenure::InvalidName> {
/// use tenure::{Check, Level, Role};
///
/// let check = Check::signed_in().role(Role::new("admin")?).level(Level::Two);
/// # Ok(()) }
/// ```
///
/// # Example: a page that asks in the background, in a middleware
/// ```
/// use std::net::IpAddr;
/// use std::time::Duration;
/// use tenure::clock::Timestamp;
/// use tenure::{Check, Level, Require};
///
/// fn check(arrived: Timestamp, ip: IpAddr, polls: bool) -> Check {
///     let careful = Require::signed_in().level(Level::Two).max_auth_age(Duration::from_secs(900));
///     Check::signed_in()
///         .require(careful)
///         .or_pending() // such a session is good for showing the second factor
///         .touch(!polls) // polling keeps no session alive
///         .can_set_cookie(!polls)
///         .arrived_at(arrived)
///         .ip(ip)
/// }
///
/// assert!(check(Timestamp::default(), IpAddr::from([203, 0, 113, 7]), true) != Check::signed_in().or_guest());
/// // What is required can also be said one by one.
/// let short = Check::signed_in().level(Level::Two);
/// assert!(short == Check::signed_in().require(Require::signed_in().level(Level::Two)));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Check {
    pub(super) guest: bool,
    pub(super) pending: bool,
    pub(super) touch: bool,
    pub(super) can_set_cookie: bool,
    pub(super) require: Require,
    pub(super) arrived_at: Option<Timestamp>,
    pub(super) ip: Option<IpAddr>,
}

/// What a signed-in session must have. Nothing besides, unless it is told.
///
/// # Example: before money moves
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tenure::Error> {
/// use std::time::Duration;
/// use tenure::{Check, Error, Level, Memory, Reason, Require, Role, Sessions, SignIn, UserId};
///
/// let transfer = Require::signed_in()
///     .role(Role::new("customer")?)
///     .level(Level::Two)
///     .max_auth_age(Duration::from_secs(300));
///
/// let sessions = Sessions::open(Memory).await?;
/// let customer = SignIn::password(UserId::new("u_1")?).roles([Role::new("customer")?]);
/// let token = sessions.sign_in(None, customer).await?.token;
/// let active = sessions.check(token.expose().as_bytes(), &Check::signed_in()).await?.into_active()?;
/// let missing = sessions.require(&active, &transfer);
/// assert!(matches!(missing, Err(Error::StepUp(Reason::InsufficientLevel))));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Require {
    pub(super) level: Option<Level>,
    pub(super) max_auth_age: Option<Duration>,
    pub(super) roles: Vec<Role>,
}

impl fmt::Debug for Check {
    /// Without the address: it is personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("guest", &self.guest)
            .field("pending", &self.pending)
            .field("touch", &self.touch)
            .field("can_set_cookie", &self.can_set_cookie)
            .field("require", &self.require)
            .finish_non_exhaustive()
    }
}

impl Default for Check {
    /// [`Check::signed_in`].
    fn default() -> Self {
        Self::signed_in()
    }
}

impl Check {
    /// Accepts signed-in sessions.
    pub fn signed_in() -> Self {
        Self {
            guest: false,
            pending: false,
            touch: true,
            can_set_cookie: false,
            require: Require::default(),
            arrived_at: None,
            ip: None,
        }
    }

    /// Accepts every session that is not over: signed in, pending or a guest's.
    pub fn any() -> Self {
        Self::signed_in().or_guest().or_pending()
    }

    /// Accepts guests too.
    #[must_use]
    pub fn or_guest(mut self) -> Self {
        self.guest = true;
        self
    }

    /// Accepts sessions that owe a second factor too.
    #[must_use]
    pub fn or_pending(mut self) -> Self {
        self.pending = true;
        self
    }

    /// Whether it counts as activity. Not for background polling: reading the time left must not
    /// keep a session alive (NIST SP 800-63B-4 §5.2).
    #[must_use]
    pub fn touch(mut self, touch: bool) -> Self {
        self.touch = touch;
        self
    }

    /// Whether the answer can set a cookie. Only then a token that is due for rotation gets its
    /// successor.
    #[must_use]
    pub fn can_set_cookie(mut self, can_set_cookie: bool) -> Self {
        self.can_set_cookie = can_set_cookie;
        self
    }

    /// What a signed-in session must have, all of it, instead of what was said before.
    #[must_use]
    pub fn require(mut self, require: Require) -> Self {
        self.require = require;
        self
    }

    /// With this assurance level at least.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.require = self.require.level(level);
        self
    }

    /// With a full authentication not longer ago than this.
    #[must_use]
    pub fn max_auth_age(mut self, age: Duration) -> Self {
        self.require = self.require.max_auth_age(age);
        self
    }

    /// With this role; called again, with each of them.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.require = self.require.role(role);
        self
    }

    /// When the request arrived, if that was before this check. The grace time of a replaced token
    /// is judged by that: a request that came in time is no theft because its session is looked at
    /// late (promise P10). Limits are judged by the time of the check.
    #[must_use]
    pub fn arrived_at(mut self, at: Timestamp) -> Self {
        self.arrived_at = Some(at);
        self
    }

    /// Where the request comes from, to bound what one network can ask of the store.
    #[must_use]
    pub fn ip(mut self, ip: impl Into<Option<IpAddr>>) -> Self {
        self.ip = ip.into();
        self
    }
}

impl Require {
    /// Nothing besides being signed in.
    pub const fn signed_in() -> Self {
        Self { level: None, max_auth_age: None, roles: Vec::new() }
    }

    /// This assurance level at least.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// A full authentication not longer ago than this.
    #[must_use]
    pub fn max_auth_age(mut self, age: Duration) -> Self {
        self.max_auth_age = Some(age);
        self
    }

    /// This role; called again, each of them.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.roles.push(role);
        self
    }
}
