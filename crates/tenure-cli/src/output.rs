//! What is said to the one who runs the command: facts on stdout, everything else on stderr, in
//! colours where a terminal shows them.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};
use serde::Serialize;

use crate::exit::Exit;

/// What is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What is not well.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What one may want to think about.
pub(crate) const DOUBT: Style = AnsiColor::Yellow.on_default().bold();
/// What stands above other things.
pub(crate) const HEAD: Style = Style::new().bold();

/// `text` in a style.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Writes a line to stdout. Nobody reading any more is no error.
pub(crate) fn say(line: impl AsRef<str>) -> io::Result<()> {
    write_all(format!("{}\n", line.as_ref()).as_bytes())
}

/// Writes to stdout as it is. Nobody reading any more is no error.
pub(crate) fn write_all(bytes: &[u8]) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes facts to stdout, for programs.
pub(crate) fn say_json(facts: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(facts).context("this does not write as JSON")?;
    Ok(say(text)?)
}

/// Writes to stderr what went wrong, with what led to it, and says what the exit status is.
pub(crate) fn failed(error: &anyhow::Error) -> Exit {
    note(format!("{} {}", styled(BAD, "error:"), printable(&format!("{error:#}"))));
    Exit::of(error)
}

/// Writes a line to stderr.
pub(crate) fn note(line: impl AsRef<str>) {
    writeln!(anstream::stderr().lock(), "{}", line.as_ref()).ok();
}

/// `text` without what a terminal would obey: names and notes come from others.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => out.push(char),
            _ if char.is_control() => out.extend(char.escape_unicode()),
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_commands_no_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{9b}c\rä"), r"a\u{1b}[2Jb\u{9b}c\u{d}ä");
    }
}
