//! The manual pages.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::args::Args;
use crate::exit::Exit;
use crate::help::is_heading;
use crate::output;

/// Prints the first page, or writes all to a folder.
pub(crate) fn print(dir: Option<&Path>) -> Result<Exit> {
    let mut tenure = Args::command().disable_help_subcommand(true);
    tenure.build();
    match dir {
        None => output::write_all(&page(tenure)?)?,
        Some(dir) => write(tenure, dir)?,
    }
    Ok(Exit::Done)
}

fn write(command: Command, dir: &Path) -> Result<()> {
    for below in command.get_subcommands() {
        write(below.clone(), dir)?;
    }
    let file = dir.join(Man::new(command.clone()).get_filename());
    fs::write(&file, page(command)?).with_context(|| format!("cannot write {}", file.display()))
}

fn page(command: Command) -> Result<Vec<u8>> {
    let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (has_options, has_commands) = (command.get_arguments().count() > 0, command.has_subcommands());
    let source = format!("Tenure {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command).source(source).manual("Tenure");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if has_options {
        man.render_options_section(&mut page)?;
    }
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    page.extend(sections(&below).into_bytes());
    Ok(page)
}

/// The sections of a text below the options, line by line as they are.
fn sections(text: &str) -> String {
    let mut out = String::new();
    let mut open = false;
    for line in text.lines() {
        if is_heading(line) {
            out.push_str(if open { ".fi\n" } else { "" });
            let heading = line.trim_end_matches(':').to_uppercase();
            writeln!(out, ".SH \"{heading}\"\n.nf").expect("writing to a string does not fail");
            open = true;
        } else {
            let line = line.replace('\\', "\\e").replace('-', "\\-");
            // An invisible character keeps a leading dot or quote from being a request.
            writeln!(out, "\\&{}", line.strip_prefix("  ").unwrap_or(&line))
                .expect("writing to a string does not fail");
        }
    }
    out.push_str(if open { ".fi\n" } else { "" });
    out
}
