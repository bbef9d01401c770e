//! User sessions for web back ends, over HTTP: the binary `tenure`.

mod api_key;
mod args;
mod client;
mod config;
mod demo;
mod files;
mod listen;
mod log;
mod output;
mod policy;
mod serve;
mod sessions;
mod signals;
mod store;
mod store_url;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command, PolicyCommand, SessionsCommand, StoreCommand};

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return output::failed(&error.into()),
    };
    match runtime.block_on(run(args.command)) {
        Ok(code) => code,
        Err(error) => output::failed(&error),
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
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
            StoreCommand::Verify { dir } => store::verify(dir).await,
            StoreCommand::Backup { dir, file } => store::backup(dir, file).await,
        },
    }
}
