//! A folder for what is measured on disk, removed afterwards whatever happens.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A temporary folder. It goes when this is dropped, also by a panic, and when the process is
/// told to stop.
pub struct Place(TempDir);

impl Place {
    /// A new folder inside `parent`, which should lie on a real disk.
    pub fn in_folder(parent: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("tenure-bench-").tempdir_in(parent);
        let place = Self(folder.unwrap_or_else(|e| panic!("no folder in {}: {e}", parent.display())));
        place.remove_when_told_to_stop();
        place
    }

    /// Something inside.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn remove_when_told_to_stop(&self) {
        let folder = self.0.path().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (ready, is_ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            runtime.block_on(async {
                use tokio::signal::unix::{SignalKind, signal};
                let mut interrupt = signal(SignalKind::interrupt()).expect("a signal handler");
                let mut terminate = signal(SignalKind::terminate()).expect("a signal handler");
                ready.send(()).expect("somebody waits");
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            // Other threads still write: what they make meanwhile goes in the next try.
            while folder.exists() {
                std::fs::remove_dir_all(&folder).ok();
            }
            std::process::exit(130);
        });
        is_ready.recv().expect("the thread runs");
    }
}
