//! User sessions for web back ends, over HTTP: the binary `tenure`.

mod api_key;
mod args;
mod client;
mod completions;
mod config;
mod demo;
mod exit;
mod files;
mod help;
mod listen;
mod load;
mod log;
mod man;
mod output;
mod policy;
mod serve;
mod sessions;
mod signals;
mod store;
mod store_copy;
mod store_url;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command, PolicyCommand, SessionsCommand, StoreCommand};
use crate::exit::Exit;

fn main() -> ExitCode {
    let args = Args::parse();
    let ended = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(run(args.command)),
        Err(error) => Err(error.into()),
    };
    ended.unwrap_or_else(|error| output::failed(&error)).into()
}

async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Serve(args) => serve::serve(args).await,
        Command::Sessions(command) => match command {
            SessionsCommand::List(args) => sessions::list(args).await,
            SessionsCommand::Show(args) => sessions::show(args).await,
            SessionsCommand::End(args) => sessions::end(args).await,
        },
        Command::Policy(command) => match command {
            PolicyCommand::Show(args) => policy::show(&args),
            PolicyCommand::Check(args) => policy::check(&args),
        },
        Command::Store(command) => match command {
            StoreCommand::Copy(args) => store_copy::copy(*args).await,
            StoreCommand::Verify { dir, json } => store::verify(dir, json).await,
            StoreCommand::Backup { dir, file, json } => store::backup(dir, file, json).await,
        },
        Command::Load(args) => load::load(*args).await,
        Command::Completions { shell } => completions::print(shell),
        Command::Man { dir } => man::print(dir.as_deref()),
    }
}
