//! The HTTP API of Tenure: user sessions for back ends in any language.
//!
//! [`Server`] has the routes and runs them; the binary `tenure` opens a store and wires it up.
//! The contract is `docs/openapi.json`, every error code is in `docs/errors.md`.

mod app;
mod auth;
mod body;
mod codes;
mod connection;
mod documents;
mod end;
mod entrance;
mod headers;
mod health;
mod issue;
mod keys;
mod limits;
mod metrics;
mod mover;
mod moving;
mod problem;
mod request;
mod schema;
mod server;
mod sessions;
mod users;
mod verify;

pub use codes::{ALL as ERROR_CODES, Code, page as errors_page};
pub use connection::serve;
pub use documents::openapi_document;
pub use keys::{ApiKey, ApiKeys, InvalidApiKey, KnownKey, Scope};
pub use limits::{Limits, MAX_BODY};
pub use mover::{Destination, Mover};
pub use problem::Problem;
pub use server::{Server, ServerOptions};
