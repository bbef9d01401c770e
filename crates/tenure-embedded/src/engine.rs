//! A store in a folder, before it is opened: the place and the settings.

use std::fmt;
use std::path::{Path, PathBuf};

use tenure::MasterKey;
use tenure::store::StoreError;
use tenure_shared::AfterRestore;

use crate::backup;
use crate::verify::{self, Progress, Report};

/// What to do ([`Embedded::after_clock_gap`]) when the machine's clock is more than 31 days ahead
/// of the last time the store knows: a wrong clock would end all sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterClockGap {
    /// Do not serve, and say so: the operator looks at the clock.
    #[default]
    Refuse,
    /// The clock is right, the store was merely not in use.
    Accept,
}

/// Sessions in a folder of this machine: one process, durable.
///
/// What the store acknowledged is on the disk: SQLite with a write-ahead log and
/// `synchronous=FULL`. Changes that come at the same time share a commit.
/// [`close`](tenure::store::Store::close) finishes what is queued and lets go of the folder;
/// dropping the last handle does the same, and blocks for that long.
///
/// The master key lives outside the folder. It is taken from the first of these that is
/// there: [`master_key`](Self::master_key), the variable `TENURE_MASTER_KEY`, the file named
/// by [`master_key_file`](Self::master_key_file), `master.key` in the
/// [configuration folder](Self::config_dir). A new store without any gets a new key in that
/// file; a store that exists never does.
///
/// Beside the key lies a small mark of how far the store had come. A store that is behind its
/// mark, or has none, is an older copy and does not serve until the operator decides:
/// see [`AfterRestore`]. The mark is written when the store is opened and closed, and about
/// once a second while it changes: a copy that misses less than the last second before a
/// crash is not recognised.
///
/// # Example: keys kept by the system's secret store
/// ```
/// use tenure::MasterKey;
/// use tenure_embedded::Embedded;
///
/// # fn example(secret: &str) -> Result<Embedded, Box<dyn std::error::Error>> {
/// let engine = Embedded::at("/var/lib/shop/sessions")
///     .master_key(MasterKey::from_hex(secret)?)
///     .config_dir("/etc/shop/tenure");
/// # Ok(engine) }
/// ```
///
/// # Example: a service with a bounded disk
/// ```
/// use tenure_embedded::{AfterClockGap, Embedded};
///
/// let engine = Embedded::at("/var/lib/shop/sessions")
///     .master_key_file("/etc/shop/tenure.key") // of mode 0600
///     .max_bytes(2 << 30)
///     // A device that lies in a drawer for months, with a clock that is set before this starts.
///     .after_clock_gap(AfterClockGap::Accept);
/// ```
pub struct Embedded {
    pub(crate) path: PathBuf,
    pub(crate) key: Option<MasterKey>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) config_dir: Option<PathBuf>,
    pub(crate) after_restore: AfterRestore,
    pub(crate) after_clock_gap: AfterClockGap,
    pub(crate) max_bytes: Option<u64>,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Embedded {
    /// The store in this folder, which is made if there is none. Use a local disk.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            key: None,
            key_file: None,
            config_dir: None,
            after_restore: AfterRestore::default(),
            after_clock_gap: AfterClockGap::default(),
            max_bytes: None,
        }
    }

    /// The master key itself.
    #[must_use]
    pub fn master_key(mut self, key: MasterKey) -> Self {
        self.key = Some(key);
        self
    }

    /// The file with the master key: 64 hexadecimal digits, readable by its owner only,
    /// outside the store's folder.
    #[must_use]
    pub fn master_key_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.key_file = Some(path.into());
        self
    }

    /// The folder for `master.key` and the marks, outside the store's folder. It must
    /// survive a restart like the store itself. The default is `tenure` in
    /// `$XDG_CONFIG_HOME`, or in `$HOME/.config`.
    #[must_use]
    pub fn config_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_dir = Some(path.into());
        self
    }

    /// What to do with an older copy of the store.
    ///
    /// # Example: a decision of the operator, for one start
    /// ```
    /// use tenure_embedded::{AfterRestore, Embedded};
    ///
    /// fn engine(restored: bool) -> Embedded {
    ///     let decision = if restored { AfterRestore::EndAllSessions } else { AfterRestore::Refuse };
    ///     Embedded::at("/var/lib/shop/sessions").after_restore(decision)
    /// }
    /// # drop((engine(true), engine(false)));
    /// ```
    #[must_use]
    pub fn after_restore(mut self, decision: AfterRestore) -> Self {
        self.after_restore = decision;
        self
    }

    /// What to do when the clock is far ahead of the store.
    #[must_use]
    pub fn after_clock_gap(mut self, decision: AfterClockGap) -> Self {
        self.after_clock_gap = decision;
        self
    }

    /// How large the database file may become, in bytes. The last eighth is for ending
    /// sessions. At least 512 KiB. Beside it there are the write-ahead log, mostly below
    /// 8 MiB, and a reserve of 8 MiB that is given up when the disk is full, so that sessions
    /// can be ended then.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Copies the store of this folder to a new file, as it is at this moment. Needs no key, and
    /// may run while the store is in use.
    ///
    /// To put it back, stop the process, remove `tenure.db`, `tenure.db-wal` and `tenure.db-shm`
    /// from the store's folder, put the copy there as `tenure.db`, and start with
    /// [`after_restore`](Self::after_restore) set.
    ///
    /// # Errors
    /// Configuration when there is no store, or the file exists or cannot be made; otherwise as
    /// for any read.
    ///
    /// # Security
    /// The copy holds no token and no key, but it names users. The file is readable by its
    /// owner only. Keep the master key apart from it.
    pub fn backup(folder: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), StoreError> {
        backup::of_folder(folder.as_ref(), to.as_ref())
    }

    /// Reads everything in the store of this folder and says what is damaged. Needs no key,
    /// changes nothing, and may run while the store is in use. `progress` is called now and
    /// then; it blocks for as long as reading takes.
    ///
    /// # Errors
    /// Corrupt when there is no store or nothing of it can be read. Damage to parts of it is
    /// in the [`Report`].
    ///
    /// # Example: a copy, and whether it is whole
    /// ```
    /// use tenure_embedded::{Embedded, Progress, Report};
    /// # use tenure::{Sessions, SignIn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (folder, config) = (tempfile::tempdir()?, tempfile::tempdir()?);
    /// # let (data, copies) = (folder.path().join("data"), folder.path().join("copies"));
    /// # std::fs::create_dir(&copies)?;
    /// # let sessions = Sessions::open(Embedded::at(&data).config_dir(config.path())).await?;
    /// # sessions.sign_in(None, SignIn::password("u_1".parse()?)).await?;
    /// // While another process serves from `data`.
    /// Embedded::backup(&data, copies.join("tenure.db"))?;
    ///
    /// let tell = |Progress { sessions, of }| eprintln!("{sessions} of {of}");
    /// let report: Report = Embedded::verify(&copies, tell)?;
    /// for problem in &report.problems {
    ///     eprintln!("{problem}");
    /// }
    /// assert!(report.is_clean() && report.sessions == 1);
    /// # sessions.close().await?;
    /// # Ok(()) }
    /// ```
    pub fn verify(folder: impl AsRef<Path>, progress: impl FnMut(Progress)) -> Result<Report, StoreError> {
        verify::verify(folder.as_ref(), progress)
    }
}
