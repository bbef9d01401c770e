//! Settings of [`Sessions`], and opening them.

use std::sync::Arc;
use std::time::Duration;

use super::Sessions;
use super::core::Core;
use super::handle::RealmSettings;
use crate::clock::{Clock, SystemClock};
use crate::cookie::CookieSettings;
use crate::error::Error;
use crate::id::Realm;
use crate::policy::Policy;
use crate::random::{Random, SystemRandom};
use crate::store::{BOUND, Context, Engine};

/// Settings of [`Sessions`], as [`Sessions::builder`] begins them. All have defaults.
///
/// # Example: an administration with stricter rules and a cookie of its own
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::{CookieSettings, Memory, Preset, Sessions};
///
/// let sessions = Sessions::builder(Memory)
///     .policy(Preset::AsvsL3.policy())
///     .cookie(CookieSettings::new("__Host-admin")?.strict())
///     .bound(std::time::Duration::from_millis(250)) // with several nodes: how soon all know of an end
///     .open()
///     .await?;
/// # Ok(()) }
/// ```
///
/// # Example: a test that moves the clock and says when housekeeping happens
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tenure::clock::TestClock;
/// use tenure::random::SeededRandom;
/// use tenure::{Memory, Realm, Sessions, SignIn};
///
/// let clock = TestClock::default();
/// let sessions = Sessions::builder(Memory)
///     .realm(Realm::new("shop")?)
///     .clock(clock.clone())
///     .random(SeededRandom::new(1))
///     .cache_bytes(0) // every check asks the store
///     .without_background()
///     .open()
///     .await?;
/// sessions.sign_in(None, SignIn::password("u_1".parse()?)).await?;
///
/// clock.advance(Duration::from_secs(31 * 60));
/// assert_eq!(sessions.maintain().await?.ended, 1);
/// # Ok(()) }
/// ```
#[must_use = "nothing is opened before `open`"]
pub struct Builder {
    engine: Box<dyn Engine>,
    realm: Realm,
    cookie: CookieSettings,
    policy: Policy,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    cache_bytes: usize,
    background: bool,
    bound: Duration,
}

impl Builder {
    pub(super) fn new(engine: impl Engine) -> Self {
        Self {
            engine: Box::new(engine),
            realm: Realm::default(),
            cookie: CookieSettings::default(),
            policy: Policy::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            cache_bytes: 256 * 1024 * 1024,
            background: true,
            bound: BOUND,
        }
    }

    /// The realm; `default` if none is named.
    pub fn realm(mut self, realm: Realm) -> Self {
        self.realm = realm;
        self
    }

    /// The session cookie; `__Host-sid` if none is named.
    pub fn cookie(mut self, cookie: CookieSettings) -> Self {
        self.cookie = cookie;
        self
    }

    /// The policy.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Where time comes from, for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where randomness comes from, for tests.
    pub fn random(mut self, random: impl Random) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// How many bytes of sessions are kept in memory at the most; 256 MiB if not said. With
    /// 0 every check asks the store.
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// For how long after an end was acknowledged another node may still accept the session, at the
    /// most; one second if not said, and at least 10 ms. A node that is out of touch with a store
    /// that others share answers from memory for so long and no longer. It is also what
    /// [`Active::cache_for`](crate::Active::cache_for) begins from.
    pub fn bound(mut self, bound: Duration) -> Self {
        self.bound = bound.max(Duration::from_millis(10));
        self
    }

    /// Leaves housekeeping to calls of [`Sessions::maintain`] instead of doing it in the
    /// background, so that a test says when it happens.
    pub fn without_background(mut self) -> Self {
        self.background = false;
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    /// [`Error::Policy`] when the policy contradicts itself, [`Error::Store`] when the store
    /// does not open, or its sessions have [moved](crate::Move) or not all arrived.
    pub async fn open(self) -> Result<Sessions, Error> {
        let realm = Arc::new(RealmSettings::new(self.realm, self.cookie, self.policy)?);
        let context = Context { bound: self.bound, ..Context::new(self.clock, self.random) };
        let opened = self.engine.open(context.clone()).await?;
        if let Some(movable) = opened.store.movable() {
            movable.phase().await?.may_serve()?;
        }
        let core = Arc::new(Core::new(opened, context, self.cache_bytes, self.bound));
        core.follow().await?;
        if self.background {
            core.maintain_in_background();
            core.follow_in_background();
        }
        Ok(Sessions { core, realm })
    }
}
