//! Cleaning up after a process that may be killed at any moment.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for the end of its input, stops the process whose number is in the first line of a file by a
/// signal, or by force if it has not ended after a minute, and removes a folder.
const SCRIPT: &str = r#"
cat > /dev/null
pid=$(head -n 1 "$2" 2> /dev/null)
if [ -n "$pid" ]; then
    kill -s CONT "$pid"; kill -s "$3" "$pid"
    for _ in $(seq 1200); do kill -s 0 "$pid" || break; sleep 0.05; done
    kill -s KILL "$pid"
fi 2> /dev/null
rm -rf "$1"
"#;

/// Stops a server and removes its folder when it is dropped, or when this process ends.
pub(crate) struct Keeper(Child);

impl Keeper {
    /// Over a folder, and the file that holds the number of the server's process, with the signal that
    /// surely ends it: who runs in the background may ignore some, and leaves that to its children.
    ///
    /// # Panics
    /// When there is no shell.
    pub(crate) fn of(folder: &Path, pid_file: &Path, signal: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "keeper"]).arg(folder).arg(pid_file).arg(signal);
        // In a group of its own, so that Ctrl-C does not end it before its work is done.
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self(shell.spawn().expect("sh runs"))
    }

    /// Begins to clean up; when it is dropped, it is waited for. So several are stopped at once.
    pub(crate) fn begin_to_stop(&mut self) {
        drop(self.0.stdin.take());
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.begin_to_stop();
        let _ = self.0.wait();
    }
}

/// Runs a program to its end.
///
/// # Panics
/// When it fails, with what it said.
pub(crate) fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?} failed: {said}");
}
