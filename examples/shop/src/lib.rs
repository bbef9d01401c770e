//! The demo shop: what an application with `tenure-tower` looks like.
//!
//! It uses sessions as any application would, through the public crate. Begin with
//! [`router`]; the rest is a shop.

mod app;
pub mod catalogue;
mod failure;
pub mod pages;
mod people;
mod routes;
mod samples;
mod view;

pub use app::{router, serve};
pub use people::People;
pub use samples::fill;
