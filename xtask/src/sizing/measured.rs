//! What was measured, as it lies in `docs/sizing.json`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// All that plans are made of.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Measured {
    /// When, of which commit, on what machine, by which command.
    pub(crate) described: String,
    pub(crate) lines: Vec<Line>,
}

/// One figure, or some that belong together.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub(crate) enum Line {
    /// Of the servers.
    Versions { postgres: String, redis: String },
    /// An answer of `POST /v1/sessions/verify` from memory: processor time of the thread, and the bytes of
    /// the request and the answer.
    Verify { micros: f64, request_bytes: f64, answer_bytes: f64 },
    /// A session in the memory of a node: what the process grew by, and what it counts against its bound.
    Near { resident: f64, counted: f64 },
    /// A session in an engine, in bytes.
    Size(Size),
    /// Something that is done with a session.
    Cost(Cost),
    /// A second of a node that follows, while others do so much.
    Follow(Follow),
    /// A server that takes writes was lost, in seconds.
    Outage { servers: String, noticed: Option<f64>, median: f64, most: f64 },
}

/// Bytes of a session in an engine, and of an event.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Size {
    pub(crate) engine: String,
    pub(crate) sessions: u64,
    pub(crate) rows: f64,
    pub(crate) indexes: f64,
    pub(crate) users: f64,
    pub(crate) event: f64,
}

impl Size {
    /// All of a session that stays while it is there.
    pub(crate) fn session(&self) -> f64 {
        self.rows + self.indexes + self.users
    }
}

/// What one of something costs.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) engine: String,
    pub(crate) of: String,
    /// How many were done in a second on the machine, clients and server together.
    pub(crate) per_second: f64,
    /// Microseconds of processor time.
    pub(crate) server_us: f64,
    pub(crate) client_us: f64,
    /// Bytes to disk.
    pub(crate) disk: f64,
    /// The same right after a checkpoint, when whole pages go to the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) disk_first: Option<f64>,
    /// Commands of Redis, those in scripts included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commands: Option<f64>,
    /// Bytes to the server and from it, and round trips; none where there is no network.
    #[serde(default)]
    pub(crate) sent: f64,
    #[serde(default)]
    pub(crate) received: f64,
    #[serde(default)]
    pub(crate) trips: f64,
}

/// What one node costs that follows, in a second.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Second {
    /// How many events there were.
    pub(crate) events: f64,
    /// How often the log was asked.
    pub(crate) polls: f64,
    pub(crate) server_us: f64,
    pub(crate) node_us: f64,
    pub(crate) sent: f64,
    pub(crate) received: f64,
}

/// The same, of an engine.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Follow {
    pub(crate) engine: String,
    #[serde(flatten)]
    pub(crate) second: Second,
}

/// What can be done with a session, in the order of the page.
pub(crate) const DONE: [&str; 7] = ["check", "change", "touch", "sign_in", "end", "forget", "prune"];

impl Measured {
    /// What the file holds.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::of(&text).with_context(|| format!("{}: measure anew", file.display()))
    }

    pub(crate) fn of(text: &str) -> Result<Self> {
        let measured: Self = serde_json::from_str(text)?;
        for engine in ["embedded", "postgres", "redis"] {
            measured.size(engine)?;
            for done in DONE {
                measured.cost(engine, done)?;
            }
        }
        for engine in ["postgres", "redis"] {
            ensure!(measured.follows(engine).len() >= 2, "{engine}: following was measured less than twice");
        }
        measured.near()?;
        measured.verify()?;
        Ok(measured)
    }

    pub(crate) fn text(&self) -> Result<String> {
        let lines = self.lines.iter().map(|line| Ok(format!("    {}", serde_json::to_string(line)?)));
        let lines = lines.collect::<Result<Vec<_>>>()?.join(",\n");
        let described = serde_json::to_string(&self.described)?;
        Ok(format!("{{\n  \"described\": {described},\n  \"lines\": [\n{lines}\n  ]\n}}\n"))
    }

    pub(crate) fn size(&self, engine: &str) -> Result<&Size> {
        let sizes =
            self.lines.iter().filter_map(|line| if let Line::Size(size) = line { Some(size) } else { None });
        sizes.into_iter().find(|size| size.engine == engine).with_context(|| format!("{engine}: no sizes"))
    }

    pub(crate) fn cost(&self, engine: &str, of: &str) -> Result<&Cost> {
        let costs =
            self.lines.iter().filter_map(|line| if let Line::Cost(cost) = line { Some(cost) } else { None });
        let mut found = costs.into_iter().filter(|cost| cost.engine == engine && cost.of == of);
        found.next().with_context(|| format!("{engine}: no cost of {of}"))
    }

    /// By how much there is to follow, the least first. To follow more never costs less: what says so is noise.
    pub(crate) fn follows(&self, engine: &str) -> Vec<Second> {
        let mut found: Vec<Second> = self
            .lines
            .iter()
            .filter_map(|line| match line {
                Line::Follow(follow) if follow.engine == engine => Some(follow.second),
                _ => None,
            })
            .collect();
        found.sort_by(|one, other| one.events.total_cmp(&other.events));
        for at in 1..found.len() {
            let (less, more) = (found[at - 1], &mut found[at]);
            more.server_us = more.server_us.max(less.server_us);
            more.node_us = more.node_us.max(less.node_us);
            more.received = more.received.max(less.received);
        }
        found
    }

    /// Bytes of a session in the memory of a node.
    pub(crate) fn near(&self) -> Result<f64> {
        let near = |line: &Line| if let Line::Near { resident, .. } = line { Some(*resident) } else { None };
        self.lines.iter().find_map(near).context("no bytes of a session in memory")
    }

    /// Microseconds of a check over HTTP, and bytes of the request and the answer.
    pub(crate) fn verify(&self) -> Result<(f64, f64)> {
        let verify = |line: &Line| match line {
            Line::Verify { micros, request_bytes, answer_bytes } => {
                Some((*micros, request_bytes + answer_bytes))
            }
            _ => None,
        };
        self.lines.iter().find_map(verify).context("no time of a check over HTTP")
    }
}
