//! Proving again who one is.

use std::time::Duration;

use super::builders::{ABSOLUTE_MS, identity, user};
use super::fixture::Fixture;
use super::tables::{ada, authenticate};
use crate::id::{Realm, Role};
use crate::level::Level;
use crate::record::{Identity, Method, NewIdentity, NewState, Record, State};
use crate::store::{Authentication, Mutation, Outcome, Proof, Refusal, Renewal};

fn signed_in(record: &Record) -> &Identity {
    match &record.state {
        State::SignedIn(identity) => identity,
        other => panic!("{other:?} instead of signed in"),
    }
}

pub(super) async fn a_second_factor_signs_a_pending_session_in(f: Fixture) {
    let before = f.begin(f.pending(&ada())).await;
    f.wait(Duration::from_secs(1));
    let authentication = Authentication {
        proof: Proof::Completes,
        renewal: f.authentication(&ada(), 1).renewal,
        ..f.step_up(&ada(), 1)
    };
    let after = f.apply(before.id, authenticate(authentication.clone())).await;
    assert_eq!(signed_in(&after).level, Level::Two);
    let shown: Vec<_> =
        signed_in(&after).methods.iter().map(|used| (used.method.as_str(), used.at)).collect();
    assert_eq!(shown, [("password", before.created_at), ("totp", f.now())], "each at its time");
    assert_eq!(signed_in(&after).authenticated_at, f.now());
    assert_eq!((after.secrets.generation, after.secrets.hash), (3, authentication.hash));
    assert_eq!((after.id, after.created_at), (before.id, before.created_at));
    assert_eq!(f.list(&ada()).await, [after]);
}

pub(super) async fn a_second_factor_gives_no_role_back_that_was_taken_meanwhile(f: Fixture) {
    let admin = Role::new("admin").expect("a role");
    let pending = NewState::Pending(NewIdentity { roles: vec![admin], ..identity(&ada()) });
    let before = f.begin(f.session(&Realm::default(), pending)).await;
    let completes = |roles: Vec<Role>| Authentication {
        proof: Proof::Completes,
        renewal: f.authentication(&ada(), 1).renewal,
        identity: NewIdentity { roles, ..f.step_up(&ada(), 1).identity },
        ..f.step_up(&ada(), 1)
    };
    let as_it_was = completes(before.identity().expect("ada").roles.clone());
    f.apply(before.id, Mutation::SetRoles(Vec::new())).await;
    assert_eq!(f.refuse(before.id, authenticate(as_it_was)).await, Refusal::RolesChanged);
    let after = f.apply(before.id, authenticate(completes(Vec::new()))).await;
    assert_eq!(signed_in(&after).roles, []);
}

pub(super) async fn a_full_authentication_starts_the_limits_anew(f: Fixture) {
    let before = f.begin(f.signed_in(&ada())).await;
    f.wait(Duration::from_secs(60));
    let renewal = Renewal { idle_ms: 1_000, absolute_ms: 2_000, persistent: true };
    let authentication = Authentication { renewal: Some(renewal), ..f.authentication(&ada(), 1) };
    let after = f.apply(before.id, authenticate(authentication)).await;
    assert_eq!((after.idle_ms, after.persistent), (1_000, true));
    assert_eq!(after.deadline, f.now().plus(Duration::from_secs(2)));
    assert_eq!(after.last_seen_at, f.now());
    assert_eq!(signed_in(&after).authenticated_at, f.now());
    f.wait(Duration::from_secs(1));
    assert_eq!(f.sweep(10).await.ended, [after.id], "the store minds the new limits");
}

pub(super) async fn a_longer_limit_keeps_the_session_past_the_old_one(f: Fixture) {
    let before = f.begin(f.signed_in(&ada())).await;
    f.wait(Duration::from_secs(60));
    let renewal = Renewal { idle_ms: ABSOLUTE_MS, absolute_ms: ABSOLUTE_MS, persistent: false };
    let authentication = Authentication { renewal: Some(renewal), ..f.authentication(&ada(), 1) };
    let after = f.apply(before.id, authenticate(authentication)).await;
    f.wait(before.deadline.since(f.now()));
    assert_eq!(f.sweep(10).await.ended, []);
    assert_eq!(f.load(before.id).await, Some(after));
}

pub(super) async fn a_step_up_raises_the_level_and_moves_no_limit(f: Fixture) {
    let before = f.begin(f.signed_in(&ada())).await;
    f.wait(Duration::from_secs(60));
    let after = f.apply(before.id, authenticate(f.step_up(&ada(), 1))).await;
    assert_eq!((after.deadline, after.idle_ms), (before.deadline, before.idle_ms));
    let (was, is) = (signed_in(&before), signed_in(&after));
    assert_eq!((is.level, is.authenticated_at), (Level::Two, was.authenticated_at));
    let methods: Vec<_> = is.methods.iter().map(|m| (m.method.as_str(), m.at)).collect();
    assert_eq!(methods, [("password", before.created_at), ("totp", f.now())]);
}

pub(super) async fn a_step_up_never_lowers_the_level(f: Fixture) {
    let id = f.begin(f.signed_in(&ada())).await.id;
    f.apply(id, authenticate(f.step_up(&ada(), 1))).await;
    let lower = Authentication {
        identity: NewIdentity { level: Level::One, methods: vec![Method::password()], ..identity(&ada()) },
        ..f.step_up(&ada(), 3)
    };
    let after = f.apply(id, authenticate(lower)).await;
    assert_eq!(signed_in(&after).level, Level::Two);
    assert_eq!(signed_in(&after).methods.len(), 2, "each method's last use");
}

pub(super) async fn nobody_takes_over_the_session_of_another(f: Fixture) {
    for new in [f.pending(&ada()), f.signed_in(&ada())] {
        let id = f.begin(new).await.id;
        for as_bob in [f.authentication(&user("bob"), 1), f.step_up(&user("bob"), 1)] {
            let refusal = f.refuse(id, authenticate(as_bob)).await;
            assert_eq!(refusal, Refusal::WrongState);
        }
    }
    assert_eq!(f.ids_of(&user("bob")).await, []);
}

pub(super) async fn a_guest_does_not_become_a_user_in_place(f: Fixture) {
    let id = f.begin(f.guest()).await.id;
    let refusal = f.refuse(id, authenticate(f.authentication(&ada(), 1))).await;
    assert_eq!(refusal, Refusal::WrongState);
}

pub(super) async fn of_authentications_at_once_under_one_token_one_wins(f: Fixture) {
    for new in [f.pending(&ada()), f.signed_in(&ada())] {
        let id = f.begin(new).await.id;
        let outcomes = f
            .at_once(16, |f, _| async move {
                let authentication = f.authentication(&ada(), 1);
                let hash = authentication.hash;
                (f.mutate(id, authenticate(authentication)).await.outcome, hash)
            })
            .await;
        let lost = Outcome::Refused(Refusal::Superseded);
        assert_eq!(outcomes.iter().filter(|(o, _)| *o == lost).count(), 15);
        let won = outcomes.iter().find(|(o, _)| *o == Outcome::Applied);
        let secrets = f.record(id).await.secrets;
        assert_eq!(secrets.generation, 3);
        assert_eq!(Some(secrets.hash), won.map(|(_, hash)| *hash));
    }
}
