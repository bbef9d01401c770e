//! Reading sessions without their token.

use std::sync::Arc;

use super::Sessions;
use crate::error::Error;
use crate::id::{SessionId, UserId};
use crate::snapshot::Snapshot;
use crate::store::PageRequest;

/// How many sessions a page has at the most: more of them would fill the memory of the process.
const MAX_PAGE: usize = 1_000;

/// A page of sessions, as [`Sessions::page`] gives it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionPage {
    /// The sessions, by time of creation.
    pub sessions: Vec<Arc<Snapshot>>,
    /// Where the next page begins; none after the last.
    pub next: Option<SessionId>,
}

impl Sessions {
    /// The session `id`, also when it ended not long ago. Looking at it is no activity.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn get(&self, id: SessionId) -> Result<Option<Arc<Snapshot>>, Error> {
        Ok(self.core.find(id).await?.filter(|session| session.realm() == self.realm()))
    }

    /// The live sessions of a user, newest first: every live one and no dead one (promise P8).
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn list(&self, user: &UserId) -> Result<Vec<Arc<Snapshot>>, Error> {
        let (store, owner) = (&self.core.store, self.owner(user));
        let read = || async { Ok((store.list(&owner).await?, ())) };
        let (mut sessions, ()) = self.core.read(read).await?;
        let now = self.core.clock.read()?;
        sessions.retain(|session| session.dead(now).is_none());
        sessions.sort_by_key(|session| std::cmp::Reverse((session.created_at(), session.id())));
        Ok(sessions)
    }

    /// A page of the realm's live sessions by time of creation, at most `limit` of them, and never
    /// more than 1,000. Sessions past their limits are left out, so a page may be shorter and still
    /// not the last.
    ///
    /// # Example: all sessions of a realm, a thousand at a time
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tenure::{Memory, SessionPage, Sessions, SignIn, UserId};
    ///
    /// let sessions = Sessions::open(Memory).await?;
    /// let issued = sessions.sign_in(None, SignIn::password(UserId::new("u_1")?)).await?;
    ///
    /// let (mut users, mut after) = (vec![], None);
    /// loop {
    ///     let SessionPage { sessions: found, next, .. } = sessions.page(after, 1_000).await?;
    ///     users.extend(found.iter().filter_map(|session| session.user().cloned()));
    ///     match next {
    ///         Some(last) => after = Some(last),
    ///         None => break,
    ///     }
    /// }
    /// assert_eq!(users, [UserId::new("u_1")?]);
    ///
    /// // One of them, from a log line.
    /// let session = sessions.get(issued.session.id()).await?.expect("it is alive");
    /// assert_eq!(session.id(), issued.session.id());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn page(&self, after: Option<SessionId>, limit: usize) -> Result<SessionPage, Error> {
        let request = PageRequest { realm: self.realm().clone(), after, limit: limit.min(MAX_PAGE) };
        let read = || async {
            let page = self.core.store.page(&request).await?;
            Ok((page.records, page.next))
        };
        let (mut sessions, next) = self.core.read(read).await?;
        let now = self.core.clock.read()?;
        sessions.retain(|session| session.dead(now).is_none());
        Ok(SessionPage { sessions, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SignIn;
    use crate::testing::TestKit;

    #[tokio::test]
    async fn a_page_has_a_thousand_sessions_at_the_most_whatever_is_asked() {
        let kit = TestKit::new().await;
        for n in 0..=MAX_PAGE {
            let user = UserId::new(format!("u_{n}")).unwrap();
            kit.sessions.sign_in(None, SignIn::password(user)).await.unwrap();
        }
        let page = kit.sessions.page(None, usize::MAX).await.unwrap();
        assert_eq!(page.sessions.len(), MAX_PAGE);
        let rest = kit.sessions.page(page.next, usize::MAX).await.unwrap();
        assert_eq!((rest.sessions.len(), rest.next), (1, None));
    }
}
