//! The bytes of a record in a store, for engines that keep it whole.

use super::{Record, Value};

/// The version of the layout that [`Record::encode`] writes.
pub const RECORD_FORMAT: u8 = 1;

/// How many bytes most records and values take at the most, besides what is sealed in them.
const RECORD: usize = 384;
const VALUE: usize = 80;

/// The bytes are no record of a format this release reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the record is damaged, or was written by a newer release (format {found:?}, this one reads {RECORD_FORMAT})"
)]
pub struct CorruptRecord {
    /// The format byte that was found, if there was one.
    pub found: Option<u8>,
}

impl Record {
    /// The record as bytes: a format byte, then MessagePack.
    pub fn encode(&self) -> Vec<u8> {
        let sealed = |value: &Value| value.sealed.len() + VALUE;
        let mut bytes =
            Vec::with_capacity(RECORD + self.device.len() + self.data.values().map(sealed).sum::<usize>());
        bytes.push(RECORD_FORMAT);
        rmp_serde::encode::write(&mut bytes, self)
            .expect("a record has nothing that MessagePack cannot hold");
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`CorruptRecord`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, CorruptRecord> {
        let found = bytes.first().copied();
        match bytes.split_first() {
            Some((&RECORD_FORMAT, packed)) => {
                rmp_serde::from_slice(packed).map_err(|_| CorruptRecord { found })
            }
            _ => Err(CorruptRecord { found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::clock::Timestamp;
    use crate::id::{Realm, Route, SessionId, UserId};
    use crate::level::Level;
    use crate::random::SystemRandom;
    use crate::record::{Method, NewIdentity, NewSession, NewState};
    use crate::token::Secret;

    fn record() -> Record {
        let identity = NewIdentity {
            user: UserId::new("u_1").unwrap(),
            roles: Vec::new(),
            level: Level::One,
            methods: vec![Method::password()],
            at: None,
        };
        NewSession {
            id: SessionId::new(Timestamp::from_millis(5), Route(1), &SystemRandom),
            realm: Realm::default(),
            state: NewState::SignedIn(identity),
            previous: None,
            idle_ms: 1,
            absolute_ms: 2,
            persistent: false,
            hash: Secret::new(&SystemRandom).hash(),
            device: vec![0xff; 100],
            data: BTreeMap::from([("cart".into(), vec![0xff; 300].into())]),
            adopted_until: None,
        }
        .record(Timestamp::from_millis(7))
        .unwrap()
    }

    #[test]
    fn a_record_reads_back_and_bytes_stay_bytes() {
        let record = record();
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes), Ok(record));
        assert!(bytes.len() < 100 + 300 + 250, "{} bytes", bytes.len());
    }

    #[test]
    fn a_newer_or_torn_record_is_an_error_and_never_a_guess() {
        let bytes = record().encode();
        let mut newer = bytes.clone();
        newer[0] = RECORD_FORMAT + 1;
        assert_eq!(Record::decode(&newer), Err(CorruptRecord { found: Some(RECORD_FORMAT + 1) }));
        assert_eq!(Record::decode(&[]), Err(CorruptRecord { found: None }));
        for cut in 1..bytes.len() {
            assert!(Record::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }
}
