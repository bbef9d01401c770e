//! The master key, which lies neither in a store nor beside it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use sha2::{Digest, Sha256};
use tenure::MasterKey;
use tenure::store::StoreError;
use zeroize::Zeroizing;

/// The variable that may hold the master key.
pub const KEY_VARIABLE: &str = "TENURE_MASTER_KEY";

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
