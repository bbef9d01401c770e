//! The binary with servers that are installed.

mod behind_nginx;
mod pages;
mod restored;
