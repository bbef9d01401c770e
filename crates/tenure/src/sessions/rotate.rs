//! Renewing tokens: the session stays, its secret changes.

use std::sync::Arc;
use std::time::Duration;

use super::Sessions;
use super::create::granted;
use super::issue::{IdempotencyKey, Issued};
use super::verdict::Active;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::reason::Actor;
use crate::record::{Record, Successor};
use crate::snapshot::Snapshot;
use crate::store::{Mutation, Operation, Refusal};
use crate::token::Secret;
use crate::vault;

impl Sessions {
    /// Prepares the next token now, or gives the one that is prepared. The presented token
    /// stays good until the new one is first used.
    ///
    /// # Example: before something delicate
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tenure::Error> {
    /// use tenure::{Actor, Check, Memory, Sessions, SignIn, UserId};
    ///
    /// let sessions = Sessions::open(Memory).await?;
    /// let issued = sessions.sign_in(None, SignIn::password(UserId::new("u_1")?)).await?;
    /// let active = sessions.check(issued.token.expose().as_bytes(), &Check::signed_in()).await?.into_active()?;
    ///
    /// let next = sessions.rotate(&active, Actor::application(), None).await?;
    /// assert_eq!(next.session.id(), issued.session.id());
    /// assert_ne!(next.token.expose(), issued.token.expose());
    /// assert!(sessions.may_hand_out(&next).await, "nobody has used it yet");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Refusal::TooSoon`] within the grace time of the last rotation,
    /// [`Refusal::Superseded`] when the presented token is not the current one.
    pub async fn rotate(
        &self,
        active: &Active,
        actor: Actor,
        idempotency_key: Option<IdempotencyKey>,
    ) -> Result<Issued, Error> {
        self.must_be_ours(active)?;
        let attempt = self.attempt(&format!("rotate {}", active.session.id()), actor, idempotency_key);
        if let Some(issued) = self.first_answer(&attempt, active.session.id().route()).await? {
            return Ok(issued);
        }
        if active.in_grace {
            return Err(Refusal::Superseded.into());
        }
        let next = active.generation + 1;
        let operation = attempt.operation(self, next);
        let (session, secret) = self.prepare(active, operation, &attempt.secret).await?;
        Ok(self.issued(session, next, &secret))
    }

    /// Whether it may be time for a next token, by what lies at the front of the snapshot.
    pub(super) fn may_rotate(&self, session: &Snapshot, now: Timestamp) -> bool {
        let front = session.front();
        let age = now.since(Timestamp::from_millis(front.since));
        front.rotates || age.as_secs() >= self.policy().rotation.interval_seconds
    }

    /// Adds the next token to `active` when it is time. What hinders it is logged: the
    /// presented token is good all the same.
    pub(super) async fn renew(&self, active: &mut Active, now: Timestamp) {
        let secrets = &active.session.record().secrets;
        let interval = Duration::from_secs(self.policy().rotation.interval_seconds);
        let due = secrets.rotate_soon || now.since(secrets.since) >= interval;
        if secrets.generation != active.generation
            || (secrets.successor.is_none()
                && !(due && secrets.must_wait(self.policy().grace(), now).is_none()))
        {
            return;
        }
        match self.next_token(active).await {
            Ok(issued) => {
                active.session = Arc::clone(&issued.session);
                active.renewed = Some(Box::new(issued));
            }
            Err(error) => {
                tracing::debug!(session = %active.session.id(), code = error.code(), "no rotation now")
            }
        }
    }

    pub(super) async fn next_token(&self, active: &Active) -> Result<Issued, Error> {
        let (session, secret) = match self.prepared(active, active.session.record())? {
            Some(secret) => (Arc::clone(&active.session), secret),
            None => {
                let operation = self.core.operation(Actor::system());
                self.prepare(active, operation, &Secret::new(&*self.core.random)).await?
            }
        };
        Ok(self.issued(session, active.generation + 1, &secret))
    }

    async fn prepare(
        &self,
        active: &Active,
        operation: Operation,
        secret: &Secret,
    ) -> Result<(Arc<Snapshot>, Secret), Error> {
        let (core, id, generation) = (&self.core, active.session.id(), active.generation);
        let sealed =
            vault::seal_successor(&core.keys, &*core.random, &active.secret, (id, generation + 1), secret);
        let successor = Successor { hash: secret.hash(), sealed };
        let grace = self.policy().grace();
        let reply = core.mutate(operation, id, Mutation::Prepare { generation, successor, grace }).await?;
        let record = granted(reply)?.record.ok_or(Refusal::Missing)?;
        let secret = self.prepared(active, &record)?.ok_or(Refusal::Superseded)?;
        Ok((core.snapshot(record)?, secret))
    }

    /// The secret of the token that is prepared after the presented one.
    fn prepared(&self, active: &Active, record: &Record) -> Result<Option<Secret>, Error> {
        let Some(successor) = &record.secrets.successor else {
            return Ok(None);
        };
        if record.secrets.generation != active.generation {
            return Ok(None);
        }
        let place = (record.id, active.generation + 1);
        vault::open_successor(&self.core.keys, &active.secret, place, &successor.sealed).map(Some)
    }
}
