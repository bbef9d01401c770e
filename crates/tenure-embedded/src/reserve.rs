//! Room that is kept for the day the disk is full, so that sessions can still be ended.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use rusqlite::Connection;
use tenure::random::Random;

use crate::error::Result;
use crate::folder::private_file;

/// How much is kept.
const BYTES: u64 = 8 << 20;
/// How much more must be free before the reserve counts as filled again, so that the store
/// does not go to and fro.
const HEADROOM: u64 = 2 << 20;

/// A file of real blocks that is given up when the disk is full.
pub(crate) struct Reserve {
    path: PathBuf,
    held: bool,
}

impl Reserve {
    /// The reserve in this file, as far as it is there.
    pub(crate) fn at(path: PathBuf) -> Self {
        let held = path.metadata().is_ok_and(|file| file.len() >= BYTES);
        Self { path, held }
    }

    /// Whether the room is there.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// Gives the room up.
    pub(crate) fn release(&mut self) {
        self.held = false;
        let emptied = private_file().write(true).open(&self.path).and_then(|file| file.set_len(0));
        if let Err(error) = emptied {
            tracing::warn!(%error, file = %self.path.display(), "the reserve could not be given up");
        }
    }

    /// Takes the room, if it is there and a little more.
    pub(crate) fn hold(&mut self, random: &dyn Random) -> bool {
        if !self.held {
            match self.fill(random) {
                Ok(()) => self.held = true,
                Err(error) => {
                    tracing::debug!(%error, "there is no room for the reserve");
                    self.release();
                }
            }
        }
        self.held
    }

    fn fill(&self, random: &dyn Random) -> io::Result<()> {
        // Random bytes and no two pages the same, because a file system may press them.
        let mut block = vec![0; 1 << 20];
        random.fill(&mut block);
        let mut file: File = private_file().write(true).create(true).truncate(true).open(&self.path)?;
        for n in 0..(BYTES + HEADROOM) / block.len() as u64 {
            for page in block.chunks_exact_mut(4096) {
                page[..8].copy_from_slice(&n.to_be_bytes());
            }
            file.write_all(&block)?;
        }
        file.sync_all()?;
        file.set_len(BYTES)
    }
}

/// How large the database may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pages: i64,
}

impl Limit {
    /// At most `bytes`, in pages of `page` bytes.
    pub(crate) fn new(bytes: u64, page: u64) -> Self {
        let pages = i64::try_from(bytes / page.max(1)).unwrap_or(i64::MAX);
        Self { pages: pages.max(64) }
    }

    /// The hard limit, which SQLite enforces.
    pub(crate) fn enforce(&self, conn: &Connection) -> Result<()> {
        Ok(conn.pragma_update(None, "max_page_count", self.pages)?)
    }

    /// Whether only ends may still be written: the last eighth is for them.
    pub(crate) fn is_reached(&self, conn: &Connection) -> Result<bool> {
        let ask =
            |what: &str| -> Result<i64> { Ok(conn.prepare_cached(what)?.query_row([], |row| row.get(0))?) };
        let used = ask("PRAGMA page_count")? - ask("PRAGMA freelist_count")?;
        Ok(used >= self.pages - self.pages / 8)
    }
}
