//! Changing a session's data.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Sessions;
use super::create::granted;
use super::verdict::Active;
use crate::error::Error;
use crate::id::SessionId;
use crate::key::Key;
use crate::reason::Actor;
use crate::record::Change;
use crate::snapshot::Snapshot;
use crate::store::{Mutation, Outcome, Refusal};

/// How often compare-and-set is tried against others.
const TRIES: u32 = 100;

/// What to change in a session's data: some keys to set, some to remove, all at once.
///
/// # Example: several keys at once, under a condition
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::{Actor, Changes, Error, Memory, NewGuest, Refusal, Sessions};
///
/// let sessions = Sessions::open(Memory).await?;
/// let first = Changes::default().set("step", 1.into()).set("draft", "Dear".into());
/// assert!(first.mentions("draft") && !first.is_empty());
/// let form = sessions.create_guest(NewGuest::with(first)).await?.session;
///
/// // The form is sent twice: the second one finds another version of `step`.
/// let (_, version) = form.value("step").expect("it was set");
/// let sent = Changes::default().expect("step", version).set("step", 2.into()).remove("draft");
/// let after = sessions.change_of(form.id(), Actor::application(), sent.clone()).await?;
/// assert_eq!(after.keys().collect::<Vec<_>>(), ["step"]);
/// let again = sessions.change_of(form.id(), Actor::application(), sent).await;
/// assert!(matches!(again, Err(Error::Refused(Refusal::Conflict { .. }))));
///
/// // Or under that of the data as a whole, as in an `If-Match`.
/// let changes = Changes::default().if_version(form.version()).remove("step");
/// let late = sessions.change_of(form.id(), Actor::application(), changes).await;
/// assert!(matches!(late, Err(Error::Refused(Refusal::VersionMismatch { .. }))));
/// # Ok(()) }
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Changes {
    set: BTreeMap<String, serde_json::Value>,
    remove: Vec<String>,
    expect: BTreeMap<String, u64>,
    if_version: Option<u64>,
}

impl fmt::Debug for Changes {
    /// The keys; values may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set: Vec<&String> = self.set.keys().collect();
        f.debug_struct("Changes").field("set", &set).field("remove", &self.remove).finish_non_exhaustive()
    }
}

impl Changes {
    /// Sets a key.
    #[must_use]
    pub fn set(mut self, key: impl Into<String>, value: serde_json::Value) -> Self {
        let key = key.into();
        self.remove.retain(|removed| *removed != key);
        self.set.insert(key, value);
        self
    }

    /// Removes a key. One that is not there is fine.
    #[must_use]
    pub fn remove(mut self, key: impl Into<String>) -> Self {
        let key = key.into();
        self.set.remove(&key);
        self.remove.push(key);
        self
    }

    /// Only if `key` still has this version; 0 for a key that must not be there.
    #[must_use]
    pub fn expect(mut self, key: impl Into<String>, version: u64) -> Self {
        self.expect.insert(key.into(), version);
        self
    }

    /// Only if the data as a whole still has this version.
    #[must_use]
    pub fn if_version(mut self, version: u64) -> Self {
        self.if_version = Some(version);
        self
    }

    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }

    /// Whether `key` is to be set or removed.
    pub fn mentions(&self, key: &str) -> bool {
        self.set.contains_key(key) || self.remove.iter().any(|removed| removed == key)
    }

    /// What is to be set, as JSON texts.
    pub(super) fn plain(&self) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let text = |(key, value): (&String, &serde_json::Value)| {
            let unreadable =
                |error: serde_json::Error| Error::Data { key: key.clone(), detail: error.to_string() };
            Ok((key.clone(), serde_json::to_vec(value).map_err(unreadable)?))
        };
        self.set.iter().map(text).collect()
    }
}

impl Sessions {
    /// Changes the data of the session that a check has shown.
    ///
    /// # Example: two keys in one step
    /// ```
    /// # use tenure::{Active, Changes, Error, Sessions};
    /// async fn check_out(sessions: &Sessions, active: &Active, order: u64) -> Result<(), Error> {
    ///     let changes = Changes::default().set("order", order.into()).remove("cart");
    ///     let session = sessions.change(active, changes).await?;
    ///     assert!(session.value("cart").is_none());
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::Inactive`] when it ended meanwhile; [`Refusal::Superseded`] when its token was
    /// replaced by a sign-in; [`Refusal::Conflict`] or [`Refusal::VersionMismatch`] when an
    /// expectation does not hold; [`Refusal::TooMuchData`], [`Refusal::TooManyKeys`],
    /// [`Refusal::KeyTooLong`] beyond the limits. Nothing is changed then.
    pub async fn change(&self, active: &Active, changes: Changes) -> Result<Arc<Snapshot>, Error> {
        self.must_be_ours(active)?;
        self.make(active.session.id(), Some(active.generation), Actor::application(), changes).await
    }

    /// Changes the data of any session of the realm, under no token: for administrators and jobs.
    /// [`Changes`] shows it.
    ///
    /// # Errors
    /// As [`change`](Self::change); [`Refusal::Missing`] when there is no such session.
    pub async fn change_of(
        &self,
        id: SessionId,
        actor: Actor,
        changes: Changes,
    ) -> Result<Arc<Snapshot>, Error> {
        self.of_realm(id).await?;
        self.make(id, None, actor, changes).await
    }

    /// Reads a key, lets `change` work on its value and writes it back, again and again until
    /// nobody else came in between (promise P2). A missing value begins as the default.
    ///
    /// # Errors
    /// As [`change`](Self::change); [`Error::Data`] when the stored value does not read as
    /// `T`; [`Error::Contended`] after a hundred lost tries.
    ///
    /// # Example: count visits
    /// ```
    /// # use tenure::{Active, Error, Key, Sessions};
    /// const VISITS: Key<u32> = Key::new("visits");
    /// # async fn example(sessions: &Sessions, active: &Active) -> Result<(), Error> {
    /// sessions.update(active, VISITS, |visits| *visits += 1).await?;
    /// # Ok(()) }
    /// ```
    pub async fn update<T, R>(
        &self,
        active: &Active,
        key: Key<T>,
        mut change: impl FnMut(&mut T) -> R,
    ) -> Result<(R, Arc<Snapshot>), Error>
    where
        T: Serialize + DeserializeOwned + Default,
    {
        self.must_be_ours(active)?;
        let mut current = Arc::clone(&active.session);
        for _ in 0..TRIES {
            let mut value = key.read(&current)?.unwrap_or_default();
            let version = current.value(key.name()).map_or(0, |(_, version)| version);
            let result = change(&mut value);
            let changes = Changes::default().set(key.name(), key.write(&value)?).expect(key.name(), version);
            match self.try_make(current.id(), Some(active.generation), Actor::application(), &changes).await?
            {
                Ok(snapshot) => return Ok((result, snapshot)),
                Err((Refusal::Conflict { .. }, Some(newer))) => current = newer,
                Err((refusal, _)) => return Err(refusal.into()),
            }
        }
        Err(Error::Contended { key: key.name().into(), tries: TRIES })
    }

    async fn make(
        &self,
        id: SessionId,
        generation: Option<u32>,
        actor: Actor,
        changes: Changes,
    ) -> Result<Arc<Snapshot>, Error> {
        self.try_make(id, generation, actor, &changes).await?.map_err(|(refusal, _)| refusal.into())
    }

    /// The session after the change, or why it was refused and how the session is now.
    async fn try_make(
        &self,
        id: SessionId,
        generation: Option<u32>,
        actor: Actor,
        changes: &Changes,
    ) -> Result<Result<Arc<Snapshot>, (Refusal, Option<Arc<Snapshot>>)>, Error> {
        let plain = changes.plain()?;
        let change = Change {
            generation,
            set: self.sealed(id, &plain),
            remove: changes.remove.clone(),
            expect: changes.expect.clone(),
            if_version: changes.if_version,
        };
        let operation = self.core.operation(actor);
        let change = Mutation::Change { change };
        let (reply, now) = self.core.mutate_and_read(operation, id, change, plain).await?;
        if let Outcome::Refused(refusal) = reply.outcome {
            return Ok(Err((refusal, now?)));
        }
        granted(reply)?;
        Ok(Ok(now?.ok_or(Refusal::Missing)?))
    }
}
