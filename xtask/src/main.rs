//! The project's own commands, run as `cargo xtask COMMAND`.

#![expect(clippy::print_stdout, reason = "a terminal program reports on its standard output")]

mod browser;
mod circles;
mod command;
mod fuzz;
mod house;
mod licences;
mod packages;
mod report;
mod steps;
mod tally;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Test(test::Options),
}

fn main() -> ExitCode {
    let Command::Test(options) = Cli::parse().command;
    match test::run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
