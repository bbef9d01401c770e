//! Holds the book in `docs/` to the truth.
//!
//! Rust blocks of its pages are doc tests of this crate. Blocks of commands run in a shell
//! against the real programs ([`shell`]) and answer what the page says. Tables that come from
//! the code are written from it ([`tables`]).

pub mod expect;
pub mod pages;
pub mod shell;
pub mod tables;

#[cfg(doctest)]
mod rust_blocks;
