//! The session of a request, as a handler has it.

use std::any::TypeId;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use axum_core::extract::FromRequestParts;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tenure::{Changes, Inactive, Key, Reason, SessionId, SignIn, Snapshot, UserId};

use crate::area::Handles;
use crate::error::Error;
use crate::handle::Handle;

/// The session of the request: a guest's or a user's, or none yet.
///
/// Taking it as an argument costs nothing; the session is read when something is asked of
/// it. One begins when there is something to keep.
///
/// # Example: a language, a form, a goodbye
/// ```
/// use axum::response::Redirect;
/// use tenure_tower::{Error, Key, Reason, Session};
///
/// const LANGUAGE: Key<String> = Key::new("language");
/// const DRAFT: Key<String> = Key::new("draft");
///
/// async fn greet(session: Session) -> Result<String, Error> {
///     let language = session.get(LANGUAGE).await?;
///     if let Some(user) = session.user().await? {
///         return Ok(format!("hello {user} in {language:?}"));
///     }
///     match session.inactive().await?.map(|inactive| inactive.reason) {
///         Some(Reason::Ended(reason)) => Ok(format!("you were signed out: {reason}")),
///         _ => Ok("hello".into()),
///     }
/// }
///
/// /// Begins a guest session for a visitor without one. Written before the answer leaves.
/// async fn speak(session: Session) -> Result<&'static str, Error> {
///     session.set(LANGUAGE, "fr".into()).await?;
///     session.remove(DRAFT).await?;
///     Ok("d'accord")
/// }
///
/// async fn about(session: Session) -> Result<String, Error> {
///     let Some(snapshot) = session.snapshot().await? else { return Ok("you have no session".into()) };
///     let id = session.id().await?;
///     tracing::debug!(?id, "looked at"); // an id may be logged
///     Ok(format!("yours ends at {}", snapshot.idle_expires_at()))
/// }
///
/// async fn sign_out(session: Session) -> Result<Redirect, Error> {
///     session.sign_out().await?;
///     Ok(Redirect::to("/"))
/// }
/// # use axum::{Router, body::Body, extract::Request, http::{StatusCode, header}};
/// # use tower::ServiceExt;
/// # use tenure_tower::tenure::testing::TestKit;
/// # async fn get(app: &Router, path: &str, cookie: &str) -> axum::response::Response {
/// #     let request = Request::builder().uri(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap();
/// #     app.clone().oneshot(request).await.unwrap()
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use axum::routing;
/// # let kit = TestKit::new().await;
/// # let app = Router::new()
/// #     .route("/", routing::get(greet)).route("/fr", routing::get(speak))
/// #     .route("/about", routing::get(about)).route("/out", routing::get(sign_out))
/// #     .layer(tenure_tower::SessionLayer::new(&kit.sessions));
/// # let said = async |path: &str, cookie: &str| {
/// #     let body = get(&app, path, cookie).await.into_body();
/// #     String::from_utf8(axum::body::to_bytes(body, 1_000).await.unwrap().to_vec()).unwrap()
/// # };
/// # let cookie = kit.sign_in_as("u_1").await;
/// # assert_eq!(said("/fr", &cookie).await, "d'accord");
/// # assert_eq!(said("/", &cookie).await, "hello u_1 in Some(\"fr\")");
/// # assert_eq!(said("/about", "").await, "you have no session");
/// # assert!(said("/about", &cookie).await.starts_with("yours ends at 20"));
/// # assert_eq!(get(&app, "/out", &cookie).await.status(), StatusCode::SEE_OTHER);
/// # assert_eq!(said("/", &cookie).await, "you were signed out: logout");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Session {
    handle: Arc<Handle>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(…)")
    }
}

impl Session {
    pub(crate) fn of(parts: &Parts) -> Result<Self, Error> {
        Self::in_area(parts, None)
    }

    pub(crate) fn in_area(parts: &Parts, area: Option<TypeId>) -> Result<Self, Error> {
        Ok(Self { handle: Handles::find(parts, area)? })
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    /// The session as it is now, with what this request waits to write left out; none for a
    /// visitor without one.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn snapshot(&self) -> Result<Option<Arc<Snapshot>>, Error> {
        Ok(self.handle.look().await?.session().cloned())
    }

    /// What the visitor's cookie was good for, when they have no active session.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn inactive(&self) -> Result<Option<Inactive>, Error> {
        let look = self.handle.look().await?;
        Ok(look.verdict().inactive().cloned())
    }

    /// Its public name.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn id(&self) -> Result<Option<SessionId>, Error> {
        Ok(self.snapshot().await?.map(|session| session.id()))
    }

    /// The signed-in user, if there is one.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn user(&self) -> Result<Option<UserId>, Error> {
        let look = self.handle.look().await?;
        Ok(look.signed_in().ok().and_then(|active| active.session().user().cloned()))
    }

    /// The value of a key, with what this request has set.
    ///
    /// # Errors
    /// When the store does not answer, or the value does not read as `T`.
    pub async fn get<T: DeserializeOwned>(&self, key: Key<T>) -> Result<Option<T>, Error> {
        let mut look = self.handle.look().await?;
        if look.state.changes.mentions(key.name()) {
            look.save().await?;
        }
        let Some(session) = look.session() else {
            return Ok(None);
        };
        Ok(key.read(session)?)
    }

    /// Sets a key. It is written before the answer leaves, also when that is an error; if it
    /// cannot be written the answer says so: a 503, or that of a visitor whose token was replaced.
    ///
    /// # Errors
    /// When JSON cannot hold the value, or the store does not answer.
    pub async fn set<T: Serialize>(&self, key: Key<T>, value: T) -> Result<(), Error> {
        let value = key.write(&value)?;
        let mut look = self.handle.look().await?;
        look.state.changes = std::mem::take(&mut look.state.changes).set(key.name(), value);
        Ok(())
    }

    /// Removes a key, as [`set`](Self::set) sets one.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn remove<T>(&self, key: Key<T>) -> Result<(), Error> {
        let mut look = self.handle.look().await?;
        if look.session().is_some() || !look.state.changes.is_empty() {
            look.state.changes = std::mem::take(&mut look.state.changes).remove(key.name());
        }
        Ok(())
    }

    /// Changes the value of a key under the eyes of all other requests: read, changed and
    /// written back until nobody came in between. `change` may run several times. Written at
    /// once; a guest session begins if there is none.
    ///
    /// # Errors
    /// When the store does not answer, the session ended meanwhile, or the value does not read
    /// as `T`; [`Error::NotSignedIn`] when the visitor's token was replaced by a newer one.
    pub async fn update<T, R>(&self, key: Key<T>, change: impl FnMut(&mut T) -> R) -> Result<R, Error>
    where
        T: Serialize + DeserializeOwned + Default,
    {
        let mut look = self.handle.look().await?;
        look.save().await?;
        let (active, _) = look.active_or_guest(Changes::default()).await?;
        let (result, _) = self.handle.settings.sessions.update(&active, key, change).await?;
        look.refresh().await?;
        Ok(result)
    }

    /// Signs the user in whose proof the application has just checked: a guest becomes their
    /// session and its data comes along; the same user is authenticated anew. The answer sets the
    /// new cookie.
    ///
    /// # Security
    /// Tenure does not check the proof: call this after you have.
    ///
    /// # Errors
    /// [`tenure::Error::AnotherUser`] when somebody else is signed in; the refusals of
    /// [`tenure::Sessions::sign_in`].
    pub async fn sign_in(&self, sign_in: SignIn) -> Result<(), Error> {
        self.handle.look().await?.sign_in(sign_in).await
    }

    /// Ends the session and lets the browser forget its cookie. Fine for a visitor without
    /// one, too.
    ///
    /// # Errors
    /// When the store does not answer: then it is not ended for sure, and the cookie stays.
    /// [`Error::NotSignedIn`] when the token was replaced by a sign-in or step-up: it ends
    /// nothing, and the browser may hold the newer one already.
    pub async fn sign_out(&self) -> Result<(), Error> {
        self.handle.look().await?.sign_out().await
    }

    /// Waits until this session is over: for handlers that hold a WebSocket or an event stream
    /// open. The future needs nothing of the request.
    ///
    /// # Errors
    /// When the visitor has no session.
    ///
    /// # Example: close when it is over
    /// ```
    /// # use tenure_tower::{Error, Session};
    /// async fn stream(s: Session) -> Result<(), Error> {
    ///     let ended = s.ended().await?;
    ///     tokio::spawn(async move {
    ///         let why = ended.await;
    ///         // close the socket here
    /// #       drop(why);
    ///     });
    ///     Ok(())
    /// }
    /// ```
    pub async fn ended(
        &self,
    ) -> Result<impl Future<Output = Result<Reason, tenure::Error>> + Send + use<>, Error> {
        let look = self.handle.look().await?;
        let reason = || look.verdict().reason().unwrap_or(Reason::NoToken);
        let id = look.session().map(|session| session.id()).ok_or_else(|| Error::NotSignedIn(reason()))?;
        let sessions = self.handle.settings.sessions.clone();
        Ok(async move { sessions.ended(id).await })
    }
}

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Self::of(parts)
    }
}
