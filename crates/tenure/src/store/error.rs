//! What can go wrong with a store.

/// The store could not answer. Never a verdict about a session (promise P5).
///
/// The texts are for operators: they name what failed and what to do, and hold neither
/// secrets nor personal data (promise P12).
///
/// # Example: what became of it
/// ```
/// use tenure::store::StoreError;
///
/// /// Whether the same operation can simply be sent again.
/// fn can_repeat(error: &StoreError) -> bool {
///     match error {
///         StoreError::Unavailable(_) => true, // nothing happened
///         StoreError::Unknown(_) => true,     // it may have happened: then it is `Replayed`
///         _ => false,                         // an operator has to look
///     }
/// }
///
/// let error = StoreError::Full("no space left on the disk of /var/lib/shop".into());
/// assert!(!can_repeat(&error));
/// assert_eq!(error.to_string(), "the store is full: no space left on the disk of /var/lib/shop");
/// ```
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
