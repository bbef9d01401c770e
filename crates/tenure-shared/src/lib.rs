//! What the stores of Tenure have in common that several nodes share.
//!
//! An engine implements [`Place`]: rows, a log, and one atomic step that compares and then writes.
//! [`SharedStore`] makes a [`Store`](tenure::store::Store) of it, by the same rules as every other
//! store. The master key of a store is found here too, also for the store that is not shared; and
//! [`Marks`] tell whether a store is older than it was.

#![doc(html_no_source)]

mod draft;
mod end_all;
mod keeper;
mod key;
mod mark;
mod moving;
mod place;
mod restore;
mod row;
mod shared;
mod step;
mod store;
mod sweep;

pub use key::{KEY_VARIABLE, KeySource, key_check, key_in_environment, key_in_file};
pub use place::{
    Body, Cell, CellKey, CellKind, Class, Entry, Hold, Kept, LONGEST_FREEZE_MS, LONGEST_HOLD_MS, LogPage,
    MAX_DELAY_MS, Place, Prune, Raise, Row, Seen, Touched, View, Want, Write, Wrote,
};
pub use restore::{AfterRestore, Judged, Marks, MarksAt};
pub use row::{owner_key, realm_hash};
pub use shared::SharedStore;
