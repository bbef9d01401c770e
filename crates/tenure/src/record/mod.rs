//! What a store keeps of one session, and the only ways in which it changes.

mod admission;
mod codec;
mod data;
mod identity;
mod refusal;
mod secrets;
mod session_state;
mod state;

pub use admission::{Admission, AtLimit, MAX_SESSIONS};
pub use codec::{CorruptRecord, RECORD_FORMAT};
pub use data::{Change, MAX_DATA, MAX_KEY_LEN, MAX_KEYS, Value};
pub use identity::{Identity, MAX_METHODS, MAX_ROLES, Method, MethodUse, NewIdentity};
pub use refusal::Refusal;
pub use secrets::{Grace, Secrets, Standing, Successor, Superseded};
pub use session_state::SessionState;
pub use state::{Claim, Ended, NewSession, NewState, Record, State};
