//! Sessions, operations and conditions to try a store with. Change what a case is about
//! with `..`: `Admission { max_sessions: 5, ..admission() }`.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::fixture::Fixture;
use crate::clock::Timestamp;
use crate::id::{OperationId, Realm, Route, SessionId, UserId};
use crate::level::Level;
use crate::random;
use crate::reason::{Actor, EndReason, Ending};
use crate::record::AtLimit;
use crate::record::{Change, Claim, Grace, Method, NewIdentity, NewSession, NewState, Successor};
use crate::seal::SEAL_OVERHEAD;
use crate::store::{Admission, Authentication, Mutation, Operation, Owner, Proof, Renewal, Sweep};
use crate::token::SecretHash;

/// The idle limit of the sessions made here: half an hour.
pub const IDLE_MS: u64 = 30 * 60_000;
/// Their absolute limit: twelve hours.
pub const ABSOLUTE_MS: u64 = 12 * 3_600_000;
/// The grace time of a rotation: ten seconds.
pub const GRACE: Grace = Grace { ms: 10_000 };

impl Fixture {
    /// A guest session to create, in the default realm.
    pub fn guest(&self) -> NewSession {
        self.session(&Realm::default(), NewState::Guest)
    }

    /// A session of `user` to create who has shown a password and owes another factor.
    pub fn pending(&self, user: &UserId) -> NewSession {
        self.session(&Realm::default(), NewState::Pending(identity(user)))
    }

    /// A session to create in which `user` is signed in by password.
    pub fn signed_in(&self, user: &UserId) -> NewSession {
        self.session(&Realm::default(), NewState::SignedIn(identity(user)))
    }

    /// A session to create, with an id of now that leads to its user's partition.
    pub fn session(&self, realm: &Realm, state: NewState) -> NewSession {
        let route = match state.user() {
            Some(user) => route(realm, user),
            None => Route::random(self.random()),
        };
        NewSession {
            id: SessionId::new(self.now(), route, self.random()),
            realm: realm.clone(),
            state,
            previous: None,
            idle_ms: IDLE_MS,
            absolute_ms: ABSOLUTE_MS,
            persistent: false,
            hash: self.hash(),
            device: b"a sealed device".to_vec(),
            data: BTreeMap::new(),
            adopted_until: None,
        }
    }

    /// An operation of the application that was not seen before, without a receipt.
    pub fn operation(&self) -> Operation {
        Operation { id: OperationId::random(self.random()), actor: Actor::application(), receipt: None }
    }

    /// The same with a receipt.
    pub fn operation_with(&self, receipt: &[u8]) -> Operation {
        Operation { receipt: Some(receipt.to_vec()), ..self.operation() }
    }

    /// The hash of some new token's secret.
    pub fn hash(&self) -> SecretHash {
        SecretHash::from_bytes(random::bytes(self.random()))
    }

    /// Prepares the token after `generation`.
    pub fn prepare(&self, generation: u32) -> Mutation {
        Mutation::Prepare {
            generation,
            successor: Successor { hash: self.hash(), sealed: b"a sealed secret".to_vec() },
            grace: GRACE,
        }
    }

    /// Signs `user` in again with a password, under the current token `generation`: new
    /// limits, as at the beginning.
    pub fn authentication(&self, user: &UserId, generation: u32) -> Authentication {
        Authentication {
            generation,
            hash: self.hash(),
            identity: identity(user),
            pending: false,
            proof: Proof::Full,
            renewal: Some(Renewal { idle_ms: IDLE_MS, absolute_ms: ABSOLUTE_MS, persistent: false }),
            admission: admission(),
        }
    }

    /// Raises the level of a session of `user` with a second factor, which moves no limit.
    pub fn step_up(&self, user: &UserId, generation: u32) -> Authentication {
        Authentication {
            identity: NewIdentity {
                level: Level::Two,
                methods: vec![Method::new("totp").expect("a plain word")],
                ..identity(user)
            },
            proof: Proof::StepUp,
            renewal: None,
            ..self.authentication(user, generation)
        }
    }

    /// The move of a guest into a session of `user`, to create later as the claim says.
    pub fn claim(&self, user: &UserId) -> Claim {
        Claim {
            attempt: OperationId::random(self.random()),
            target: self.signed_in(user),
            carry: None,
            admission: admission(),
            receipt: None,
        }
    }
}

/// The user with this id.
pub fn user(id: &str) -> UserId {
    UserId::new(id).expect("a user id of the suite fits")
}

/// Where the sessions of `user` live: any function of both will do.
pub fn route(realm: &Realm, user: &UserId) -> Route {
    let hash =
        Sha256::new().chain_update(realm.as_str()).chain_update([0]).chain_update(user.as_str()).finalize();
    Route(u16::from_be_bytes([hash[0], hash[1]]))
}

/// `user` in the default realm.
pub fn owner(user: &UserId) -> Owner {
    let realm = Realm::default();
    Owner { route: route(&realm, user), realm, user: user.clone() }
}

/// `user`, proved by password.
pub fn identity(user: &UserId) -> NewIdentity {
    NewIdentity {
        user: user.clone(),
        roles: Vec::new(),
        level: Level::One,
        methods: vec![Method::password()],
        at: None,
    }
}

/// Room for everybody.
pub fn admission() -> Admission {
    Admission {
        max_sessions: 100,
        at_limit: AtLimit::EndOldest,
        max_pending: 100,
        max_guests: 1_000_000,
        epoch: None,
        burn: false,
    }
}

/// `plain` as long as it is when sealed.
pub fn sealed(plain: &[u8]) -> Vec<u8> {
    [&[0; SEAL_OVERHEAD], plain].concat()
}

/// A change that sets `key`, under the token `generation`.
pub fn set(key: &str, value: &[u8], generation: u32) -> Change {
    Change {
        generation: Some(generation),
        set: BTreeMap::from([(key.to_owned(), sealed(value).into())]),
        ..Change::default()
    }
}

/// The mutation that makes this change.
pub fn change(change: Change) -> Mutation {
    Mutation::Change { change }
}

/// The mutation that makes this claim under the token `generation`.
pub fn claim(claim: &Claim, generation: u32) -> Mutation {
    Mutation::Claim { generation, claim: Box::new(claim.clone()) }
}

/// The mutation that ends a session because its user signed out.
pub fn logout() -> Mutation {
    end(EndReason::Logout, Actor::user())
}

/// The mutation that ends a session for `reason`.
pub fn end(reason: EndReason, actor: Actor) -> Mutation {
    Mutation::End { ending: Ending::new(reason, actor), next: None }
}

/// The end of a session by an administrator.
pub fn revoked() -> Ending {
    Ending::new(EndReason::Revoked, Actor::api_key("admin")).note("lost phone")
}

/// Housekeeping that handles `limit` sessions and keeps ended ones, receipts and events for
/// a day.
pub fn sweep(limit: usize) -> Sweep {
    const DAY_MS: u64 = 24 * 3_600_000;
    Sweep {
        limit,
        keep_ended_ms: DAY_MS,
        keep_receipts_ms: DAY_MS,
        keep_events_ms: DAY_MS,
        max_events: u64::MAX,
        as_of: Timestamp::from_millis(u64::MAX),
    }
}
