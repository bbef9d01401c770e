//! Moving out of a store and into it: nothing is left behind or taken back, and of two who freeze a
//! store only one may believe that it is the same.

use std::time::Duration;

use super::builders::{admission, change, claim, logout, owner, revoked, route, set, user};
use super::fixture::Fixture;
use super::tables::{ada, every_live_state};
use crate::store::{Barrier, Fence, Item, Movable, NewSession, Operation, Part, Phase, StoreError, Touch};

const FOR_MS: u64 = 30_000;

/// The cases are asked of stores that can move only.
fn movable(f: &Fixture) -> &dyn Movable {
    f.store().movable().expect("it can move")
}

async fn everything(movable: &dyn Movable, page: usize) -> Vec<Item> {
    let mut all = Vec::new();
    for part in Part::ALL {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let export = movable.export(part, after.as_deref(), page).await.expect("the store answers");
            all.extend(export.items);
            after = export.next;
            if after.is_none() {
                break;
            }
        }
    }
    all
}

async fn import(movable: &dyn Movable, items: &[Item]) -> u64 {
    movable.import(items, &|realm, user| route(realm, user)).await.expect("the store takes it")
}

async fn fence(movable: &dyn Movable, fence: Fence) -> Option<Barrier> {
    movable.fence(fence).await.expect("the store answers")
}

async fn barrier(movable: &dyn Movable) -> Barrier {
    movable.barrier().await.expect("the store answers")
}

pub(super) async fn everything_is_exported_once_and_imported_once(f: Fixture) {
    let movable = movable(&f);
    let sessions = every_live_state(&f).await;
    f.apply(sessions[0].id, logout()).await;
    f.end_all_of(&ada(), Some(sessions[2].id), revoked()).await;
    let receipt = Operation { receipt: Some(b"sealed".to_vec()), ..f.operation() };
    f.create(&receipt, f.guest(), &admission()).await;
    let all = everything(movable, 3).await;
    let count = |is: &dyn Fn(&Item) -> bool| all.iter().filter(|item| is(item)).count();
    assert_eq!(count(&|item| matches!(item, Item::Session(_))), sessions.len() + 1);
    assert_eq!(count(&|item| matches!(item, Item::User(known) if !known.recent_ends.is_empty())), 1);
    assert_eq!(count(&|item| matches!(item, Item::Receipt { operation, .. } if *operation == receipt.id)), 1);
    for item in &all {
        if let Item::Session(record) = item {
            assert_eq!(f.load(record.id).await.as_ref(), Some(&**record));
        }
    }
    assert_eq!(import(movable, &all).await, 0, "it has all of that");
}

pub(super) async fn what_has_gone_on_is_not_taken_back_by_an_import(f: Fixture) {
    let movable = movable(&f);
    let (ended, changed) = (f.begin(f.signed_in(&ada())).await, f.begin(f.signed_in(&ada())).await);
    f.end_all_of(&user("ben"), None, revoked()).await;
    let before = everything(movable, 100).await;
    let ended = f.apply(ended.id, logout()).await;
    let changed = f.apply(changed.id, change(set("cart", b"tea", 1))).await;
    f.wait(Duration::from_secs(1));
    f.end_all_of(&user("ben"), None, revoked()).await;
    let known = f.user(&user("ben")).await;
    import(movable, &before).await;
    assert_eq!(f.record(ended.id).await, ended);
    assert_eq!(f.record(changed.id).await, changed);
    assert_eq!(f.user(&user("ben")).await, known);
}

pub(super) async fn a_frozen_store_is_read_and_not_written(f: Fixture) {
    let movable = movable(&f);
    let guest = f.begin(f.guest()).await;
    let session = f.begin(f.signed_in(&ada())).await;
    fence(movable, Fence::Freeze { for_ms: FOR_MS }).await.expect("it is not shut");
    f.wait(Duration::from_secs(1));
    let (store, ben) = (f.store(), owner(&user("ben")));
    let touch = [Touch { id: session.id, at: f.now() }];
    let refused = [
        store.create(&f.operation(), f.signed_in(&ada()), &admission()).await.err(),
        store.mutate(&f.operation(), session.id, change(set("cart", b"tea", 1))).await.err(),
        store.mutate_known(&f.operation(), &session, change(set("cart", b"tea", 1))).await.err(),
        store.mutate(&f.operation(), guest.id, claim(&f.claim(&ada()), 1)).await.err(),
        store.mutate(&f.operation(), session.id, logout()).await.err(),
        store.end_all_of(&f.operation(), &owner(&ada()), None, revoked()).await.err(),
        store.set_disabled(&f.operation(), &ben, true).await.err(),
        store.touch(&touch).await.err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(StoreError::Unavailable(_))), "{error:?}");
    }
    assert_eq!(f.record(session.id).await, session);
    assert_eq!(f.ids_of(&ada()).await, [session.id]);
    // It ends by itself.
    f.wait(Duration::from_millis(FOR_MS));
    f.apply(session.id, logout()).await;
}

pub(super) async fn a_freeze_is_believed_by_whom_it_is_of_and_nobody_else(f: Fixture) {
    let movable = movable(&f);
    let first = fence(movable, Fence::Freeze { for_ms: FOR_MS }).await.expect("it is not shut");
    let first = fence(movable, Fence::Extend { held: first, for_ms: FOR_MS }).await.expect("it is frozen");
    assert_eq!(barrier(movable).await, first);
    f.wait(Duration::from_millis(FOR_MS));
    assert_eq!(fence(movable, Fence::Extend { held: first, for_ms: FOR_MS }).await, None, "it has ended");
    // Somebody wrote, and somebody else froze it: the first must not take that for its own.
    f.begin(f.signed_in(&ada())).await;
    let second = fence(movable, Fence::Freeze { for_ms: FOR_MS }).await.expect("it is not shut");
    assert_eq!(fence(movable, Fence::Extend { held: first, for_ms: FOR_MS }).await, None);
    assert_eq!(fence(movable, Fence::Shut { held: first }).await, None);
    assert_eq!(fence(movable, Fence::Thaw { held: first }).await, None);
    assert_eq!(barrier(movable).await, second);
    assert_eq!(fence(movable, Fence::Shut { held: second }).await, Some(Barrier::SHUT));
}

pub(super) async fn a_shut_store_answers_nobody_and_opens_for_its_operator_only(f: Fixture) {
    let movable = movable(&f);
    let session = f.begin(f.signed_in(&ada())).await;
    let held = fence(movable, Fence::Freeze { for_ms: FOR_MS }).await.expect("it is not shut");
    assert_eq!(fence(movable, Fence::Shut { held }).await, Some(Barrier::SHUT));
    f.wait(Duration::from_secs(1));
    let (store, operation) = (f.store(), f.operation());
    let blocked = |error: Option<StoreError>| {
        assert!(matches!(error, Some(StoreError::Blocked(_))), "{error:?}");
    };
    blocked(store.load(session.id).await.err());
    blocked(store.list(&owner(&ada())).await.err());
    blocked(store.user(&owner(&ada())).await.err());
    blocked(store.replay(session.id.route(), operation.id).await.err());
    blocked(store.mutate(&operation, session.id, logout()).await.err());
    blocked(store.mutate_known(&operation, &session, change(set("cart", b"tea", 1))).await.err());
    blocked(
        store
            .create(&operation, NewSession { id: session.id, ..f.signed_in(&ada()) }, &admission())
            .await
            .err(),
    );
    blocked(store.touch(&[Touch { id: session.id, at: f.now() }]).await.err());
    for refused in
        [Fence::Freeze { for_ms: FOR_MS }, Fence::Thaw { held: Barrier::SHUT }, Fence::Thaw { held }]
    {
        assert_eq!(fence(movable, refused).await, None, "{refused:?}");
    }
    assert_eq!(fence(movable, Fence::Shut { held: Barrier::SHUT }).await, Some(Barrier::SHUT), "as it is");
    blocked(movable.export(Part::Sessions, None, 10).await.err());
    assert_eq!(barrier(movable).await, Barrier::SHUT, "also to look at it changes nothing");
    assert_eq!(fence(movable, Fence::Lift).await, Some(Barrier::default()));
    f.apply(session.id, logout()).await;
}

pub(super) async fn what_a_store_is_in_a_move_is_kept(f: Fixture) {
    let movable = movable(&f);
    assert_eq!(movable.phase().await.expect("the store answers"), Phase::Open);
    let phases = [
        Phase::Leaving { of: f.operation().id },
        Phase::Moved { of: f.operation().id, to: "elsewhere".into() },
        Phase::CalledOff { of: f.operation().id },
        Phase::Open,
        Phase::Arriving { of: f.operation().id },
    ];
    let mut before = Phase::Open;
    for phase in phases {
        let other = Phase::Leaving { of: f.operation().id };
        for (from, changes) in [(&other, false), (&before, true), (&before, before == phase)] {
            let changed = movable.change_phase(from, &phase).await.expect("the store takes it");
            assert_eq!(changed, changes, "from {from:?} to {phase:?}");
        }
        assert_eq!(movable.phase().await.expect("the store answers"), phase);
        before = phase;
    }
}

pub(super) async fn of_those_who_change_what_a_store_is_at_once_one_does(f: Fixture) {
    if f.store().movable().is_none() {
        return;
    }
    let changed = f
        .at_once(8, |f, _| async move {
            let to = Phase::Leaving { of: f.operation().id };
            let movable = f.store().movable().expect("it is");
            movable.change_phase(&Phase::Open, &to).await.expect("the store answers")
        })
        .await;
    assert_eq!(changed.into_iter().filter(|changed| *changed).count(), 1);
}
