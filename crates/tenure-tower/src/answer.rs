//! What the layer adds to an answer, and where it sends people who have to sign in.

use axum_core::response::{IntoResponse, Response};
use http::header::{ACCEPT, CACHE_CONTROL, LOCATION, SET_COOKIE, VARY};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tenure::{CookieSettings, SetCookie};

use crate::error::{Failure, Remedy};
use crate::handle::{Finished, Handle};

/// What of a request the answer depends on. Looked into only when the answer is a failure.
#[derive(Clone)]
pub(crate) struct Asked {
    accept: Option<HeaderValue>,
    /// What was asked for, unless the request is not repeated by going there.
    target: Option<PathAndQuery>,
}

impl Asked {
    pub(crate) fn of(parts: &Parts) -> Self {
        let is_navigation = parts.method == Method::GET || parts.method == Method::HEAD;
        Self {
            accept: parts.headers.get(ACCEPT).cloned(),
            target: parts.uri.path_and_query().filter(|_| is_navigation).cloned(),
        }
    }

    fn wants_page(&self) -> bool {
        let accepts = self.accept.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
        accepts.windows(9).any(|window| window == b"text/html")
    }

    /// The address to come back to after the sign-in.
    fn address(&self) -> Option<String> {
        let address = self.target.as_ref().map(ToString::to_string);
        // An address that a browser takes for another host is no way back (ASVS 3.7.2).
        address.filter(|address| !address.starts_with("//") && !address.starts_with("/\\"))
    }
}

/// Puts the headers of the session on the answer. What could not be saved turns the answer into
/// a 503: the visitor must not be told that something was done which was not.
pub(crate) fn complete(handle: &Handle, asked: &Asked, finished: Finished, answer: Response) -> Response {
    let mut answer = match finished.saved {
        Ok(()) => answer,
        Err(error) => error.into_response(),
    };
    if finished.looked_at {
        let ours = handle.settings.sessions.cookie();
        add_headers(answer.headers_mut(), ours, finished.cookie.as_ref());
        if let Some(adopt) = handle.settings.adopt.as_ref().filter(|_| finished.clear_foreign) {
            drop_cookies_of(answer.headers_mut(), adopt.name());
            adopt.clear(answer.headers_mut(), ours);
        }
    }
    redirected(handle, (finished.looked_at, finished.signed_in), asked, answer)
}

/// A layer further inside has seen to the failure.
#[derive(Clone)]
struct SeenTo;

fn add_headers(headers: &mut HeaderMap, ours: &CookieSettings, cookie: Option<&SetCookie>) {
    if !varies_by_cookie(headers) {
        headers.append(VARY, HeaderValue::from_static("cookie"));
    }
    match cookie {
        Some(cookie) => {
            drop_cookies_of(headers, ours.name());
            if let Ok(value) = HeaderValue::from_str(cookie.expose()) {
                headers.append(SET_COOKIE, value);
            }
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        None => {
            headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        }
    }
}

fn varies_by_cookie(headers: &HeaderMap) -> bool {
    let mut names =
        headers.get_all(VARY).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    names.any(|name| name.trim() == "*" || name.trim().eq_ignore_ascii_case("cookie"))
}

/// An answer never sets the same cookie twice (RFC 6265bis, 4.1.1).
fn drop_cookies_of(headers: &mut HeaderMap, name: &str) {
    let is_ours = |value: &HeaderValue| {
        // Browsers trim the name.
        let pair = value.as_bytes().trim_ascii_start();
        pair.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.trim_ascii_start().starts_with(b"="))
    };
    if !headers.get_all(SET_COOKIE).iter().any(is_ours) {
        return;
    }
    let others: Vec<HeaderValue> =
        headers.get_all(SET_COOKIE).iter().filter(|v| !is_ours(v)).cloned().collect();
    headers.remove(SET_COOKIE);
    for value in others {
        headers.append(SET_COOKIE, value);
    }
}

/// Sends people to the sign-in page, or away from it.
fn redirected(
    handle: &Handle,
    (looked_at, signed_in): (bool, bool),
    asked: &Asked,
    mut answer: Response,
) -> Response {
    let Some(failure) = answer.extensions().get::<Failure>().cloned() else {
        return answer;
    };
    // Of several layers the failure is for the one whose session was asked and found wanting.
    let is_ours = looked_at && !(signed_in && failure.code == "not_signed_in");
    if answer.extensions().get::<SeenTo>().is_some() || (handle.has_outer && !is_ours) {
        return answer;
    }
    answer.extensions_mut().insert(SeenTo);
    let settings = &handle.settings;
    let to = match failure.remedy {
        Remedy::SignIn => {
            settings.sign_in_at.as_ref().map(|path| sign_in_address(path, asked.address().as_deref()))
        }
        Remedy::GoHome => settings.home_at.clone(),
        Remedy::GoElsewhere | Remedy::TryAgain | Remedy::ChangeRequest => None,
    };
    if let Some(to) = to.filter(|_| asked.wants_page())
        && let Ok(to) = HeaderValue::from_str(&to)
    {
        *answer.status_mut() = StatusCode::SEE_OTHER;
        answer.headers_mut().remove(http::header::WWW_AUTHENTICATE);
        answer.headers_mut().insert(LOCATION, to);
    }
    answer
}

/// What stays readable in a query value.
const ADDRESS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn sign_in_address(path: &str, return_to: Option<&str>) -> String {
    match return_to {
        Some(address) => {
            let separator = if path.contains('?') { '&' } else { '?' };
            format!("{path}{separator}return_to={}", utf8_percent_encode(address, ADDRESS))
        }
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_one_query_value() {
        assert_eq!(sign_in_address("/in", Some("/a?b=c&d")), "/in?return_to=/a%3Fb%3Dc%26d");
        assert_eq!(sign_in_address("/in?x=1", Some("/a")), "/in?x=1&return_to=/a");
        assert_eq!(sign_in_address("/in", None), "/in");
    }

    #[test]
    fn ck_3_a_cookie_of_the_handler_under_our_name_gives_way() {
        let mut headers = HeaderMap::new();
        for value in ["__Host-sid=mine", " __Host-sid =mine", "__Host-sid2=a", "theme=b"] {
            headers.append(SET_COOKIE, HeaderValue::from_static(value));
        }
        add_headers(&mut headers, &CookieSettings::default(), Some(&CookieSettings::default().clear()));
        let set: Vec<_> = headers.get_all(SET_COOKIE).iter().map(|v| v.to_str().unwrap()).collect();
        assert_eq!(set.len(), 3);
        assert_eq!(set.iter().filter(|v| v.contains("__Host-sid") && !v.contains("sid2")).count(), 1);
        assert!(set[2].starts_with("__Host-sid=; "));
    }
}
