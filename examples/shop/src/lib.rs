//! The demo shop.

pub mod catalogue;
pub mod pages;
