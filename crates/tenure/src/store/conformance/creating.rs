//! Beginning a session.

use std::collections::BTreeMap;
use std::time::Duration;

use super::builders::{ABSOLUTE_MS, IDLE_MS, admission, identity, logout, sealed};
use super::fixture::Fixture;
use super::tables::{ada, role};
use crate::event::EventKind;
use crate::id::Realm;
use crate::level::Level;
use crate::reason::Actor;
use crate::record::{NewIdentity, NewSession, NewState, State, Value};
use crate::store::{Operation, Outcome};

pub(super) async fn a_new_session_is_as_ordered(f: Fixture) {
    let now = f.now();
    let before = f.begin(f.guest()).await.id;
    let new = NewSession {
        previous: Some(before),
        persistent: true,
        data: BTreeMap::from([("cart".to_owned(), sealed(b"tea").into())]),
        ..f.signed_in(&ada())
    };
    let record = f.begin(new.clone()).await;
    assert_eq!(f.load(new.id).await.as_ref(), Some(&record));
    assert_eq!((record.id, &record.realm, record.previous), (new.id, &new.realm, Some(before)));
    assert_eq!((record.created_at, record.last_seen_at), (now, now));
    assert_eq!((record.idle_ms, record.persistent), (IDLE_MS, true));
    assert_eq!(record.deadline, now.plus(Duration::from_millis(ABSOLUTE_MS)));
    assert_eq!((record.secrets.generation, record.secrets.hash), (1, new.hash));
    assert_eq!(record.device, new.device);
    let tea = Value { version: 1, sealed: sealed(b"tea") };
    assert_eq!(record.version, 1);
    assert_eq!(record.data, BTreeMap::from([("cart".to_owned(), tea)]));
}

pub(super) async fn a_session_begins_in_the_state_that_was_ordered(f: Fixture) {
    let guest = f.begin(f.guest()).await;
    assert_eq!((&guest.state, guest.version), (&State::Guest, 0));
    let pending = f.begin(f.pending(&ada())).await;
    assert!(matches!(&pending.state, State::Pending(identity) if identity.user == ada()));
    let roles = vec![role("writer"), role("admin"), role("writer")];
    let signed_in = NewState::SignedIn(NewIdentity { roles, ..identity(&ada()) });
    let record = f.begin(f.session(&Realm::default(), signed_in)).await;
    let State::SignedIn(identity) = &record.state else { panic!("{:?} instead of signed in", record.state) };
    assert_eq!(identity.roles, [role("admin"), role("writer")], "sorted, each once");
    assert_eq!(identity.authenticated_at, f.now());
    assert_eq!((identity.level, identity.methods.len()), (Level::One, 1));
}

pub(super) async fn a_beginning_is_told_once_with_its_actor(f: Fixture) {
    let operation = Operation { actor: Actor::api_key("shop"), ..f.operation() };
    let new = f.signed_in(&ada());
    f.create(&operation, new.clone(), &admission()).await;
    let events = f.events_of(new.id).await;
    assert_eq!(events.len(), 1);
    let (event, body) = (&events[0], &events[0].body);
    assert_eq!((event.at, body.kind), (f.now(), EventKind::Created));
    assert_eq!((&body.realm, body.user.as_ref()), (&new.realm, Some(&ada())));
    assert_eq!(body.actor, Actor::api_key("shop"));
}

pub(super) async fn an_id_that_exists_is_not_created_again(f: Fixture) {
    let first = f.begin(f.signed_in(&ada())).await;
    let again = NewSession { id: first.id, ..f.signed_in(&ada()) };
    let reply = f.create(&f.operation(), again, &admission()).await;
    assert_eq!((reply.outcome, reply.record), (Outcome::Replayed, Some(first.clone())));
    assert_eq!(f.load(first.id).await, Some(first.clone()));
    assert_eq!(f.kinds_of(first.id).await, [EventKind::Created]);
}

pub(super) async fn a_retried_create_begins_one_session(f: Fixture) {
    let (operation, new) = (f.operation(), f.signed_in(&ada()));
    f.create(&operation, new.clone(), &admission()).await;
    f.wait(Duration::from_secs(1));
    let reply = f.create(&operation, new.clone(), &admission()).await;
    assert_eq!(reply.outcome, Outcome::Replayed);
    assert_eq!(f.ids_of(&ada()).await, [new.id]);
    assert_eq!(f.kinds_of(new.id).await, [EventKind::Created]);
}

pub(super) async fn creates_at_once_with_one_id_begin_one_session(f: Fixture) {
    let new = f.signed_in(&ada());
    let replies = f
        .at_once(16, |f, _| {
            let new = new.clone();
            async move { f.create(&f.operation(), new, &admission()).await }
        })
        .await;
    let applied = replies.iter().filter(|r| r.outcome == Outcome::Applied).count();
    let replayed = replies.iter().filter(|r| r.outcome == Outcome::Replayed).count();
    assert_eq!((applied, replayed), (1, 15));
    assert_eq!(f.ids_of(&ada()).await, [new.id]);
    assert_eq!(f.kinds_of(new.id).await, [EventKind::Created]);
}

pub(super) async fn an_id_past_a_limit_is_not_created_again(f: Fixture) {
    let first = f.begin(f.signed_in(&ada())).await;
    f.wait(Duration::from_millis(ABSOLUTE_MS));
    let again = NewSession { id: first.id, ..f.signed_in(&ada()) };
    let reply = f.create(&f.operation(), again, &admission()).await;
    assert_eq!((reply.outcome, reply.record), (Outcome::Replayed, Some(first.clone())));
    assert_eq!(f.load(first.id).await, Some(first));
}

pub(super) async fn an_id_that_ended_is_not_created_again(f: Fixture) {
    for new in [f.guest(), f.pending(&ada()), f.signed_in(&ada())] {
        f.begin(new.clone()).await;
        let ended = f.apply(new.id, logout()).await;
        let reply = f.create(&f.operation(), new.clone(), &admission()).await;
        assert_eq!((reply.outcome, reply.record), (Outcome::Replayed, Some(ended.clone())));
        assert_eq!(f.load(new.id).await, Some(ended));
        assert_eq!(f.ids_of(&ada()).await, []);
        assert_eq!(f.kinds_of(new.id).await, [EventKind::Created, EventKind::Ended]);
    }
}
