//! What the shop answers.

pub(crate) mod account;
pub(crate) mod devices;
pub(crate) mod shop;
pub(crate) mod theme;
