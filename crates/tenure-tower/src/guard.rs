//! A guard around routes: what the user must have, said once.

use std::any::TypeId;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_core::response::{IntoResponse, Response};
use http::Request;
use tenure::{Level, Require, Role};
use tower_layer::Layer;
use tower_service::Service;

use crate::extract::SignedIn;
use crate::session::Session;

/// Lets only signed-in users through, with what is asked for besides. Put it around routes,
/// inside the [`SessionLayer`](crate::SessionLayer).
///
/// Who is not signed in is answered 401, who has to prove again or more strongly who they are 403.
/// Both are sent to the sign-in page instead, if the layer knows one and a page was asked for. A
/// missing role is 403 in any case.
///
/// # Example: an administration
/// ```
/// use axum::{Router, routing::get};
/// use tenure_tower::{Guard, Level, Role};
///
/// # fn example() -> Result<Router, Box<dyn std::error::Error>> {
/// let admin = Router::new()
///     .route("/admin", get(|| async { "the inside" }))
///     .route_layer(Guard::signed_in().role(Role::new("admin")?).level(Level::Two));
/// # Ok(admin) }
/// ```
///
/// # Example: a service without a router, for those who signed in a moment ago
/// ```
/// use std::time::Duration;
/// use tenure_tower::{Guard, Guarded};
/// use tower::Layer;
///
/// fn guarded<S>(pay: S) -> Guarded<S> {
///     Guard::signed_in().max_auth_age(Duration::from_secs(300)).layer(pay)
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Guard {
    require: Arc<Require>,
    area: Option<TypeId>,
}

impl Guard {
    /// Anybody who is signed in.
    pub fn signed_in() -> Self {
        Self::default()
    }

    /// With this role; called again, with each of them.
    #[must_use]
    pub fn role(self, role: Role) -> Self {
        self.with(|require| require.role(role))
    }

    /// With this assurance level at least.
    #[must_use]
    pub fn level(self, level: Level) -> Self {
        self.with(|require| require.level(level))
    }

    /// With a full authentication not longer ago than this.
    #[must_use]
    pub fn max_auth_age(self, age: Duration) -> Self {
        self.with(|require| require.max_auth_age(age))
    }

    /// Asks for the session of an [area](crate::In).
    #[must_use]
    pub fn area<A: 'static>(self) -> Self {
        Self { area: Some(TypeId::of::<A>()), ..self }
    }

    fn with(self, add: impl FnOnce(Require) -> Require) -> Self {
        Self { require: Arc::new(add(Arc::unwrap_or_clone(self.require))), ..self }
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, guard: self.clone() }
    }
}

/// What a [`Guard`] makes of a service.
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    inner: S,
    guard: Guard,
}

impl<S, B> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Error = Infallible> + Clone + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let guard = self.guard.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let checked = match Session::in_area(&parts, guard.area) {
                Ok(session) => SignedIn::of(session, &guard.require).await,
                Err(error) => Err(error),
            };
            match checked {
                Ok(_) => {
                    let Ok(answer) = inner.call(Request::from_parts(parts, body)).await;
                    Ok(answer.into_response())
                }
                Err(error) => Ok(error.into_response()),
            }
        })
    }
}
