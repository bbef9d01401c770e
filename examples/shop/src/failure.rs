//! Pages for what went wrong, and the headers that every answer has.

use axum::extract::Request;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use tenure_tower::Failure;
use tower_http::csrf::ProtectionError;

use crate::pages::{ErrorPage, Shell, Theme, Unavailable, Visitor};
use crate::view::page;

/// What a page tells of a session that the failure has nothing to do with.
const UNTOUCHED: &str = "This page was made without a look at your session, which is as it was.";

/// Turns whatever went wrong into a page. It stands outside the session layer, so that it
/// also sees what could not be saved; so it claims nothing about the session.
pub(crate) async fn pages(uri: Uri, request: Request, next: Next) -> Response {
    let path = if request.method() == Method::GET { uri.path().to_owned() } else { form_page(uri.path()) };
    let answer = next.run(request).await;
    let status = answer.status();
    let went_wrong = status.is_client_error() || status.is_server_error();
    if !went_wrong || is_page(&answer) {
        return answer;
    }
    let failure = answer.extensions().get::<Failure>();
    let made = if status == StatusCode::SERVICE_UNAVAILABLE {
        let happened = "The session could not be asked. Your cookie was left as it is.";
        page(status, &Unavailable { shell: shell(path, happened) })
    } else {
        let (code, title, sentence) = words(status, failure.map(|failure| failure.code));
        page(
            status,
            &ErrorPage {
                shell: shell(path, UNTOUCHED),
                status: status.as_u16(),
                code: code.to_owned(),
                title: title.to_owned(),
                sentence: sentence.to_owned(),
            },
        )
    };
    with_headers_of(&answer, made)
}

/// The code, the heading and the sentence of what went wrong; nothing of what is inside.
fn words(status: StatusCode, of_session: Option<&'static str>) -> (&'static str, &'static str, &'static str) {
    match (status, of_session) {
        (StatusCode::UNAUTHORIZED, code) => {
            (code.unwrap_or("not_signed_in"), "Sign in first", "This is for people who are signed in.")
        }
        (StatusCode::TOO_MANY_REQUESTS, code) => (
            code.unwrap_or("throttled"),
            "One thing at a time",
            "Your network asks for more than the shop can give at once. Wait a moment, then try again.",
        ),
        (status, code) if status.is_server_error() => (
            code.unwrap_or("internal_error"),
            "Something broke",
            "It is the shop's fault and not yours. It has been written down, and nobody was signed out.",
        ),
        (_, Some(code)) => (
            code,
            "That did not work",
            "Nothing was changed. Go back, look at what is there now, and try again.",
        ),
        (StatusCode::METHOD_NOT_ALLOWED, None) => (
            "method_not_allowed",
            "Not this way",
            "What changes something here is done by a button, never by a link. Nothing was changed.",
        ),
        (StatusCode::PAYLOAD_TOO_LARGE, None) => (
            "too_large",
            "That was too much at once",
            "No form of this shop is that long, so it was not read and nothing was changed.",
        ),
        _ => (
            "bad_request",
            "That did not read as a form of ours",
            "Something in it is missing or not what it should be. Nothing was changed.",
        ),
    }
}

fn is_page(answer: &Response) -> bool {
    let kind = answer.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// Turns the refusal of a form that another site sent into a page.
pub(crate) async fn forged(request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    if answer.extensions().get::<ProtectionError>().is_none() {
        return answer;
    }
    page(
        answer.status(),
        &ErrorPage {
            shell: shell("/".to_owned(), UNTOUCHED),
            status: answer.status().as_u16(),
            code: "csrf_failed".to_owned(),
            title: "This form came from elsewhere".to_owned(),
            sentence: "Another site tried to send it in your name, so nothing was done. \
            If it was you, use the form in the shop."
                .to_owned(),
        },
    )
}

/// Every answer says what a browser may do with it.
pub(crate) async fn secured(mut answer: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 5] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in HEADERS {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// The page on which the form of a failed request was.
fn form_page(path: &str) -> String {
    let page = path.rsplit_once('/').map_or("/", |(page, _)| page);
    if page.is_empty() { "/".to_owned() } else { page.to_owned() }
}

fn shell(path: String, happened: &str) -> Shell {
    Shell {
        theme: Theme::default(),
        visitor: Visitor::Unknown,
        cart_count: 0,
        path,
        notice: None,
        happened: happened.to_owned(),
        session: None,
    }
}

/// `page` with the headers that the failure carried, its text aside.
fn with_headers_of(failure: &Response, mut page: Response) -> Response {
    for name in [header::ALLOW, header::RETRY_AFTER, header::SET_COOKIE, header::CACHE_CONTROL, header::VARY]
    {
        for value in failure.headers().get_all(&name) {
            page.headers_mut().append(name.clone(), value.clone());
        }
    }
    page
}
