//! Files that only their owner sees.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folder for keys when none is named: `tenure` in `$XDG_CONFIG_HOME` or `$HOME/.config`.
pub(crate) fn default_config_dir() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let above = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    above.map(|above| above.join("tenure"))
}

/// Writes a file of mode 0600: after a crash it holds the old or the new text, whole.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let what = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        make_private(folder).with_context(what)?;
    }
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).with_context(what),
        _ => {}
    }
    private_file()
        .write(true)
        .create_new(true)
        .open(&draft)
        .and_then(|mut to| {
            to.write_all(text.as_bytes())?;
            to.sync_all()
        })
        .and_then(|()| fs::rename(&draft, path))
        .with_context(what)
}

/// Reads a file that nobody else may write; none when there is none.
pub(crate) fn read_private(path: &Path) -> Result<Option<String>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    refuse_open_to_others(path)?;
    Ok(Some(text))
}

#[cfg(unix)]
fn refuse_open_to_others(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path)?.permissions().mode();
    anyhow::ensure!(mode & 0o077 == 0, "others can use {0}; run `chmod 600 {0}`", path.display());
    Ok(())
}

#[cfg(not(unix))]
fn refuse_open_to_others(_: &Path) -> Result<()> {
    Ok(())
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn private_file() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "modes are a matter of Unix"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
