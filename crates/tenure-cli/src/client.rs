//! Asking a running server.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tenure_server::Scope;
use zeroize::Zeroizing;

use crate::args;
use crate::config::File;
use crate::exit::Blame;
use crate::files;
use crate::output::{self, DOUBT, styled};

/// Where a server is when nothing else is said.
pub(crate) const SERVER: &str = "http://127.0.0.1:8700";

/// What is not left as it is in a part of a query.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// How large an answer may be: a full page of full sessions.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// A server and the key to it.
pub(crate) struct Server {
    base: String,
    key: HeaderValue,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Server {
    /// The server that flag, environment, file or default name, to be asked for what takes an API key
    /// with this scope.
    pub(crate) fn named(args: &args::Server, scope: Scope) -> Result<Self> {
        let base = match &args.server {
            Some(server) => server.clone(),
            None => configured(args.config.as_deref()).blame_usage()?.unwrap_or_else(|| SERVER.into()),
        };
        let base = base.trim_end_matches('/').to_owned();
        refuse_other_than_http(&base).blame_usage()?;
        let key = key_header(scope).blame_usage()?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { base, key, client })
    }

    /// The JSON of an answer; null when it has none.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let asked = self.send(method, path, body);
        let late =
            || format!("no answer from {} within {} s; try again later", self.base, PATIENCE.as_secs());
        tokio::time::timeout(PATIENCE, asked).await.with_context(late).blame_outage()?
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, &self.key)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let answer = self.client.request(request).await;
        let nobody =
            || format!("no server answers at {}; start one, or say where it is with --server", self.base);
        let answer = answer.with_context(nobody).blame_outage()?;
        let status = answer.status();
        let read = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let read = read.map_err(|error| anyhow::anyhow!("the answer broke off: {error}")).blame_outage()?;
        let text = read.to_bytes();
        let json =
            if text.is_empty() { Value::Null } else { serde_json::from_slice(&text).unwrap_or_default() };
        if status.is_success() {
            return Ok(json);
        }
        let said = |field| json.get(field).and_then(Value::as_str);
        let refused = match (said("code"), said("detail")) {
            (Some(code), Some(detail)) => Err(anyhow::anyhow!("{code}: {detail}")),
            _ => Err(anyhow::anyhow!("{} answered {status}; is that a Tenure server?", self.base)),
        };
        match status.as_u16() {
            401 | 403 => refused.context("the API key in TENURE_API_KEY does not do").blame_usage(),
            429 | 502..=504 => refused.context("try again later").blame_outage(),
            _ => refused,
        }
    }
}

/// The API key of the environment, as a header.
fn key_header(scope: Scope) -> Result<HeaderValue> {
    let key = api_key(&[scope])?;
    let header = Zeroizing::new(format!("Bearer {}", key.trim()));
    let mut key = HeaderValue::from_str(&header).context("TENURE_API_KEY is no API key")?;
    key.set_sensitive(true);
    Ok(key)
}

/// The API key of the environment, which is to have these scopes.
pub(crate) fn api_key(scopes: &[Scope]) -> Result<Zeroizing<String>> {
    let Ok(key) = std::env::var("TENURE_API_KEY").map(Zeroizing::new) else {
        let first_start = files::default_config_dir().map_or_else(
            || "admin-api-key in its configuration folder".to_owned(),
            |dir| dir.join("admin-api-key").display().to_string(),
        );
        let scopes: Vec<String> = scopes.iter().map(|scope| format!("`{}`", scope.as_str())).collect();
        bail!(
            "no API key: put one with the scope {} into TENURE_API_KEY; the administrator's was shown \
             at the server's first start, or is in {first_start}",
            scopes.join(" and ")
        );
    };
    Ok(key)
}

fn configured(path: Option<&Path>) -> Result<Option<String>> {
    Ok(File::read(path)?.server)
}

fn refuse_other_than_http(base: &str) -> Result<()> {
    let uri: Uri = base.parse().with_context(|| format!("--server {base}"))?;
    ensure!(
        uri.scheme_str() != Some("https"),
        "--server: https is not in this release; run the command on the server's machine, or through a \
         tunnel (ssh -L 8700:127.0.0.1:8700 HOST)"
    );
    let plain = uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") && uri.query().is_none();
    ensure!(plain, "--server: say http://HOST:PORT");
    let host = uri.host().unwrap_or_default();
    if !matches!(host, "127.0.0.1" | "[::1]" | "localhost") {
        let warning = styled(DOUBT, "warning:");
        output::note(format!("{warning} the API key goes to {host} in clear; better use a tunnel"));
    }
    Ok(())
}

/// `text` as one part of a query.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}
