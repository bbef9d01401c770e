//! A cluster of three primaries, each with a replica.

use std::process::Command;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Duration;

use crate::Redis;
use crate::keeper::run;
use crate::patience::eventually;
use crate::redis::until;

/// What makes a server one of a cluster that soon sees who is gone.
const SETTINGS: &[&str] = &[
    "cluster-enabled yes",
    "cluster-config-file nodes",
    "cluster-node-timeout 1500",
    "cluster-replica-validity-factor 0",
];

/// How long to wait before asking a server again.
const POLL: Duration = Duration::from_millis(20);

/// How often a replica is asked to take over.
const PROMOTIONS: u32 = 10;

/// Three primaries, each with a replica.
pub struct RedisCluster {
    servers: Vec<Redis>,
}

impl RedisCluster {
    /// The one that all tests of a process share.
    ///
    /// # Panics
    /// When it cannot be started: `cargo xtask test` installs the package.
    pub fn shared() -> &'static Self {
        static SERVERS: OnceLock<RedisCluster> = OnceLock::new();
        SERVERS.get_or_init(Self::start)
    }

    /// One's own.
    ///
    /// # Panics
    /// As for [`shared`](Self::shared).
    pub fn start() -> Self {
        let servers: Vec<Redis> = (0..6).map(|_| Redis::make_in_cluster(SETTINGS)).collect();
        let mut create = Command::new("redis-cli");
        create
            .args(["--cluster", "create"])
            .args(servers.iter().map(|one| format!("127.0.0.1:{}", one.port())));
        run(create.args(["--cluster-replicas", "1", "--cluster-yes"]));
        for server in &servers {
            until(server.port(), "CLUSTER INFO", "cluster_state:ok");
            until(server.port(), "CLUSTER INFO", "cluster_known_nodes:6");
            // A primary that has not heard yet who follows it does not make way for that one.
            eventually(|| server.cli("CLUSTER NODES"), |said| said.matches("slave ").count() >= 3);
            if server.cli("ROLE").starts_with("slave") {
                server.until("INFO replication", "master_link_status:up");
            }
        }
        Self { servers }
    }

    /// Where to connect to.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.servers.iter().map(|one| format!("127.0.0.1:{}", one.port())).collect();
        format!("redis-cluster://{}", hosts.join(","))
    }

    /// Those that are primaries now.
    pub fn primaries(&self) -> Vec<&Redis> {
        self.servers.iter().filter(|server| server.cli("ROLE").starts_with("master")).collect()
    }

    /// Lets a replica take the place of its primary, which makes way when all is copied.
    ///
    /// # Panics
    /// When it does not come to that, with what the servers know of each other.
    pub fn promote(&self, replica: &Redis) {
        for _ in 0..PROMOTIONS {
            // It says OK, and gives up after five seconds without a word if others are too slow.
            let said = replica.cli("CLUSTER FAILOVER");
            assert!(said == "OK" || said.contains("to a replica"), "{said}");
            for _ in 0..300 {
                if replica.cli("ROLE").starts_with("master") {
                    return;
                }
                sleep(POLL);
            }
        }
        panic!("{} takes no place over:\n{}", replica.port(), replica.cli("CLUSTER NODES"));
    }

    /// Those that are replicas now.
    pub fn replicas(&self) -> Vec<&Redis> {
        self.servers.iter().filter(|server| server.cli("ROLE").starts_with("slave")).collect()
    }
}

impl Drop for RedisCluster {
    fn drop(&mut self) {
        self.servers.iter_mut().for_each(Redis::begin_to_stop);
    }
}
