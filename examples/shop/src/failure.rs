//! Pages for what went wrong, and the headers that every answer has.

use axum::extract::Request;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use tenure_tower::{Failure, Remedy};
use tower_http::csrf::ProtectionError;

use crate::pages::{ErrorPage, Shell, Theme, Unavailable, Visitor};
use crate::view::page;

/// Turns failures of the session into pages. It stands outside the session layer, so that it
/// also sees what could not be saved; so it claims nothing about the session.
pub(crate) async fn pages(uri: Uri, request: Request, next: Next) -> Response {
    let path = if request.method() == Method::GET {
        uri.path().to_owned()
    } else {
        form_page(uri.path())
    };
    let answer = next.run(request).await;
    let Some(failure) = answer.extensions().get::<Failure>().cloned() else {
        return answer;
    };
    if answer.status().is_redirection() {
        return answer;
    }
    let shell = shell(path);
    let made = match failure.remedy {
        Remedy::TryAgain => page(answer.status(), &Unavailable { shell }),
        _ => page(
            answer.status(),
            &ErrorPage {
                shell,
                status: answer.status().as_u16(),
                code: failure.code.to_owned(),
                title: "That did not work".to_owned(),
                sentence: "Nothing was changed. Go back, look at what is there now, and try again."
                    .to_owned(),
            },
        ),
    };
    with_headers_of(answer, made)
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
            shell: shell("/".to_owned()),
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
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in HEADERS {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// The page on which the form of a failed request was.
fn form_page(path: &str) -> String {
    let page = path.rsplit_once('/').map_or("/", |(page, _)| page);
    if page.is_empty() {
        "/".to_owned()
    } else {
        page.to_owned()
    }
}

fn shell(path: String) -> Shell {
    Shell {
        theme: Theme::default(),
        visitor: Visitor::Unknown,
        cart_count: 0,
        path,
        notice: None,
        happened: "The session could not be asked. Your cookie was left as it is.".to_owned(),
        session: None,
    }
}

/// `page` with the headers that the failure carried, its text aside.
fn with_headers_of(failure: Response, mut page: Response) -> Response {
    for name in [
        header::RETRY_AFTER,
        header::SET_COOKIE,
        header::CACHE_CONTROL,
        header::VARY,
    ] {
        for value in failure.headers().get_all(&name) {
            page.headers_mut().append(name.clone(), value.clone());
        }
    }
    debug_assert_ne!(page.status(), StatusCode::OK);
    page
}
