//! What the measurements share.

pub mod apps;
pub mod hollow;
pub mod load;
pub mod place;
pub mod progress;
pub mod rounds;
pub mod serve;
pub mod sharded;
