//! PostgreSQL, from Debian's package.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::keeper::{Keeper, run};
use crate::patience::eventually;

/// Where Debian's package puts the programs.
pub const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// As durable as in earnest, and small.
const SETTINGS: &str = "
fsync = on
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
shared_buffers = 64MB
wal_level = replica
max_wal_senders = 4
hot_standby = on
track_functions = none
";

/// A server. The user `postgres` may do everything in it and needs no password.
pub struct Postgres {
    _keeper: Keeper,
    data: PathBuf,
    port: u16,
}

/// What to send to a server's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Stand still.
    Stop,
    /// Go on.
    Continue,
    /// Break off at once.
    Kill,
}

impl Postgres {
    /// The server that all tests of a process share.
    ///
    /// # Panics
    /// When it cannot be started: `cargo xtask test` installs the package.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    /// A server of one's own.
    ///
    /// # Panics
    /// As for [`shared`](Self::shared).
    pub fn start() -> Self {
        Self::make(|data| {
            let words = ["--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8", "--locale=C"];
            run(as_server("initdb").args(words).arg("--pgdata").arg(data));
        })
    }

    /// A standby of this server, which follows it under the name `standby`.
    ///
    /// # Panics
    /// As for [`shared`](Self::shared).
    pub fn standby(&self) -> Self {
        let from = format!("host=127.0.0.1 port={} user=postgres application_name=standby", self.port);
        Self::make(|data| {
            let words = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"];
            run(as_server("pg_basebackup").args(words).arg("--pgdata").arg(data).arg("--dbname").arg(&from));
        })
    }

    fn make(fill: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::Builder::new().prefix("tenure-postgres-").tempdir().expect("a folder").keep();
        let data = folder.join("data");
        let keeper = Keeper::of(&folder, &data.join("postmaster.pid"), "QUIT");
        give_to_server(&folder);
        fill(&data);
        let port = free_port();
        let config = data.join("postgresql.conf");
        let kept = fs::read_to_string(&config).expect("initdb wrote its settings");
        fs::write(&config, format!("{kept}{SETTINGS}port = {port}\n")).expect("settings");
        let server = Self { _keeper: keeper, data, port };
        server.start_again();
        server
    }

    /// Where to connect to: a URL with the user and the database `postgres`.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Where to connect to as another role.
    pub fn url_of(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/postgres", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL with `psql` and gives what it prints.
    ///
    /// # Panics
    /// When it fails.
    pub fn sql(&self, sql: &str) -> String {
        let mut psql = Command::new(Path::new(PROGRAMS).join("psql"));
        psql.args(["-X", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1"]);
        psql.args(["-c", sql]).arg(self.url());
        let done = psql.output().expect("psql runs");
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// Waits until SQL prints this.
    ///
    /// # Panics
    /// When it fails, or does not come to that.
    pub fn until(&self, sql: &str, printed: &str) {
        eventually(|| self.sql(sql), |said| said == printed);
    }

    /// Stops it, as for a restart of the machine.
    ///
    /// # Panics
    /// When it cannot be stopped.
    pub fn stop(&self) {
        self.control(&["stop", "--mode=fast"]);
    }

    /// Starts it again, on the same port.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_again(&self) {
        let log = self.data.with_file_name("log");
        self.control(&["start", "--log", log.to_str().expect("a plain path")]);
    }

    /// Makes a primary of a standby.
    ///
    /// # Panics
    /// When it is none.
    pub fn promote(&self) {
        self.control(&["promote"]);
    }

    /// Changes a setting and lets the server read it.
    ///
    /// # Panics
    /// When it is not accepted.
    pub fn set(&self, name: &str, value: &str) {
        self.sql(&format!("ALTER SYSTEM SET {name} = '{value}'"));
        self.sql("SELECT pg_reload_conf()");
    }

    /// Sends a signal to the server and all its processes.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
            Signal::Kill => "KILL",
        };
        let pid = fs::read_to_string(self.data.join("postmaster.pid")).expect("it runs");
        let pid = pid.lines().next().expect("a number").to_owned();
        let children = Command::new("pgrep").args(["-P", &pid]).output().expect("pgrep runs");
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        // The parent first: a killed child would make it restart the others.
        run(Command::new("kill").args(["-s", name, &pid]));
        for child in children.lines() {
            // It may have ended by itself.
            let _ = Command::new("kill").args(["-s", name, child]).stderr(Stdio::null()).status();
        }
    }

    fn control(&self, words: &[&str]) {
        let mut control = as_server("pg_ctl");
        control.arg("--pgdata").arg(&self.data).args(["--wait", "--timeout=120"]).args(words);
        // The server would keep a pipe open.
        control.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let done = control.status().unwrap_or_else(|e| panic!("{control:?}: {e}"));
        let log = fs::read_to_string(self.data.with_file_name("log")).unwrap_or_default();
        assert!(done.success(), "{control:?} failed: {log}");
    }
}

/// One of PostgreSQL's programs, as a user that PostgreSQL accepts: root is none.
fn as_server(program: &str) -> Command {
    let program = Path::new(PROGRAMS).join(program);
    assert!(program.exists(), "{} is missing: install the package postgresql-15", program.display());
    let mut command;
    if is_root() {
        command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    } else {
        command = Command::new(program);
    }
    command.current_dir("/");
    command
}

fn give_to_server(folder: &Path) {
    if is_root() {
        run(Command::new("chown").arg("postgres:postgres").arg(folder));
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0))
}

/// A port of loopback that nobody has at this moment.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port()
}
