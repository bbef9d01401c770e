//! The built binary in a folder of its own, and ways to talk to it.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tenure::clock::{Clock, SystemClock};

/// A home folder and a place to start in.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn config(&self, name: &str) -> PathBuf {
        self.path("config/tenure").join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().into()
    }

    /// `tenure` with these arguments, an empty environment but for its home, and the store and
    /// the port of its own.
    pub(crate) fn tenure(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.0.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .current_dir(self.0.path());
        command
    }

    /// Runs it to its end: exit code, stdout, stderr.
    pub(crate) fn run(&self, args: &[&str]) -> (i32, String, String) {
        told(self.tenure(args).output().unwrap())
    }

    /// Starts a server on a free port and waits until it listens.
    pub(crate) fn serve(&self, args: &[&str]) -> Server {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(args);
        Server::start(self.tenure(&all), self.path("stderr.log"))
    }

    /// The API key that the first start left.
    pub(crate) fn api_key(&self) -> String {
        fs::read_to_string(self.config("admin-api-key")).unwrap().trim().into()
    }
}

pub(crate) fn told(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// The permissions of a file.
#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A server that runs.
pub(crate) struct Server {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    log: PathBuf,
    pub(crate) said: Vec<String>,
    pub(crate) api: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Server {
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Self {
        let stderr = fs::File::create(&log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, out, log, said: Vec::new(), api: String::new() };
        server.api = server.line("api http://");
        server
    }

    /// Reads stdout until the line that begins so, and gives its rest.
    pub(crate) fn line(&mut self, begin: &str) -> String {
        loop {
            let mut line = String::new();
            if self.out.read_line(&mut line).unwrap() == 0 {
                panic!("no line `{begin}`: {:?}; {}", self.said, self.log());
            }
            let line = line.trim_end().to_owned();
            self.said.push(line.clone());
            if let Some(rest) = line.strip_prefix(begin) {
                return rest.into();
            }
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Sends SIGTERM; gives the exit code and how long it took.
    pub(crate) fn stop(mut self) -> (Option<i32>, Duration, String) {
        let clock = SystemClock;
        let began = clock.running();
        self.signal("-TERM");
        let status = self.child.wait().unwrap();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (status.code(), clock.running() - began, self.log())
    }

    /// Kills it, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Asks the API: status and JSON.
    pub(crate) fn ask(&self, key: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, text) = request(&self.api, key, method, path, &body);
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    /// Signs `user` in: the session and its token.
    pub(crate) fn sign_in(&self, key: &str, user: &str) -> (Value, String) {
        let (status, answer) = self.ask(key, "POST", "/v1/sessions", json!({ "user": user }));
        assert_eq!(status, 201, "{answer}");
        (answer["session"].clone(), answer["token"].as_str().unwrap().into())
    }

    pub(crate) fn verify(&self, key: &str, token: &str) -> Value {
        let (status, answer) = self.ask(key, "POST", "/v1/sessions/verify", json!({ "token": token }));
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

/// One request to `at`: status and body.
pub(crate) fn request(at: &str, key: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    try_request(at, key, method, path, body).unwrap()
}

/// The same where there may be no answer.
pub(crate) fn try_request(
    at: &str,
    key: &str,
    method: &str,
    path: &str,
    body: &str,
) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(std::io::ErrorKind::InvalidData)?, body.into()))
}
