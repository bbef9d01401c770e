//! What a handler can pass on with `?`, and the answer it becomes.

use axum_core::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use tenure::{InvalidName, Reason};

/// Why a request could not be served as far as its session goes.
///
/// As an answer it is a short text with the right status. Around it, [`SessionLayer`] sends
/// people whose sign-in is missing to the sign-in page, if it knows one; programs get the
/// status. Pages of one's own can be made from the [`Failure`] that the answer carries.
///
/// [`SessionLayer`]: crate::SessionLayer
///
/// # Example: beside the application's own
/// ```
/// use axum::response::{IntoResponse, Response};
/// use tenure_tower::{Error, Key, Session};
///
/// enum AppError {
///     Session(Error),
///     OutOfStock,
/// }
///
/// impl From<Error> for AppError {
///     fn from(error: Error) -> Self {
///         Self::Session(error)
///     }
/// }
///
/// impl IntoResponse for AppError {
///     fn into_response(self) -> Response {
///         match self {
///             Self::Session(error) => error.into_response(), // as it is: the layer knows what to do
///             Self::OutOfStock => (axum::http::StatusCode::CONFLICT, "out of stock").into_response(),
///         }
///     }
/// }
///
/// async fn order(session: Session) -> Result<&'static str, AppError> {
///     const CART: Key<Vec<String>> = Key::new("cart");
///     let cart = session.get(CART).await?.unwrap_or_default();
///     if cart.is_empty() { Err(AppError::OutOfStock) } else { Ok("thank you") }
/// }
/// # let app: axum::Router = axum::Router::new().route("/order", axum::routing::post(order));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What the core says.
    #[error(transparent)]
    Session(#[from] tenure::Error),
    /// The visitor is not signed in.
    #[error("sign in first")]
    NotSignedIn(Reason),
    /// The visitor is signed in, and this is for those who are not.
    #[error("this is for visitors who are not signed in")]
    AlreadySignedIn,
    /// The route has no [`SessionLayer`](crate::SessionLayer) around it, or none of the area that the
    /// handler asks for by [`In`](crate::In).
    #[error(
        "no session layer: add `.layer(SessionLayer::new(&sessions))` around this route, \
             with `.area::<A>()` for handlers that take `In<A, _>`"
    )]
    NoLayer,
    /// Two layers around the route, of different [areas](crate::In), have one cookie name.
    #[error(
        "two areas have one cookie name: give each its own, by `CookieSettings::new` where its \
             sessions are opened"
    )]
    SharedCookie,
}

impl From<InvalidName> for Error {
    fn from(invalid: InvalidName) -> Self {
        Self::Session(invalid.into())
    }
}

/// The kind of failure, as an extension of the answer, for pages of one's own.
///
/// # Example: an error page of one's own
/// ```
/// # use axum::{Router, body::Body, extract::Request, http::{StatusCode, header}};
/// # use tower::ServiceExt;
/// # use tenure_tower::tenure::testing::TestKit;
/// # async fn get(app: &Router, path: &str, cookie: &str) -> axum::response::Response {
/// #     let request = Request::builder().uri(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap();
/// #     app.clone().oneshot(request).await.unwrap()
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::middleware::map_response;
/// use axum::response::{Html, IntoResponse, Response};
/// use tenure_tower::{Error, Failure, Guard, Remedy, Role, SessionLayer};
///
/// /// Around the session layer: puts a page in the place of its short texts.
/// async fn pages(answer: Response) -> Response {
///     let Some(failure) = answer.extensions().get::<Failure>() else { return answer };
///     let advice = match failure.remedy {
///         Remedy::SignIn => "Please <a href='/sign-in'>sign in</a>.",
///         Remedy::GoElsewhere => "This page is for others.",
///         Remedy::TryAgain => "Please try again in a minute. You are still signed in.",
///         _ => "This did not work.",
///     };
///     (answer.status(), Html(format!("<h1>{advice}</h1><!-- {} -->", failure.code))).into_response()
/// }
///
/// # let kit = TestKit::new().await;
/// let app = Router::new()
///     .route("/admin", axum::routing::get(async || "the inside"))
///     .route_layer(Guard::signed_in().role(Role::new("admin")?))
///     .layer(SessionLayer::new(&kit.sessions))
///     .layer(map_response(pages));
/// # let cookie = kit.sign_in_as("u_1").await;
/// # let answer = get(&app, "/admin", &cookie).await;
/// assert_eq!(answer.status(), StatusCode::FORBIDDEN); // for a user who is none
/// # let page = axum::body::to_bytes(answer.into_body(), 1_000).await?;
/// # assert_eq!(page, "<h1>This page is for others.</h1><!-- forbidden -->");
///
/// // A handler can ask an error, too.
/// assert_eq!(Error::NoLayer.status(), StatusCode::INTERNAL_SERVER_ERROR);
/// assert_eq!(Error::NoLayer.failure().remedy, Remedy::TryAgain);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The stable code, as in `docs/errors.md`.
    pub code: &'static str,
    /// What the visitor can do about it.
    pub remedy: Remedy,
    /// Why the session is not good enough, where that is the failure.
    pub reason: Option<Reason>,
}

/// What a visitor can do about a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Sign in, or sign in again.
    SignIn,
    /// Go on as the user who is signed in already.
    GoHome,
    /// Nothing to do here; go elsewhere.
    GoElsewhere,
    /// Try again later. The session is untouched.
    TryAgain,
    /// Ask for something else.
    ChangeRequest,
}

impl Error {
    /// The kind of failure.
    pub fn failure(&self) -> Failure {
        let (code, remedy, reason) = match self {
            Self::Session(tenure::Error::Inactive(reason)) => {
                ("not_signed_in", Remedy::SignIn, Some(*reason))
            }
            Self::Session(error @ tenure::Error::StepUp(reason)) => {
                (error.code(), Remedy::SignIn, Some(*reason))
            }
            Self::Session(error @ tenure::Error::Forbidden(reason)) => {
                (error.code(), Remedy::GoElsewhere, Some(*reason))
            }
            Self::Session(error) if error.status() >= 500 || error.status() == 429 => {
                (error.code(), Remedy::TryAgain, None)
            }
            Self::Session(error) => (error.code(), Remedy::ChangeRequest, None),
            Self::NotSignedIn(reason) => ("not_signed_in", Remedy::SignIn, Some(*reason)),
            Self::AlreadySignedIn => ("already_signed_in", Remedy::GoHome, None),
            Self::NoLayer => ("no_session_layer", Remedy::TryAgain, None),
            Self::SharedCookie => ("shared_cookie", Remedy::TryAgain, None),
        };
        Failure { code, remedy, reason }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            // For a visitor, whatever is wrong with the session means: sign in.
            Self::Session(tenure::Error::Inactive(_)) => StatusCode::UNAUTHORIZED,
            Self::Session(error) => {
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::NotSignedIn(_) => StatusCode::UNAUTHORIZED,
            Self::AlreadySignedIn => StatusCode::FORBIDDEN,
            Self::NoLayer | Self::SharedCookie => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        let text = match &self {
            // What is wrong inside is for the log, not for the visitor (ASVS 16.5.1).
            Self::Session(error) if status.is_server_error() => {
                tracing::error!(%error, code = error.code(), "a request failed for its session");
                "The service is not available right now. Your session is untouched; try again.".to_owned()
            }
            Self::NoLayer | Self::SharedCookie => {
                tracing::error!(error = %self, code = self.failure().code, "the layers of a route do not fit");
                "Something went wrong on our side.".to_owned()
            }
            error => error.to_string(),
        };
        let mut answer = (status, text).into_response();
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if let Self::Session(error) = &self
            && let Some(seconds) = error.retry_after_seconds()
        {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Cookie"));
        }
        answer.extensions_mut().insert(self.failure());
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Error> {
        let reason = Reason::from(tenure::EndReason::Logout);
        vec![
            Error::Session(tenure::Error::Inactive(reason)),
            Error::NotSignedIn(Reason::NoToken),
            Error::AlreadySignedIn,
            tenure::Error::Forbidden(Reason::MissingRole).into(),
            Error::NoLayer,
            Error::SharedCookie,
        ]
    }

    #[test]
    fn docs_errors_md_has_a_section_with_the_status_of_every_code_of_the_layer() {
        let page = include_str!("../../../docs/errors.md");
        for error in all() {
            let (code, status) = (error.failure().code, error.status().as_u16());
            assert!(page.contains(&format!("\n## {code}\n\n**{status}** ")), "{code} {status}");
        }
    }

    #[test]
    fn a_visitor_with_any_session_that_is_not_active_is_to_sign_in() {
        for reason in
            [Reason::Unknown, Reason::Malformed, Reason::Superseded, tenure::EndReason::Logout.into()]
        {
            let error = Error::from(tenure::Error::Inactive(reason));
            assert_eq!((error.status(), error.failure().remedy), (StatusCode::UNAUTHORIZED, Remedy::SignIn));
        }
    }
}
