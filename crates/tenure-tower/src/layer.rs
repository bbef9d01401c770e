//! The layer that gives each request its session.

use std::any::TypeId;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, Request};
use pin_project_lite::pin_project;
use tenure::Sessions;
use tower_layer::Layer;
use tower_service::Service;

use crate::adopt::Adopt;
use crate::answer::{self, Asked};
use crate::area::Handles;
use crate::handle::Handle;
use crate::settings::Settings;

/// The header by which a page says that a request is background polling and no activity.
/// Whoever sends it can only make a session die sooner.
static PASSIVE: HeaderName = HeaderName::from_static("tenure-passive");

/// Gives each request its session: checked when a handler first touches it, saved before the
/// answer leaves, also when that is an error.
///
/// A request that does not touch its session costs no store call and sets no cookie
/// (promise P9). One that did gets `Vary: Cookie`, and `Cache-Control: no-store` unless the
/// handler said otherwise and no cookie is set. A store that fails gives 503 and leaves the
/// cookie alone (promise P5).
///
/// # Example: around an axum application
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure_tower::{Memory, SessionLayer, Sessions};
///
/// let sessions = Sessions::open(Memory).await?;
/// let app: axum::Router = axum::Router::new().layer(SessionLayer::new(&sessions).sign_in_at("/sign-in"));
/// # Ok(()) }
/// ```
///
/// # Example: behind a proxy of one's own
/// ```
/// use std::net::IpAddr;
/// use tenure_tower::{SessionLayer, Sessions};
///
/// fn layer(sessions: &Sessions) -> SessionLayer {
///     SessionLayer::new(sessions)
///         .sign_in_at("/sign-in")
///         .home_at("/account") // where those go who are signed in and ask for `/sign-in`
///         .passive_when(|request| request.uri.path() == "/notifications/poll")
///         .client_ip(|request| {
///             // The proxy appends the address that it sees; what is before it anybody can write.
///             let forwarded = request.headers.get("x-forwarded-for")?.to_str().ok()?;
///             forwarded.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
///         })
/// }
/// ```
///
/// # Example: around a service of tower
/// ```
/// use tenure_tower::{SessionFuture, SessionLayer, SessionService, Sessions};
/// use tower::{Layer, Service};
///
/// fn with_sessions<S>(sessions: &Sessions, inner: S) -> SessionService<S> {
///     SessionLayer::new(sessions).layer(inner)
/// }
/// # use axum::{http::Request, response::Response};
/// # use std::convert::Infallible;
///
/// fn answer<S>(service: &mut SessionService<S>, request: Request<()>) -> SessionFuture<S::Future>
/// where
///     S: Service<Request<()>, Response = Response, Error = Infallible>,
/// {
///     service.call(request)
/// }
/// ```
#[derive(Clone)]
pub struct SessionLayer {
    settings: Arc<Settings>,
}

impl SessionLayer {
    /// A layer over `sessions`.
    pub fn new(sessions: &Sessions) -> Self {
        let settings = Settings {
            sessions: sessions.clone(),
            sign_in_at: None,
            home_at: None,
            passive: Arc::new(|parts| parts.headers.contains_key(&PASSIVE)),
            client_ip: Arc::new(|_| None),
            adopt: None,
            area: None,
        };
        Self { settings: Arc::new(settings) }
    }

    /// Where people sign in. A page that needs a sign-in redirects there with the address it
    /// was asked for in `return_to`; everything else answers 401.
    #[must_use]
    pub fn sign_in_at(self, path: impl Into<String>) -> Self {
        self.with(|settings| settings.sign_in_at = Some(path.into()))
    }

    /// Where people go who are signed in and ask for a page that is for others only, such as
    /// the sign-in page.
    #[must_use]
    pub fn home_at(self, path: impl Into<String>) -> Self {
        self.with(|settings| settings.home_at = Some(path.into()))
    }

    /// Which requests are no activity; those with a `Tenure-Passive` header if nothing is
    /// said.
    #[must_use]
    pub fn passive_when(self, is_passive: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.passive = Arc::new(is_passive))
    }

    /// Where a request comes from: shown in the list of devices, and used to bound what one
    /// network can do. If nothing is said it is unknown: then all visitors together may begin as
    /// many guest sessions as a hundred networks.
    ///
    /// # Security
    /// Believe a forwarding header only from a proxy of your own.
    #[must_use]
    pub fn client_ip(self, of: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.client_ip = Arc::new(of))
    }

    /// Takes visitors over from another session system without signing them out: [`Adopt`] says how.
    ///
    /// # Panics
    /// When the old cookie has the name of Tenure's own: then nobody could get in, since each of the
    /// two systems would take the other's cookie for a bad one of its own.
    ///
    /// # Example: the other system's cookie had the name first
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tenure_tower::{Adopt, CookieSettings, Memory, SessionLayer, Sessions};
    ///
    /// let cookie = CookieSettings::new("__Host-session")?;
    /// let sessions = Sessions::builder(Memory).cookie(cookie).open().await?;
    /// let layer = SessionLayer::new(&sessions).adopt(Adopt::cookie("__Host-sid", async |_| Ok(None)));
    /// # drop(layer);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn adopt(self, adopt: Adopt) -> Self {
        let (ours, old) = (self.settings.sessions.cookie().name(), adopt.name());
        assert!(
            ours != old,
            "the cookie to take visitors over from and Tenure's own are both called `{old}`: open the \
             sessions with another name, by `.cookie(CookieSettings::new(\"__Host-…\")?)`"
        );
        self.with(|settings| settings.adopt = Some(adopt))
    }

    /// Gives an area of the application sessions of its own: handlers take them by
    /// [`In`](crate::In), also inside of a layer without an area. Each area needs a cookie name of
    /// its own, and sessions [in a realm](Sessions::in_realm) of its own. Where two have the same
    /// name, whatever takes a session is answered 500 and the log says why.
    #[must_use]
    pub fn area<A: 'static>(self) -> Self {
        self.with(|settings| settings.area = Some(TypeId::of::<A>()))
    }

    fn with(self, set: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = (*self.settings).clone();
        set(&mut settings);
        Self { settings: Arc::new(settings) }
    }
}

impl fmt::Debug for SessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer").field("sessions", &self.settings.sessions).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService { inner, settings: Arc::clone(&self.settings) }
    }
}

/// What [`SessionLayer`] makes of a service.
#[derive(Clone)]
pub struct SessionService<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> fmt::Debug for SessionService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService").field("sessions", &self.settings.sessions).finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<B>> for SessionService<S>
where
    S: Service<Request<B>, Error = Infallible>,
    S::Response: IntoResponse,
{
    type Response = Response;
    type Error = Infallible;
    type Future = SessionFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let has_outer = parts.extensions.get::<Handles>().is_some();
        let handle = Arc::new(Handle::new(Arc::clone(&self.settings), &parts, has_outer));
        let asked = Asked::of(&parts);
        parts.extensions.get_or_insert_default::<Handles>().add(self.settings.area, Arc::clone(&handle));
        let inner = self.inner.call(Request::from_parts(parts, body));
        SessionFuture { inner, handle, asked, finishing: None }
    }
}

pin_project! {
    /// The answer of a [`SessionService`]; [`SessionLayer`] shows both.
    pub struct SessionFuture<F> {
        #[pin]
        inner: F,
        handle: Arc<Handle>,
        asked: Asked,
        // Set once the handler has answered and there is something to write.
        finishing: Option<Pin<Box<dyn Future<Output = Response> + Send>>>,
    }
}

impl<F> fmt::Debug for SessionFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFuture").finish_non_exhaustive()
    }
}

impl<F, R> Future for SessionFuture<F>
where
    F: Future<Output = Result<R, Infallible>>,
    R: IntoResponse,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(finishing) = this.finishing {
            return finishing.as_mut().poll(cx).map(Ok);
        }
        let Ok(answer) = ready!(this.inner.poll(cx));
        let answer = answer.into_response();
        if let Some(finished) = this.handle.finished_already() {
            return Poll::Ready(Ok(answer::complete(this.handle, this.asked, finished, answer)));
        }
        let (handle, asked) = (Arc::clone(this.handle), this.asked.clone());
        let finishing = async move {
            let finished = handle.finish().await;
            answer::complete(&handle, &asked, finished, answer)
        };
        this.finishing.insert(Box::pin(finishing)).as_mut().poll(cx).map(Ok)
    }
}
