//! The word for where a session stands.

use std::fmt;

use serde::Serialize;

use super::state::State;

/// Where a session stands, as [`Snapshot::state`](crate::Snapshot::state) says it. The words are the
/// same in code and JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SessionState {
    /// Nobody is signed in, also while the guest is becoming a user's session.
    Guest,
    /// The user has shown one factor and owes another.
    Pending,
    /// The user is signed in.
    SignedIn,
    /// It is over.
    Ended,
}

impl SessionState {
    /// The word, as everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Pending => "pending",
            Self::SignedIn => "signed_in",
            Self::Ended => "ended",
        }
    }
}

impl From<&State> for SessionState {
    fn from(state: &State) -> Self {
        match state {
            State::Guest | State::Claimed(_) => Self::Guest,
            State::Pending(_) => Self::Pending,
            State::SignedIn(_) => Self::SignedIn,
            State::Ended(_) => Self::Ended,
        }
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_in_json_is_the_word_in_code() {
        for state in [SessionState::Guest, SessionState::Pending, SessionState::SignedIn, SessionState::Ended]
        {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
            assert_eq!(state.to_string(), state.as_str());
        }
    }
}
