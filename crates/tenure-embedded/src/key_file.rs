//! Where the master key comes from.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use tenure::MasterKey;
use tenure::random::Random;
use tenure::store::StoreError;
use tenure_shared::{KEY_VARIABLE, key_in_environment, key_in_file};
use zeroize::Zeroizing;

use crate::error::file;
use crate::folder::{make_private, private_file, sync_folder_of};

/// Where to look for the master key.
pub(crate) struct KeySource {
    /// The key itself.
    pub(crate) key: Option<MasterKey>,
    /// The file that was named.
    pub(crate) file: Option<PathBuf>,
    /// The folder of the default file.
    pub(crate) config_dir: PathBuf,
}

impl KeySource {
    /// Finds the key: given, in the environment, in the named file, in the default file. A
    /// store that is new gets a new key in the first of these files if there is none.
    ///
    /// # Errors
    /// Configuration when there is no key for a store that exists, or the key lies where
    /// others could read it.
    pub(crate) fn find(
        self,
        store: &Path,
        is_new: bool,
        random: &dyn Random,
    ) -> Result<MasterKey, StoreError> {
        if let Some(key) = self.key {
            return Ok(key);
        }
        if let Some(key) = key_in_environment()? {
            return Ok(key);
        }
        let path = self.file.unwrap_or_else(|| self.config_dir.join("master.key"));
        refuse_inside(store, &path)?;
        match key_in_file(&path) {
            Ok(Some(key)) => Ok(key),
            Ok(None) if is_new => make(&path, random),
            Ok(None) => Err(StoreError::Configuration(format!(
                "the master key of {} is missing: it is neither in {KEY_VARIABLE} nor in {}. Put the key \
                 that belongs to this store there; without it no session can be checked",
                store.display(),
                path.display()
            ))),
            Err(error) => Err(error),
        }
    }
}

/// The folder for keys and marks when none is named.
///
/// # Errors
/// Configuration when the environment names no home.
pub(crate) fn default_config_dir() -> Result<PathBuf, StoreError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let above = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    above.map(|above| above.join("tenure")).ok_or_else(|| {
        StoreError::Configuration(
            "no place for the master key: set HOME or XDG_CONFIG_HOME, or name a folder \
             outside the store with `config_dir`"
                .into(),
        )
    })
}

/// Whoever copies the store must not get the key with it, links followed.
pub(crate) fn refuse_inside(store: &Path, path: &Path) -> Result<(), StoreError> {
    let real = fs::canonicalize(path).or_else(|_| {
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        fs::canonicalize(above.unwrap_or(Path::new(".")))
    });
    match real {
        Ok(real) if real.starts_with(store) => Err(StoreError::Configuration(format!(
            "{} is inside the store's folder {}: whoever copies the store would get the key with it. \
             Move it elsewhere",
            path.display(),
            store.display()
        ))),
        _ => Ok(()),
    }
}

/// Makes a key. It is whole before it gets its name, so a crash leaves none or a whole one.
/// When another process makes one at the same time, that one holds.
fn make(path: &Path, random: &dyn Random) -> Result<MasterKey, StoreError> {
    let key = MasterKey::generate(random);
    let digits = Zeroizing::new(format!("{}\n", key.to_hex()));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_private(folder)?;
    }
    // A name of its own: what another thread or process drafts is another file.
    let mut unique = [0; 8];
    random.fill(&mut unique);
    let draft = path.with_extension(format!("{:016x}.new", u64::from_be_bytes(unique)));
    let named = private_file()
        .write(true)
        .create_new(true)
        .open(&draft)
        .and_then(|mut to| {
            to.write_all(digits.as_bytes())?;
            to.sync_all()
        })
        // Unlike a renaming, a link never replaces a file.
        .and_then(|()| fs::hard_link(&draft, path));
    if let Err(error) = fs::remove_file(&draft) {
        tracing::warn!(%error, file = %draft.display(), "a draft of the master key was left behind; remove it");
    }
    match named.and_then(|()| sync_folder_of(path)) {
        Ok(()) => {
            tracing::info!(file = %path.display(), "made a master key; keep a copy of it apart from the store");
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            key_in_file(path)?.ok_or_else(|| file("reading the master key", path, &error))
        }
        Err(error) => Err(file("writing the master key", path, &error)),
    }
}
