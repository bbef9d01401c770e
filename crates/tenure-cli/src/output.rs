//! What is said to the one who runs the command.

use std::io::{self, Write};
use std::process::ExitCode;

/// Writes a line to stdout. Nobody reading any more is no error.
pub(crate) fn say(line: impl AsRef<str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{}", line.as_ref()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes to stderr what went wrong, with what led to it.
pub(crate) fn failed(error: &anyhow::Error) -> ExitCode {
    note(format!("error: {error:#}"));
    ExitCode::FAILURE
}

/// Writes a line to stderr.
pub(crate) fn note(line: impl AsRef<str>) {
    writeln!(io::stderr().lock(), "{}", line.as_ref()).ok();
}
