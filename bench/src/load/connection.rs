//! One connection: one request at a time, as a browser without pipelining sends it.

use std::io::{Error, Result};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What every browser sends, more or less.
const BROWSER: &str = "Host: bench.example\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n";

/// The longest answer that is read.
const LONGEST: usize = 16 * 1024;

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// An answer with status 200.
pub(crate) struct Answer<'a> {
    /// The cookie that it sets, `name=value`.
    pub(crate) cookie: Option<&'a str>,
    pub(crate) body: &'a str,
}

/// The bytes of a request.
pub(crate) fn request(method: &str, path: &str, cookie: Option<&str>) -> Vec<u8> {
    let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
    let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
    format!("{method} {path} HTTP/1.1\r\n{BROWSER}{cookie}{length}\r\n").into_bytes()
}

impl Connection {
    pub(crate) async fn open(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; LONGEST], filled: 0 })
    }

    /// Sends a request and waits for its answer. Anything but status 200 is an error.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.filled = 0;
        let (head, end) = loop {
            let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
            if read == 0 {
                return Err(Error::other("the server hung up, or its answer is too long"));
            }
            self.filled += read;
            let so_far = &self.buffer[..self.filled];
            if let Some(head) = so_far.windows(4).position(|window| window == b"\r\n\r\n") {
                let end = head + 4 + length(text(&so_far[..head])?)?;
                if self.filled >= end {
                    break (head, end);
                }
            }
        };
        let body = text(&self.buffer[head + 4..end])?;
        let head = text(&self.buffer[..head])?;
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(Error::other(format!("{head}\n{body}")));
        }
        let cookie = field(head, "set-cookie").and_then(|value| value.split(';').next());
        Ok(Answer { cookie, body })
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(Error::other)
}

fn length(head: &str) -> Result<usize> {
    let value = field(head, "content-length").and_then(|value| value.parse().ok());
    value.ok_or_else(|| Error::other(format!("no length: {head}")))
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    lines.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
