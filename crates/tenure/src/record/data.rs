//! The data of a session: a map from key to sealed value, changed key by key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::seal::{SEAL_OVERHEAD, Sealed};

/// How much data a session holds, in bytes of keys and plain values.
pub const MAX_DATA: usize = 32 * 1024;
/// How many keys the data of a session has.
pub const MAX_KEYS: usize = 64;
/// How long a key is, in bytes.
pub const MAX_KEY_LEN: usize = 64;

/// A sealed value and the version of the data that wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// The version of the session's data at which this key was last set. It never comes
    /// twice, also when a key is removed and set again.
    pub version: u64,
    /// The value, encrypted for this session and key.
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
}

/// What a request changes in a session's data: keys to set and to remove, never the whole
/// (promise P2).
///
/// # Example: what a request sends to a store
/// ```
/// use std::collections::BTreeMap;
/// use tenure::Sealed;
/// use tenure::record::Change;
/// use tenure::store::Mutation;
///
/// # let sealed = Sealed::from(vec![0; 48]);
/// let change = Change {
///     generation: Some(1), // of the token that was presented
///     set: BTreeMap::from([("cart".to_owned(), sealed)]),
///     remove: vec!["coupon".to_owned()],
///     expect: BTreeMap::from([("cart".to_owned(), 3)]), // only if nobody else wrote it since
///     if_version: None,
/// };
/// let mutation = Mutation::Change { change };
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The generation of the token under which the change is made. A token that was
    /// superseded meanwhile changes nothing. None for an administrator.
    pub generation: Option<u32>,
    /// Keys to set, each with its sealed value.
    pub set: BTreeMap<String, Sealed>,
    /// Keys to remove. One that is not there is fine.
    pub remove: Vec<String>,
    /// Versions that keys must have; 0 for a key that must not be there.
    pub expect: BTreeMap<String, u64>,
    /// The version that the whole data must have.
    pub if_version: Option<u64>,
}

impl Change {
    /// Whether `value` of `key` is what this change has set, byte for byte.
    pub(crate) fn is_made_here(&self, key: &str, value: &Value) -> bool {
        self.set.get(key).is_some_and(|sealed| sealed.as_bytes() == value.sealed)
    }

    /// Applies itself to `data`, whole or not at all.
    pub(crate) fn apply(
        &self,
        mut data: BTreeMap<String, Value>,
        version: u64,
    ) -> Result<BTreeMap<String, Value>, Refusal> {
        if self.if_version.is_some_and(|wanted| wanted != version) {
            return Err(Refusal::VersionMismatch { version });
        }
        for (key, wanted) in &self.expect {
            let found = data.get(key).map_or(0, |value| value.version);
            if found != *wanted {
                return Err(Refusal::Conflict { key: key.clone(), version: found });
            }
        }
        for key in &self.remove {
            data.remove(key);
        }
        for (key, sealed) in &self.set {
            data.insert(key.clone(), Value { version: version + 1, sealed: sealed.as_bytes().to_vec() });
        }
        fits(&data)?;
        Ok(data)
    }
}

/// Whether `data` is within the limits.
pub(crate) fn fits(data: &BTreeMap<String, Value>) -> Result<(), Refusal> {
    if data.len() > MAX_KEYS {
        return Err(Refusal::TooManyKeys);
    }
    if data.keys().any(|key| key.is_empty() || key.len() > MAX_KEY_LEN) {
        return Err(Refusal::KeyTooLong);
    }
    if size(data) > MAX_DATA {
        return Err(Refusal::TooMuchData);
    }
    Ok(())
}

/// How much `data` is, in bytes of keys and plain values.
pub(crate) fn size(data: &BTreeMap<String, Value>) -> usize {
    let plain = |value: &Value| value.sealed.len().saturating_sub(SEAL_OVERHEAD);
    data.iter().map(|(key, value)| key.len() + plain(value)).sum()
}
