//! Reading what a request carries: strictly, and with words that help.

use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tenure::IdempotencyKey;
use zeroize::Zeroizing;

use crate::app::App;
use crate::codes;
use crate::limits::MAX_BODY;
use crate::problem::Problem;

/// How much of a body that is too large is read before the connection is given up.
const MAX_DRAINED: usize = 4 * 1024 * 1024;

/// A JSON body. Unknown fields are errors wherever its type denies them.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        json(&head.headers, body, app.limits.body).await.map(Self)
    }
}

/// Reads a JSON body, which is to arrive within a time.
pub(crate) async fn json<T, B>(headers: &HeaderMap, body: B, within: Duration) -> Result<T, Problem>
where
    T: DeserializeOwned,
    B: HttpBody<Data = Bytes> + Unpin,
{
    if !is_json(headers) {
        return Err(Problem::new(
            &codes::UNSUPPORTED_MEDIA_TYPE,
            "send the body as `Content-Type: application/json`",
        ));
    }
    let body = read(body, within).await?;
    serde_json::from_slice(&body).map_err(|error| {
        let code = if error.is_data() { &codes::INVALID_REQUEST } else { &codes::INVALID_JSON };
        Problem::new(code, told(&error))
    })
}

/// What serde says, without the values it quotes: they may be secrets.
fn told(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    if !error.is_data() {
        return format!("{text} at {place}");
    }
    let text = match text.split_once(", expected ") {
        Some((found, expected)) if !found.starts_with("unknown field") => {
            let kind = found.split([' ', ':']).take(2).collect::<Vec<_>>().join(" ");
            format!("{kind}, expected {expected}")
        }
        _ => text.chars().take(300).collect(),
    };
    format!("{text} at {place}")
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else {
        return false;
    };
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

async fn read<B>(body: B, within: Duration) -> Result<Zeroizing<Vec<u8>>, Problem>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    match tokio::time::timeout(within, read_all(body)).await {
        Ok(read) => read,
        Err(_) => Err(Problem::new(
            &codes::BODY_TIMEOUT,
            format!("the body has to arrive within {} s", within.as_secs_f32()),
        )),
    }
}

/// Reads the body. Of one that is too large the rest is read and thrown away, within reason:
/// who is still sending would otherwise see the connection break instead of the answer.
async fn read_all<B>(mut body: B) -> Result<Zeroizing<Vec<u8>>, Problem>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(MAX_BODY).min(MAX_BODY);
    let (mut kept, mut size) = (Zeroizing::new(Vec::with_capacity(expected)), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(&codes::INVALID_JSON, "the body broke off"))?;
        let data = frame.into_data().unwrap_or_default();
        size += data.len();
        if size <= MAX_BODY {
            kept.extend_from_slice(&data);
        } else if size > MAX_DRAINED {
            break;
        }
    }
    if size > MAX_BODY {
        let detail = format!("a body has at most 64 KiB ({MAX_BODY} bytes)");
        return Err(Problem::new(&codes::BODY_TOO_LARGE, detail));
    }
    Ok(kept)
}

/// Parts of the path, in order.
pub(crate) struct Place<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Place<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        found
            .map(|Path(place)| Self(place))
            .map_err(|rejection| Problem::new(&codes::INVALID_PARAMETER, rejection.body_text()))
    }
}

/// The query. Unknown parameters are errors wherever its type denies them.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        found
            .map(|Query(asked)| Self(asked))
            .map_err(|rejection| Problem::new(&codes::INVALID_PARAMETER, rejection.body_text()))
    }
}

/// The `Idempotency-Key` of a request, if it has one.
pub(crate) struct Retry(pub(crate) Option<IdempotencyKey>);

impl<S: Sync> FromRequestParts<S> for Retry {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        const NAME: HeaderName = HeaderName::from_static("idempotency-key");
        let Some(text) = only(&parts.headers, &NAME)? else {
            return Ok(Self(None));
        };
        let key = IdempotencyKey::new(text).map_err(|invalid| {
            Problem::new(&codes::INVALID_HEADER, format!("`Idempotency-Key`: {invalid}"))
        })?;
        Ok(Self(Some(key)))
    }
}

/// The text of a header that may be there once.
pub(crate) fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let problem = |what| Problem::new(&codes::INVALID_HEADER, format!("`{name}`: {what}"));
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            value.to_str().map(Some).map_err(|_| problem("printable ASCII characters only"))
        }
        (Some(_), Some(_)) => Err(problem("give it once")),
    }
}
