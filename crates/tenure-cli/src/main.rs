//! User sessions for web back ends, over HTTP.
fn main() {}
