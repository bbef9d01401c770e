//! What can go wrong with a store.

/// The store could not answer. Never a verdict about a session (promise P5).
///
/// The texts are for operators: they name what failed and what to do, and hold neither
/// secrets nor personal data (promise P12).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It does not answer now; nothing happened. Try again.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// It broke off; the operation may have happened. Repeat it with the same operation id.
    #[error("the store broke off, so the outcome is unknown: {0}")]
    Unknown(String),
    /// It has no room left; nothing happened. Sessions can still be ended.
    #[error("the store is full: {0}")]
    Full(String),
    /// What it holds is damaged.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// It waits for a decision of its operator.
    #[error("the store is blocked: {0}")]
    Blocked(String),
    /// It cannot be opened as it is configured.
    #[error("the store cannot be opened: {0}")]
    Configuration(String),
}
