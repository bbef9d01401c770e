//! The Rust blocks of the book, as doc tests.
