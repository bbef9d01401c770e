//! Handing out tokens, so that a retry gets the same one.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Sessions;
use crate::cookie::SetCookie;
use crate::error::Error;
use crate::front::Stage;
use crate::id::{OperationId, Route, SessionId};
use crate::reason::Actor;
use crate::record::{Grace, Standing, State};
use crate::snapshot::Snapshot;
use crate::store::{Operation, Refusal, Reply};
use crate::token::{Secret, SessionToken};
use crate::vault;

/// A session and the token that its client gets.
///
/// # Example: an answer that took long
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::{Issued, Memory, Sessions, SignIn, UserId};
///
/// let sessions = Sessions::open(Memory).await?;
/// let issued: Issued = sessions.sign_in(None, SignIn::password(UserId::new("u_1")?)).await?;
/// // … a slow page is rendered; meanwhile the user may have signed out, or got a newer token …
/// if sessions.may_hand_out(&issued).await {
///     println!("Set-Cookie: {}", issued.set_cookie.expose());
/// }
/// # let logout = tenure::Ending::new(tenure::EndReason::Logout, tenure::Actor::user());
/// # sessions.end_all_of(&UserId::new("u_1")?, None, logout).await?;
/// # assert!(!sessions.may_hand_out(&issued).await);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Issued {
    /// The session.
    pub session: Arc<Snapshot>,
    /// The token.
    pub token: SessionToken,
    /// The same as a `Set-Cookie` header, ready to send. A remembered session's cookie lives as
    /// long as the session can.
    pub set_cookie: SetCookie,
    /// The token's.
    generation: u32,
}

impl Issued {
    /// Whether the token is the next one of a session whose current one goes on until this is
    /// first used.
    fn is_rotated(&self) -> bool {
        self.generation > self.session.generation()
    }
}

/// What a caller repeats with a request whose answer was lost, to get the first answer:
/// at least 128 random bits, as 22 to 128 printable characters.
///
/// # Security
/// It opens the receipt that holds the token, so it is a secret of the caller.
///
/// # Example: an answer that was lost
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::{IdempotencyKey, InvalidIdempotencyKey, Memory, Sessions, SignIn, UserId};
///
/// let sessions = Sessions::open(Memory).await?;
/// let key = IdempotencyKey::new("4d6f1fd0-5c42-47e2-93a5-4d6a1c3f20b7")?; // the client's, random
/// let sign_in = SignIn::password(UserId::new("u_1")?).idempotency_key(key);
/// let first = sessions.sign_in(None, sign_in.clone()).await?;
/// let again = sessions.sign_in(None, sign_in).await?;
/// assert_eq!(first.token.expose(), again.token.expose(), "one session, one token");
/// assert_eq!(IdempotencyKey::new("1").unwrap_err(), InvalidIdempotencyKey);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct IdempotencyKey(Zeroizing<String>);

/// The text is no [idempotency key](IdempotencyKey).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key has 22 to 128 printable ASCII characters and at least 128 random bits")]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// Takes `text` if it is one.
    ///
    /// # Errors
    /// [`InvalidIdempotencyKey`] otherwise. Randomness cannot be seen; length can.
    pub fn new(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        let fits = (22..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text.to_owned().into())) } else { Err(InvalidIdempotencyKey) }
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey(…)")
    }
}

/// An attempt to issue a token.
pub(super) struct Attempt {
    pub(super) id: OperationId,
    pub(super) key: Option<IdempotencyKey>,
    pub(super) actor: Actor,
    pub(super) secret: Secret,
}

impl Attempt {
    /// The operation, with a receipt for the token of `generation` when retries are expected.
    pub(super) fn operation(&self, sessions: &Sessions, generation: u32) -> Operation {
        let core = &sessions.core;
        let seal = |key: &IdempotencyKey| {
            vault::seal_receipt(
                &core.keys,
                &*core.random,
                key.0.as_bytes(),
                self.id,
                (generation, &self.secret),
            )
        };
        Operation { id: self.id, actor: self.actor.clone(), receipt: self.key.as_ref().map(seal) }
    }

    /// A route for a session without a user, the same for each retry.
    pub(super) fn route(&self, sessions: &Sessions) -> Route {
        match &self.key {
            Some(_) => {
                let [.., a, b] = *self.id.as_bytes();
                Route(u16::from_be_bytes([a, b]))
            }
            None => Route::random(&*sessions.core.random),
        }
    }
}

impl Sessions {
    /// Begins an attempt. With a key, `what` and the actor keep different requests under the
    /// same key apart.
    pub(super) fn attempt(&self, what: &str, actor: Actor, key: Option<IdempotencyKey>) -> Attempt {
        let id = match &key {
            None => OperationId::random(&*self.core.random),
            Some(key) => {
                let mut hash = Sha256::new();
                for part in [self.realm().as_str(), what, actor.as_str(), &key.0] {
                    hash.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
                    hash.update(part);
                }
                let mut id = [0; 16];
                id.copy_from_slice(&hash.finalize()[..16]);
                OperationId::from_bytes(id)
            }
        };
        Attempt { id, key, actor, secret: Secret::new(&*self.core.random) }
    }

    /// The first answer to `attempt`, if it is a retry.
    pub(super) async fn first_answer(
        &self,
        attempt: &Attempt,
        route: Route,
    ) -> Result<Option<Issued>, Error> {
        if attempt.key.is_none() {
            return Ok(None);
        }
        let Some(replay) = self.core.store.replay(route, attempt.id).await? else {
            return Ok(None);
        };
        self.answer_again(attempt, replay.session, &replay.receipt).await.map(Some)
    }

    async fn answer_again(&self, attempt: &Attempt, id: SessionId, receipt: &[u8]) -> Result<Issued, Error> {
        const LOST: Error = Error::Bug("the receipt of an answer is there and its session is not");
        let key = attempt.key.as_ref().ok_or(LOST)?;
        let (generation, secret) =
            vault::open_receipt(&self.core.keys, key.0.as_bytes(), attempt.id, receipt)?;
        let session = self.core.find(id).await?.ok_or(LOST)?;
        self.issue_newest(session, generation, &secret)
    }

    /// The answer to an attempt that the store has carried out, now or before.
    pub(super) async fn issue(
        &self,
        attempt: &Attempt,
        reply: Reply,
        generation: u32,
    ) -> Result<Issued, Error> {
        let record = reply.record.ok_or(Error::Bug("the store carried something out and gives no record"))?;
        if let Some(receipt) = &reply.receipt {
            return self.answer_again(attempt, record.id, receipt).await;
        }
        self.issue_newest(self.core.snapshot(record)?, generation, &attempt.secret)
    }

    /// Hands the token out, unless it was replaced meanwhile: an answer that comes late must
    /// not give its client a token whose use looks like theft (promise P10).
    fn issue_newest(
        &self,
        session: Arc<Snapshot>,
        generation: u32,
        secret: &Secret,
    ) -> Result<Issued, Error> {
        let (now, record) = (self.core.clock.now(), session.record());
        let is_claimed = matches!(record.state, State::Claimed(_));
        let standing = record.secrets.standing(generation, &secret.hash(), Grace { ms: 0 }, now);
        if let Some(reason) = session.dead(now) {
            return Err(Error::Inactive(reason.into()));
        }
        match standing {
            Standing::Current | Standing::Successor if !is_claimed => {
                Ok(self.issued(session, generation, secret))
            }
            _ => Err(Refusal::Superseded.into()),
        }
    }

    pub(super) fn issued(&self, session: Arc<Snapshot>, generation: u32, secret: &Secret) -> Issued {
        let token = self.realm.binding.token(&self.core.keys, session.id(), generation, secret);
        let left = session.expires_at().since(self.core.clock.now());
        let set_cookie = self.realm.cookie.set(&token, session.is_persistent().then_some(left));
        Issued { session, token, set_cookie, generation }
    }

    /// Whether a token that was made for this request is still to be handed out: one of a sign-in
    /// while it is the current one, a rotated one while nobody has used it. To be asked before an
    /// answer that took long sets it as a cookie: it must not overwrite a newer one (promise P10).
    ///
    /// Where the store does not say, a rotated token is held back: it is offered again. Others are
    /// handed out: theirs may be the only good one.
    pub async fn may_hand_out(&self, issued: &Issued) -> bool {
        let session = match self.core.known(issued.session.id()).await {
            Ok(Some(session)) => session,
            Ok(None) => return false,
            Err(_) => return !issued.is_rotated(),
        };
        let secrets = &session.record().secrets;
        let is_good = match issued.is_rotated() {
            true => secrets.successor.is_some() && issued.generation == secrets.generation + 1,
            false => issued.generation == secrets.generation,
        };
        is_good && session.front().stage != Stage::Over
    }
}
