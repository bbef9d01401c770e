//! How what tower-sessions holds becomes data of a session, and what a request has changed.

use std::collections::HashMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tenure::{Changes, Snapshot};
use time::OffsetDateTime;
use tower_sessions_core::session_store::Error;

/// What tower-sessions holds of a session.
pub(crate) type Data = HashMap<String, Value>;

/// The key of the date at which tower-sessions lets the session expire, in nanoseconds since 1970.
const EXPIRY: &str = "tower-sessions/expiry";

/// The key under which a map says what was in it when it was loaded or first written, so that its
/// save can tell what the request changed. It is never stored.
const BASE: &str = "tower-sessions/base";

/// What to write for a new session.
pub(crate) fn all(data: &Data, expiry: OffsetDateTime) -> Result<Changes, Error> {
    base(data)?;
    let ours = data.iter().filter(|(key, _)| *key != BASE);
    let set = |changes: Changes, (key, value): (&String, &Value)| {
        own(key).map(|key| changes.set(key, value.clone()))
    };
    let mut changes = dated(expiry);
    for entry in ours {
        changes = set(changes, entry)?;
    }
    Ok(changes)
}

/// What to write for a session whose data is known from before: the keys that differ from then. A map
/// that does not say what was in it takes the place of everything in `now`.
pub(crate) fn changed(data: &Data, expiry: OffsetDateTime, now: &Snapshot) -> Result<Changes, Error> {
    let Some(base) = base(data)? else {
        let gone = now.keys().filter(|key| *key != EXPIRY && !data.contains_key(*key));
        return Ok(gone.fold(all(data, expiry)?, |changes, key| changes.remove(key)));
    };
    let mut changes = dated(expiry);
    for (key, value) in data.iter().filter(|(key, _)| *key != BASE) {
        if base.get(key) != Some(&mark(value)) {
            changes = changes.set(own(key)?, value.clone());
        }
    }
    Ok(base.keys().filter(|key| !data.contains_key(*key)).fold(changes, |changes, key| changes.remove(key)))
}

/// What a session holds, and until when; none when it is not one of this store.
pub(crate) fn read(session: &Snapshot) -> Result<Option<(Data, OffsetDateTime)>, Error> {
    let mut data = Data::new();
    let mut expiry = None;
    for key in session.keys() {
        let (text, _) = session.value(key).unwrap_or_default();
        let value: Value = serde_json::from_slice(text)
            .map_err(|error| Error::Decode(format!("key `{key}`: {:?}", error.classify())))?;
        if key == EXPIRY {
            let nanos = value.as_str().and_then(|digits| digits.parse().ok());
            expiry = nanos.and_then(|nanos| OffsetDateTime::from_unix_timestamp_nanos(nanos).ok());
        } else {
            data.insert(key.to_owned(), value);
        }
    }
    let Some(expiry) = expiry else {
        return Ok(None);
    };
    note(&mut data);
    Ok(Some((data, expiry)))
}

/// Lets a map say what is in it now.
pub(crate) fn note(data: &mut Data) {
    data.remove(BASE);
    // What is empty has to look so: tower-sessions lets such a session go.
    if !data.is_empty() {
        let base: Map<String, Value> = data.iter().map(|(key, value)| (key.clone(), mark(value))).collect();
        data.insert(BASE.into(), base.into());
    }
}

/// What a map says was in it. Something else under that key is the application's.
fn base(data: &Data) -> Result<Option<&Map<String, Value>>, Error> {
    match data.get(BASE) {
        None => Ok(None),
        Some(Value::Object(base)) if !base.is_empty() && base.values().all(Value::is_u64) => Ok(Some(base)),
        Some(_) => Err(taken(BASE)),
    }
}

fn dated(expiry: OffsetDateTime) -> Changes {
    Changes::default().set(EXPIRY, expiry.unix_timestamp_nanos().to_string().into())
}

/// A short mark of a value: equal values have equal ones.
fn mark(value: &Value) -> Value {
    let hash = Sha256::digest(value.to_string());
    hash[..8].iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte)).into()
}

/// A key of the application's.
fn own(key: &str) -> Result<&str, Error> {
    if key == EXPIRY {
        return Err(taken(EXPIRY));
    }
    Ok(key)
}

fn taken(key: &str) -> Error {
    Error::Encode(format!("the key `{key}` is the store's own; take another"))
}
