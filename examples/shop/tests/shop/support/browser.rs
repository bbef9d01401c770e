//! A browser as far as the shop can tell: a cookie, forms and the headers it adds.

use std::fmt::Write;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Keeps the session cookie and sends it.
#[derive(Clone)]
pub(crate) struct Browser {
    app: Router,
    pub(crate) cookie: Option<String>,
    pub(crate) user_agent: String,
}

impl Browser {
    pub(crate) fn new(app: &Router) -> Self {
        Self { app: app.clone(), cookie: None, user_agent: FIREFOX.to_owned() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// Sends a form of this shop's own pages.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, fields, &[("sec-fetch-site", "same-origin")]).await
    }

    /// Sends a form with these headers.
    pub(crate) async fn post_with(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        self.send(Method::POST, path, headers, Some(form(fields))).await
    }

    pub(crate) async fn sign_in(&mut self, (name, password): (&str, &str)) -> Answer {
        let fields = [("name", name), ("password", password), ("return_to", "/account")];
        let answer = self.post("/sign-in", &fields).await;
        assert_eq!(answer.location(), "/account", "{}", answer.text);
        answer
    }

    pub(crate) async fn add(&mut self, product: &str) -> Answer {
        self.post("/cart/add", &[("product", product)]).await
    }

    /// Whether the shop knows this browser as somebody.
    pub(crate) async fn is_signed_in(&mut self) -> bool {
        self.get("/account").await.status == StatusCode::OK
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "shop.example")
            .header(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
            .header(USER_AGENT, &self.user_agent)
            .extension(ConnectInfo(SocketAddr::from(([203, 0, 113, 5], 40_000))));
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from)).unwrap();
        let (parts, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        };
        for set in answer.set_cookies() {
            let (pair, attributes) = set.split_once(';').unwrap();
            self.cookie = (!attributes.contains("Max-Age=0")).then(|| pair.to_owned());
        }
        answer
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The `Set-Cookie` headers.
    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        let values = self.headers.get_all(SET_COOKIE).iter();
        values.map(|value| value.to_str().unwrap()).collect()
    }

    /// Whether the browser is told to forget its session.
    pub(crate) fn forgets(&self) -> bool {
        let cookies = self.set_cookies();
        cookies.len() == 1 && cookies[0].starts_with("__Host-sid=; Path=/; Max-Age=0;")
    }

    /// A header's value, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Where it redirects to.
    pub(crate) fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }

    /// The page's one heading.
    pub(crate) fn heading(&self) -> &str {
        between(&self.text, "<h1>", "</h1>").unwrap_or_default()
    }

    /// What the last form did, as this page says it.
    pub(crate) fn notice(&self) -> Option<&str> {
        between(&self.text, "<p class=\"notice\" role=\"status\">", "</p>")
    }

    /// Why the sign-in form is shown again.
    pub(crate) fn alert(&self) -> Option<&str> {
        between(&self.text, "role=\"alert\" id=\"sign-in-error\">", "</p>")
    }

    /// The code at the foot of a page that says what happened.
    pub(crate) fn code(&self) -> &str {
        let line = between(&self.text, "<p class=\"code\">", "</p>").unwrap_or_default();
        between(line, "<code>", "</code>").unwrap_or_default()
    }

    /// How many things the page says are in the cart.
    pub(crate) fn cart_count(&self) -> &str {
        between(&self.text, "<b class=\"count\">", "<span").unwrap_or("0")
    }

    pub(crate) fn theme(&self) -> &str {
        between(&self.text, "data-theme=\"", "\"").unwrap_or_default()
    }

    /// The rows of the list of devices.
    pub(crate) fn devices(&self) -> Vec<Row> {
        let body = between(&self.text, "<tbody role=\"rowgroup\">", "</tbody>").unwrap_or_default();
        let rows = body.split("<tr role=\"row\"").skip(1);
        rows.map(|row| Row {
            label: between(row, "</svg><span>", "<").unwrap().trim().to_owned(),
            ip: between(row, "<code>", "</code>").unwrap().to_owned(),
            signed_in: time(row, "Signed in"),
            last_seen: time(row, "Last seen"),
            current: row.contains("This device"),
            session: between(row, "name=\"session\" value=\"", "\"").map(str::to_owned),
        })
        .collect()
    }
}

/// One device of the list.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) label: String,
    pub(crate) ip: String,
    pub(crate) signed_in: String,
    pub(crate) last_seen: String,
    pub(crate) current: bool,
    /// The id that its button sends.
    pub(crate) session: Option<String>,
}

fn time(row: &str, label: &str) -> String {
    let cell = between(row, &format!("data-label=\"{label}\">"), "</td>").unwrap();
    between(cell, "datetime=\"", "\"").unwrap().to_owned()
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

/// The fields as a browser encodes them.
fn form(fields: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        let separator = if text.is_empty() { "" } else { "&" };
        write!(text, "{separator}{name}={}", encoded(value)).unwrap();
    }
    text
}

pub(crate) fn encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").unwrap();
        }
        text
    })
}
