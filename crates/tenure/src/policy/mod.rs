//! How long sessions live, how many there are and how their tokens renew themselves.

mod presets;
mod remembered;
mod rules;

pub use presets::{Deviation, Preset, UnknownPreset};
pub use rules::{
    GuestPolicy, InvalidPolicy, Limits, MAX_COOKIE_AGE, PendingPolicy, Policy, RolePolicy, RotationPolicy,
    Stricter,
};
