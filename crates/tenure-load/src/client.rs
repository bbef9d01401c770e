//! One request and its answer.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, ORIGIN};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// How large an answer may be.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// What is asked.
#[derive(Clone, Default)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    pub(crate) cookie: Option<String>,
    pub(crate) idempotency_key: Option<String>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no answer that says anything about a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) String);

impl Failure {
    /// Whether the same request may be answered at another try.
    pub(crate) fn may_pass(&self) -> bool {
        ["connection", "timeout", "broken answer", "status 503"].contains(&&*self.0)
    }
}

/// The way to one or several servers.
pub(crate) struct Client {
    hyper: Hyper<HttpConnector, Full<Bytes>>,
    key: Option<HeaderValue>,
    patience: Duration,
}

impl Client {
    pub(crate) fn new(key: Option<HeaderValue>, patience: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { hyper: Hyper::builder(TokioExecutor::new()).build(connector), key, patience }
    }

    pub(crate) async fn ask(&self, server: &str, ask: &Ask) -> Result<Answer, Failure> {
        let failed = |why: &str| Failure(why.to_owned());
        let mut request = Request::builder().method(ask.method).uri(format!(
            "{}{}",
            server.trim_end_matches('/'),
            ask.path
        ));
        if !ask.content_type.is_empty() {
            request = request.header(CONTENT_TYPE, ask.content_type);
        }
        if ask.method != "GET" {
            request = request.header(ORIGIN, server.trim_end_matches('/'));
        }
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key);
        }
        if let Some(cookie) = &ask.cookie {
            request = request.header(COOKIE, cookie);
        }
        if let Some(key) = &ask.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let body = Full::new(Bytes::from(ask.body.clone()));
        let request = request.body(body).map_err(|_| failed("request cannot be made"))?;
        let whole = async {
            let answer = self.hyper.request(request).await.map_err(|_| failed("connection"))?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await;
            let body = body.map_err(|_| failed("broken answer"))?.to_bytes();
            Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
        };
        let answer = tokio::time::timeout(self.patience, whole).await.map_err(|_| failed("timeout"))??;
        // Nobody's session is judged by an answer that is about the server.
        if answer.status >= 500 || answer.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Failure(format!("status {}", answer.status)));
        }
        Ok(answer)
    }
}
