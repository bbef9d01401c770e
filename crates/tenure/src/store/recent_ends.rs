//! What the last requests to end all sessions of a user came to, for their retries.

use sha2::{Digest, Sha256};

use super::operation::EndedSessions;
use crate::id::{OperationId, Realm, UserId};

/// How many of a user are remembered.
const REMEMBERED: usize = 8;
const ENTRY: usize = 16 + 8;

/// The last requests that ended all sessions of a user or disabled them, each with the count
/// that it was told. A store keeps it among its receipts, one for each user and replaced each
/// time: whoever asks again and again must not fill the store.
///
/// # Example: a retry is told the first count
/// ```
/// use tenure::random::SystemRandom;
/// use tenure::store::{EndedSessions, RecentEnds};
/// use tenure::{OperationId, Realm, SessionId, UserId};
///
/// let (operation, ids) = (OperationId::random(&SystemRandom), vec![SessionId::from_bytes([7; 16])]);
/// let mut recent = RecentEnds::default(); // or read from the receipt under the user's key
/// assert_eq!(recent.answer(operation), None, "it has not been done");
/// recent.add(operation, &EndedSessions::now(ids));
///
/// let (key, kept) = (RecentEnds::key(&Realm::default(), &UserId::new("u_1")?), recent.receipt());
/// assert_eq!(key.as_bytes().len(), 16);
/// let again = RecentEnds::read(&kept).answer(operation);
/// assert_eq!(again, Some(EndedSessions { count: 1, ids: vec![] }));
/// # Ok::<(), tenure::InvalidName>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentEnds(Vec<(OperationId, u64)>);

impl RecentEnds {
    /// The name under which the receipt of a user is kept.
    pub fn key(realm: &Realm, user: &UserId) -> OperationId {
        let mut hash = Sha256::new();
        for part in ["recent ends", realm.as_str(), user.as_str()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        OperationId::from_bytes(key)
    }

    /// Reads what [`receipt`](Self::receipt) wrote; nothing is remembered of anything else.
    pub fn read(receipt: &[u8]) -> Self {
        let entry = |bytes: &[u8]| {
            let (id, count) = bytes.split_first_chunk::<16>()?;
            Some((OperationId::from_bytes(*id), u64::from_be_bytes(count.try_into().ok()?)))
        };
        Self(receipt.chunks(ENTRY).filter_map(entry).collect())
    }

    /// The bytes to keep.
    pub fn receipt(&self) -> Vec<u8> {
        let entry =
            |(id, count): &(OperationId, u64)| [id.as_bytes().as_slice(), &count.to_be_bytes()].concat();
        self.0.iter().flat_map(entry).collect()
    }

    /// The answer to an operation that was done before.
    pub fn answer(&self, operation: OperationId) -> Option<EndedSessions> {
        let (_, count) = self.0.iter().find(|(id, _)| *id == operation)?;
        Some(EndedSessions { count: *count, ids: Vec::new() })
    }

    /// Remembers what an operation came to.
    pub fn add(&mut self, operation: OperationId, ended: &EndedSessions) {
        self.0.push((operation, ended.count));
        self.0.drain(..self.0.len().saturating_sub(REMEMBERED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn the_last_few_are_remembered_and_read_back() {
        let mut ends = RecentEnds::default();
        let operations: Vec<OperationId> = (0..20).map(|_| OperationId::random(&SystemRandom)).collect();
        for (count, operation) in (0..).zip(&operations) {
            ends.add(*operation, &EndedSessions { count, ids: Vec::new() });
        }
        let ends = RecentEnds::read(&ends.receipt());
        assert_eq!(ends.answer(operations[19]).unwrap().count, 19);
        assert_eq!(ends.answer(operations[12]).unwrap().count, 12);
        assert_eq!(ends.answer(operations[11]), None);
        assert_eq!(RecentEnds::read(b"something else"), RecentEnds::default());
    }
}
