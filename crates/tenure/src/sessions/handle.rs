//! The handle that everything goes through, and what differs from realm to realm.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Builder, core};
use crate::clock::Timestamp;
use crate::cookie::CookieSettings;
use crate::error::Error;
use crate::id::{Realm, SessionId, UserId};
use crate::limiter::Limiter;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::store::{Engine, Owner};
use crate::token::Binding;

/// The sessions of one realm. Clones are cheap and share everything.
///
/// # Errors
/// Whatever asks the store can fail with [`Error::Store`], and while the clock cannot be believed
/// with [`Error::Clock`]: nothing is known then, and the client's cookie is to stay. What changes a
/// session that a check has shown ([`Active`](crate::Active)) refuses one of another realm with
/// [`Error::OtherRealm`]. What else there is, each method says.
///
/// # Cancel safety
/// What changes something runs to its end also when the future that asked for it is
/// dropped; only the answer is lost. [`end_realm`](Self::end_realm) alone stops between two
/// sessions.
///
/// # Example: from nothing to a checked token
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::{Check, Memory, Sessions, SignIn, Verdict};
///
/// let sessions = Sessions::open(Memory).await?;
/// let issued = sessions.sign_in(None, SignIn::password("u_1".parse()?)).await?;
///
/// let verdict = sessions.check(issued.token.expose().as_bytes(), &Check::signed_in()).await?;
/// let Verdict::Ok(active) = verdict else { panic!("signed in a moment ago") };
/// assert_eq!(active.session().user().unwrap().as_str(), "u_1");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Sessions {
    pub(super) core: Arc<core::Core>,
    pub(super) realm: Arc<RealmSettings>,
}

/// What differs from realm to realm.
pub(super) struct RealmSettings {
    pub(super) binding: Arc<Binding>,
    pub(super) cookie: CookieSettings,
    pub(super) policy: Policy,
    /// Who begins guest sessions, and how fast.
    pub(super) guests: Limiter,
}

/// Those whose address the application does not tell begin as many guests together as this many
/// networks.
const NETWORKS_OF_UNPLACED: u32 = 100;

impl Sessions {
    /// Opens `engine` with the default policy. Everything runs on tokio: the runtime needs its
    /// timers (`enable_time`, which `#[tokio::main]` turns on).
    ///
    /// # Errors
    /// [`Error::Store`] says why the store does not open and what to do.
    pub async fn open(engine: impl Engine) -> Result<Self, Error> {
        Self::builder(engine).open().await
    }

    /// Opens `engine` with settings of one's own.
    pub fn builder(engine: impl Engine) -> Builder {
        Builder::new(engine)
    }

    /// The sessions of another realm in the same store: another application or tenant, or
    /// another part of this one with a cookie of its own. Nothing crosses realms.
    ///
    /// # Example: an application for each tenant
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tenure::{Check, CookieSettings, Memory, NewGuest, Policy, Preset, Realm, Sessions};
    ///
    /// let sessions = Sessions::builder(Memory).realm(Realm::new("www")?).open().await?;
    /// let cookie = CookieSettings::new("__Host-acme")?;
    /// let acme = sessions.in_realm(Realm::new("acme")?, cookie, Preset::AsvsL2.policy())?;
    /// assert_eq!((sessions.realm().as_str(), acme.realm().as_str()), ("www", "acme"));
    /// assert_eq!(acme.cookie().name(), "__Host-acme");
    /// assert_ne!(acme.policy(), sessions.policy());
    ///
    /// // A token of one is nothing in the other, and so is a key.
    /// let token = acme.create_guest(NewGuest::default()).await?.token;
    /// let verdict = sessions.check(token.expose().as_bytes(), &Check::any()).await?;
    /// assert_eq!(verdict.reason().map(|reason| reason.as_str()), Some("malformed"));
    /// assert_ne!(acme.key_for("unsubscribe"), sessions.key_for("unsubscribe"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Policy`] when `policy` contradicts itself.
    pub fn in_realm(&self, realm: Realm, cookie: CookieSettings, policy: Policy) -> Result<Self, Error> {
        Ok(Self { core: Arc::clone(&self.core), realm: Arc::new(RealmSettings::new(realm, cookie, policy)?) })
    }

    /// The realm's session cookie.
    pub fn cookie(&self) -> &CookieSettings {
        &self.realm.cookie
    }

    /// The realm's policy.
    pub fn policy(&self) -> &Policy {
        &self.realm.policy
    }

    /// The realm.
    pub fn realm(&self) -> &Realm {
        &self.realm.binding.realm
    }

    /// A user of the realm, as the store names them.
    pub(super) fn owner(&self, user: &UserId) -> Owner {
        let realm = self.realm().clone();
        Owner { route: self.core.keys.route(&realm, user), realm, user: user.clone() }
    }

    /// What happened since these sessions were opened, in all realms: [`Metrics`] shows it.
    pub fn metrics(&self) -> Metrics {
        self.core.metrics()
    }

    /// The time that sessions go by: steady, never backwards.
    pub fn now(&self) -> Timestamp {
        self.core.clock.now()
    }

    /// Time since some fixed moment, to measure how long something takes: no change of the wall
    /// clock moves it, and suspended time counts.
    pub fn running(&self) -> Duration {
        self.core.clock.running()
    }

    /// Whether sessions can be served now: the clock can be believed and the store answers. It
    /// waits as long as the store does.
    ///
    /// # Errors
    /// [`Error::Clock`] or [`Error::Store`] says what is in the way.
    ///
    /// # Example: a health check
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tenure::{Error, Memory, Sessions};
    ///
    /// async fn healthz(sessions: &Sessions) -> (u16, String) {
    ///     let before = sessions.running();
    ///     match sessions.ready().await {
    ///         Ok(()) => (200, format!("ready at {} after {:?}", sessions.now(), sessions.running() - before)),
    ///         Err(error) => (error.status(), error.to_string()),
    ///     }
    /// }
    ///
    /// let sessions = Sessions::open(Memory).await?;
    /// assert_eq!(healthz(&sessions).await.0, 200);
    /// sessions.close().await?;
    /// assert_eq!(healthz(&sessions).await.0, 503);
    /// # Ok(()) }
    /// ```
    pub async fn ready(&self) -> Result<(), Error> {
        self.core.clock.read()?;
        let nobody = SessionId::from_bytes([0; 16]);
        self.core.store.load(nobody).await?;
        Ok(())
    }

    /// Thirty-two bytes for a purpose of the application's own, the same for as long as the master
    /// key is: to sign or encrypt what belongs to the sessions of this realm. Realms and purposes
    /// give independent keys, and none of them leads back to the master key.
    ///
    /// # Security
    /// It is a secret. Keep it in memory only.
    pub fn key_for(&self, purpose: &str) -> [u8; 32] {
        self.core.keys.application(self.realm(), purpose)
    }

    /// The store, for tests that look behind the sessions.
    ///
    /// # Example: what is there to steal
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let kit = tenure::testing::TestKit::new().await;
    /// let cookie = kit.sign_in_as("u_1").await;
    ///
    /// let users = kit.sessions.list(&"u_1".parse()?).await?;
    /// let record = kit.sessions.store().load(users[0].id()).await?.expect("it is alive");
    /// assert!(!format!("{record:?}").contains(&cookie), "a store has hashes of tokens only");
    /// # Ok(()) }
    /// ```
    #[cfg(any(test, feature = "testing"))]
    pub fn store(&self) -> &Arc<dyn crate::store::Store> {
        &self.core.store
    }
}

impl RealmSettings {
    pub(super) fn new(realm: Realm, cookie: CookieSettings, policy: Policy) -> Result<Self, Error> {
        policy.validate()?;
        let binding = Arc::new(Binding::new(realm, cookie.name()));
        let guests = Limiter::per_minute(policy.guest.new_per_minute).unplaced_as(NETWORKS_OF_UNPLACED);
        Ok(Self { binding, cookie, policy, guests })
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("realm", self.realm())
            .field("store", &self.core.store.info())
            .finish_non_exhaustive()
    }
}
