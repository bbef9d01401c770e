//! Sessions in memory, and what a test asks of them.

use std::time::Duration;

use super::Faults;
use crate::clock::TestClock;
use crate::id::{Role, UserId};
use crate::policy::Policy;
use crate::sessions::{Check, Sessions, SignIn, Verdict};
use crate::store::memory::Memory;

/// Sessions in memory, the clock they live by, and the faults of their store.
///
/// # Panics
/// In a test there is nobody to answer: what would be an error panics, such as the name of a user
/// or role that does not fit, or a sign-in that the policy refuses.
///
/// # Example: an administrator under a strict policy
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::testing::TestKit;
/// use tenure::{Level, Preset, Role, SignIn, UserId};
///
/// let kit = TestKit::with_policy(Preset::AsvsL3.policy()).await;
/// let editor = kit.sign_in_with_roles("u_1", &["editor"]).await;
/// assert_eq!(kit.user_of(&editor).await, Some(UserId::new("u_1")?));
///
/// // Everything that a sign-in can say.
/// let admin = SignIn::password(UserId::new("u_2")?).roles([Role::new("admin")?]).level(Level::Two);
/// let cookie = kit.sign_in(admin).await;
/// # assert_eq!(kit.user_of(&cookie).await, Some(UserId::new("u_2")?));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TestKit {
    /// The sessions, to build the application on.
    pub sessions: Sessions,
    /// The clock.
    pub clock: TestClock,
    /// What goes wrong in the store: nothing until told otherwise.
    pub faults: Faults,
}

impl TestKit {
    /// With the default policy.
    pub async fn new() -> Self {
        Self::with_policy(Policy::default()).await
    }

    /// With a policy of one's own.
    ///
    /// # Panics
    /// When the policy contradicts itself.
    pub async fn with_policy(policy: Policy) -> Self {
        let clock = TestClock::default();
        let faults = Faults::default();
        let builder = Sessions::builder(faults.before(Memory)).policy(policy).clock(clock.clone());
        let opened = builder.without_background().open().await;
        Self { sessions: opened.expect("memory opens under a valid policy"), clock, faults }
    }

    /// Signs `user` in with a password, and gives what their browser would send as `Cookie`.
    pub async fn sign_in_as(&self, user: &str) -> String {
        self.sign_in(SignIn::password(user_id(user))).await
    }

    /// The same for a user with roles.
    pub async fn sign_in_with_roles(&self, user: &str, roles: &[&str]) -> String {
        let roles = roles.iter().map(|role| Role::new(role).expect("a role's name fits"));
        self.sign_in(SignIn::password(user_id(user)).roles(roles)).await
    }

    /// Signs in as told, and gives what the browser would send as `Cookie`.
    pub async fn sign_in(&self, sign_in: SignIn) -> String {
        let issued = self.sessions.sign_in(None, sign_in).await.expect("memory lets a user in");
        format!("{}={}", self.sessions.cookie().name(), issued.token.expose())
    }

    /// Lets time pass and does the housekeeping that is due.
    pub async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.sessions.maintain().await.expect("memory can always be swept");
    }

    /// Who is signed in with this `Cookie` header, if anybody is. No activity.
    pub async fn user_of(&self, cookie: &str) -> Option<UserId> {
        let check = Check::signed_in().touch(false);
        match self.sessions.check_cookie([cookie.as_bytes()], &check).await.expect("memory answers") {
            Verdict::Ok(active) => active.session().user().cloned(),
            _ => None,
        }
    }
}

fn user_id(user: &str) -> UserId {
    UserId::new(user).expect("a user id's name fits")
}
