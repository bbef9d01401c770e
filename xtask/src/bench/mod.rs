//! `cargo xtask bench`: what Tenure costs, beside what it cannot cost less than.

mod building;
mod check;
mod http;
mod instructions;
mod page;
mod run;
mod section;
mod setting;
mod shared;
mod store;
mod verify;

pub(crate) use run::{Options, run};
pub(crate) use setting::Setting;
