//! Saying how far something has come, on standard error: standard output has the results.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often a terminal is told, and how often a file or pipe.
const REFRESH: Duration = Duration::from_millis(500);
const REMIND: Duration = Duration::from_secs(20);

/// Something that takes long.
pub struct Progress {
    what: &'static str,
    of: usize,
    began: Instant,
    told: Instant,
}

impl Progress {
    /// `of` of them are to be done.
    pub fn new(what: &'static str, of: usize) -> Self {
        Self { what, of, began: Instant::now(), told: Instant::now() }
    }

    /// So many are done.
    pub fn at(&mut self, done: usize) {
        let terminal = std::io::stderr().is_terminal();
        if self.told.elapsed() < if terminal { REFRESH } else { REMIND } {
            return;
        }
        self.told = Instant::now();
        let before = if terminal { "\r\x1b[2K" } else { "" };
        let after = if terminal { "" } else { "\n" };
        let each = done as f64 / self.began.elapsed().as_secs_f64();
        eprint!("{before}    {}: {done} of {}, {each:.0} a second{after}", self.what, self.of);
        std::io::stderr().flush().ok();
    }

    /// All are done: how many a second.
    pub fn done(self) -> f64 {
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[2K");
        }
        let took = self.began.elapsed();
        eprintln!("    {}: {} in {:.1} s", self.what, self.of, took.as_secs_f64());
        self.of as f64 / took.as_secs_f64()
    }
}
