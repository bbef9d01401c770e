//! Nodes in a process of their own, so that what they cost can be told from what others do.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tenure::{Check, Sessions, TOKEN_LEN};
use tenure_bench::engines::{Engines, Kind, open_elsewhere};
use tenure_bench::people::Tokens;
use tenure_bench::processor::Processes;
use tenure_bench::rounds::resident;
use tokio::runtime::Runtime;

/// Room in memory for everybody.
const ROOM: usize = 8 << 30;

/// Such a process.
pub(crate) struct Nodes {
    child: Child,
    /// None once it is to end.
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Nodes {
    /// So many nodes of a shared engine, by way of a port.
    pub(crate) fn start(engines: &Engines, kind: Kind, port: u16, count: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["node", kind.name(), &port.to_string(), &count.to_string()]);
        command.env("TENURE_MASTER_KEY", engines.key().to_hex());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
        let from = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut nodes = Self { to: child.stdin.take(), child, from };
        nodes.ask("tell");
        nodes
    }

    /// What they have come to: after `tell`, or after they have seen the tokens in a file.
    pub(crate) fn ask(&mut self, what: &str) -> Value {
        let to = self.to.as_mut().expect("it has not ended");
        writeln!(to, "{what}").and_then(|()| to.flush()).expect("it listens");
        let mut line = String::new();
        self.from.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).expect("it answers in JSON")
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        // The end of its input is its end.
        drop(self.to.take());
        self.child.wait().ok();
    }
}

/// What such a process does.
pub(crate) fn serve(runtime: &Runtime, kind: Kind, port: u16, count: usize) {
    let open = |_| runtime.block_on(open_elsewhere(kind, port, ROOM));
    let nodes: Vec<Sessions> = (0..count).map(open).collect();
    for line in std::io::stdin().lines() {
        let line = line.expect("whoever asks speaks text");
        if let Some(file) = line.strip_prefix("see ") {
            let tokens = std::fs::read(file).expect("tokens");
            runtime.block_on(see(&nodes[0], &tokens));
        }
        let metrics: Vec<_> = nodes.iter().map(Sessions::metrics).collect();
        let news = |of: &tenure::metrics::Metrics| {
            of.store_calls.iter().find(|calls| calls.call == "news").map_or(0, |calls| calls.count)
        };
        println!(
            "{}",
            json!({
                "micros": Processes::own().taken().as_secs_f64() * 1e6,
                "polls": metrics.iter().map(news).sum::<u64>(),
                "resident": resident(),
                "counted": metrics[0].memory_bytes,
                "in_memory": metrics[0].sessions_in_memory,
            })
        );
    }
    for sessions in nodes {
        runtime.block_on(sessions.close()).ok();
    }
}

async fn see(sessions: &Sessions, tokens: &[u8]) {
    for token in tokens.chunks(TOKEN_LEN) {
        let verdict = sessions.check(token, &Check::signed_in().touch(false)).await;
        verdict.expect("an answer").into_active().expect("it is alive");
    }
}

/// What a session takes in the memory of a node.
pub(crate) fn memory(engines: &Engines, kind: Kind, tokens: &Tokens) -> Value {
    let file = tempfile::NamedTempFile::new().expect("a file for tokens");
    let all: Vec<u8> = (0..tokens.count()).flat_map(|n| tokens.get(n).to_vec()).collect();
    file.as_file().write_all(&all).expect("room for tokens");
    let port = engines.port(kind).expect("an engine that nodes share");
    let mut nodes = Nodes::start(engines, kind, port, 1);
    let before = nodes.ask("tell");
    let after = nodes.ask(&format!("see {}", file.path().display()));
    let number = |of: &Value, name: &str| of[name].as_f64().expect("a number");
    let count = tokens.count() as f64;
    assert!(number(&after, "in_memory") >= count, "all are in memory");
    json!({
        "what": "near",
        "resident": (number(&after, "resident") - number(&before, "resident")) / count,
        "counted": number(&after, "counted") / count,
    })
}
