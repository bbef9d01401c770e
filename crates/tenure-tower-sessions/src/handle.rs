//! The id in the cookie: the session's public id, encrypted.

use std::time::Duration;

use aes::Aes256;
use aes::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use tenure::{SessionId, Sessions};
use tower_sessions_core::session::Id;
use zeroize::Zeroize;

/// How far the clocks of nodes may be apart.
const SKEW: Duration = Duration::from_secs(300);

/// One block of AES for one session id of sixteen bytes: each has exactly one image, and without
/// the key nobody tells images from chance or finds the way back.
#[derive(Clone)]
pub(crate) struct Handles {
    cipher: Aes256,
}

impl Handles {
    pub(crate) fn of(sessions: &Sessions) -> Self {
        let mut key = sessions.key_for("tower-sessions id/1");
        let cipher = Aes256::new(&key.into());
        key.zeroize();
        Self { cipher }
    }

    /// The id for the cookie.
    pub(crate) fn close(&self, session: SessionId) -> Id {
        let mut block = Block::<Aes256>::from(*session.as_bytes());
        self.cipher.encrypt_block(&mut block);
        Id(i128::from_be_bytes(block.into()))
    }

    /// The session of an id, if it can be one of ours. A made-up id comes out as a session of some
    /// time between 1970 and the year 10889, so nearly all of them show by that.
    pub(crate) fn open(&self, id: &Id, sessions: &Sessions) -> Option<SessionId> {
        let mut block = Block::<Aes256>::from(id.0.to_be_bytes());
        self.cipher.decrypt_block(&mut block);
        let session = SessionId::from_bytes(block.into());
        let policy = sessions.policy();
        let remembered = policy.remembered.map_or(0, |limits| limits.absolute_seconds);
        let longest = policy.session.absolute_seconds.max(policy.guest.absolute_seconds).max(remembered);
        let made_at = session.made_at();
        let now = sessions.now();
        let fits = made_at <= now.plus(SKEW) && now.since(made_at) <= Duration::from_secs(longest) + SKEW;
        fits.then_some(session)
    }
}

#[cfg(test)]
mod tests {
    use tenure::testing::TestKit;
    use tenure::{NewGuest, Realm};

    use super::*;

    #[tokio::test]
    async fn an_id_leads_back_to_its_session_in_its_realm_only() {
        let kit = TestKit::new().await;
        let session = kit.sessions.create_guest(NewGuest::default()).await.unwrap().session.id();
        let handles = Handles::of(&kit.sessions);
        let id = handles.close(session);
        assert_eq!(handles.open(&id, &kit.sessions), Some(session));
        assert_ne!(id.0.to_be_bytes(), *session.as_bytes());
        let cookie = kit.sessions.cookie().clone();
        let other = kit.sessions.in_realm(Realm::new("other").unwrap(), cookie, Default::default()).unwrap();
        assert_ne!(Handles::of(&other).open(&id, &other), Some(session));
    }

    #[tokio::test]
    async fn made_up_ids_show_without_asking_the_store() {
        let kit = TestKit::new().await;
        let handles = Handles::of(&kit.sessions);
        let passed = (0..100_000).filter(|_| handles.open(&Id::default(), &kit.sessions).is_some()).count();
        assert!(passed <= 20, "{passed} of 100,000");
    }
}
