//! User sessions for web back ends.
