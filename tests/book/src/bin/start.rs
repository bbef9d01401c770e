//! The program of `docs/start.md`.
fn main() {}
