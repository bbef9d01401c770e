//! Sessions that never were, and a store that was closed.

use super::builders::{admission, owner, sweep, user};
use super::fixture::Fixture;
use super::tables::{ada, every_live_state, every_mutation};
use crate::clock::Timestamp;
use crate::id::Realm;
use crate::store::{Outcome, PageRequest, Refusal, Touch, UserRecord};

pub(super) async fn a_session_that_never_was_is_missing_and_no_error(f: Fixture) {
    for like in every_live_state(&f).await {
        let id = f.signed_in(&ada()).id;
        assert_eq!(f.load(id).await, None);
        for mutation in every_mutation(&f, &like) {
            assert_eq!(f.refuse(id, mutation).await, Refusal::Missing);
        }
        assert_eq!(f.load(id).await, None, "a refused mutation made a session");
    }
}

pub(super) async fn a_missing_session_holds_up_no_other_touch(f: Fixture) {
    let [before, after] = [f.begin(f.guest()).await, f.begin(f.guest()).await];
    f.wait(std::time::Duration::from_secs(60));
    let missing = f.guest().id;
    let touches = [before.id, missing, after.id].map(|id| Touch { id, at: f.now() });
    f.store().touch(&touches).await.expect("a missing session is no error");
    assert_eq!(f.record(before.id).await.last_seen_at, f.now());
    assert_eq!(f.record(after.id).await.last_seen_at, f.now());
    assert_eq!(f.load(missing).await, None, "a touch made a session");
}

pub(super) async fn a_user_never_heard_of_has_nothing_and_is_no_error(f: Fixture) {
    let nobody = user("nobody");
    assert_eq!(f.list(&nobody).await, []);
    assert_eq!(f.user(&nobody).await, UserRecord::default());
    assert_eq!(f.end_all_of(&nobody, None, super::builders::revoked()).await, []);
}

pub(super) async fn an_empty_store_has_nothing_to_do(f: Fixture) {
    let swept = f.sweep(10).await;
    assert_eq!((swept.ended, swept.removed, swept.more), (Vec::new(), 0, false));
    for partition in 0..f.store().info().partitions {
        assert_eq!(f.log(partition, None).await, []);
    }
    f.store().touch(&[]).await.expect("no touches are no error");
}

pub(super) async fn a_closed_store_fails_every_call(f: Fixture) {
    let record = f.begin(f.signed_in(&ada())).await;
    let operation = f.operation();
    f.store().close().await;
    let (store, id, realm) = (f.store(), record.id, Realm::default());
    assert!(store.load(id).await.is_err());
    assert!(store.create(&operation, f.guest(), &admission()).await.is_err());
    for mutation in every_mutation(&f, &record) {
        assert!(store.mutate(&operation, id, mutation).await.is_err());
    }
    let at = Timestamp::default();
    assert!(store.touch(&[Touch { id, at }]).await.is_err());
    assert!(store.replay(id.route(), operation.id).await.is_err());
    assert!(store.list(&owner(&ada())).await.is_err());
    let ending = super::builders::revoked();
    assert!(store.end_all_of(&operation, &owner(&ada()), None, ending).await.is_err());
    assert!(store.user(&owner(&ada())).await.is_err());
    assert!(store.set_disabled(&operation, &owner(&ada()), true).await.is_err());
    let request = PageRequest { realm, after: None, limit: 1 };
    assert!(store.page(&request).await.is_err());
    assert!(store.sweep(&sweep(1)).await.is_err());
    assert!(store.events(0, None, 1).await.is_err());
    store.close().await;
}

pub(super) async fn a_refusal_for_a_missing_session_can_be_tried_again(f: Fixture) {
    let (operation, new) = (f.operation(), f.signed_in(&ada()));
    let change = || super::builders::change(super::builders::set("cart", b"tea", 1));
    let reply = f.mutate_as(&operation, new.id, change()).await;
    assert_eq!(reply.outcome, Outcome::Refused(Refusal::Missing));
    f.begin(new.clone()).await;
    let reply = f.mutate_as(&operation, new.id, change()).await;
    assert_eq!(reply.outcome, Outcome::Applied);
}
