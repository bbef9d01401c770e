//! Programs that a step runs: their output kept in one place, their time limited.

#![expect(clippy::disallowed_methods, reason = "limits real programs by real time")]

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, PipeReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// After this long a program hangs; with `--soak` it gets [`SOAK_LIMIT`].
const LIMIT: Duration = Duration::from_secs(40 * 60);
const SOAK_LIMIT: Duration = Duration::from_secs(6 * 60 * 60);
/// How long a program's output may stay open after it has ended.
const DRAIN: Duration = Duration::from_secs(5);
/// How often to see whether a program has ended.
const POLL: Duration = Duration::from_millis(50);

/// What a step has printed so far. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    soak: bool,
}

impl Log {
    pub(crate) fn new(soak: bool) -> Log {
        Log { soak, ..Log::default() }
    }

    /// Runs the program to its end and fails unless it succeeded.
    pub(crate) fn run(&self, program: &Program) -> Result<()> {
        if self.succeeds(program)? { Ok(()) } else { bail!("failed: {}", program.shown()) }
    }

    /// Runs the program to its end: whether it succeeded.
    pub(crate) fn succeeds(&self, program: &Program) -> Result<bool> {
        self.line(format!("$ {}", program.shown()));
        let mut command = program.command();
        if self.soak {
            command.env("TENURE_SOAK", "1");
        }
        let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
        let copy = writer.try_clone().context("cannot make a pipe")?;
        command.stdin(Stdio::null()).stdout(writer).stderr(copy);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", program.shown()))?;
        drop(command); // holds the writing end of the pipe
        let drained = self.follow(reader);
        let status = self.wait(&mut child)?;
        if drained.recv_timeout(DRAIN) == Err(mpsc::RecvTimeoutError::Timeout) {
            self.line("(a process that it started still runs)".into());
        }
        Ok(status.success())
    }

    /// Adds a line.
    pub(crate) fn line(&self, line: String) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// Everything so far, a line feed after each line.
    pub(crate) fn text(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// Whether some line starts with these words, spaces in front aside.
    pub(crate) fn has_line(&self, words: &str) -> bool {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().any(|line| line.trim_start().starts_with(words))
    }

    /// The last line that says something.
    pub(crate) fn last_line(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let last = lines.iter().rev().find(|line| !line.trim().is_empty());
        last.map(|line| line.trim().to_owned()).unwrap_or_default()
    }

    /// Waits for the program, and ends it when it hangs.
    fn wait(&self, child: &mut Child) -> Result<ExitStatus> {
        let limit = if self.soak { SOAK_LIMIT } else { LIMIT };
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait().context("cannot wait for a program")? {
                return Ok(status);
            }
            if started.elapsed() > limit {
                self.line(format!("(ended after {} minutes)", limit.as_secs() / 60));
                child.kill().context("cannot end a program")?;
                return child.wait().context("cannot wait for a program");
            }
            std::thread::sleep(POLL);
        }
    }

    /// Reads lines until the pipe closes, which the receiver learns by its hang-up.
    fn follow(&self, reader: PipeReader) -> mpsc::Receiver<()> {
        let (open, closed) = mpsc::channel();
        let log = self.clone();
        std::thread::spawn(move || {
            let _open = open;
            for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
                log.line(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned());
            }
        });
        closed
    }
}

/// What a program printed.
pub(crate) struct Answer {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    /// The last lines on the standard error, where a program says what went wrong.
    fn end(&self) -> String {
        let lines: Vec<&str> = self.stderr.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

/// A program, its arguments and its variables.
pub(crate) struct Program {
    program: OsString,
    args: Vec<OsString>,
    envs: Vec<(&'static str, OsString)>,
    folder: Option<OsString>,
}

impl Program {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Program {
        Program { program: program.as_ref().to_owned(), args: Vec::new(), envs: Vec::new(), folder: None }
    }

    /// The cargo that runs this program. Its arguments are one string, split at spaces.
    pub(crate) fn cargo(args: &str) -> Program {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Program::new(cargo)
            .args(args.split(' '))
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never")
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Program {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Program {
        self.envs.push((name, value.as_ref().to_owned()));
        self
    }

    pub(crate) fn folder(mut self, folder: &Path) -> Program {
        self.folder = Some(folder.into());
        self
    }

    /// What the program prints on its standard output, if it can be run and succeeds.
    pub(crate) fn output(&self) -> Option<String> {
        Self::printed(self.command().stdin(Stdio::null()))
    }

    /// The same of a program that takes long: what it says of its progress and of what went wrong
    /// is shown as it comes.
    pub(crate) fn output_of_long(&self) -> Option<String> {
        Self::printed(self.command().stdin(Stdio::null()).stderr(Stdio::inherit()))
    }

    fn printed(command: &mut Command) -> Option<String> {
        let output = command.output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// What the program prints. Fails with the end of it unless the program succeeds.
    pub(crate) fn answer(&self) -> Result<Answer> {
        let output = self.command().stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("cannot start {}", self.shown()))?;
        let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
        let answer = Answer { stdout: text(&output.stdout), stderr: text(&output.stderr) };
        ensure!(output.status.success(), "{} failed: {}", self.shown(), answer.end());
        Ok(answer)
    }

    /// Runs the program on the terminal, where it may ask for something: whether it succeeded.
    pub(crate) fn on_terminal(&self) -> bool {
        self.command().status().is_ok_and(|status| status.success())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.envs.iter().map(|(name, value)| (name, value)));
        // What `cargo run` tells a program about its package would make the
        // cargo that the program runs build some crates anew.
        for (name, _) in std::env::vars_os() {
            let shown = name.to_string_lossy();
            if shown.starts_with("CARGO_PKG_") || shown.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    fn shown(&self) -> String {
        let program = Path::new(&self.program).file_name().unwrap_or(&self.program);
        let words = std::iter::once(program).chain(self.args.iter().map(OsString::as_os_str));
        words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
    }
}
