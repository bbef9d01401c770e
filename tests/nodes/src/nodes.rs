//! Several nodes over one real engine: what holds between them, and how soon. Each test runs on
//! PostgreSQL and on Redis.

mod cut_off;
mod histories;
mod moving;
mod old_primary;
mod revocation;
mod support;
