//! The processor time that processes take, the kernel's for them included.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tenure_servers::{Postgres, Redis};

/// Processes, by their numbers.
pub struct Processes(Vec<u32>);

impl Processes {
    /// These.
    pub fn new(pids: impl IntoIterator<Item = u32>) -> Self {
        Self(pids.into_iter().collect())
    }

    /// This one.
    pub fn own() -> Self {
        Self(vec![std::process::id()])
    }

    /// All that serve a database at this moment.
    pub fn of_postgres(server: &Postgres) -> Self {
        let pids = server.sql("SELECT pid FROM pg_stat_activity");
        Self(pids.lines().map(|pid| pid.parse().expect("a number")).collect())
    }

    /// A Redis.
    pub fn of_redis(server: &Redis) -> Self {
        let info = server.cli("INFO server");
        let pid = info.lines().find_map(|line| line.trim().strip_prefix("process_id:"));
        Self(vec![pid.and_then(|pid| pid.parse().ok()).expect("a number")])
    }

    /// What they have taken so far. One that ended counts no more.
    pub fn taken(&self) -> Duration {
        self.0.iter().map(|pid| of(*pid)).sum()
    }
}

fn of(pid: u32) -> Duration {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Duration::ZERO };
    let task = |path: PathBuf| fs::read_to_string(path.join("schedstat")).unwrap_or_default();
    let nanos = |stat: String| stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0);
    Duration::from_nanos(tasks.flatten().map(|entry| nanos(task(entry.path()))).sum())
}
