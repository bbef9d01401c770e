//! What an answer says when something did not work (RFC 9457).

use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tenure::Error;
use utoipa::ToSchema;

use crate::codes::{self, Code};

/// An `application/problem+json` answer.
#[derive(Clone, Debug)]
pub struct Problem {
    code: &'static Code,
    detail: String,
    retry_after_seconds: Option<u64>,
}

/// The body of an error.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Body<'a> {
    /// Where the code is explained.
    #[serde(rename = "type")]
    #[schema(example = "/docs/errors.md#session_not_found")]
    kind: String,
    /// What went wrong, in general.
    title: &'a str,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// What went wrong here, with the limit or what to do.
    detail: &'a str,
    /// The stable code: decide by this.
    #[schema(example = "session_not_found")]
    code: &'a str,
}

impl Problem {
    /// The problem with this code.
    pub(crate) fn new(code: &'static Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after_seconds: None }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code.name
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = codes::find(error.code()).unwrap_or(&codes::INTERNAL_ERROR);
        Self { code, detail: error.to_string(), retry_after_seconds: error.retry_after_seconds() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::warn!(code = self.code.name, detail = self.detail, "a request was not served");
        }
        let body = Body {
            kind: format!("/docs/errors.md#{}", self.code.name),
            title: self.code.title,
            status: self.code.status,
            detail: &self.detail,
            code: self.code.name,
        };
        let mut answer = (status, axum::Json(body)).into_response();
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.code.name == codes::UNAUTHORIZED.name {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tenure\""));
        }
        let unavailable = status == StatusCode::SERVICE_UNAVAILABLE;
        if let Some(seconds) = self.retry_after_seconds.or(unavailable.then_some(1)) {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}

/// The answer for a path that leads nowhere.
pub(crate) async fn no_such_route() -> Problem {
    Problem::new(&codes::NO_SUCH_ROUTE, "there is nothing at this path; /openapi.json lists what there is")
}

/// Turns the router's bare 405 into a problem that keeps its `Allow` header.
pub(crate) fn method_not_allowed(answer: &Response) -> Option<Response> {
    (answer.status() == StatusCode::METHOD_NOT_ALLOWED).then_some(())?;
    let allow = answer.headers().get(ALLOW).cloned();
    let allowed = allow.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let problem =
        Problem::new(&codes::METHOD_NOT_ALLOWED, format!("this path takes {}", allowed.replace(',', ", ")));
    let mut told = problem.into_response();
    if let Some(allow) = allow {
        told.headers_mut().insert(ALLOW, allow);
    }
    Some(told)
}
