//! A web application, by its scenario.

use std::collections::BTreeMap;

use hyper::header::SET_COOKIE;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::client::{Answer, Ask, Failure};
use crate::scenario::{Call, Scenario, User};
use crate::who::{Credential, Issued, Seen, Who};

/// What is not left as it is in a form.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A scenario and the run it is used in.
pub(crate) struct Web {
    pub(crate) scenario: Scenario,
    pub(crate) run: String,
}

impl Web {
    fn user(&self, number: u64) -> &User {
        let users = &self.scenario.user;
        &users[usize::try_from(number).unwrap_or(0) % users.len()]
    }

    /// A text with its places filled in.
    fn filled(&self, text: &str, number: u64, shown: bool) -> String {
        let user = self.user(number);
        let name = user.shown.as_ref().filter(|_| shown).unwrap_or(&user.name);
        text.replace("{name}", name)
            .replace("{password}", &user.password)
            .replace("{n}", &format!("{}-{number}", self.run))
    }

    fn call(&self, call: &Call, number: u64, cookie: Option<&Credential>) -> Ask {
        let fill = |text: &str| self.filled(text, number, false);
        let form = |form: &BTreeMap<String, String>| {
            let parts =
                form.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(&fill(value))));
            parts.collect::<Vec<_>>().join("&")
        };
        let (content_type, body) = match (&call.form, &call.json) {
            (Some(fields), _) => ("application/x-www-form-urlencoded", form(fields)),
            (None, Some(json)) => ("application/json", fill(&json.to_string())),
            (None, None) => ("", String::new()),
        };
        let method = ["POST", "PUT", "PATCH", "DELETE"].into_iter().find(|name| *name == call.method);
        Ask {
            method: method.unwrap_or("GET"),
            path: fill(&call.path),
            content_type,
            body,
            cookie: cookie.map(|cookie| cookie.0.clone()),
            ..Ask::default()
        }
    }

    pub(crate) fn visit(&self) -> Ask {
        self.call(&self.scenario.visit, 0, None)
    }

    pub(crate) fn sign_in(&self, number: u64) -> Ask {
        self.call(&self.scenario.sign_in, number, None)
    }

    pub(crate) fn who(&self, credential: &Credential) -> Ask {
        let path = self.scenario.who.path.clone();
        Ask { method: "GET", path, cookie: Some(credential.0.clone()), ..Ask::default() }
    }

    fn named(&self, count: u64) -> Option<Call> {
        let all = &self.scenario.request;
        let at = usize::try_from(count).unwrap_or(0).checked_rem(all.len())?;
        Some(all[at].call())
    }

    pub(crate) fn request(&self, who: &Who, count: u64) -> Ask {
        let call = self.named(count);
        call.map_or_else(
            || self.who(&who.credential),
            |call| self.call(&call, who.number, Some(&who.credential)),
        )
    }

    pub(crate) fn sign_out(&self, who: &Who) -> Ask {
        self.call(&self.scenario.sign_out, who.number, Some(&who.credential))
    }

    pub(crate) fn made_up(&self, text: &str) -> Credential {
        Credential(format!("{}={text}", self.scenario.cookie))
    }

    pub(crate) fn issued(&self, answer: &Answer, number: u64, guest: bool) -> Result<Issued, Failure> {
        let expect = if guest { self.scenario.visit.expect } else { self.scenario.sign_in.expect };
        if answer.status != expect {
            return Err(Failure(format!("status {}", answer.status)));
        }
        let credential = merged("", answer);
        let begin = format!("{}=", self.scenario.cookie);
        if !guest && !credential.split("; ").any(|part| part.starts_with(&begin)) {
            return Err(Failure("sign-in sets no session cookie".into()));
        }
        // A web application does not name its sessions.
        Ok(Issued { id: format!("person {number}"), credential: Credential(credential) })
    }

    pub(crate) fn seen(
        &self,
        answer: &Answer,
        asked: &Credential,
        number: Option<u64>,
    ) -> Result<Seen, Failure> {
        let who = &self.scenario.who;
        let shows = match number {
            Some(number) => self.filled(&who.shows, number, true),
            None => who.shows.split('{').next().unwrap_or_default().to_owned(),
        };
        let page = String::from_utf8_lossy(&answer.body);
        if answer.status == who.expect && page.contains(&shows) {
            return Ok(accepted(answer, asked));
        }
        match answer.status {
            200..=399 | 401 | 403 => Ok(Seen::Refused),
            status => Err(Failure(format!("status {status}"))),
        }
    }

    pub(crate) fn answered(&self, answer: &Answer, asked: &Credential, count: u64) -> Result<Seen, Failure> {
        let expect = self.named(count).map_or(self.scenario.who.expect, |call| call.expect);
        if answer.status == expect {
            Ok(accepted(answer, asked))
        } else {
            Err(Failure(format!("status {}", answer.status)))
        }
    }

    pub(crate) fn has_signed_out(&self, answer: &Answer) -> bool {
        answer.status == self.scenario.sign_out.expect
    }
}

/// Somebody was accepted, maybe with other cookies from now on.
fn accepted(answer: &Answer, asked: &Credential) -> Seen {
    let renewed = merged(&asked.0, answer);
    let renewed = (renewed != asked.0).then_some(Credential(renewed));
    Seen::Accepted { id: None, count: None, renewed }
}

/// The `Cookie` header after an answer.
fn merged(before: &str, answer: &Answer) -> String {
    let mut jar: BTreeMap<&str, &str> = before.split("; ").filter_map(|part| part.split_once('=')).collect();
    for set in answer.headers.get_all(SET_COOKIE) {
        let pair = set.to_str().ok().and_then(|set| set.split(';').next()?.split_once('='));
        match pair.map(|(name, value)| (name.trim(), value.trim())) {
            Some((name, "")) => drop(jar.remove(name)),
            Some((name, value)) => drop(jar.insert(name, value)),
            None => {}
        }
    }
    jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}
