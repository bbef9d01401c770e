//! What a process holds in memory that has the store open.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tenure::SessionId;
use tenure_bench::rounds::resident;

use crate::changes;
use crate::fill::Filled;
use crate::home::Home;

const CHANGES: usize = 20_000;

/// Asks a process that has nothing else in memory.
pub(crate) fn in_a_process_of_its_own(home: &Home, filled: &Filled) -> Value {
    let ids: Vec<u8> = filled.ids.iter().flat_map(|id| *id.as_bytes()).collect();
    std::fs::write(home.beside("ids"), ids).expect("room for ids");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let command = command.arg("memory").arg(home.folder()).stderr(std::process::Stdio::inherit());
    let output = command.output().expect("the process runs");
    assert!(output.status.success(), "the process failed");
    serde_json::from_slice(&output.stdout).expect("the process prints JSON")
}

/// Before the store is opened, after that, and after changes.
pub(crate) async fn measure(folder: &Path) -> Value {
    let home = Home::at(folder);
    let bytes = std::fs::read(home.beside("ids")).expect("ids");
    let ids = bytes.chunks_exact(16).map(|id| SessionId::from_bytes(id.try_into().expect("16 bytes")));
    let ids: Vec<SessionId> = ids.take(CHANGES).collect();
    let before = resident();
    let open = home.open().await;
    let opened = resident();
    changes::make(&open.store, ids).await;
    let changed = resident();
    open.store.close().await;
    json!({ "before": before, "opened": opened, "changed": changed })
}
