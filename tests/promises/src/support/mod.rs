//! What the tests of all promises share.

mod cases;
mod forge;
mod people;
mod seen;
mod world;

pub(crate) use cases::{for_many, property_on_each_engine};
pub(crate) use forge::{Parts, hash};
pub(crate) use people::*;
pub(crate) use seen::Seen;
pub(crate) use tenure::testing::{Call, Gate, Trouble};
pub(crate) use world::{World, master_key, on_each_engine};
