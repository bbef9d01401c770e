//! One small application, over and over: `/sign-in/{user}`, `/read` answers who is signed in,
//! `/count` counts in the session. Bare, with a hand-written check, with Tenure, with
//! tower-sessions.

mod bare;
mod minimal;
mod select;
mod tenure;
mod through;
pub mod tower_sessions;

pub use select::{App, Route};
