//! The store's folder: its files, their modes, and the lock that keeps a second process out.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use tenure::store::StoreError;

use crate::error::file;

/// The database file in a store's folder.
const DATABASE: &str = "tenure.db";

/// A store's folder, locked as long as this lives, also across a crash of others.
pub(crate) struct Folder {
    path: PathBuf,
    lock: File,
}

impl Folder {
    /// Makes the folder if there is none, and locks it.
    ///
    /// # Errors
    /// Configuration when it cannot be made or is open elsewhere.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        make_private(path)?;
        let path = fs::canonicalize(path).map_err(|e| file("finding", path, &e))?;
        let at = path.join("tenure.lock");
        let lock = private_file()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&at)
            .map_err(|e| file("opening", &at, &e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Configuration(format!(
                "{} is open already, in this or another process; stop that one first \
                 (one process at a time holds an embedded store)",
                path.display()
            ))),
            Err(TryLockError::Error(error)) => Err(file("locking", &at, &error)),
        }
    }

    /// Where it is, without links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        database_in(&self.path)
    }

    /// The file that keeps room for the day the disk is full.
    pub(crate) fn reserve(&self) -> PathBuf {
        self.path.join("tenure.reserve")
    }

    /// Whether a store was made here, whatever is left of it.
    pub(crate) fn was_a_store(&self) -> Result<bool, StoreError> {
        let mut noted = String::new();
        let at = self.path.join("tenure.lock");
        (&self.lock).read_to_string(&mut noted).map_err(|e| file("reading", &at, &e))?;
        let log = self.path.join(format!("{DATABASE}-wal"));
        Ok(!noted.is_empty() || log.metadata().is_ok_and(|log| log.len() > 0))
    }

    /// Notes that a store was made here.
    pub(crate) fn note_store(&self, store: &[u8; 16]) -> Result<(), StoreError> {
        let mut lock = &self.lock;
        let noted = format!("{}\n", HEXLOWER.encode(store));
        lock.rewind()
            .and_then(|()| lock.write_all(noted.as_bytes()))
            .and_then(|()| lock.sync_all())
            .map_err(|e| file("writing the lock file in", &self.path, &e))
    }
}

/// The database file in the folder of a store.
pub(crate) fn database_in(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

/// Makes a folder that only its owner sees, and the ones above it.
pub(crate) fn make_private(path: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|e| file("making the folder", path, &e))?;
    warn_if_open_to_others(path);
    Ok(())
}

/// Whoever may write in the folder can put files of their own in the place of ours.
#[cfg(unix)]
fn warn_if_open_to_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = path.metadata().map_or(0, |about| about.permissions().mode());
    if mode & 0o022 != 0 {
        tracing::warn!("others can write in {0}; run `chmod go-w {0}`", path.display());
    }
}

#[cfg(not(unix))]
fn warn_if_open_to_others(_: &Path) {}

/// Options for a file that only its owner reads and writes.
pub(crate) fn private_file() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "modes are a matter of Unix"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Writes a file so that after a crash it holds the old or the new bytes, whole.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut to = private_file().write(true).create(true).truncate(true).open(&draft)?;
    to.write_all(bytes)?;
    to.sync_all()?;
    fs::rename(&draft, path)?;
    sync_folder_of(path)
}

/// Makes the name of a file durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        #[cfg(unix)]
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        #[cfg(unix)]
        Some(folder) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}
