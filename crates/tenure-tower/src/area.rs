//! Several sessions in one request: one for each area of the application.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use crate::error::Error;
use crate::handle::Handle;

/// The sessions of a request, in its extensions.
#[derive(Clone, Default)]
pub(crate) struct Handles {
    plain: Option<Arc<Handle>>,
    of_areas: Vec<(TypeId, Arc<Handle>)>,
    /// Two areas have one cookie name: each would take the other's cookie for a bad one of its own.
    share_a_cookie: bool,
}

impl Handles {
    /// Adds what a layer gives; a layer further inside hides one of the same area.
    pub(crate) fn add(&mut self, area: Option<TypeId>, handle: Arc<Handle>) {
        let plain = self.plain.iter().filter(|_| area.is_some());
        let of_areas = self.of_areas.iter().filter(|(other, _)| Some(*other) != area);
        let mut others = plain.chain(of_areas.map(|(_, handle)| handle));
        self.share_a_cookie |= others.any(|other| other.cookie_name() == handle.cookie_name());
        match area {
            None => self.plain = Some(handle),
            Some(area) => {
                self.of_areas.retain(|(other, _)| *other != area);
                self.of_areas.push((area, handle));
            }
        }
    }

    /// The session of an area; without one, that of the layer without one.
    pub(crate) fn find(parts: &Parts, area: Option<TypeId>) -> Result<Arc<Handle>, Error> {
        let handles = parts.extensions.get::<Self>().ok_or(Error::NoLayer)?;
        if handles.share_a_cookie {
            return Err(Error::SharedCookie);
        }
        let found = match area {
            None => handles.plain.as_ref(),
            Some(area) => handles.of_areas.iter().find(|(other, _)| *other == area).map(|(_, handle)| handle),
        };
        found.cloned().ok_or(Error::NoLayer)
    }
}

/// An extractor in an area of the application that has a session cookie of its own: the
/// administration beside the site. `T` is [`Session`](crate::Session), [`SignedIn`](crate::SignedIn),
/// [`Guest`](crate::Guest), or an extractor of the application's that takes one of them and rejects
/// with [`Error`]; without `In`, they are those of the layer without an area. `T` looks at a copy of
/// the request: what it puts into the extensions is not there for others.
///
/// The areas are sessions in realms of their own: nothing that opens one opens another. An answer
/// can set the cookies of several.
///
/// # Example: a site and its administration
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use tenure_tower::{CookieSettings, Guard, In, Memory, Preset, Realm, SessionLayer, Sessions, SignedIn};
///
/// /// The area of those who run the site.
/// struct Admin;
///
/// async fn account(me: SignedIn) -> String {
///     format!("Hello {}", me.user())
/// }
///
/// async fn dashboard(me: In<Admin, SignedIn>) -> String {
///     format!("{} runs the place", me.user())
/// }
///
/// # async fn example() -> Result<Router, Box<dyn std::error::Error>> {
/// let site = Sessions::open(Memory).await?;
/// let cookie = CookieSettings::new("__Host-admin")?.strict();
/// let admin = site.in_realm(Realm::new("admin")?, cookie, Preset::AsvsL3.policy())?;
///
/// let inside = Router::new()
///     .route("/admin", get(dashboard))
///     .route_layer(Guard::signed_in().area::<Admin>());
/// let app = Router::new()
///     .route("/account", get(account))
///     .merge(inside)
///     .layer(SessionLayer::new(&site).sign_in_at("/sign-in"))
///     .layer(SessionLayer::new(&admin).area::<Admin>().sign_in_at("/admin/sign-in"));
/// # Ok(app) }
/// ```
pub struct In<A, T> {
    inner: T,
    area: PhantomData<fn() -> A>,
}

impl<A, T> In<A, T> {
    /// What was extracted.
    ///
    /// # Example: the user's id, for longer than the request
    /// ```
    /// use tenure_tower::{Error, In, SignedIn, UserId};
    /// # struct Admin;
    ///
    /// async fn start(me: In<Admin, SignedIn>) -> Result<(), Error> {
    ///     let me: SignedIn = me.into_inner();
    ///     tokio::spawn(export_for(me.user().clone()));
    ///     Ok(())
    /// }
    /// # async fn export_for(_: UserId) {}
    /// ```
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<A, T> Deref for In<A, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<A, T: Clone> Clone for In<A, T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), area: PhantomData }
    }
}

impl<A, T: fmt::Debug> fmt::Debug for In<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("In").field(&self.inner).finish()
    }
}

impl<S, A, T> FromRequestParts<S> for In<A, T>
where
    S: Send + Sync,
    A: 'static,
    T: FromRequestParts<S, Rejection = Error>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let handle = Handles::find(parts, Some(TypeId::of::<A>()))?;
        // `T` finds the session of the area in a copy. So nothing of that is left for other
        // extractors, also when the extraction is given up half-way.
        let mut inside = parts.clone();
        inside.extensions.get_or_insert_default::<Handles>().plain = Some(handle);
        let inner = T::from_request_parts(&mut inside, state).await?;
        Ok(Self { inner, area: PhantomData })
    }
}
