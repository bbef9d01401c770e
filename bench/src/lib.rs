//! What the measurements share.

pub mod hollow;
pub mod rounds;
