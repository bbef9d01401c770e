//! A server as a program of its own, ended with the value that holds it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tenure_servers::Redis;

use crate::apps::App;
use crate::processor::Processes;

pub struct Server {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Server {
    /// Starts an application, with its files on the disk that holds the programs, or its sessions in
    /// this Redis.
    pub fn start(app: App, core: Option<usize>, redis: Option<&Redis>) -> Self {
        let programs = programs();
        let folder = TempDir::new_in(&programs).expect("a folder");
        let (program, first) = match app.older() {
            Some(store) => ("tenure-bench-older", store),
            None => ("app", app.name()),
        };
        let mut command = Command::new(programs.join(program));
        command.arg(first);
        if app.is_on_redis() {
            command.arg(redis.expect("a Redis").url());
        } else {
            command.arg(folder.path());
        }
        command.args(core.map(|core| core.to_string()));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{} does not start: {error}", app.name()));
        let mut line = String::new();
        let output = child.stdout.as_mut().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let address = line.trim().parse();
        let address = address.unwrap_or_else(|_| panic!("{} does not serve: {line:?}", app.name()));
        Self { child, address, _folder: folder }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The processor time that it has taken so far, the kernel's for it included.
    pub(crate) fn processor_time(&self) -> Duration {
        Processes::new([self.child.id()]).taken()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the programs of this package lie.
fn programs() -> PathBuf {
    let own = std::env::current_exe().expect("a program");
    own.parent().map(Path::to_owned).expect("a folder")
}
