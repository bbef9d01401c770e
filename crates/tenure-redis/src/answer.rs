//! Reading what comes back.

use redis::Value;
use tenure::store::Barrier;

use crate::error::{Failure, odd};

/// The parts of an answer.
///
/// # Errors
/// Corrupt when there are none.
pub(crate) fn array(value: Value) -> Result<Vec<Value>, Failure> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(Failure::Refused(odd())),
    }
}

/// A number, from 0.
///
/// # Errors
/// Corrupt when it is none.
pub(crate) fn integer(value: &Value) -> Result<u64, Failure> {
    let number = match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::BulkString(digits) => std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()),
        _ => None,
    };
    number.ok_or_else(|| Failure::Refused(odd()))
}

/// A text, or an empty one.
pub(crate) fn text(value: Option<&Value>) -> &str {
    match value {
        Some(Value::BulkString(bytes)) => std::str::from_utf8(bytes).unwrap_or_default(),
        Some(Value::SimpleString(text)) => text,
        Some(Value::VerbatimString { text, .. }) => text,
        _ => "",
    }
}

/// Whether that is the barrier of a partition that is shut.
pub(crate) fn is_shut(barrier: &Value) -> bool {
    integer(barrier).is_ok_and(|until| until == Barrier::SHUT.as_millis())
}
