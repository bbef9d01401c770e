//! The store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tenure::{
    Actor, EndReason, Ending, NewGuest, Reason, Refusal, SessionId, Sessions, SignIn, Snapshot, UserId,
};
use time::OffsetDateTime;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{self, Error, ExpiredDeletion, SessionStore};

use crate::data::{self, Data};
use crate::handle::Handles;

type SignedInBy = dyn Fn(&Data) -> Option<SignIn> + Send + Sync;

/// A store for tower-sessions over Tenure. Clones share everything.
///
/// What holds and what does not is said at the [crate](crate).
///
/// # Security
/// Do not put a `CachingSessionStore` in front of it: that would keep an ended session alive for
/// as long as its cache does. Tenure has a cache of its own, which knows of ends.
#[derive(Clone)]
pub struct TenureStore {
    sessions: Sessions,
    handles: Handles,
    signed_in_by: Arc<SignedInBy>,
}

impl fmt::Debug for TenureStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenureStore").field("sessions", &self.sessions).finish_non_exhaustive()
    }
}

impl TenureStore {
    /// A store over `sessions`. Give it a realm of its own if Tenure's layer serves other sessions
    /// of them.
    pub fn new(sessions: &Sessions) -> Self {
        Self { sessions: sessions.clone(), handles: Handles::of(sessions), signed_in_by: Arc::new(|_| None) }
    }

    /// How a session's data says who is signed in: then the session is that user's, with the roles,
    /// methods and limits of the [`SignIn`], and counts for them. If nothing is said, all sessions
    /// are guests'.
    ///
    /// It is asked when a session begins; so sign in with `cycle_id`, as protection against planted
    /// ids demands anyway, and sign out with `flush`.
    #[must_use]
    pub fn signed_in_by(self, of: impl Fn(&Data) -> Option<SignIn> + Send + Sync + 'static) -> Self {
        Self { signed_in_by: Arc::new(of), ..self }
    }

    /// The session of an id of tower-sessions, to find it in lists and events.
    ///
    /// # Security
    /// Not that it exists: only where it would be.
    ///
    /// # Example: where a cookie's session is in the log
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tenure::{Memory, Sessions};
    /// use tenure_tower_sessions::TenureStore;
    /// use tower_sessions::session::{Id, Record};
    /// use tower_sessions::SessionStore;
    ///
    /// let sessions = Sessions::open(Memory).await?;
    /// let store = TenureStore::new(&sessions);
    /// let mut record = Record { id: Id(0), data: Default::default(), expiry_date: in_an_hour() };
    /// store.create(&mut record).await?; // what the layer does
    ///
    /// let id = store.session_id(&record.id).expect("the store made it");
    /// assert!(sessions.get(id).await?.is_some());
    /// assert_eq!(store.session_id(&Id(1)), None, "made up");
    /// # Ok(()) }
    /// # fn in_an_hour() -> time::OffsetDateTime { time::OffsetDateTime::now_utc() + time::Duration::HOUR }
    /// ```
    pub fn session_id(&self, id: &Id) -> Option<SessionId> {
        self.handles.open(id, &self.sessions)
    }

    /// The live session of `id` and what it holds.
    async fn find(&self, id: &Id) -> session_store::Result<Option<(Arc<Snapshot>, Data, OffsetDateTime)>> {
        let Some(session) = self.session_id(id) else {
            return Ok(None);
        };
        let Some(session) = self.sessions.seen(session).await.map_err(backend)? else {
            return Ok(None);
        };
        let Some((data, expiry)) = data::read(&session)? else {
            return Ok(None);
        };
        if i128::from(self.sessions.now().as_millis()) * 1_000_000 >= expiry.unix_timestamp_nanos() {
            let ending = Ending::new(EndReason::IdleTimeout, Actor::application());
            self.sessions.end(session.id(), ending).await.map_err(backend)?;
            return Ok(None);
        }
        Ok(Some((session, data, expiry)))
    }

    fn user(&self, data: &Data) -> Option<UserId> {
        (self.signed_in_by)(data).map(|sign_in| sign_in.user().clone())
    }
}

#[async_trait]
impl SessionStore for TenureStore {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let all = data::all(&record.data, record.expiry_date)?;
        let issued = match (self.signed_in_by)(&record.data) {
            Some(sign_in) => self.sessions.sign_in(None, sign_in.data(all)).await,
            None => self.sessions.create_guest(NewGuest::with(all)).await,
        };
        record.id = self.handles.close(issued.map_err(backend)?.session.id());
        // The request may go on and save again.
        data::note(&mut record.data);
        Ok(())
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let over = || backend(tenure::Error::Inactive(Reason::Unknown));
        let (session, ..) = self.find(&record.id).await?.ok_or_else(over)?;
        if self.user(&record.data).as_ref() != session.user() {
            return Err(Error::Backend(
                "who is signed in changed under the same session id, which may have been planted; \
                 call `cycle_id` when somebody signs in, and `flush` when they sign out"
                    .into(),
            ));
        }
        let changes = data::changed(&record.data, record.expiry_date, &session)?;
        self.sessions.change_of(session.id(), Actor::application(), changes).await.map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let found = self.find(id).await?;
        Ok(found.map(|(_, data, expiry_date)| Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        let Some(session) = self.session_id(id) else {
            return Ok(());
        };
        let ending = Ending::new(EndReason::Logout, Actor::application());
        match self.sessions.end(session, ending).await {
            Ok(_) | Err(tenure::Error::Refused(Refusal::Missing)) => Ok(()),
            Err(error) => Err(backend(error)),
        }
    }
}

#[async_trait]
impl ExpiredDeletion for TenureStore {
    /// Does the housekeeping that Tenure also does by itself.
    async fn delete_expired(&self) -> session_store::Result<()> {
        self.sessions.maintain().await.map(drop).map_err(backend)
    }
}

fn backend(error: tenure::Error) -> Error {
    Error::Backend(format!("{error} ({})", error.code()))
}
