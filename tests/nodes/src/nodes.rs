//! Several nodes over one real engine: what holds between them, and how soon. Tests run on PostgreSQL and
//! on Redis, but for what only one of them has, such as an old primary that sentinels replaced.

mod ahead;
mod cut_off;
mod histories;
mod moving;
mod old_primary;
mod revocation;
mod sharing;
mod support;
