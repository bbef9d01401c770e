//! What shells need to complete commands and options.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::args::Args;
use crate::exit::Exit;
use crate::output;

/// Prints what `shell` needs.
pub(crate) fn print(shell: Shell) -> anyhow::Result<Exit> {
    let mut text = Vec::new();
    generate(shell, &mut Args::command(), "tenure", &mut text);
    output::write_all(&text)?;
    Ok(Exit::Done)
}
