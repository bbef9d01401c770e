//! Extractors that let only some visitors through.

use std::sync::Arc;

use axum_core::extract::FromRequestParts;
use http::request::Parts;
use tenure::{Active, Require, SessionId, SignIn, Snapshot, UserId};

use crate::error::Error;
use crate::session::Session;

/// What a user must have who only has to be signed in.
static NOTHING_MORE: Require = Require::signed_in();

/// A signed-in user. Others are sent to the sign-in page, or answered 401.
///
/// Only a check makes one: a handler that takes it has checked.
///
/// # Example: the page "your devices", and a second factor
/// ```
/// use std::time::Duration;
/// use axum::extract::{Form, Path};
/// use axum::response::{Html, Redirect};
/// use tenure_tower::{Error, Level, Method, Require, SessionId, SignIn, SignedIn};
///
/// async fn devices(me: SignedIn) -> Result<Html<String>, Error> {
///     let mut page = String::new();
///     for session in me.sessions().await? {
///         let here = if session.id() == me.snapshot().id() { " (this one)" } else { "" };
///         page += &format!("<li>{}{here}, seen {}", session.device().label, session.last_seen_at());
///     }
///     Ok(Html(page))
/// }
///
/// /// Answered with the sign-in page when the last authentication is too long ago.
/// async fn end(me: SignedIn, Path(id): Path<SessionId>) -> Result<Redirect, Error> {
///     me.end(id).await?;
///     Ok(Redirect::to("/devices"))
/// }
///
/// async fn end_others(me: SignedIn) -> Result<String, Error> {
///     Ok(format!("{} sessions ended", me.end_others().await?))
/// }
///
/// #[derive(serde::Deserialize)]
/// struct Code { code: String }
///
/// async fn second_factor(me: SignedIn, Form(form): Form<Code>) -> Result<Redirect, Error> {
///     if code_is_right(&form.code) {
///         let code = Method::new("totp").map_err(tenure_tower::tenure::Error::from)?;
///         me.step_up(SignIn::with(me.user().clone(), [code])).await?; // the answer sets a new cookie
///     }
///     Ok(Redirect::to("/transfer"))
/// }
///
/// async fn transfer(me: SignedIn) -> Result<&'static str, Error> {
///     me.require(&Require::signed_in().level(Level::Two).max_auth_age(Duration::from_secs(900))).await?;
///     Ok("done")
/// }
/// # fn code_is_right(code: &str) -> bool { code == "123456" }
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
/// #     .route("/devices", routing::get(devices)).route("/devices/{id}/end", routing::get(end))
/// #     .route("/others", routing::get(end_others)).route("/transfer", routing::get(transfer))
/// #     .route("/code", routing::post(second_factor))
/// #     .layer(tenure_tower::SessionLayer::new(&kit.sessions));
/// # let (cookie, other) = (kit.sign_in_as("u_1").await, kit.sign_in_as("u_1").await);
/// # assert_eq!(get(&app, "/devices", &cookie).await.status(), StatusCode::OK);
/// # assert_eq!(get(&app, "/transfer", &cookie).await.status(), StatusCode::FORBIDDEN);
/// # assert_eq!(get(&app, "/others", &cookie).await.status(), StatusCode::OK);
/// # assert_eq!(get(&app, "/devices", &other).await.status(), StatusCode::UNAUTHORIZED);
/// # let mut code = Request::post("/code").header(header::COOKIE, &cookie);
/// # code = code.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
/// # let answer = app.clone().oneshot(code.body(Body::from("code=123456"))?).await?;
/// # let cookie = answer.headers()[header::SET_COOKIE].to_str()?.split(';').next().unwrap().to_owned();
/// # assert_eq!(get(&app, "/transfer", &cookie).await.status(), StatusCode::OK);
/// # let id = kit.sessions.list(&"u_1".parse()?).await?[0].id();
/// # assert_eq!(get(&app, &format!("/devices/{id}/end"), &cookie).await.status(), StatusCode::SEE_OTHER);
/// # assert_eq!(get(&app, "/devices", &cookie).await.status(), StatusCode::UNAUTHORIZED);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SignedIn {
    active: Active,
    user: UserId,
    session: Session,
}

impl SignedIn {
    pub(crate) async fn of(session: Session, require: &Require) -> Result<Self, Error> {
        let (active, user) = {
            let look = session.handle().look().await?;
            let active = look.signed_in()?.clone();
            let user = active.session().user().cloned();
            (active, user.ok_or(Error::NotSignedIn(tenure::Reason::NotAccepted))?)
        };
        session.handle().settings.sessions.require(&active, require)?;
        Ok(Self { active, user, session })
    }

    /// Who it is.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// The session as the request found it.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        self.active.session()
    }

    /// The session, to read and change its data.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Goes on only if the user has more than being signed in: roles, a level, a recent
    /// authentication.
    ///
    /// # Errors
    /// 403 for a missing role; the sign-in page for what signing in again can mend.
    pub async fn require(&self, require: &Require) -> Result<(), Error> {
        let active = self.current().await?;
        Ok(self.session.handle().settings.sessions.require(&active, require)?)
    }

    /// The user's live sessions, newest first, this one among them.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn sessions(&self) -> Result<Vec<Arc<Snapshot>>, Error> {
        Ok(self.session.handle().settings.sessions.list(&self.user).await?)
    }

    /// Ends one of the user's sessions. Whether it was still alive.
    ///
    /// # Errors
    /// [`tenure::Error::StepUp`] when the last authentication is too long ago;
    /// [`tenure::Refusal::Missing`] for a session of somebody else.
    pub async fn end(&self, id: SessionId) -> Result<bool, Error> {
        let active = self.current().await?;
        let ended = self.session.handle().settings.sessions.end_own(&active, id).await?;
        if id == self.snapshot().id() {
            self.session.handle().look().await?.forget(tenure::EndReason::Logout.into()).await;
        }
        Ok(ended)
    }

    /// Ends the user's other sessions. Gives how many that were.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub async fn end_others(&self) -> Result<u64, Error> {
        let active = self.current().await?;
        Ok(self.session.handle().settings.sessions.end_others(&active).await?)
    }

    /// Ends all of the user's sessions, this one included. Gives how many that were.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub async fn sign_out_everywhere(&self) -> Result<u64, Error> {
        let active = self.current().await?;
        let ended = self.session.handle().settings.sessions.sign_out_everywhere(&active).await?;
        self.session.handle().look().await?.forget(tenure::EndReason::Logout.into()).await;
        Ok(ended)
    }

    /// The session as this request has it now, after a step-up under its new token.
    async fn current(&self) -> Result<Active, Error> {
        Ok(self.session.handle().look().await?.signed_in()?.clone())
    }

    /// Adds a proof that the application has just checked: the level rises, the token is new.
    ///
    /// # Errors
    /// The refusals of [`tenure::Sessions::step_up`].
    ///
    /// # Security
    /// Tenure does not check the proof: call this after you have.
    pub async fn step_up(&self, proof: SignIn) -> Result<(), Error> {
        let mut look = self.session.handle().look().await?;
        let active = look.signed_in()?.clone();
        let issued = self.session.handle().settings.sessions.step_up(&active, proof).await?;
        look.adopt(issued).await
    }
}

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        // On the heap by itself: with it inside, the future that axum makes of a handler is too
        // large for what allocators keep at hand.
        Box::pin(Self::of(Session::of(parts)?, &NOTHING_MORE)).await
    }
}

/// A visitor who is not signed in, with their guest session if they have one: for sign-in and
/// registration pages. Signed-in users are sent home, or answered 403.
///
/// Who owes a second factor is not signed in either: a pending session gets in too, for the page that
/// asks for that factor. [The crate's first page](crate#what-a-handler-takes) has a table of who gets what.
///
/// A sign-in page at which people also confirm that it is still them takes [`Session`] instead:
/// those are signed in.
///
/// # Example: a sign-in page that greets a cart
/// ```
/// use axum::response::Html;
/// use tenure_tower::{Error, Guest, Key};
///
/// const CART: Key<Vec<String>> = Key::new("cart");
///
/// async fn sign_in_page(visitor: Guest) -> Result<Html<String>, Error> {
///     let things = visitor.session().get(CART).await?.unwrap_or_default().len();
///     Ok(Html(format!("<p>Sign in, and keep your {things} things.<form method=post>…</form>")))
/// }
/// # let app: axum::Router = axum::Router::new().route("/sign-in", axum::routing::get(sign_in_page));
/// ```
#[derive(Clone, Debug)]
pub struct Guest(Session);

impl Guest {
    /// The session.
    pub fn session(&self) -> &Session {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Guest {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let session = Session::of(parts)?;
        if session.user().await?.is_some() {
            return Err(Error::AlreadySignedIn);
        }
        Ok(Self(session))
    }
}
