//! The project's own commands, run as `cargo xtask COMMAND`.

#![expect(clippy::print_stdout, reason = "a terminal program reports on its standard output")]

mod bench;
mod book;
mod browser;
mod circles;
mod command;
mod crates;
mod examples;
mod features;
mod fuzz;
mod house;
mod interface;
mod licences;
mod manifests;
mod packages;
mod plot;
mod release;
mod report;
mod rustdoc;
mod sizing;
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
    Bench(bench::Options),
    Sizing(sizing::Options),
    Crates(crates::Options),
    ReleaseCheck(release::Options),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Test(options) => test::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Sizing(options) => sizing::run(&options),
        Command::Crates(crates::Options {}) => crates::run(),
        Command::ReleaseCheck(release::Options {}) => release::run(),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
