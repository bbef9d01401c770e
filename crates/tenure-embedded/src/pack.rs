//! A record as small as it gets: without what the columns of its row say already.
//!
//! The id and the time of last activity are columns. The other moments lie near the one in
//! the id, so their distance to it takes a few bytes instead of nine.

use tenure::SessionId;
use tenure::clock::Timestamp;
use tenure::record::{Identity, Record, State};

/// Where the id is looked for in the encoded record, which begins with it.
const NEAR: usize = 16;

/// What follows the id in most records: the default realm, and that the user is signed in.
const COMMON: &[u8] = b"\xa7default\x81\xa8SignedIn";

/// Says in the first byte that this was cut out too.
const WITHOUT_COMMON: u8 = 0x80;

/// The record as bytes. It is the same afterwards.
pub(crate) fn pack(record: &mut Record) -> Vec<u8> {
    let id = *record.id.as_bytes();
    let base = base(record.id);
    let seen = std::mem::take(&mut record.last_seen_at);
    shift(record, |at| at.wrapping_sub(base));
    let mut bytes = record.encode();
    shift(record, |at| at.wrapping_add(base));
    record.last_seen_at = seen;
    // The first byte says where the id was cut out; 0 that it is still there.
    let at = bytes.windows(id.len()).take(NEAR).position(|part| part == id);
    let at = at.unwrap_or(0);
    let mut first = u8::try_from(at).unwrap_or(0);
    if at > 0 {
        let is_common = bytes[at + id.len()..].starts_with(COMMON);
        let cut = id.len() + if is_common { COMMON.len() } else { 0 };
        bytes.drain(at..at + cut);
        first |= if is_common { WITHOUT_COMMON } else { 0 };
    }
    bytes.insert(0, first);
    bytes
}

/// Reads what [`pack`] wrote; none when it is something else.
pub(crate) fn unpack(bytes: &[u8], id: SessionId, seen: Timestamp) -> Option<Record> {
    let (first, bytes) = bytes.split_first()?;
    let (before, after) = bytes.split_at_checked(usize::from(first & !WITHOUT_COMMON))?;
    let common = if first & WITHOUT_COMMON > 0 { COMMON } else { &[] };
    let mut record = if before.is_empty() {
        Record::decode(after).ok()?
    } else {
        Record::decode(&[before, id.as_bytes(), common, after].concat()).ok()?
    };
    let base = base(id);
    shift(&mut record, |at| at.wrapping_add(base));
    record.last_seen_at = seen;
    (record.id == id).then_some(record)
}

/// The moment in an id.
fn base(id: SessionId) -> u64 {
    id.as_bytes()[..6].iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// Moves every moment in the record but the one of last activity.
fn shift(record: &mut Record, by: impl Fn(u64) -> u64) {
    let move_it = |at: &mut Timestamp| *at = Timestamp::from_millis(by(at.as_millis()));
    let of_identity = |identity: &mut Identity| {
        move_it(&mut identity.authenticated_at);
        for used in &mut identity.methods {
            move_it(&mut used.at);
        }
    };
    move_it(&mut record.created_at);
    move_it(&mut record.deadline);
    record.adopted_until.iter_mut().for_each(move_it);
    move_it(&mut record.secrets.since);
    if let Some(superseded) = &mut record.secrets.superseded {
        move_it(&mut superseded.since);
    }
    match &mut record.state {
        State::Guest | State::Claimed(_) => {}
        State::Pending(identity) | State::SignedIn(identity) => of_identity(identity),
        State::Ended(ended) => {
            move_it(&mut ended.at);
            if let Some(identity) = &mut ended.identity {
                of_identity(identity);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use tenure::Method;
    use tenure::SecretHash;
    use tenure::record::{NewIdentity, NewSession, NewState, Superseded};
    use tenure::store::rules;
    use tenure::{Actor, EndReason, Ending, Level};
    use tenure::{Realm, UserId};

    fn record(id: [u8; 16], now: u64) -> Record {
        let identity = NewIdentity {
            user: UserId::new("u_1").unwrap(),
            roles: Vec::new(),
            level: Level::One,
            methods: vec![Method::password()],
            at: None,
        };
        let new = NewSession {
            id: SessionId::from_bytes(id),
            realm: Realm::default(),
            state: NewState::SignedIn(identity),
            previous: None,
            idle_ms: 1_800_000,
            absolute_ms: 43_200_000,
            persistent: false,
            hash: SecretHash::from_bytes([7; 32]),
            device: vec![0xff; 60],
            data: BTreeMap::from([("cart".into(), vec![0xff; 336].into())]),
            adopted_until: None,
        };
        let mut record = new.record(Timestamp::from_millis(now)).unwrap();
        record.secrets.superseded = Some(Superseded {
            generation: 1,
            hash: SecretHash::from_bytes([8; 32]),
            since: Timestamp::from_millis(now.saturating_sub(5)),
        });
        record
    }

    #[test]
    fn a_record_reads_back_whatever_its_moments_and_its_id() {
        for id in [[0; 16], [1; 16], [0xc4; 16], [0xff; 16]] {
            for now in [0, 1_767_225_600_000, u64::MAX / 2, u64::MAX] {
                let alive = record(id, now);
                let mut elsewhere = alive.clone();
                elsewhere.realm = Realm::new("elsewhere").unwrap();
                let ending = Ending::new(EndReason::Logout, Actor::user());
                let (ended, _) = rules::end(alive.clone(), ending, None, Timestamp::from_millis(now));
                let adopted = Record { adopted_until: Some(Timestamp::from_millis(now)), ..alive.clone() };
                for whole in [alive, ended, elsewhere, adopted] {
                    let mut packed = whole.clone();
                    let bytes = pack(&mut packed);
                    assert_eq!(packed, whole);
                    assert_eq!(unpack(&bytes, whole.id, whole.last_seen_at), Some(whole));
                }
            }
        }
    }

    #[test]
    fn a_packed_record_of_another_session_or_a_torn_one_is_none() {
        let mut whole = record([3; 16], 5);
        let bytes = pack(&mut whole);
        for cut in 0..bytes.len() {
            assert_eq!(unpack(&bytes[..cut], whole.id, whole.last_seen_at), None, "cut at {cut}");
        }
        let mut uncut = whole.encode();
        uncut.insert(0, 0);
        assert_eq!(unpack(&uncut, SessionId::from_bytes([4; 16]), whole.last_seen_at), None);
    }

    #[test]
    fn packing_saves_what_the_row_says_already() {
        let mut whole = record([3; 16], 1_767_225_600_000);
        whole.id = SessionId::from_bytes([1, 0x9b, 0x76, 0xda, 0xa8, 0, 7, 7, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(pack(&mut whole).len() + 63 < whole.encode().len());
    }
}
