//! The scripts: they compare and write. What is to happen to a session is decided in Rust.

use std::sync::LazyLock;

use redis::Cmd;
use tenure::store::Barrier;
use tenure_shared::{LONGEST_FREEZE_MS, LONGEST_HOLD_MS};

/// A script and its name at the server.
pub(crate) struct Script {
    text: String,
    sha: String,
}

/// Reads what a step depends on, and may hold the partition.
pub(crate) static VIEW: LazyLock<Script> = LazyLock::new(|| primary(include_str!("lua/view.lua")));
/// Compares and writes.
pub(crate) static WRITE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("lua/write.lua"), "#!lua\n"));
/// The same, also when the server's memory is at its limit.
pub(crate) static WRITE_ALWAYS: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("lua/write.lua"), "#!lua flags=allow-oom\n"));
/// Moves times of last activity.
pub(crate) static TOUCH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/touch.lua"), ""));
/// Begins a partition, or its log anew.
pub(crate) static BEGIN: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/begin.lua"), ""));
/// Reads a part of the log.
pub(crate) static LOG: LazyLock<Script> = LazyLock::new(|| primary(include_str!("lua/log.lua")));
/// Forgets receipts and events.
pub(crate) static PRUNE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/prune.lua"), ""));
/// Takes sessions that are gone out of an index.
pub(crate) static FORGET: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("lua/forget.lua"), ""));

/// Tries whether the user may do what the others do.
pub(crate) static RIGHTS: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("lua/rights.lua"), ""));

/// Keeps everybody from writing in a partition.
pub(crate) static FENCE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/fence.lua"), ""));

/// Lets go of a partition.
pub(crate) static RELEASE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("lua/release.lua"), ""));
/// Gives a turn back.
pub(crate) static FREE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/free.lua"), ""));

/// A script that only a primary answers, though it may write nothing.
fn primary(text: &str) -> Script {
    Script::new(text, include_str!("lua/primary.lua"))
}

impl Script {
    fn new(text: &str, before: &str) -> Self {
        let text = format!("{before}{text}")
            .replace("$SHUT", &Barrier::SHUT.as_millis().to_string())
            .replace("$LONGEST_HOLD", &LONGEST_HOLD_MS.to_string())
            .replace("$LONGEST_FREEZE", &LONGEST_FREEZE_MS.to_string());
        let sha = redis::Script::new(&text).get_hash().to_owned();
        Self { text, sha }
    }

    /// The command that runs it. `whole` sends its text too, for a server that does not know it.
    pub(crate) fn command(&self, keys: &[Vec<u8>], args: &[Vec<u8>], whole: bool) -> Cmd {
        let mut command = if whole { redis::cmd("EVAL") } else { redis::cmd("EVALSHA") };
        command.arg(if whole { &self.text } else { &self.sha }).arg(keys.len()).arg(keys).arg(args);
        command
    }
}
