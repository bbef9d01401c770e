//! Running the commands of a page, one shell for the whole page, in a home of its own.
//!
//! - A block ` ```sh ` runs. If a block ` ```text ` or ` ```json ` follows it directly, but for
//!   prose, that is what it says; ` ```sh fails ` fails, and says so.
//! - ` ```sh server ` goes on in the background; the test waits for the address that the block
//!   after it shows, and puts the real one, on a free port, in its place from then on.
//! - A comment `sh: COMMAND` runs too: what a reader does otherwise, such as pressing Ctrl-C
//!   (`stop`). A comment `server at ADDRESS: COMMAND` is a server that the page takes for granted.
//! - A comment `again: HEADING` runs the blocks under that heading once more, where the page sends its
//!   reader back to them.
//! - A number that the page names, such as a port, may stand for another one: see [`Shell::number`].
//! - A block ` ```console ` does not run: see [`Unrun`].

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::expect;
use crate::pages::{Block, Page, Part};

/// How often a server is looked for, and how long it is waited for in between.
const LOOKS: u32 = 3_000;
const LOOK: Duration = Duration::from_millis(20);

/// Ends the server that was started last.
const STOP: &str = "SERVER=
stop() { if [ -n \"$SERVER\" ]; then kill \"$SERVER\" || true; wait \"$SERVER\" || true; SERVER=; fi; }
trap stop EXIT";

/// Why commands of a page are not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrun {
    /// They change the system.
    NeedsRoot,
    /// They build programs, which the tests have built already.
    Builds,
    /// They set what a reader has and a test makes by a comment.
    Sets,
}

/// Why the commands of a block ` ```console ` are not run; none when there is no reason.
pub fn unrun(block: &Block) -> Option<Unrun> {
    let all = |begins: &[&str]| {
        block.text.lines().all(|line| line.is_empty() || begins.iter().any(|begin| line.starts_with(begin)))
    };
    match () {
        () if all(&["sudo "]) => Some(Unrun::NeedsRoot),
        () if all(&["cargo ", "git clone ", "cd "]) => Some(Unrun::Builds),
        () if all(&["export "]) => Some(Unrun::Sets),
        () => None,
    }
}

/// Whether a page has commands to run.
pub fn has_commands(page: &Page) -> bool {
    page.blocks().iter().any(|block| is_command(&block.info))
}

fn is_command(info: &str) -> bool {
    info == "sh" || info.starts_with("sh ")
}

/// A shell in a home of its own.
pub struct Shell {
    home: TempDir,
    child: Child,
    /// None once the shell is to end.
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    steps: u32,
    /// What pages show, and what is in its place: numbers, and the address of the server.
    numbers: Vec<(String, String)>,
    address: Option<(String, String)>,
}

impl Drop for Shell {
    fn drop(&mut self) {
        // The shell has read everything and ends, and its trap ends its server.
        drop(self.to.take());
        self.child.wait().ok();
    }
}

impl Shell {
    /// A shell that finds programs in `programs`, then where the system has them, with nothing
    /// in its environment but `variables` and its home.
    ///
    /// # Panics
    /// When there is no `sh`.
    pub fn new(programs: &Path, variables: &[(&str, &str)]) -> Self {
        let home = TempDir::new().expect("there is room for a temporary folder");
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display());
        let mut child = Command::new("sh")
            .args(["-eu", "-s"])
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", path)
            .envs(variables.iter().copied())
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let to = child.stdin.take();
        let from = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut shell = Self { home, child, to, from, steps: 0, numbers: Vec::new(), address: None };
        shell.step(STOP);
        shell
    }

    /// Puts another number in the place of one that pages name: a port that is free for one that is
    /// not. What is said is compared with the page's number.
    #[must_use]
    pub fn number(mut self, shown: u16, real: u16) -> Self {
        self.numbers.push((shown.to_string(), real.to_string()));
        self
    }

    /// Runs the commands of a page and compares what they say.
    ///
    /// # Panics
    /// When a command fails, or says something else than the page.
    pub fn run(&mut self, page: &Page) {
        let parts = page.parts();
        self.parts(page, &parts);
        self.step("stop");
    }

    fn parts(&mut self, page: &Page, parts: &[Part]) {
        let blocks_after = |at: usize| {
            parts[at + 1..].iter().filter_map(|part| match part {
                Part::Block(block) => Some(block),
                _ => None,
            })
        };
        for (at, part) in parts.iter().enumerate() {
            match part {
                Part::Comment(comment) => {
                    if let Some(heading) = comment.strip_prefix("again: ") {
                        let all = page.parts();
                        self.parts(page, section(&all, heading));
                    } else if let Some(command) = comment.strip_prefix("sh: ") {
                        let (done, said) = self.step(&self.real(command));
                        assert!(done, "{}: `{command}` failed: {said}", page.name);
                    } else if let Some(server) = comment.strip_prefix("server at ") {
                        let (address, command) = server.split_once(": ").expect("an address and a command");
                        self.serve(&page.name, command, address);
                    }
                }
                Part::Block(block) if is_command(&block.info) => {
                    let shown = blocks_after(at).next().filter(|next| matches!(&*next.info, "text" | "json"));
                    self.block(page, block, shown);
                }
                _ => {}
            }
        }
    }

    fn block(&mut self, page: &Page, block: &Block, shown: Option<&Block>) {
        let at = format!("{}:{}", page.name, block.line);
        let command = self.real(&block.text);
        let said = match &*block.info {
            "sh server" => {
                let shown = shown.unwrap_or_else(|| panic!("{at}: what does the server say?"));
                self.serve(&at, &command, &shown.text)
            }
            "sh fails" => {
                let (done, said) = self.step(&format!("if {{ {command}\n}}; then false; fi"));
                assert!(done, "{at}: this was to fail: {said}");
                said
            }
            _ => {
                let (done, said) = self.step(&command);
                assert!(done, "{at}: failed: {said}");
                said
            }
        };
        if let Some(shown) = shown {
            let said = self.shown(&said);
            let same = expect::matches(&shown.info, &shown.text, &said);
            assert!(same, "{at}: the page shows\n{}\nbut it said\n{said}", shown.text);
        }
    }

    /// Runs commands to their end: whether all succeeded, and what they said.
    fn step(&mut self, commands: &str) -> (bool, String) {
        self.steps += 1;
        let said = self.home.path().join(format!(".said-{}", self.steps));
        // Without an input: what follows in it is for this shell.
        let script = format!("{{ {commands}\n}} > '{}' 2>&1 < /dev/null\necho done\n", said.display());
        let to = self.to.as_mut().expect("the shell has not ended");
        to.write_all(script.as_bytes()).expect("the shell reads");
        let mut line = String::new();
        self.from.read_line(&mut line).expect("the shell answers");
        (line == "done\n", fs::read_to_string(said).unwrap_or_default())
    }

    /// Starts a server and waits until it says its address.
    fn serve(&mut self, at: &str, command: &str, shown: &str) -> String {
        let out = self.home.path().join(format!(".server-{}", self.steps));
        let log = out.with_extension("log");
        assert_eq!(command.lines().count(), 1, "{at}: a server is one command");
        let (command, out_at, log_at) = (command.trim_end(), out.display(), log.display());
        let (started, said) = self.step(&format!("stop\n{command} > '{out_at}' 2> '{log_at}' &\nSERVER=$!"));
        assert!(started, "{at}: not started: {said}");
        let nominal = address_in(shown).unwrap_or_else(|| panic!("{at}: the page shows no address"));
        let read = |path: &PathBuf| fs::read_to_string(path).unwrap_or_default();
        for _ in 0..LOOKS {
            let said = read(&out);
            let complete = said.ends_with('\n') && said.lines().count() >= shown.lines().count();
            if let Some(real) = address_in(&said).filter(|_| complete) {
                self.step(&format!("export TENURE_SERVER=http://{real}"));
                self.address = Some((nominal, real));
                return said;
            }
            std::thread::sleep(LOOK);
        }
        panic!("{at}: the server does not come up: {}{}", read(&out), read(&log));
    }

    /// What a page says, with the real numbers and address.
    fn real(&self, text: &str) -> String {
        self.replaced().fold(text.into(), |text, (shown, real)| whole(&text, shown, real))
    }

    /// What was said, with the numbers and the address that the page shows.
    fn shown(&self, text: &str) -> String {
        self.replaced().fold(text.into(), |text, (shown, real)| whole(&text, real, shown))
    }

    fn replaced(&self) -> impl Iterator<Item = &(String, String)> {
        self.numbers.iter().chain(&self.address)
    }
}

/// What stands under a heading, up to the next one.
fn section<'p>(parts: &'p [Part], heading: &str) -> &'p [Part] {
    let is_heading = |part: &Part| matches!(part, Part::Line(_, line) if line.starts_with('#'));
    let is_this =
        |part: &Part| matches!(part, Part::Line(_, line) if line.trim_start_matches('#').trim() == heading);
    let from = parts.iter().position(|part| is_heading(part) && is_this(part));
    let from = from.unwrap_or_else(|| panic!("there is no heading `{heading}`")) + 1;
    let len = parts[from..].iter().position(is_heading).unwrap_or(parts.len() - from);
    &parts[from..from + len]
}

/// A text with `new` for each `old` that is no part of a longer number.
fn whole(text: &str, old: &str, new: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for (at, found) in text.match_indices(old) {
        let after = at + found.len();
        if !text[..at].ends_with(is_digit) && !text[after..].starts_with(is_digit) {
            out.extend([&text[done..at], new]);
            done = after;
        }
    }
    out + &text[done..]
}

/// The first address of this machine in a text: `127.0.0.1:8700`.
fn address_in(text: &str) -> Option<String> {
    let from = text.find("127.0.0.1:")?;
    let rest = &text[from..];
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).unwrap_or(rest.len());
    Some(rest[..end].into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) {
        let page = Page { name: "a.md".into(), text: text.into() };
        Shell::new(Path::new("/nowhere"), &[("GIVEN", "x")]).run(&page);
    }

    #[test]
    fn commands_of_a_page_share_a_shell_and_say_what_the_page_says() {
        run("```sh\nA=$GIVEN\n```\n<!-- sh: B=y -->\n```sh\necho \"$A$B\"\n```\nsays\n```text\nxy\n```\n");
        run("```sh fails\necho no; false\n```\n```text\nno\n```\n");
    }

    #[test]
    #[should_panic(expected = "a.md:1: the page shows\nx\n\nbut it said\ny\n")]
    fn other_words_are_told() {
        run("```sh\necho y\n```\n```text\nx\n```\n");
    }

    #[test]
    #[should_panic(expected = "a.md:1: failed: no\n")]
    fn a_command_that_fails_is_told() {
        run("```sh\necho no\nfalse\necho yes\n```\n");
    }

    #[test]
    #[should_panic(expected = "a.md:1: this was to fail")]
    fn a_command_that_was_to_fail_and_does_not_is_told() {
        run("```sh fails\ntrue\n```\n");
    }

    #[test]
    fn a_server_goes_on_and_its_address_is_put_in() {
        run(
            "```sh server\nsh -c 'echo http://127.0.0.1:4711; exec sleep 600'\n```\n```text\nhttp://127.0.0.1:80\n```\n\
             ```sh\necho at 127.0.0.1:80\n```\n```text\nat 127.0.0.1:80\n```\n",
        );
    }

    #[test]
    fn a_number_stands_for_another_one_and_for_no_part_of_one() {
        let page = Page {
            name: "a.md".into(),
            text: "```sh\necho 80 8080 80x 801 | tee at\n```\n```text\n80 8080 80x 801\n```\n\
                   <!-- sh: grep -qx '4711 8080 4711x 801' at -->\n"
                .into(),
        };
        Shell::new(Path::new("/nowhere"), &[]).number(80, 4711).run(&page);
    }

    #[test]
    fn blocks_under_a_heading_run_again_where_the_page_says_so() {
        run(
            "<!-- sh: N=0 -->\n# One\n```sh\nN=$((N + 1))\n```\n## Two\n<!-- again: One -->\n```sh\necho $N\n```\n```text\n2\n```\n",
        );
    }

    #[test]
    fn a_command_takes_nothing_of_what_follows() {
        run("```sh\ncat\n```\n```sh\necho on\n```\n```text\non\n```\n");
    }

    #[test]
    fn only_what_has_a_reason_is_not_run() {
        let block = |text: &str| Block { info: "console".into(), text: text.into(), line: 1 };
        assert_eq!(unrun(&block("sudo a\nsudo b\n")), Some(Unrun::NeedsRoot));
        assert_eq!(unrun(&block("cargo run\ncurl x\n")), None);
    }
}
