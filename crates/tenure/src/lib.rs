//! User sessions for web back ends: who is signed in, on which device, how strongly, until
//! when, and how that ends.
//!
//! This is the core: no framework, no socket, no file. Web applications take it through
//! `tenure-tower`; [`Sessions`] is the handle that everything goes through.

mod cache;
pub mod clock;
mod cookie;
mod device;
mod error;
pub mod event;
mod front;
pub mod id;
mod key;
mod keys;
mod level;
mod limiter;
pub mod policy;
pub mod random;
mod reason;
pub mod record;
mod seal;
mod sessions;
mod snapshot;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod token;
mod vault;

pub use cookie::{CookieSettings, Found, InvalidCookieName, SameSite, SetCookie};
pub use device::{Device, MAX_USER_AGENT};
pub use error::{Blame, Error};
pub use id::{InvalidName, InvalidSessionId, OperationId, Realm, Role, Route, SessionId, UserId};
pub use key::Key;
pub use keys::{InvalidMasterKey, MasterKey};
pub use level::{InvalidLevel, Level};
pub use policy::{Policy, Preset};
pub use reason::{Actor, EndReason, Ending, MAX_NOTE, Reason};
pub use record::{Method, MethodUse, Refusal, SessionState};
pub use seal::SEAL_OVERHEAD;
pub use sessions::{
    Active, Builder, Changes, Check, IdempotencyKey, Inactive, InvalidIdempotencyKey, Issued, Maintained,
    NewGuest, Require, SessionPage, Sessions, SignIn, Verdict,
};
pub use snapshot::Snapshot;
pub use store::Memory;
pub use token::{SecretHash, SessionToken, TOKEN_LEN};
