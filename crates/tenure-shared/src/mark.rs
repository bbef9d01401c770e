//! The mark of a node: what it last knew of a store that nodes share, on its own disk, so that an older
//! copy of the store is recognised.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use sha2::{Digest, Sha256};
use tenure::clock::Timestamp;
use tenure::store::StoreError;

/// How each begins. Marks of embedded stores, which may lie beside them, begin otherwise.
const FIRST_LINE: &str = "tenure mark of a shared store 1";

/// What a node knew of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The store's random name, in hexadecimal digits.
    pub(crate) store: String,
    /// Where the store was: [`place_of`].
    pub(crate) place: String,
    /// The latest time of a write that the node knew of, by the store's clock.
    pub(crate) latest: Timestamp,
    /// The operator had decided to end all sessions, and that was not finished.
    pub(crate) undecided: bool,
}

/// What is in the place of a mark.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No file, or one of something else.
    Nothing,
    /// A file that is not as it was written.
    Damaged,
    /// The mark.
    Mark(Mark),
}

/// Digits that stand for where a store is, and do not tell it.
pub(crate) fn place_of(address: &str) -> String {
    digits(&Sha256::digest(address)[..16])
}

/// Bytes as hexadecimal digits.
pub(crate) fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Mark {
    /// Where the mark of a store lies.
    pub(crate) fn path(dir: &Path, store: &str) -> PathBuf {
        dir.join(format!("{store}.mark"))
    }

    /// Reads a mark.
    ///
    /// # Errors
    /// Configuration when there is a file that may not be read.
    pub(crate) fn read(path: &Path) -> Result<Found, StoreError> {
        let text = match fs::read(path) {
            Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(failed(path, &error)),
        };
        Ok(Self::parse(&text).map_or(Found::Damaged, Found::Mark))
    }

    /// The marks of other stores that were at a place. What cannot be read is told.
    ///
    /// # Errors
    /// Configuration when the folder or a file in it may not be read.
    pub(crate) fn others_at(dir: &Path, place: &str, store: &str) -> Result<Vec<PathBuf>, StoreError> {
        let listing = match fs::read_dir(dir) {
            Ok(listing) => listing,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(dir, &error)),
        };
        let mut others = Vec::new();
        for entry in listing {
            let path = entry.map_err(|error| failed(dir, &error))?.path();
            if path.extension() != Some(OsStr::new("mark")) || path.file_stem() == Some(OsStr::new(store)) {
                continue;
            }
            match Self::read(&path)? {
                Found::Mark(mark) if mark.place == place => others.push(path),
                Found::Damaged if !is_of_an_embedded_store(&path) => {
                    tracing::warn!(file = %path.display(), "a mark is damaged: it tells nothing of its store");
                }
                _ => {}
            }
        }
        Ok(others)
    }

    /// Writes it so that after a crash there is the old or the new one, whole.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        static DRAFTS: AtomicU32 = AtomicU32::new(0);
        // Another node of this machine may write one at the same moment.
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let draft = path.with_extension(format!("{}-{number}.new", std::process::id()));
        let written = self.write_draft(&draft).and_then(|()| fs::rename(&draft, path));
        if written.is_err() {
            // There may be none.
            fs::remove_file(&draft).ok();
        }
        written.and_then(|()| sync_folder_of(path))
    }

    fn write_draft(&self, draft: &Path) -> io::Result<()> {
        if let Some(dir) = draft.parent() {
            make_private(dir)?;
        }
        let mut to = private_file().write(true).create(true).truncate(true).open(draft)?;
        to.write_all(self.text().as_bytes())?;
        to.sync_all()
    }

    fn text(&self) -> String {
        let Self { store, place, latest, undecided } = self;
        let latest = latest.as_millis();
        let body =
            format!("{FIRST_LINE}\nstore={store}\nplace={place}\nlatest={latest}\nundecided={undecided}\n");
        let sum = crc32fast::hash(body.as_bytes());
        format!("{body}sum={sum}\n")
    }

    fn parse(text: &str) -> Option<Self> {
        let (body, sum) = text.split_at(text.rfind("sum=")?);
        (sum == format!("sum={}\n", crc32fast::hash(body.as_bytes()))).then_some(())?;
        let mut lines = body.lines();
        (lines.next()? == FIRST_LINE).then_some(())?;
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix('=');
        Some(Self {
            store: value("store")?.to_owned(),
            place: value("place")?.to_owned(),
            latest: Timestamp::from_millis(value("latest")?.parse().ok()?),
            undecided: value("undecided")?.parse().ok()?,
        })
    }
}

/// Whether a file is a mark of another kind, which is read by others.
fn is_of_an_embedded_store(path: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"tenure mark 1\n"))
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Configuration(format!("reading the marks of stores, {}: {error}", path.display()))
}

/// Makes a folder that only its owner sees, and the ones above it.
fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Options for a file that only its owner reads and writes.
fn private_file() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "modes are a matter of Unix"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the name of a file durable.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        #[cfg(unix)]
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        #[cfg(unix)]
        Some(folder) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        let (store, place) = (digits(&[1; 16]), place_of("postgres://db/shop"));
        Mark { store, place, latest: Timestamp::from_millis(7), undecided: true }
    }

    #[test]
    fn a_mark_reads_back() {
        assert_eq!(Mark::parse(&mark().text()), Some(mark()));
    }

    #[test]
    fn a_changed_mark_is_none() {
        let text = mark().text();
        for (from, to) in [("latest=7", "latest=6"), ("store 1", "store 2"), ("sum=", "sum=0")] {
            assert_eq!(Mark::parse(&text.replace(from, to)), None, "{from}");
        }
        for cut in 0..text.len() {
            assert_eq!(Mark::parse(&text[..cut]), None, "cut at {cut}");
        }
    }
}
