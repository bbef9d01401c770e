//! The session cookie: reading it from a request, writing it into an answer.

use std::fmt;
use std::time::Duration;

use crate::policy::MAX_COOKIE_AGE;
use crate::token::SessionToken;

/// How long a cookie's name is at the most, in bytes.
const MAX_NAME: usize = 64;

/// The session cookie of a realm. `__Host-sid; Path=/; Secure; HttpOnly; SameSite=Lax` by
/// default; other forms have to be asked for.
///
/// # Example: the cookie of an administration
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tenure::{CookieSettings, Found, InvalidCookieName, Memory, NewGuest, SameSite, Sessions, SetCookie};
///
/// let cookie = CookieSettings::new("__Host-admin")?.strict();
/// let sessions = Sessions::builder(Memory).cookie(cookie.clone()).open().await?;
/// let token = sessions.create_guest(NewGuest::default()).await?.token;
///
/// let set: SetCookie = cookie.set(&token, None);
/// assert!(set.expose().ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"));
/// assert_eq!(cookie.clear().expose(), "__Host-admin=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict");
/// assert_eq!(cookie.same_site(), SameSite::Strict);
///
/// // What the browser sends with the next request.
/// let header = format!("theme=dark; {}={}", cookie.name(), token.expose());
/// assert_eq!(cookie.find([header.as_bytes()]), Found::One(token.expose().as_bytes()));
/// assert_eq!(Found::of("theme", [header.as_bytes()]), Found::One(b"dark"));
///
/// // Without the prefix others could plant it; without HTTPS it has to be asked for.
/// assert_eq!(CookieSettings::new("sid"), Err(InvalidCookieName("sid".into())));
/// assert!(!CookieSettings::insecure_without_https("sid")?.is_secure());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieSettings {
    name: String,
    same_site: SameSite,
    secure: bool,
}

/// To which requests a browser adds the cookie (RFC 6265bis, 5.6.7):
/// [`CookieSettings::strict`] asks for the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Requests of the same site, and navigation to it from anywhere.
    Lax,
    /// Requests of the same site only: a link from elsewhere arrives signed out.
    Strict,
}

/// The name is none for a session cookie: [`CookieSettings::new`] says which are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cookie name `{0}`: it begins with `__Host-` and goes on with 1 to 57 of A-Z a-z 0-9 _ - \
     (for plain HTTP in development see `insecure_without_https`)"
)]
pub struct InvalidCookieName(pub String);

impl Default for CookieSettings {
    fn default() -> Self {
        Self { name: "__Host-sid".into(), same_site: SameSite::Lax, secure: true }
    }
}

impl CookieSettings {
    /// A cookie of this name. It begins with `__Host-`, so that no other host, no plain
    /// connection and no script can plant one (ASVS 3.3.1, 3.3.3).
    ///
    /// # Errors
    /// [`InvalidCookieName`] for any other.
    pub fn new(name: &str) -> Result<Self, InvalidCookieName> {
        let rest = name.strip_prefix("__Host-").unwrap_or_default();
        if !is_token(rest) || name.len() > MAX_NAME {
            return Err(InvalidCookieName(name.into()));
        }
        Ok(Self { name: name.into(), ..Self::default() })
    }

    /// Sets `SameSite=Strict`.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.same_site = SameSite::Strict;
        self
    }

    /// A cookie that is also sent over plain HTTP, with any name: for development on hosts
    /// other than `localhost`, and for nothing else.
    ///
    /// # Security
    /// Everybody on the way can read and replay such a cookie.
    ///
    /// # Errors
    /// [`InvalidCookieName`] when `name` is no cookie name, or has a prefix that browsers
    /// accept over HTTPS only.
    pub fn insecure_without_https(name: &str) -> Result<Self, InvalidCookieName> {
        let prefixed = name.to_ascii_lowercase().starts_with("__host-")
            || name.to_ascii_lowercase().starts_with("__secure-");
        if !is_token(name) || prefixed || name.len() > MAX_NAME {
            return Err(InvalidCookieName(name.into()));
        }
        tracing::warn!(cookie = name, "session cookies go over plain HTTP: for development only");
        Ok(Self { name: name.into(), same_site: SameSite::Lax, secure: false })
    }

    /// The cookie's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of a `Set-Cookie` header that hands `token` to its client. With `max_age`
    /// the browser keeps it over a restart, for 400 days at the most; without, it does not (NIST
    /// SP 800-63B-4 §5.1).
    pub fn set(&self, token: &SessionToken, max_age: Option<Duration>) -> SetCookie {
        if max_age.is_some_and(|age| age.as_secs() > MAX_COOKIE_AGE) {
            tracing::warn!(cookie = %self.name, "browsers keep a cookie for 400 days at the most");
        }
        // A cookie for no second at all would be a deletion.
        self.write(token.expose(), max_age.map(|age| age.as_secs().clamp(1, MAX_COOKIE_AGE)))
    }

    /// The value of a `Set-Cookie` header that makes the browser forget the cookie: the same
    /// attributes, no value, no time left.
    pub fn clear(&self) -> SetCookie {
        self.write("", Some(0))
    }

    fn write(&self, value: &str, max_age: Option<u64>) -> SetCookie {
        use std::fmt::Write;
        let mut text = format!("{}={value}; Path=/", self.name);
        if let Some(seconds) = max_age {
            write!(text, "; Max-Age={seconds}").expect("writing to a string does not fail");
        }
        if self.secure {
            text.push_str("; Secure");
        }
        text.push_str("; HttpOnly; SameSite=");
        text.push_str(match self.same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
        });
        SetCookie(text)
    }

    /// Finds the cookie in the `Cookie` headers of a request; several headers are read as
    /// one (RFC 9113, 8.2.3).
    pub fn find<'h>(&self, headers: impl IntoIterator<Item = &'h [u8]>) -> Found<'h> {
        Found::of(&self.name, headers)
    }

    /// To which requests browsers add it.
    pub fn same_site(&self) -> SameSite {
        self.same_site
    }

    /// Whether browsers send it over HTTPS only.
    pub fn is_secure(&self) -> bool {
        self.secure
    }
}

impl<'h> Found<'h> {
    /// The cookie `name` in the `Cookie` headers of a request.
    pub fn of(name: &str, headers: impl IntoIterator<Item = &'h [u8]>) -> Self {
        let mut found = Found::Missing;
        for header in headers {
            let mut rest = Some(header);
            while let Some(pairs) = rest {
                let end = memchr::memchr(b';', pairs);
                rest = end.map(|end| &pairs[end + 1..]);
                let pair = pairs[..end.unwrap_or(pairs.len())].trim_ascii();
                let Some(value) = pair.strip_prefix(name.as_bytes()).and_then(|p| p.strip_prefix(b"="))
                else {
                    continue;
                };
                found = match found {
                    Found::Missing => Found::One(value),
                    Found::One(_) | Found::Several => return Found::Several,
                };
            }
        }
        found
    }
}

/// What a request holds of the session cookie, as [`CookieSettings::find`] finds it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Found<'h> {
    /// None.
    Missing,
    /// One, with this value.
    One(&'h [u8]),
    /// More than one of the name. No honest browser sends that for a `__Host-` name, so none
    /// of them is believed (RFC 6265bis, 4.2.2).
    Several,
}

impl fmt::Debug for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "Missing",
            Self::One(_) => "One(…)",
            Self::Several => "Several",
        })
    }
}

/// The value of a `Set-Cookie` header, ready to send, as [`CookieSettings::set`] makes it.
///
/// # Security
/// It may hold a token: `Debug` shows the name only.
#[derive(Clone, PartialEq, Eq)]
pub struct SetCookie(String);

impl SetCookie {
    /// The value. Send it to its client and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SetCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SetCookie({}=…)", self.0.split('=').next().unwrap_or_default())
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(headers: &[&'static str]) -> Found<'static> {
        CookieSettings::default().find(headers.iter().map(|h| h.as_bytes()))
    }

    #[test]
    fn asvs_3_3_1_the_cookie_has_every_attribute_once() {
        let cleared = CookieSettings::default().clear();
        assert_eq!(cleared.expose(), "__Host-sid=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
        let strict = CookieSettings::new("__Host-admin").unwrap().strict().clear();
        assert_eq!(strict.expose(), "__Host-admin=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict");
    }

    #[test]
    fn ck_11_a_name_without_its_prefix_is_refused() {
        for bad in ["sid", "__Host-", "__host-sid", "__Secure-sid", "__Host-a b", "__Host-a;b", "__Host-ä"] {
            assert!(CookieSettings::new(bad).is_err(), "{bad}");
        }
        assert!(CookieSettings::insecure_without_https("__Host-sid").is_err());
        assert!(CookieSettings::insecure_without_https("sid").is_ok());
    }

    #[test]
    fn ck_10_the_name_is_compared_case_sensitively_and_whole() {
        assert_eq!(find(&["__host-sid=a; x__Host-sid=b; __Host-sid2=c; __Host-sid"]), Found::Missing);
        assert_eq!(find(&["a=b; __Host-sid=tok;c=d"]), Found::One(b"tok"));
    }

    #[test]
    fn ck_15_several_cookie_headers_are_read_as_one() {
        assert_eq!(find(&["a=b", "__Host-sid=tok"]), Found::One(b"tok"));
    }

    #[test]
    fn ck_16_the_same_name_twice_is_believed_in_neither() {
        assert_eq!(find(&["__Host-sid=a; __Host-sid=b"]), Found::Several);
        assert_eq!(find(&["__Host-sid=a", "__Host-sid=a"]), Found::Several);
    }
}
