//! A web application, as a visitor sees it: the file that says where it signs people in, which
//! page shows who is signed in, and how one signs out.

use std::collections::BTreeMap;

use serde::Deserialize;

/// How many requests and people a scenario may have.
const MOST: usize = 1_000;

/// A web application, read from TOML.
///
/// # Example
/// ```
/// use tenure_load::Scenario;
///
/// let shop = Scenario::parse(
///     r#"
///     cookie = "__Host-sid"
///
///     [[user]]
///     name = "customer-{n}"
///     password = "correct horse"
///
///     [visit]
///     path = "/"
///
///     [sign_in]
///     method = "POST"
///     path = "/sign-in"
///     form = { name = "{name}", password = "{password}" }
///     expect = 303
///
///     [who]
///     path = "/account"
///     shows = "Signed in as {name}"
///
///     [sign_out]
///     method = "POST"
///     path = "/sign-out"
///     expect = 303
///
///     [[request]]
///     name = "cart"
///     path = "/cart"
///     "#,
/// )?;
/// assert_eq!(shop.people(), None, "as many as are wanted");
///
/// let wrong = Scenario::parse("cookie = \"sid\"\n[visit]\nroad = \"/\"\n").unwrap_err();
/// assert!(wrong.to_string().starts_with("line 3: "), "{wrong}");
/// # Ok::<(), tenure_load::ScenarioError>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub(crate) cookie: String,
    pub(crate) user: Vec<User>,
    pub(crate) visit: Call,
    pub(crate) sign_in: Call,
    pub(crate) who: Who,
    pub(crate) sign_out: Call,
    #[serde(default)]
    pub(crate) request: Vec<Named>,
}

/// Somebody with an account.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
    /// What the page shows, when it is not the name.
    pub(crate) shown: Option<String>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").finish_non_exhaustive()
    }
}

/// One request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    #[serde(default = "get")]
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) form: Option<BTreeMap<String, String>>,
    pub(crate) json: Option<serde_json::Value>,
    #[serde(default = "ok")]
    pub(crate) expect: u16,
}

/// The page that shows who is signed in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Who {
    pub(crate) path: String,
    pub(crate) shows: String,
    #[serde(default = "ok")]
    pub(crate) expect: u16,
}

/// A request that somebody signed in makes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    pub(crate) name: String,
    #[serde(default = "get")]
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) form: Option<BTreeMap<String, String>>,
    pub(crate) json: Option<serde_json::Value>,
    #[serde(default = "ok")]
    pub(crate) expect: u16,
}

impl Named {
    pub(crate) fn call(&self) -> Call {
        let Self { name: _, method, path, form, json, expect } = self.clone();
        Call { method, path, form, json, expect }
    }
}

fn get() -> String {
    "GET".into()
}

fn ok() -> u16 {
    200
}

/// What is wrong with a scenario file, and where.
///
/// # Example
/// ```
/// let nothing = tenure_load::Scenario::parse("").unwrap_err();
/// assert!(nothing.to_string().contains("missing field `cookie`"));
/// ```
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ScenarioError {
    line: usize,
    what: String,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// When the text is no TOML or no scenario; the error names the line and what to write there.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            ScenarioError { line: before.matches('\n').count() + 1, what: error.message().to_owned() }
        })?;
        scenario.check(text)?;
        Ok(scenario)
    }

    /// How many people can be signed in at once; none when that has no limit.
    pub fn people(&self) -> Option<usize> {
        (!self.user.iter().any(|user| user.name.contains("{n}"))).then_some(self.user.len())
    }

    fn check(&self, text: &str) -> Result<(), ScenarioError> {
        let wrong = |near: &str, what: String| {
            let find = |text_near: &str| text.lines().position(|line| line.contains(text_near));
            // A value stands in quotes, a name does not.
            let line = find(&format!("\"{near}\"")).or_else(|| find(near)).map_or(1, |at| at + 1);
            Err(ScenarioError { line, what })
        };
        let calls = [("visit", &self.visit), ("sign_in", &self.sign_in), ("sign_out", &self.sign_out)];
        let calls = calls.map(|(name, call)| (name.to_owned(), call.clone()));
        let named = self.request.iter().map(|named| (named.name.clone(), named.call()));
        for (name, call) in calls.into_iter().chain(named) {
            if !call.path.starts_with('/') {
                return wrong(&call.path, format!("{name}: the path begins with /, such as \"/cart\""));
            }
            if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&&*call.method) {
                let what = format!("{name}: the method is GET, POST, PUT, PATCH or DELETE, in capitals");
                return wrong(&call.method, what);
            }
            if !(100..600).contains(&call.expect) {
                return wrong("expect", format!("{name}: `expect` is a status such as 200"));
            }
            if call.form.is_some() && call.json.is_some() {
                return wrong(&call.path, format!("{name}: give `form` or `json`, not both"));
            }
        }
        if !self.who.path.starts_with('/') {
            return wrong(&self.who.path, "who: the path begins with /, such as \"/account\"".into());
        }
        if self.who.shows.is_empty() {
            let what =
                "who: `shows` is what the page says only to somebody signed in, such as \"Hello {name}\"";
            return wrong("shows", what.into());
        }
        if self.cookie.is_empty() || self.cookie.contains(|c: char| c.is_whitespace() || "=;,".contains(c)) {
            return wrong("cookie", "cookie: the name of the session's cookie, such as \"sid\"".into());
        }
        if self.user.is_empty() || self.user.len() > MOST || self.request.len() > MOST {
            return wrong("user", format!("from 1 to {MOST} [[user]], and at most {MOST} [[request]]"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"cookie = "sid"
[[user]]
name = "a"
password = "b"
[visit]
path = "/"
[sign_in]
path = "/in"
[who]
path = "/me"
shows = "{name}"
[sign_out]
path = "/out"
"#;

    #[test]
    fn what_is_wrong_names_its_line_and_the_remedy() {
        assert_eq!(Scenario::parse(GOOD).unwrap().people(), Some(1));
        for (from, to, line, what) in [
            ("\"/in\"", "\"in\"", 8, "begins with /"),
            ("path = \"/out\"", "path = \"/out\"\nmethod = \"fetch\"", 14, "GET, POST"),
            ("path = \"/\"", "pfad = \"/\"", 6, "unknown field `pfad`"),
            ("{name}", "", 11, "signed in"),
            ("\"sid\"", "\"a b\"", 1, "session's cookie"),
        ] {
            let error = Scenario::parse(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.what.contains(what), "{error}");
        }
        assert!(!format!("{:?}", Scenario::parse(GOOD).unwrap()).contains("\"b\""));
    }
}
