//! Load for sessions: requests begin when they are due, whether or not the server keeps up, and
//! every answer is judged.
//!
//! A run has a population of guests and signed-in people that comes and goes. Latencies count
//! from the moment a request was due, so that a server that stalls shows in all requests that
//! should have begun meanwhile. An answer is *wrong* when an honest user is refused though nobody
//! ended them, when an ended or made-up session is accepted, when a session is somebody else's,
//! or when an acknowledged change is not there.
//!
//! # Example
//! ```no_run
//! use tenure_load::{Settings, Target, run};
//!
//! # async fn example(key: String) -> Result<(), tenure_load::LoadError> {
//! let settings = Settings::of(vec!["http://127.0.0.1:8700".into()]);
//! let report = run(settings, Target::Api { key }, std::future::pending(), |_| {}).await?;
//! assert_eq!(report.wrong(), 0, "{}", report.to_text());
//! # Ok(())
//! # }
//! ```

mod api;
mod chance;
mod client;
mod compare;
mod drive;
mod html;
mod live;
mod people;
mod plan;
mod record;
mod report;
mod request;
mod run;
mod scenario;
mod shared;
mod svg;
mod threshold;
mod web;
mod who;

pub use compare::{Comparison, compare};
pub use live::Live;
pub use plan::{Mix, Settings};
pub use report::Report;
pub use run::{Target, run};
pub use scenario::{Scenario, ScenarioError};
pub use threshold::Threshold;

/// Why there is no run, or no report.
///
/// # Example
/// ```
/// use tenure_load::{LoadError, Mix};
///
/// assert!(matches!("check=many".parse::<Mix>(), Err(LoadError::Settings(_))));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The settings have to change.
    #[error("{0}")]
    Settings(String),
    /// A report does not read or write.
    #[error("{0}")]
    Report(String),
    /// The first sessions could not be made.
    #[error("the first sessions could not be made: {0}; is the server running, and is it the right one?")]
    Unavailable(String),
}
