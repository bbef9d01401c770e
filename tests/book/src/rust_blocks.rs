//! The Rust blocks of the book, as doc tests.

#[doc = include_str!("../../../docs/cookies.md")]
mod cookies {}
#[doc = include_str!("../../../docs/lifecycle.md")]
mod lifecycle {}
#[doc = include_str!("../../../docs/start.md")]
mod start {}
#[doc = include_str!("../../../docs/stores.md")]
mod stores {}
#[doc = include_str!("../../../docs/testing.md")]
mod testing {}
