//! `cargo xtask sizing`: how many servers so many sessions take, from what was measured.

mod book;
mod embedded;
mod fitting;
mod limit;
mod load;
mod losing;
mod measured;
mod measuring;
mod nodes;
mod options;
mod plan;
mod plots;
mod postgres;
mod redis;
mod run;
mod said;
mod tables;

pub(crate) use run::{Options, run};

#[cfg(test)]
mod tests;
