//! What the measurements share.

pub mod apps;
pub mod drive;
pub mod engines;
pub mod hollow;
pub mod load;
pub mod people;
pub mod place;
pub mod processor;
pub mod progress;
pub mod proxy;
pub mod rounds;
pub mod serve;
pub mod sharded;
