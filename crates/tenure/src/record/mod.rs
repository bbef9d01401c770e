//! What a store keeps of one session, and the only ways in which it changes.

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
pub use data::{Change, MAX_DATA, MAX_KEY_LEN, MAX_KEYS, Value};
pub use identity::{Identity, MAX_METHODS, MAX_ROLES, NewIdentity};
pub(crate) use identity::{Method, MethodUse};
pub(crate) use refusal::Refusal;
pub use secrets::{Grace, Secrets, Standing, Successor, Superseded};
pub(crate) use session_state::SessionState;
pub(crate) use state::past_limit;
pub use state::{Claim, Ended, NewSession, NewState, Record, State};
