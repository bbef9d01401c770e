//! Real servers for tests, each in a temporary folder on a free port of loopback.
//!
//! A server lives as long as the process that started it, however that ends: a small shell waits
//! for the end of a pipe from the process, then stops the server and removes the folder.

mod keeper;
mod nginx;
mod patience;
mod postgres;
mod redis;
mod redis_cluster;
mod redis_sentinel;

pub use nginx::Nginx;
pub use patience::{Patience, eventually};
pub use postgres::{PROGRAMS, Postgres, Signal, free_port};
pub use redis::Redis;
pub use redis_cluster::RedisCluster;
pub use redis_sentinel::RedisSentinel;
