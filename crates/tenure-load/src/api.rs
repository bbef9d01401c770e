//! Tenure's own API.

use serde_json::{Value, json};

use crate::client::{Answer, Ask, Failure};
use crate::who::{Credential, Issued, Seen, Who};

/// The run's people: their ids are its own, so that two runs share nobody.
pub(crate) struct Api {
    pub(crate) run: String,
}

fn post(path: &str, body: &Value) -> Ask {
    Ask {
        method: "POST",
        path: path.into(),
        content_type: "application/json",
        body: body.to_string(),
        ..Ask::default()
    }
}

impl Api {
    pub(crate) fn user(&self, number: u64) -> String {
        format!("load_{}_{number}", self.run)
    }

    pub(crate) fn sign_in(&self, guest: &Who, number: u64) -> Ask {
        let body = json!({ "token": guest.credential.0, "user": self.user(number), "methods": ["password"] });
        post("/v1/sessions/sign-in", &body)
    }
}

pub(crate) fn create(user: Option<&str>) -> Ask {
    let body = match user {
        Some(user) => json!({ "user": user, "data": { "load": 0 } }),
        None => json!({ "data": { "load": 0 } }),
    };
    post("/v1/sessions", &body)
}

pub(crate) fn verify(credential: &Credential) -> Ask {
    post("/v1/sessions/verify", &json!({ "token": credential.0, "accept": ["guest"] }))
}

pub(crate) fn change(who: &Who, count: u64) -> Ask {
    let path = format!("/v1/sessions/{}", who.id);
    Ask { method: "PATCH", ..post(&path, &json!({ "data": { "set": { "load": count } } })) }
}

pub(crate) fn end(who: &Who) -> Ask {
    Ask { method: "DELETE", path: format!("/v1/sessions/{}?reason=logout", who.id), ..Ask::default() }
}

fn json(answer: &Answer) -> Result<Value, Failure> {
    serde_json::from_slice(&answer.body).map_err(|_| Failure("answer is no JSON".into()))
}

pub(crate) fn issued(answer: &Answer) -> Result<Issued, Failure> {
    if answer.status != 200 && answer.status != 201 {
        return Err(Failure(format!("status {}", answer.status)));
    }
    let said = json(answer)?;
    let text = |at: &str| said.pointer(at).and_then(Value::as_str).map(str::to_owned);
    match (text("/session/id"), text("/token")) {
        (Some(id), Some(token)) => Ok(Issued { id, credential: Credential(token) }),
        _ => Err(Failure("answer without a session".into())),
    }
}

pub(crate) fn seen(answer: &Answer) -> Result<Seen, Failure> {
    if answer.status != 200 {
        return Err(Failure(format!("status {}", answer.status)));
    }
    let said = json(answer)?;
    match said["verdict"].as_str() {
        Some("ok") => Ok(Seen::Accepted {
            id: said.pointer("/session/id").and_then(Value::as_str).map(str::to_owned),
            count: said.pointer("/session/data/load").and_then(Value::as_u64),
            renewed: None,
        }),
        Some(_) => Ok(Seen::Refused),
        None => Err(Failure("answer without a verdict".into())),
    }
}
