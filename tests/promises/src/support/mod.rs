//! What the tests of all promises share.

mod cases;
mod faults;
mod forge;
mod gate;
mod people;
mod store;
mod world;

pub(crate) use cases::{for_many, property_on_each_engine};
pub(crate) use faults::{Call, Trouble};
pub(crate) use forge::{Parts, hash};
pub(crate) use gate::Gate;
pub(crate) use people::*;
pub(crate) use world::{World, master_key, on_each_engine};
