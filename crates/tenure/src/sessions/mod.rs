//! Sessions: the handle that everything goes through.

mod activity;
mod adopt;
mod builder;
mod change;
mod check;
mod check_settings;
mod claim;
mod core;
mod create;
mod end;
mod follow;
mod handle;
mod issue;
mod list;
mod load;
mod maintain;
mod move_store;
mod roles;
mod rotate;
mod sign_in;
mod verdict;
mod watch;

pub use adopt::Adoption;
pub use builder::Builder;
pub use change::Changes;
pub use check_settings::{Check, Require};
pub use create::NewGuest;
pub use handle::Sessions;
pub use issue::{IdempotencyKey, InvalidIdempotencyKey, Issued};
pub use list::SessionPage;
pub use maintain::Maintained;
pub use move_store::{Move, MoveProgress, MoveStage, Moved};
pub use sign_in::SignIn;
pub use verdict::{Active, Inactive, Verdict};
