//! Redis, from Debian's package, or Valkey.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::Signal;
use crate::keeper::{Keeper, run};
use crate::patience::eventually;
use crate::postgres::free_port;

/// As durable as in earnest, and small.
const SETTINGS: &[&str] = &[
    "bind 127.0.0.1",
    "daemonize yes",
    "appendonly yes",
    "appendfsync everysec",
    "maxmemory-policy noeviction",
    "repl-diskless-sync-delay 0",
    "enable-debug-command local",
];

/// A server. No password is needed.
pub struct Redis {
    keeper: Keeper,
    folder: PathBuf,
    port: u16,
}

impl Redis {
    /// The server that all tests of a process share.
    ///
    /// # Panics
    /// When it cannot be started: `cargo xtask test` installs the package.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<Redis> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    /// A server of one's own.
    ///
    /// # Panics
    /// As for [`shared`](Self::shared).
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server of one's own with more settings.
    ///
    /// # Panics
    /// As for [`shared`](Self::shared).
    pub fn start_with(settings: &[&str]) -> Self {
        Self::make(settings)
    }

    /// A server of one's own that speaks TLS at a second port, which this gives too, with a certificate
    /// and its key from these files.
    ///
    /// # Panics
    /// As for [`shared`](Self::shared).
    pub fn start_with_tls(certificate: &Path, key: &Path) -> (Self, u16) {
        let port = free_port();
        let server = Self::make(&[
            &format!("tls-port {port}"),
            &format!("tls-cert-file {}", certificate.display()),
            &format!("tls-key-file {}", key.display()),
            "tls-auth-clients no",
        ]);
        (server, port)
    }

    /// A server that follows this one.
    ///
    /// # Panics
    /// As for [`shared`](Self::shared).
    pub fn replica(&self, settings: &[&str]) -> Self {
        let follow = format!("replicaof 127.0.0.1 {}", self.port);
        let replica = Self::make(&[&[follow.as_str()], settings].concat());
        replica.until("INFO replication", "master_link_status:up");
        replica
    }

    /// A server that becomes one of a cluster, which needs a second port above the first.
    pub(crate) fn make_in_cluster(settings: &[&str]) -> Self {
        let bus = format!("cluster-port {}", free_port());
        Self::make(&[&[bus.as_str()], settings].concat())
    }

    pub(crate) fn make(settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("tenure-redis-").tempdir().expect("a folder").keep();
        let keeper = Keeper::of(&folder, &folder.join("pid"), "KILL");
        let port = free_port();
        let dir = folder.display();
        let own = format!("port {port}\ndir {dir}\npidfile {dir}/pid\nlogfile {dir}/log\n");
        fs::write(folder.join("conf"), format!("{}\n{own}{}\n", SETTINGS.join("\n"), settings.join("\n")))
            .expect("settings");
        let server = Self { keeper, folder, port };
        server.start_again();
        server
    }

    /// Begins to stop it for good.
    pub(crate) fn begin_to_stop(&mut self) {
        self.keeper.begin_to_stop();
    }

    /// Where to connect to.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs a command with `redis-cli` and gives what it prints.
    ///
    /// # Panics
    /// When it cannot be run.
    pub fn cli(&self, words: &str) -> String {
        cli(self.port, words)
    }

    /// Waits until a command prints something in which `text` is.
    ///
    /// # Panics
    /// When it cannot be run, or does not come to that.
    pub fn until(&self, words: &str, text: &str) {
        until(self.port, words, text);
    }

    /// Sends a signal to it.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        send(&self.folder, signal);
    }

    /// Stops it, as for a restart of the machine.
    ///
    /// # Panics
    /// When it cannot be stopped.
    pub fn stop(&self) {
        let pid = self.folder.join("pid");
        self.cli("SHUTDOWN NOSAVE");
        eventually(|| pid.exists(), |there| !there);
    }

    /// Starts it again, on the same port.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_again(&self) {
        let mut command = Command::new(program());
        command
            .arg(self.folder.join("conf"))
            .current_dir(&self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let done = command.status().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        assert!(done.success(), "{command:?} failed");
        self.until("PING", "PONG");
    }
}

/// The program that is tried: another one, as `valkey-server`, is named by a variable.
pub(crate) fn program() -> String {
    std::env::var("TENURE_REDIS_SERVER").unwrap_or_else(|_| "redis-server".into())
}

/// Sends a signal to the server of a folder.
pub(crate) fn send(folder: &Path, signal: Signal) {
    let name = match signal {
        Signal::Stop => "STOP",
        Signal::Continue => "CONT",
        Signal::Kill => "KILL",
    };
    let pid = fs::read_to_string(folder.join("pid")).expect("it runs");
    run(Command::new("kill").args(["-s", name, pid.trim()]));
}

/// Runs a command with `redis-cli` at a port and gives what it prints.
pub(crate) fn cli(port: u16, words: &str) -> String {
    cli_with(port, "", words)
}

/// The same at a server that wants a password.
pub(crate) fn cli_with(port: u16, password: &str, words: &str) -> String {
    let mut command = Command::new("redis-cli");
    if !password.is_empty() {
        command.env("REDISCLI_AUTH", password);
    }
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]).args(words.split(' ')).stdin(Stdio::null());
    let done = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// Waits until a command prints something in which `text` is.
pub(crate) fn until(port: u16, words: &str, text: &str) {
    eventually(|| cli(port, words), |said| said.contains(text));
}
