//! Visitors who come with a session of another system.

use std::error::Error as StdError;
use std::fmt::{self, Write};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use tenure::store::StoreError;
use tenure::{Adoption, CookieSettings, Found};

use crate::error::Error;

/// How long a cookie's value is at the most, in bytes: what browsers keep.
const MAX_VALUE: usize = 4096;

/// How long the application may take to look up a session elsewhere.
const PATIENCE: Duration = Duration::from_secs(5);

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Box<dyn StdError + Send + Sync>>> + Send>>;
type Whose = dyn Fn(Foreign) -> Answer<Option<Adoption>> + Send + Sync;
type Forget = dyn Fn(String) -> Answer<()> + Send + Sync;

/// Takes visitors over from another session system without signing them out, for
/// [`SessionLayer::adopt`](crate::SessionLayer::adopt): on the first request without a session of
/// Tenure's the application is asked whose the old cookie is. The handler already sees the session;
/// the answer sets the new cookie and deletes the old one.
///
/// - **Requests that come at once, and lost answers**, meet one session.
/// - **What is over stays over.** After a sign-out, a revocation or a limit the old cookie begins
///   nothing again; nor does it for a user who was signed out everywhere since. Limits count from
///   the sign-in in the old system.
/// - **An old cookie that somebody stole** is good until the new one is in use, and the grace time
///   more. After that it ends the session, whichever of the two comes with it.
/// - **When the old system does not answer**, or takes longer than five seconds, a request that
///   looks at its session is answered 503, and both cookies stay.
/// - A cookie of more than 4,096 bytes, or one that comes twice, is not believed.
///
/// # Example: sessions in a table of the application's
/// ```
/// use tenure_tower::tenure::clock::Timestamp;
/// use tenure_tower::{Adopt, Adoption, Changes, SessionLayer, Sessions, SignIn, UserId};
/// # use std::io::Error as DbError;
/// # #[derive(Clone)] struct Db;
/// # struct Row { id: i64, user: String, signed_in_at_ms: u64, cart: Vec<String> }
/// # impl Db {
/// #     async fn session(&self, _: &str) -> Result<Option<Row>, DbError> { Ok(None) }
/// #     async fn delete_session(&self, _: &str) -> Result<(), DbError> { Ok(()) }
/// # }
///
/// fn layer(sessions: &Sessions, db: Db) -> SessionLayer {
///     let old = db.clone();
///     let adopt = Adopt::cookie("sessionid", move |foreign| {
///         let db = db.clone();
///         async move {
///             let Some(row) = db.session(foreign.value()).await? else { return Ok(None) };
///             let data = Changes::default().set("cart", row.cart.into());
///             let sign_in = SignIn::password(UserId::new(row.user)?).data(data);
///             let since = Timestamp::from_millis(row.signed_in_at_ms);
///             Ok(Some(Adoption::of_user(row.id.to_string(), since, sign_in)))
///         }
///     });
///     SessionLayer::new(sessions).adopt(adopt.forget(move |id| {
///         let db = old.clone();
///         async move { Ok(db.delete_session(&id).await?) }
///     }))
/// }
/// ```
#[derive(Clone)]
pub struct Adopt {
    name: String,
    path: String,
    domain: Option<String>,
    whose: Arc<Whose>,
    forget: Option<Arc<Forget>>,
}

impl fmt::Debug for Adopt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adopt").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A cookie of the other system, with the request that brought it, as [`Adopt::cookie`] passes it on.
///
/// # Example: the sessions of a service that is asked for them
/// ```
/// use tenure_tower::tenure::clock::Timestamp;
/// use tenure_tower::{Adopt, Adoption, Foreign, SignIn, UserId};
/// # struct Account { session: String, user: String }
/// # async fn ask(_: &str, _: &str) -> Result<Option<Account>, std::io::Error> { Ok(None) }
///
/// let adopt = Adopt::cookie("sso", async |foreign: Foreign| {
///     let host = foreign.parts().headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
///     let Some(account) = ask(host, foreign.value()).await? else { return Ok(None) };
///     let sign_in = SignIn::password(UserId::new(account.user)?);
///     // It does not say since when: the moment of switching over.
///     Ok(Some(Adoption::of_user(account.session, Timestamp::from_millis(1_767_225_600_000), sign_in)))
/// });
/// ```
#[derive(Clone)]
pub struct Foreign {
    value: String,
    parts: Parts,
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foreign(…)")
    }
}

impl Foreign {
    /// The cookie's value as it was sent: encoded and signed as the other system does it.
    ///
    /// # Security
    /// Nothing about it is believed yet.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The request.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }
}

impl Adopt {
    /// Takes over from the cookie `name`. `whose` says whose session it is: a user's, a visitor's,
    /// or nobody's. An error means that nobody can say now.
    ///
    /// The cookie is deleted once a session here has taken its place, when what it leads to is over,
    /// and when its visitor signs out. Otherwise it is left alone: when it is nobody's, when its user
    /// is not let in for now, and on every request with a session of Tenure's.
    ///
    /// The name is another than that of Tenure's own cookie: the layer refuses the same one.
    pub fn cookie<F, Fut>(name: impl Into<String>, whose: F) -> Self
    where
        F: Fn(Foreign) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Adoption>, Box<dyn StdError + Send + Sync>>> + Send + 'static,
    {
        Self {
            name: name.into(),
            path: "/".into(),
            domain: None,
            whose: Arc::new(move |foreign| Box::pin(whose(foreign))),
            forget: None,
        }
    }

    /// The path of the old cookie, if it is not `/`: a browser deletes a cookie of the same path
    /// only.
    ///
    /// # Example: a cookie that all hosts of a site share
    /// ```
    /// use tenure_tower::Adopt;
    ///
    /// // Whoever deletes it has to say both as the other system said them.
    /// let adopt = Adopt::cookie("sso", async |_| Ok(None)).path("/app").domain("example.org");
    /// ```
    #[must_use]
    pub fn path(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// The domain of the old cookie, if it was set with one.
    #[must_use]
    pub fn domain(self, domain: impl Into<String>) -> Self {
        Self { domain: Some(domain.into()), ..self }
    }

    /// Ends a session in the old system too, by what it is called there, when its visitor signs out
    /// here: for as long as that system still serves requests. It has to be fine to call it twice.
    /// If it fails, that is logged; the visitor is signed out all the same, and the old cookie
    /// begins no session here again.
    #[must_use]
    pub fn forget<F, Fut>(self, forget: F) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Box<dyn StdError + Send + Sync>>> + Send + 'static,
    {
        Self { forget: Some(Arc::new(move |id| Box::pin(forget(id)))), ..self }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What a request brought; also whether there is a cookie to delete.
    pub(crate) fn find(&self, parts: &Parts) -> (Option<Foreign>, bool) {
        let headers = parts.headers.get_all(http::header::COOKIE).iter().map(HeaderValue::as_bytes);
        match Found::of(&self.name, headers) {
            Found::Missing => (None, false),
            Found::Several => {
                tracing::warn!(cookie = self.name, "a cookie from elsewhere came twice; neither is believed");
                (None, true)
            }
            Found::One(value) => {
                let value = std::str::from_utf8(value).ok().filter(|value| value.len() <= MAX_VALUE);
                (value.map(|value| Foreign { value: value.to_owned(), parts: parts.clone() }), true)
            }
        }
    }

    pub(crate) async fn whose(&self, foreign: Foreign) -> Result<Option<Adoption>, Error> {
        let unavailable = |what: String| {
            Error::from(tenure::Error::Store(StoreError::Unavailable(format!("sessions elsewhere: {what}"))))
        };
        match tokio::time::timeout(PATIENCE, (self.whose)(foreign)).await {
            Ok(answer) => answer.map_err(|error| unavailable(error.to_string())),
            Err(_) => Err(unavailable(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    /// Whether something is to be done elsewhere when a session ends here.
    pub(crate) fn forgets(&self) -> bool {
        self.forget.is_some()
    }

    pub(crate) async fn forgotten(&self, old_id: String) {
        let Some(forget) = &self.forget else {
            return;
        };
        let problem = match tokio::time::timeout(PATIENCE, forget(old_id)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        tracing::error!(
            cookie = self.name,
            problem,
            "a session that ended here could not be ended elsewhere"
        );
    }

    /// The header that deletes the old cookie.
    pub(crate) fn clear(&self, headers: &mut HeaderMap, ours: &CookieSettings) {
        let mut text = format!("{}=; Path={}; Max-Age=0", self.name, self.path);
        if let Some(domain) = &self.domain {
            write!(text, "; Domain={domain}").expect("writing to a string does not fail");
        }
        if ours.is_secure() {
            text.push_str("; Secure");
        }
        match HeaderValue::try_from(text) {
            Ok(value) => drop(headers.append(http::header::SET_COOKIE, value)),
            Err(_) => tracing::error!(cookie = self.name, "the name, path or domain fits no cookie"),
        }
    }
}
