//! Copying a store while it serves.

use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use tenure::store::StoreError;

use crate::error::{self, Result};
use crate::folder::{database_in, private_file, sync_folder_of};
use crate::schema;

/// Copies the store in `folder`, which another process may be using.
pub(crate) fn of_folder(folder: &Path, to: &Path) -> std::result::Result<(), StoreError> {
    let database = database_in(folder);
    if !database.is_file() {
        return Err(StoreError::Configuration(format!("there is no store in {}", folder.display())));
    }
    Ok(copy(&schema::open_reader(&database)?, to)?)
}

/// Copies what a connection sees to a new file.
pub(crate) fn copy(conn: &Connection, to: &Path) -> Result<()> {
    let failed = |error: std::io::Error| error::file("writing the backup", to, &error);
    private_file().write(true).create_new(true).open(to).map_err(failed)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(to, flags)?;
    let backup = Backup::new(conn, &mut target)?;
    // In one step, which is one snapshot: changes go on meanwhile, and do not start it over.
    let StepResult::Done = backup.step(-1)? else {
        return Err(StoreError::Unavailable("the backup was not finished; try again".into()).into());
    };
    drop(backup);
    target.close().map_err(|(_, error)| error)?;
    Ok(sync_folder_of(to).map_err(failed)?)
}
