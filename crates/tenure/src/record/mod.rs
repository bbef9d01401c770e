//! What a store keeps of one session, and the only ways in which it changes.
//!
//! A [`Record`] begins as a [`NewSession`], goes from [`State`] to [`State`] by the pure functions of
//! [`store::rules`](crate::store::rules), and is kept as the bytes of [`Record::encode`], or column by
//! column. All times are the store's; limits are milliseconds.
//!
//! # Example: the life of a record
//! ```
//! use std::collections::BTreeMap;
//! use std::time::Duration;
//! use tenure::clock::Timestamp;
//! use tenure::record::{CorruptRecord, Identity, NewIdentity, NewSession, NewState, Record, State, Value};
//! use tenure::{EndReason, Level, Method, Realm, Route, SEAL_OVERHEAD, Sealed, SecretHash, SessionId, UserId};
//!
//! // What the core hands to a store: names, limits, the hash of a secret, and sealed bytes.
//! let user = UserId::new("u_1")?;
//! let methods = vec![Method::password()];
//! let level = NewIdentity::level_of(&methods);
//! let new = NewSession {
//!     id: SessionId::from_bytes([7; 16]),
//!     realm: Realm::default(),
//!     state: NewState::SignedIn(NewIdentity { user: user.clone(), roles: vec![], level, methods, at: None }),
//!     previous: None,
//!     idle_ms: 1_800_000,
//!     absolute_ms: 43_200_000,
//!     persistent: false,
//!     hash: SecretHash::from_bytes([1; 32]),
//!     device: vec![0; SEAL_OVERHEAD],
//!     data: BTreeMap::from([("cart".to_owned(), Sealed::from(vec![0; SEAL_OVERHEAD]))]),
//!     adopted_until: None,
//! };
//! assert_eq!(new.state.user(), Some(&user));
//!
//! // It begins at a moment of the store's.
//! let now: Timestamp = "2026-01-01T09:00:00Z".parse()?;
//! let record: Record = new.record(now).map_err(|refusal| format!("{refusal:?}"))?;
//! let Value { version, .. } = &record.data["cart"];
//! assert_eq!((*version, record.user()), (1, Some(&user)));
//! let Some(Identity { authenticated_at, .. }) = record.identity() else { panic!("somebody is signed in") };
//! assert_eq!((*authenticated_at, level), (now, Level::One));
//!
//! // It lives until the first of its two limits: an index on `due_at` finds those that are over.
//! assert_eq!(record.due_at(), record.idle_expires_at());
//! assert!(record.is_live_of_user(now));
//! let later = now.plus(Duration::from_secs(1_800));
//! assert_eq!(record.dead(later), Some(EndReason::IdleTimeout));
//! assert!(record.ended().is_none() && !record.is_burnt(), "but its end is not written yet");
//! assert!(matches!(record.state, State::SignedIn(_)));
//!
//! // As bytes, for stores that keep it whole.
//! let mut bytes = record.encode();
//! assert_eq!(Record::decode(&bytes)?, record);
//! bytes[0] = 200;
//! assert_eq!(Record::decode(&bytes), Err(CorruptRecord { found: Some(200) }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod admission;
mod codec;
mod data;
pub(crate) mod identity;
pub(crate) mod refusal;
mod secrets;
pub(crate) mod session_state;
mod state;

pub(crate) use admission::AtLimit;
pub use admission::{Admission, MAX_SESSIONS};
pub use codec::{CorruptRecord, RECORD_FORMAT};
pub(crate) use data::size as data_size;
pub use data::{Change, MAX_DATA, MAX_KEY_LEN, MAX_KEYS, Value};
pub use identity::{Identity, MAX_METHODS, MAX_ROLES, NewIdentity};
pub(crate) use identity::{Method, MethodUse};
pub(crate) use refusal::Refusal;
pub use secrets::{Grace, Secrets, Standing, Successor, Superseded};
pub(crate) use session_state::SessionState;
pub(crate) use state::past_limit;
pub use state::{Claim, Ended, NewSession, NewState, Record, State};
