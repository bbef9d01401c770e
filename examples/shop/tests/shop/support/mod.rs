//! A shop with a clock to advance, and the store it can lose.

mod browser;

use std::time::Duration;

use axum::Router;
use tenure_shop::{People, router};
use tenure_tower::tenure::Memory;
use tenure_tower::tenure::testing::{Faults, TestKit};
use tenure_tower::{Policy, Sessions, SignIn, UserId};

pub(crate) use browser::{Answer, Browser, encoded};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// A name, a password and a user id of the demo.
pub(crate) const ALICE: (&str, &str) = ("alice", "quince-jelly");
pub(crate) const BOB: (&str, &str) = ("bob", "kettle-whistle");

/// The shop of one test.
pub(crate) struct Shop {
    pub(crate) kit: TestKit,
    app: Router,
}

impl Shop {
    pub(crate) async fn new() -> Self {
        Self::with_policy(Policy::default()).await
    }

    pub(crate) async fn with_policy(policy: Policy) -> Self {
        let kit = TestKit::with_policy(policy).await;
        let app = app(&kit.sessions);
        Self { kit, app }
    }

    /// Somebody who has never been here.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(&self.app)
    }

    /// Alice's browser, signed in through the form.
    pub(crate) async fn alice(&self) -> Browser {
        let mut browser = self.browser();
        browser.sign_in(ALICE).await;
        browser
    }

    /// The browser of somebody whose cookie came from elsewhere.
    pub(crate) fn browser_with(&self, cookie: &str) -> Browser {
        let mut browser = self.browser();
        browser.cookie = Some(cookie.to_owned());
        browser
    }

    /// A session of Alice's that no browser here holds.
    pub(crate) async fn elsewhere(&self) -> String {
        self.kit.sign_in(SignIn::password(user("u_alice"))).await
    }

    /// How many sessions a user has.
    pub(crate) async fn count(&self, id: &str) -> usize {
        self.kit.sessions.list(&user(id)).await.unwrap().len()
    }
}

/// Sessions that keep nothing in memory: each check asks the store.
pub(crate) async fn forgetful(faults: &Faults) -> Sessions {
    let builder = Sessions::builder(faults.before(Memory)).cache_bytes(0).without_background();
    builder.open().await.unwrap()
}

pub(crate) fn app(sessions: &Sessions) -> Router {
    router(sessions, People::new().unwrap())
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}
