//! How much data a session holds: a change that does not fit is refused whole.

use std::collections::BTreeMap;

use crate::seal::Sealed;

use super::builders::{admission, change, sealed, set};
use super::fixture::Fixture;
use crate::record::{Change, MAX_DATA, MAX_KEY_LEN, MAX_KEYS, NewSession};
use crate::store::{Outcome, Refusal};

pub(super) async fn there_is_room_for_64_keys_and_no_more(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    let full = f.apply(id, change(set_all(keys(MAX_KEYS)))).await;
    assert_eq!(full.data.len(), MAX_KEYS);
    let one_more = set_all(keys(MAX_KEYS + 1));
    assert_eq!(f.refuse(id, change(one_more)).await, Refusal::TooManyKeys);
    let instead = Change { remove: vec!["key 0".to_owned()], ..set("instead", b"", 1) };
    f.apply(id, change(instead)).await;
}

pub(super) async fn a_key_has_1_to_64_bytes(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    let longest = "ä".repeat(MAX_KEY_LEN / 2);
    f.apply(id, change(set(&longest, b"", 1))).await;
    for bad in [format!("{longest}b"), "c".repeat(MAX_KEY_LEN + 1), String::new()] {
        let with_a_good_one = Change {
            set: BTreeMap::from([
                (bad, Sealed::from(sealed(b""))),
                ("good".to_owned(), Sealed::from(sealed(b""))),
            ]),
            ..Change::default()
        };
        assert_eq!(f.refuse(id, change(with_a_good_one)).await, Refusal::KeyTooLong);
    }
}

pub(super) async fn there_is_room_for_32_kib_of_keys_and_values_and_no_more(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    let half = vec![7; MAX_DATA / 2 - "a".len()];
    f.apply(id, change(set("a", &half, 1))).await;
    f.apply(id, change(set("b", &half, 1))).await;
    let one_more = [&half[..], &[7]].concat();
    assert_eq!(f.refuse(id, change(set("b", &one_more, 1))).await, Refusal::TooMuchData);
    assert_eq!(f.refuse(id, change(set("c", b"", 1))).await, Refusal::TooMuchData);
    let instead = Change { remove: vec!["a".to_owned()], ..set("c", &half, 1) };
    f.apply(id, change(instead)).await;
    assert_eq!(f.record(id).await.data.keys().collect::<Vec<_>>(), ["b", "c"]);
}

pub(super) async fn a_session_does_not_begin_with_more_than_it_holds(f: Fixture) {
    let too_much = BTreeMap::from([("a".to_owned(), sealed(&[7; MAX_DATA]).into())]);
    let too_long = BTreeMap::from([("a".repeat(MAX_KEY_LEN + 1), sealed(b"").into())]);
    for (data, refusal) in [
        (keys(MAX_KEYS + 1), Refusal::TooManyKeys),
        (too_long, Refusal::KeyTooLong),
        (too_much, Refusal::TooMuchData),
    ] {
        let new = NewSession { data, ..f.guest() };
        let reply = f.create(&f.operation(), new.clone(), &admission()).await;
        assert_eq!(reply.outcome, Outcome::Refused(refusal));
        assert_eq!(f.load(new.id).await, None);
        assert_eq!(f.events_of(new.id).await, []);
    }
    let data = keys(MAX_KEYS);
    let record = f.begin(NewSession { data, ..f.guest() }).await;
    assert_eq!(record.data.len(), MAX_KEYS);
}

pub(super) async fn changes_at_once_do_not_pass_the_limit_together(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    f.apply(id, change(set_all(keys(MAX_KEYS - 4)))).await;
    let outcomes = f
        .at_once(
            16,
            |f, i| async move { f.mutate(id, change(set(&format!("late {i}"), b"", 1))).await.outcome },
        )
        .await;
    let refused = Outcome::Refused(Refusal::TooManyKeys);
    assert_eq!(outcomes.iter().filter(|o| **o == Outcome::Applied).count(), 4);
    assert_eq!(outcomes.iter().filter(|o| **o == refused).count(), 12);
    assert_eq!(f.record(id).await.data.len(), MAX_KEYS);
}

fn keys(count: usize) -> BTreeMap<String, Sealed> {
    (0..count).map(|i| (format!("key {i}"), sealed(b"").into())).collect()
}

fn set_all(set: BTreeMap<String, Sealed>) -> Change {
    Change { generation: Some(1), set, ..Change::default() }
}
