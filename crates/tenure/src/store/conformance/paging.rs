//! Going through the sessions of a realm, page by page.

use std::collections::BTreeSet;
use std::time::Duration;

use super::builders::{identity, logout, user};
use super::fixture::Fixture;
use super::tables::{ada, every_live_state};
use crate::id::{Realm, SessionId};
use crate::record::{NewState, Record};
use crate::store::{Page, PageRequest};

async fn page(f: &Fixture, realm: &Realm, after: Option<SessionId>, limit: usize) -> Page {
    let request = PageRequest { realm: realm.clone(), after, limit };
    let page = f.store().page(&request).await.expect("the store answers");
    assert!(page.records.len() <= limit);
    page
}

async fn all(f: &Fixture, realm: &Realm, limit: usize) -> Vec<Record> {
    let (mut records, mut after) = (Vec::new(), None);
    loop {
        let page = page(f, realm, after, limit).await;
        records.extend(page.records);
        match page.next {
            Some(next) => {
                assert!(Some(next) > after, "a page goes back behind {after:?}");
                after = Some(next);
            }
            None => return records,
        }
    }
}

pub(super) async fn pages_of_any_size_together_are_complete(f: Fixture) {
    let mut expected = Vec::new();
    for i in 0..4 {
        expected.extend(every_live_state(&f).await);
        expected.push(f.begin(f.signed_in(&user(&format!("user {i}")))).await);
        f.wait(Duration::from_millis(1));
    }
    expected.sort_by_key(|record| record.id);
    for limit in [1, 2, 7, expected.len(), 1_000] {
        assert_eq!(all(&f, &Realm::default(), limit).await, expected, "pages of {limit}");
    }
}

pub(super) async fn a_page_has_neither_ended_sessions_nor_those_of_other_realms(f: Fixture) {
    let other = Realm::new("other").expect("a realm");
    let here = f.begin(f.signed_in(&ada())).await;
    let over = f.begin(f.signed_in(&ada())).await.id;
    f.apply(over, logout()).await;
    let there = f.session(&other, NewState::SignedIn(identity(&ada())));
    let there = f.begin(there).await;
    assert_eq!(all(&f, &Realm::default(), 1).await, [here]);
    assert_eq!(all(&f, &other, 1).await, [there]);
    assert_eq!(all(&f, &Realm::new("empty").expect("a realm"), 1).await, []);
}

pub(super) async fn the_last_page_says_that_it_is_the_last(f: Fixture) {
    let realm = Realm::default();
    assert_eq!(page(&f, &realm, None, 2).await.next, None);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(f.begin(f.guest()).await.id);
    }
    ids.sort();
    let first = page(&f, &realm, None, 2).await;
    assert_eq!(first.next, Some(ids[1]));
    assert_eq!(page(&f, &realm, first.next, 2).await.next, None);
    let past_the_end = page(&f, &realm, Some(ids[3]), 2).await;
    assert_eq!((past_the_end.records, past_the_end.next), (Vec::new(), None));
}

pub(super) async fn what_comes_and_goes_meanwhile_disturbs_no_page(f: Fixture) {
    let mut expected = Vec::new();
    for _ in 0..30 {
        expected.push(f.begin(f.guest()).await.id);
        f.wait(Duration::from_millis(1));
    }
    let realm = Realm::default();
    let (mut seen, mut after): (Vec<SessionId>, _) = (Vec::new(), None);
    loop {
        let page = page(&f, &realm, after, 3).await;
        seen.extend(page.records.iter().map(|record| record.id));
        f.begin(f.guest()).await;
        let passed = page.records.first().expect("no page but the last is empty");
        f.apply(passed.id, logout()).await;
        if page.next.is_none() || seen.len() >= expected.len() {
            break;
        }
        after = page.next;
    }
    assert_eq!(seen, expected, "a session was left out or came twice");
}

pub(super) async fn the_session_that_a_page_begins_after_may_be_gone(f: Fixture) {
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(f.begin(f.guest()).await.id);
        f.wait(Duration::from_millis(1));
    }
    f.apply(ids[1], logout()).await;
    let page = page(&f, &Realm::default(), Some(ids[1]), 10).await;
    assert!(page.records.iter().map(|r| r.id).eq(ids[2..].iter().copied()));
}

pub(super) async fn pages_read_beside_writers_have_all_that_was_there(f: Fixture) {
    let mut before = BTreeSet::new();
    for _ in 0..40 {
        before.insert(f.begin(f.guest()).await.id);
    }
    f.wait(Duration::from_millis(1));
    f.at_once(8, |f, i| {
        let before = before.clone();
        async move {
            if i % 2 == 0 {
                for _ in 0..10 {
                    let id = f.begin(f.signed_in(&ada())).await.id;
                    f.apply(id, logout()).await;
                }
                return;
            }
            let seen = all(&f, &Realm::default(), 3).await;
            assert!(seen.is_sorted_by(|a, b| a.id < b.id), "a session came twice");
            let ids: BTreeSet<SessionId> = seen.iter().map(|r| r.id).collect();
            assert!(ids.is_superset(&before), "a session was left out");
        }
    })
    .await;
}
