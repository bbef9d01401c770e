//! What a browser makes of `Set-Cookie` headers, by the algorithms of RFC 6265bis, 5.6 to 5.8,
//! as far as one host with pages at `/` can tell.

use std::time::Duration;

/// A name and a value together are dropped above this, in bytes.
const MAX_PAIR: usize = 4096;
/// An attribute's value is ignored above this, in bytes.
const MAX_ATTRIBUTE: usize = 1024;
/// No cookie is kept longer.
const MAX_AGE: i64 = 400 * 86_400;

/// Where an answer comes from, or a request goes to: one host, with TLS or without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    Https,
    Http,
}

/// The cookies of one host.
#[derive(Clone, Default)]
pub(crate) struct Jar {
    cookies: Vec<Stored>,
    now: i64,
}

#[derive(Clone)]
struct Stored {
    name: String,
    value: String,
    path: String,
    secure: bool,
    http_only: bool,
    same_site: String,
    /// When it goes; with the browser if not said.
    expires: Option<i64>,
}

/// What a header says, before anything is believed.
#[derive(Default)]
struct Attributes {
    path: Option<String>,
    domain: Option<String>,
    secure: bool,
    http_only: bool,
    same_site: String,
    max_age: Option<i64>,
}

impl Jar {
    /// Takes the header of an answer from `origin`; why not, if it is dropped.
    pub(crate) fn take(&mut self, header: &str, origin: Origin) -> Result<(), &'static str> {
        if header.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
            return Err("a control character (5.6 step 1)");
        }
        let mut parts = header.split(';');
        let pair = parts.next().unwrap_or_default();
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        let (name, value) = (trim(name), trim(value));
        if name.is_empty() && value.is_empty() {
            return Err("neither name nor value (5.6 step 6)");
        }
        if name.len() + value.len() > MAX_PAIR {
            return Err("longer than 4096 bytes (5.6 step 5)");
        }
        let attributes = Attributes::of(parts);
        let secure_origin = origin == Origin::Https;
        if attributes.secure && !secure_origin {
            return Err("`Secure` from plain HTTP (5.7 step 13)");
        }
        let path = attributes.path.clone().filter(|path| path.starts_with('/'));
        let is_same = |cookie: &Stored| cookie.name == name && Some(&cookie.path) == path.as_ref();
        if !secure_origin && !attributes.secure && self.cookies.iter().any(|c| is_same(c) && c.secure) {
            return Err("would overlay a `Secure` one (5.7 step 16)");
        }
        if attributes.same_site == "none" && !attributes.secure {
            return Err("`SameSite=None` without `Secure` (5.7 step 19)");
        }
        attributes.fit_prefix_of(name)?;

        let path = path.unwrap_or_else(|| "/".into());
        self.cookies.retain(|cookie| !(cookie.name == name && cookie.path == path));
        let expires = attributes.max_age.map(|age| self.now.saturating_add(age.min(MAX_AGE)));
        if attributes.max_age.is_none_or(|age| age > 0) {
            self.cookies.push(Stored {
                name: name.into(),
                value: value.into(),
                path,
                secure: attributes.secure,
                http_only: attributes.http_only,
                same_site: attributes.same_site,
                expires,
            });
        }
        Ok(())
    }

    /// The `Cookie` header of a request from the same site for `path` at `origin`.
    pub(crate) fn header(&self, path: &str, origin: Origin) -> Option<String> {
        let sent = self.cookies.iter().filter(|cookie| {
            let rest = path.strip_prefix(cookie.path.as_str());
            let fits = rest
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie.path.ends_with('/'));
            fits && (!cookie.secure || origin == Origin::Https)
        });
        let pairs: Vec<String> = sent.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// What a script of the page reads in `document.cookie`.
    pub(crate) fn script_reads(&self) -> String {
        let readable = self.cookies.iter().filter(|cookie| !cookie.http_only);
        readable.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect::<Vec<_>>().join("; ")
    }

    /// Whether the cookie goes along with a form that another site sends. Without `SameSite`
    /// some browsers send it.
    pub(crate) fn goes_with_forms_of_others(&self, name: &str) -> bool {
        let kept = |same_site: &str| ["lax", "strict"].contains(&same_site);
        self.cookies.iter().any(|cookie| cookie.name == name && !kept(&cookie.same_site))
    }

    /// The values under this name.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let named = self.cookies.iter().filter(|cookie| cookie.name == name);
        named.map(|cookie| cookie.value.as_str()).collect()
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += i64::try_from(by.as_secs()).expect("not that long");
        let now = self.now;
        self.cookies.retain(|cookie| cookie.expires.is_none_or(|at| at > now));
    }

    /// Closes the browser: what is not to be kept goes.
    pub(crate) fn close(&mut self) {
        self.cookies.retain(|cookie| cookie.expires.is_some());
    }
}

impl Attributes {
    /// The last of a name counts; what is too long does not.
    fn of<'h>(parts: impl Iterator<Item = &'h str>) -> Self {
        let mut said = Self::default();
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (trim(name).to_ascii_lowercase(), trim(value));
            if value.len() > MAX_ATTRIBUTE {
                continue;
            }
            match name.as_str() {
                "max-age" => said.max_age = value.parse().ok().or(said.max_age),
                "path" => said.path = Some(value.into()),
                "domain" => said.domain = Some(value.into()),
                "secure" => said.secure = true,
                "httponly" => said.http_only = true,
                "samesite" => said.same_site = value.to_ascii_lowercase(),
                _ => {}
            }
        }
        said
    }

    /// The prefixes, which browsers compare in any case (5.7 steps 20 and 21).
    fn fit_prefix_of(&self, name: &str) -> Result<(), &'static str> {
        let name = name.to_ascii_lowercase();
        if (name.starts_with("__secure-") || name.starts_with("__host-")) && !self.secure {
            return Err("a prefix without `Secure` (5.7 step 20)");
        }
        if name.starts_with("__host-") && (self.path.as_deref() != Some("/") || self.domain.is_some()) {
            return Err("`__Host-` with `Domain` or without `Path=/` (5.7 step 21)");
        }
        Ok(())
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

#[test]
fn this_jar_drops_what_browsers_drop() {
    let long = format!("a={}", "v".repeat(4096));
    let dropped = [
        "__Host-sid=v; Secure; HttpOnly; SameSite=Lax",
        "__Host-sid=v; Path=/shop; Secure",
        "__Host-sid=v; Path=/; Secure; Domain=example.org",
        "__host-sid=v; Path=/",
        "__Secure-sid=v; Path=/",
        "sid=v; Path=/; SameSite=None",
        "sid=v\u{1}; Path=/; Secure",
        "=; Secure",
        &long,
    ];
    for header in dropped {
        let mut jar = Jar::default();
        assert!(jar.take(header, Origin::Https).is_err(), "{header:.60}");
        assert_eq!(jar.header("/", Origin::Https), None);
    }
    assert!(Jar::default().take("sid=v; Path=/; Secure", Origin::Http).is_err());
}

#[test]
fn this_jar_keeps_replaces_and_deletes_as_browsers_do() {
    let mut jar = Jar::default();
    for header in ["a=1; Path=/; Secure; Max-Age=60", "a=2; Path=/; Secure; Max-Age=60", "b=3; Path=/in"] {
        jar.take(header, Origin::Https).unwrap();
    }
    assert_eq!(jar.header("/", Origin::Https).as_deref(), Some("a=2"));
    assert_eq!(jar.header("/in/side", Origin::Http).as_deref(), Some("b=3"));
    assert_eq!(jar.header("/inside", Origin::Http), None);
    assert!(jar.take("a=4; Path=/", Origin::Http).is_err(), "it would overlay a secure one");
    jar.close();
    assert_eq!(jar.header("/in", Origin::Https).as_deref(), Some("a=2"));
    jar.advance(Duration::from_secs(60));
    assert_eq!(jar.header("/", Origin::Https), None);
    jar.take("a=5; Path=/; Max-Age=99999999999", Origin::Https).unwrap();
    jar.advance(Duration::from_secs(34_560_000));
    assert_eq!(jar.values("a"), Vec::<&str>::new(), "400 days are the most");
    jar.take("a=6; Path=/", Origin::Https).unwrap();
    jar.take("a=; Path=/; Max-Age=-1", Origin::Https).unwrap();
    assert_eq!(jar.values("a"), Vec::<&str>::new());
}
