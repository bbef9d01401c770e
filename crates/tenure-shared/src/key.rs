//! The master key, which lies neither in a store nor beside it.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tenure::MasterKey;
use tenure::store::StoreError;
use zeroize::Zeroizing;

/// The variable that may hold the master key.
pub const KEY_VARIABLE: &str = "TENURE_MASTER_KEY";

/// Where the key of a store is that nodes share: it is never made, since all need the same.
#[derive(Clone, Default)]
pub struct KeySource {
    key: Option<MasterKey>,
    file: Option<PathBuf>,
}

impl fmt::Debug for KeySource {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySource").field("file", &self.file).finish_non_exhaustive()
    }
}

impl KeySource {
    /// The key itself, which comes before all else.
    #[must_use]
    pub fn with_key(self, key: MasterKey) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The file with it, which comes last.
    #[must_use]
    pub fn with_file(self, path: PathBuf) -> Self {
        Self { file: Some(path), ..self }
    }

    /// The key: the one that was given, or that in the variable [`KEY_VARIABLE`], or that in the file.
    ///
    /// # Errors
    /// Configuration that says where it was looked for, and what to do.
    pub fn find(&self) -> Result<MasterKey, StoreError> {
        if let Some(key) = &self.key {
            return Ok(key.clone());
        }
        if let Some(key) = key_in_environment()? {
            return Ok(key);
        }
        let looked = match &self.file {
            Some(path) => match key_in_file(path)? {
                Some(key) => return Ok(key),
                None => format!("there is no file {}", path.display()),
            },
            None => "no file is named (`--master-key-file`; in Rust `master_key_file`)".into(),
        };
        Err(StoreError::Configuration(format!(
            "the master key is missing: {KEY_VARIABLE} is not set, and {looked}. All nodes of a store share one; \
             for a new store make it with `openssl rand -hex 32`, and keep it apart from the store"
        )))
    }
}

/// The key in the variable [`KEY_VARIABLE`], if it is set.
///
/// # Errors
/// Configuration when it holds something else.
pub fn key_in_environment() -> Result<Option<MasterKey>, StoreError> {
    let Some(digits) = std::env::var_os(KEY_VARIABLE) else { return Ok(None) };
    let digits = Zeroizing::new(digits.into_string().unwrap_or_default());
    let key = MasterKey::from_hex(&digits);
    key.map(Some).map_err(|e| StoreError::Configuration(format!("in {KEY_VARIABLE}: {e}")))
}

/// The key in a file, if there is the file.
///
/// # Errors
/// Configuration when it holds something else, or others can read it.
pub fn key_in_file(path: &Path) -> Result<Option<MasterKey>, StoreError> {
    let failed = |error: std::io::Error| {
        StoreError::Configuration(format!("reading the master key {}: {error}", path.display()))
    };
    let from = match File::open(path) {
        Ok(from) => from,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    refuse_readable_by_others(&from, path)?;
    let mut digits = Zeroizing::new(String::new());
    (&from).take(1024).read_to_string(&mut digits).map_err(failed)?;
    let key = MasterKey::from_hex(&digits);
    key.map(Some).map_err(|e| StoreError::Configuration(format!("in {}: {e}", path.display())))
}

/// Tells whether a master key is the one that a store was made with, and nothing else of it.
pub fn key_check(key: &MasterKey) -> [u8; 32] {
    Sha256::digest(key.derive("check")).into()
}

#[cfg(unix)]
fn refuse_readable_by_others(key: &File, path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    let about = key.metadata().map_err(|error| {
        StoreError::Configuration(format!("reading the master key {}: {error}", path.display()))
    })?;
    if about.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(StoreError::Configuration(format!(
        "others can read the master key in {0}; run `chmod 600 {0}`",
        path.display()
    )))
}

#[cfg(not(unix))]
fn refuse_readable_by_others(_: &File, _: &Path) -> Result<(), StoreError> {
    Ok(())
}
