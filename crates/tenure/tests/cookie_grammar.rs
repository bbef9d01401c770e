//! The `Set-Cookie` headers that Tenure writes, taken apart by the grammar that RFC 6265bis,
//! 4.1.1, gives to servers: whatever name, lifetime and form is asked for.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tenure::MAX_COOKIE_AGE;
use tenure::testing::TestKit;
use tenure::{CookieSettings, SessionToken, SignIn};

/// A header taken apart by the grammar.
struct Parsed<'h> {
    name: &'h str,
    value: &'h str,
    attributes: Vec<(&'h str, Option<&'h str>)>,
}

impl<'h> Parsed<'h> {
    /// `cookie-pair *( ";" SP cookie-av )`, or what is wrong. No space around `=` or before `;`,
    /// no quoted value and no extension: the grammar has them for others.
    fn of(header: &'h str) -> Result<Self, String> {
        if !header.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(format!("neither a character nor a space: {header:?}"));
        }
        let mut parts = header.split("; ");
        let pair = parts.next().unwrap_or_default();
        let (name, value) = pair.split_once('=').ok_or("no cookie-pair")?;
        if name.is_empty() || !name.bytes().all(is_tchar) {
            return Err(format!("no token: {name:?}"));
        }
        if !value.bytes().all(is_cookie_octet) {
            return Err(format!("no cookie-octets: {value:?}"));
        }
        let attributes = parts.map(|part| match part.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (part, None),
        });
        let attributes: Vec<_> = attributes.collect();
        attributes.iter().try_for_each(|attribute| cookie_av(*attribute))?;
        Ok(Self { name, value, attributes })
    }

    fn names(&self) -> Vec<&str> {
        self.attributes.iter().map(|(name, _)| *name).collect()
    }

    /// The values under this name.
    fn values(&self, name: &str) -> Vec<Option<&str>> {
        self.attributes.iter().filter(|(other, _)| *other == name).map(|(_, value)| *value).collect()
    }
}

fn is_tchar(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

fn is_cookie_octet(b: u8) -> bool {
    matches!(b, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

fn cookie_av((name, value): (&str, Option<&str>)) -> Result<(), String> {
    let fits = match (name, value) {
        ("Secure" | "HttpOnly", None) => true,
        ("Path", Some(value)) => value.starts_with('/') && !value.contains(';'),
        ("SameSite", Some(value)) => ["Strict", "Lax", "None"].contains(&value),
        ("Max-Age", Some(value)) => {
            // A zero is in the grammar of the successor only (layered cookies: `1*DIGIT`); it is
            // what deletes everywhere.
            let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            digits && (value == "0" || !value.starts_with('0'))
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(format!("no cookie-av: {name:?} {value:?}")) }
}

/// What a site asks of its cookie.
#[derive(Clone, Debug)]
struct Form {
    name: String,
    https: bool,
    strict: bool,
    age: Option<u64>,
}

impl Form {
    fn settings(&self) -> Option<CookieSettings> {
        let settings = if self.https {
            CookieSettings::new(&self.name)
        } else {
            CookieSettings::insecure_without_https(&self.name)
        };
        settings.ok().map(|settings| if self.strict { settings.strict() } else { settings })
    }

    /// The headers that set and delete this cookie.
    fn headers(&self) -> Option<(String, String)> {
        let settings = self.settings()?;
        let set = settings.set(token(), self.age.map(Duration::from_secs));
        Some((set.expose().to_owned(), settings.clear().expose().to_owned()))
    }
}

fn token() -> &'static SessionToken {
    static TOKEN: OnceLock<SessionToken> = OnceLock::new();
    TOKEN.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let sessions = TestKit::new().await.sessions;
            sessions.sign_in(None, SignIn::password("u_1".parse().unwrap())).await.unwrap().token
        })
    })
}

/// Names that are taken, in each form.
fn taken() -> impl Strategy<Value = Form> {
    let letters: Vec<char> = ('a'..='z').chain('A'..='Z').chain('0'..='9').chain(['_', '-']).collect();
    let rest = vec(prop::sample::select(letters), 1..=57);
    let age = prop::option::of(prop_oneof![1..=u64::MAX, 1..=2 * MAX_COOKIE_AGE]);
    (rest, any::<bool>(), any::<bool>(), age).prop_map(|(rest, https, strict, age)| {
        let rest: String = rest.into_iter().collect();
        let name = if https { format!("__Host-{rest}") } else { format!("a{rest}") };
        Form { name, https, strict, age }
    })
}

/// Names with one character between letters that may be none for a name, with the prefix or
/// without.
fn any_name() -> impl Strategy<Value = Form> {
    let hostile: Vec<char> = "\0\r\n\t\u{b}\u{7f}\u{85} =;,\"\\()[]{}<>@:/?é".chars().collect();
    let odd = prop_oneof![3 => prop::sample::select(hostile), 1 => any::<char>()];
    let prefix = prop::sample::select(vec!["__Host-", "__host-", "__Secure-", "__Http-", ""]);
    let letters = || vec(prop::char::range('a', 'z'), 0..20);
    (prefix, letters(), odd, letters(), any::<bool>()).prop_map(|(prefix, before, odd, after, https)| {
        let name = prefix.chars().chain(before).chain([odd]).chain(after).collect();
        Form { name, https, strict: false, age: None }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ck_1_every_cookie_fits_the_grammar(form in taken()) {
        let (set, clear) = form.headers().expect("a name that is taken");
        for (header, value) in [(set, token().expose()), (clear, "")] {
            let parsed = Parsed::of(&header).map_err(TestCaseError::fail)?;
            prop_assert_eq!((parsed.name, parsed.value), (form.name.as_str(), value));
        }
    }

    /// With a control character in it, a browser drops the whole header; with a line break, an
    /// attacker writes headers of their own.
    #[test]
    fn ck_1_ck_20_no_name_smuggles_anything_into_the_header(form in any_name()) {
        let Some((set, clear)) = form.headers() else { return Ok(()) };
        for header in [set, clear] {
            let parsed = Parsed::of(&header).map_err(TestCaseError::fail)?;
            prop_assert_eq!(parsed.name, &form.name);
            prop_assert!(header.bytes().all(|b| !b.is_ascii_control()));
        }
    }

    #[test]
    fn ck_2_no_attribute_stands_twice(form in taken()) {
        let (set, clear) = form.headers().expect("a name that is taken");
        for header in [set, clear] {
            let parsed = Parsed::of(&header).map_err(TestCaseError::fail)?;
            let names: BTreeSet<String> = parsed.names().iter().map(|name| name.to_ascii_lowercase()).collect();
            prop_assert_eq!(names.len(), parsed.attributes.len(), "{}", header);
        }
    }

    #[test]
    fn ck_8_ck_19_asvs_3_3_2_cs_sm_22_same_site_is_said_once_and_never_none(form in taken()) {
        let (set, clear) = form.headers().expect("a name that is taken");
        let asked = if form.strict { "Strict" } else { "Lax" };
        for header in [set, clear] {
            let parsed = Parsed::of(&header).map_err(TestCaseError::fail)?;
            prop_assert_eq!(parsed.values("SameSite"), [Some(asked)]);
            prop_assert_eq!(parsed.values("HttpOnly"), [None], "ASVS 3.3.4");
            prop_assert_eq!(parsed.values("Secure").len(), usize::from(form.https));
        }
    }

    /// Above 1024 bytes a browser ignores an attribute alone: a long `Path` would be another.
    #[test]
    fn ck_6_no_attribute_is_long_enough_to_be_ignored(form in taken()) {
        let (set, clear) = form.headers().expect("a name that is taken");
        for header in [set, clear] {
            let parsed = Parsed::of(&header).map_err(TestCaseError::fail)?;
            prop_assert_eq!(parsed.values("Path"), [Some("/")]);
            for (name, value) in &parsed.attributes {
                prop_assert!(name.len() + value.map_or(0, str::len) <= 32, "{}", header);
            }
        }
    }

    #[test]
    fn ck_13_no_cookie_is_kept_longer_than_400_days(form in taken()) {
        let (set, _) = form.headers().expect("a name that is taken");
        let parsed = Parsed::of(&set).map_err(TestCaseError::fail)?;
        let kept: Vec<_> = parsed.values("Max-Age").into_iter().flatten().map(str::to_owned).collect();
        let asked: Vec<_> = form.age.iter().map(|age| (*age).clamp(1, 34_560_000).to_string()).collect();
        prop_assert_eq!(kept, asked);
    }

    /// `Max-Age` beats `Expires`, so there is only the one; a deletion with another path or
    /// without the prefix's attributes would delete nothing.
    #[test]
    fn ck_14_a_deletion_has_the_attributes_of_its_cookie_and_no_time_left(form in taken()) {
        let (set, clear) = form.headers().expect("a name that is taken");
        let set = Parsed::of(&set).map_err(TestCaseError::fail)?;
        let clear = Parsed::of(&clear).map_err(TestCaseError::fail)?;
        prop_assert_eq!(clear.values("Max-Age"), [Some("0")]);
        prop_assert_eq!(set.name, clear.name);
        let lasting = |parsed: &Parsed<'_>| {
            let kept = parsed.attributes.iter().filter(|(name, _)| *name != "Max-Age");
            kept.map(|(name, value)| format!("{name} {value:?}")).collect::<Vec<_>>()
        };
        prop_assert_eq!(lasting(&set), lasting(&clear));
        prop_assert!(!set.names().contains(&"Expires") && !clear.names().contains(&"Expires"));
    }
}

/// A browser drops a cookie of more than 4096 bytes. Ours stays far below also what would be
/// worth a warning, because the token has one length and a longer name is refused.
#[test]
fn ck_5_asvs_3_3_5_name_and_value_stay_far_below_4096_bytes() {
    for length in (1..=200).chain([1_024, 4_000, 4_096, 4_097, 100_000]) {
        for https in [true, false] {
            let prefix = if https { "__Host-" } else { "" };
            let form =
                Form { name: format!("{prefix}{}", "n".repeat(length)), https, strict: false, age: None };
            match form.headers() {
                None => assert!(form.name.len() > 64, "{}", form.name),
                Some((set, _)) => {
                    let parsed = Parsed::of(&set).unwrap();
                    assert!(parsed.name.len() + parsed.value.len() <= 160, "{set}");
                    assert!(form.name.len() <= 64, "{set}");
                }
            }
        }
    }
}

#[test]
fn the_grammar_of_these_tests_refuses_what_is_none() {
    for bad in [
        "",
        "=v",
        "a b=v",
        "a",
        "a=v w",
        "a=\"v\"",
        "a=v,w",
        "a=v\\",
        "a=v;Secure",
        "a=v; Secure=",
        "a=v; Max-Age=-1",
        "a=v; Max-Age=01",
        "a=v; SameSite=lax",
        "a=v; Path=x",
        "a=v; Domain=example.org",
        "a=v\r\nSet-Cookie: b=c",
        "a=v\t; Secure",
        "ä=v",
    ] {
        assert!(Parsed::of(bad).is_err(), "{bad:?}");
    }
    let fine = Parsed::of("a=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax").unwrap();
    assert_eq!(fine.names(), ["Path", "Max-Age", "Secure", "HttpOnly", "SameSite"]);
}
