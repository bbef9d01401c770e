//! A primary with replicas, and three sentinels that watch them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::keeper::Keeper;
use crate::patience::eventually;
use crate::postgres::free_port;
use crate::redis::{cli_with, program, send};
use crate::{Redis, Signal};

/// The name by which the sentinels know the primary.
const SERVICE: &str = "shop";

/// A primary with replicas, and three sentinels.
pub struct RedisSentinel {
    servers: Vec<Redis>,
    sentinels: Vec<Sentinel>,
}

struct Sentinel {
    keeper: Keeper,
    folder: PathBuf,
    port: u16,
    password: String,
}

impl RedisSentinel {
    /// The one that all tests of a process share.
    ///
    /// # Panics
    /// When it cannot be started: `cargo xtask test` installs the packages.
    pub fn shared() -> &'static Self {
        static SERVERS: OnceLock<RedisSentinel> = OnceLock::new();
        SERVERS.get_or_init(|| Self::start(1))
    }

    /// One's own, with so many replicas.
    ///
    /// # Panics
    /// As for [`shared`](Self::shared).
    pub fn start(replicas: usize) -> Self {
        Self::start_with_password(replicas, "")
    }

    /// The same, where the sentinels want a password and the servers want none.
    ///
    /// # Panics
    /// As for [`shared`](Self::shared).
    pub fn start_with_password(replicas: usize, password: &str) -> Self {
        let primary = Redis::start();
        let followers: Vec<Redis> = (0..replicas).map(|_| primary.replica(&[])).collect();
        let port = primary.port();
        let sentinels: Vec<Sentinel> = (0..3).map(|_| Sentinel::start(port, password)).collect();
        let all = Self { servers: [primary].into_iter().chain(followers).collect(), sentinels };
        for sentinel in &all.sentinels {
            // They know each other and the replicas, and agree that a failover could be done.
            sentinel.until(&format!("SENTINEL CKQUORUM {SERVICE}"), "OK 3 usable Sentinels");
            let known = format!("num-slaves\n{replicas}\n");
            sentinel.until(&format!("SENTINEL MASTER {SERVICE}"), &known);
        }
        all
    }

    /// Where to connect to.
    pub fn url(&self) -> String {
        Self::url_by(&self.ports())
    }

    /// Where to connect to, if the sentinels are reached at these ports.
    pub fn url_by(ports: &[u16]) -> String {
        let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("redis-sentinel://{}/{SERVICE}", hosts.join(","))
    }

    /// The ports of the sentinels.
    pub fn ports(&self) -> Vec<u16> {
        self.sentinels.iter().map(|one| one.port).collect()
    }

    /// Sends a signal to all sentinels.
    ///
    /// # Panics
    /// When one does not run.
    pub fn signal_sentinels(&self, signal: Signal) {
        self.sentinels.iter().for_each(|sentinel| send(&sentinel.folder, signal));
    }

    /// The server that the sentinels take for the primary.
    ///
    /// # Panics
    /// When they name none of these.
    pub fn primary(&self) -> &Redis {
        let said = self.sentinels[0].cli(&format!("SENTINEL GET-MASTER-ADDR-BY-NAME {SERVICE}"));
        let port: u16 = said.lines().last().and_then(|port| port.parse().ok()).expect("a port");
        self.servers.iter().find(|server| server.port() == port).expect("one of ours")
    }

    /// The primary and its replicas.
    pub fn servers(&self) -> &[Redis] {
        &self.servers
    }
}

impl Drop for RedisSentinel {
    fn drop(&mut self) {
        self.sentinels.iter_mut().for_each(|sentinel| sentinel.keeper.begin_to_stop());
        self.servers.iter_mut().for_each(Redis::begin_to_stop);
    }
}

impl Sentinel {
    fn start(primary: u16, password: &str) -> Self {
        let folder: PathBuf =
            tempfile::Builder::new().prefix("tenure-sentinel-").tempdir().expect("a folder").keep();
        let keeper = Keeper::of(&folder, &folder.join("pid"), "KILL");
        let port = free_port();
        let dir = folder.display();
        let secured = match password {
            "" => String::new(),
            password => format!("requirepass {password}\nsentinel sentinel-pass {password}\n"),
        };
        let settings = format!(
            "port {port}\nbind 127.0.0.1\ndaemonize yes\ndir {dir}\npidfile {dir}/pid\nlogfile {dir}/log\n\
             sentinel monitor {SERVICE} 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds {SERVICE} 700\n\
             sentinel failover-timeout {SERVICE} 4000\n{secured}"
        );
        fs::write(folder.join("conf"), settings).expect("settings");
        let mut command = Command::new(program());
        command
            .arg(folder.join("conf"))
            .arg("--sentinel")
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let done = command.status().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        assert!(done.success(), "{command:?} failed");
        let sentinel = Self { keeper, folder, port, password: password.to_owned() };
        sentinel.until("PING", "PONG");
        sentinel
    }

    fn cli(&self, words: &str) -> String {
        cli_with(self.port, &self.password, words)
    }

    fn until(&self, words: &str, text: &str) {
        eventually(|| self.cli(words), |said| said.contains(text));
    }
}
